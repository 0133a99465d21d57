"""The labeler by CLIP: concept scores against pooled activations of a run, and its files."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from broden.photographs import Photographs
from broden.reader import ProbeSet
from broden.system.files import atomic
from dissection.activations.pooled import pooled
from dissection.clip import concepts, encoder
from dissection.clip.features import default_cache, image_features, text_features
from dissection.clip.measures import top_images
from dissection.clip.scoring import score
from dissection.config import ClipConfig
from dissection.execution.job import Run

TOP_CONCEPTS = 5
"""Concepts of each unit that clip.h5 lists."""

TOP_IMAGES = 10
"""Images of each unit that clip.h5 lists."""

STRANGE = (
    "the encoder mini was trained on generated pictures alone: of others its descriptions mean "
    "little; the published choice is --encoder ViT-B-16:openai"
)

log = logging.getLogger(__name__)

_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class Described(NamedTuple):
    """What the units of a layer are called."""

    layer: str
    similarity: np.ndarray
    """(U, M) float32."""
    top: np.ndarray
    """(U, n) int64 concepts of highest similarity, the best first; on ties the earlier."""
    top_image: np.ndarray
    """(U, n) int64 images of highest activation, the highest first; on ties the earlier."""
    top_value: np.ndarray
    """(U, n) float32 those activations."""

    @property
    def distinct(self) -> int:
        """How many different concepts the units are called by."""
        return len(np.unique(self.top[:, 0]))


class Labeler:
    """Call the units of a run by the concepts of a list.

    Parameters
    ----------
    config : ClipConfig
        Encoder, concepts, similarity, pooling.
    images : ProbeSet or Photographs
        What the dissected network is shown, and the encoder too.
    device : torch.device
        Where encoder and similarity compute.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        If encoder or concepts cannot be had.
    """

    def __init__(
        self, config: ClipConfig, images: ProbeSet | Photographs, device: torch.device
    ) -> None:
        self.config, self._images, self._device = config, images, device
        probe = images if isinstance(images, ProbeSet) else None
        self._concepts = concepts.read(config.concepts, probe, config.template)
        self._encoder = encoder.load(config.encoder, weights=config.encoder_weights, device=device)
        self._strange = config.encoder == "mini" and not (probe and probe.source.startswith("seed"))
        if self._strange:
            log.warning("%s", STRANGE)

    @property
    def settings(self) -> dict:
        """All that determines the labels besides network, layers and images, as JSON knows it."""
        return {
            "encoder": {
                "name": self.config.encoder,
                "weights": self._encoder.weights,
                "digest": self._encoder.digest,
                "preprocessing": self._encoder.preprocessing.as_dict(),
            },
            "concepts": {
                "source": self._concepts.source,
                "count": len(self._concepts),
                "digest": self._concepts.digest,
                "template": self.config.template,
            },
            "similarity": self.config.similarity,
            "pooling": self.config.pooling,
        }

    def label(self, run: Run) -> list[Described]:
        """Score every unit of every layer against every concept.

        Raises
        ------
        ValueError
            If an image cannot be decoded, or a shard is damaged.
        """
        with run.timed("clip features"):
            images = image_features(
                self._encoder,
                self._images,
                cache=default_cache(),
                batch_size=run.execution.batch_size,
                workers=run.plan.workers,
                progress=run.execution.progress,
            ).to(self._device)
            texts = text_features(self._encoder, self._concepts, cache=default_cache())
        described = []
        with run.timed("clip similarity"):
            for info in run.plan.layers:
                pooling = "max" if self.config.pooling == "max" else "mean"
                activations = pooled(run.store, run.plan.shards(), info.name, pooling)
                similarity = score(
                    images,
                    texts.to(self._device),
                    activations.to(self._device),
                    self.config.similarity,
                )
                similarity = similarity.float().cpu().numpy()
                described.append(_described(info.name, similarity, activations))
        return described

    def texts(self, names: Sequence[str]) -> np.ndarray:
        """Return the encoder's features of some texts, (M, D) float32 of length 1."""
        return self._encoder.texts(names).cpu().numpy()

    def write(self, folder: Path, described: Sequence[Described]) -> None:
        """Write descriptions.csv and clip.h5, each complete or not at all."""
        table = pd.concat([self._table(one) for one in described], ignore_index=True)
        with atomic(folder / "descriptions.csv") as handle:
            table.to_csv(handle, index=False, lineterminator="\n")
        # HDF5 cannot close a file that it could not write, so a full disk must not meet it
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            file["concepts"] = np.array(self._concepts.names, dtype=h5py.string_dtype())
            for one in described:
                group = file.create_group(f"layers/{one.layer}")
                group.create_dataset("similarity", data=one.similarity, **_PACKED)
                group["top/concept"] = one.top
                group["top/similarity"] = np.take_along_axis(one.similarity, one.top, axis=1)
                group["top/image"], group["top/value"] = one.top_image, one.top_value
        with atomic(folder / "clip.h5") as handle:
            handle.write(memory.getbuffer())

    def definitions(self) -> dict[str, str]:
        """Return in words what the descriptions mean."""
        of = {
            "max": "maximum of its map",
            "mean": "mean of its map",
            "class": "value at the class token",
        }[self.config.pooling]
        strange = {"encoder": STRANGE} if self._strange else {}
        return strange | {
            "activation": f"of a unit on an image: the {of}",
            "concept score": "cosine of image and text features of the CLIP encoder",
            "top images by CLIP": f"the {TOP_IMAGES} of highest activation",
            "description": f"the concept of highest {self.config.similarity} with the unit's "
            "activations over all images, the earlier in the list on ties",
            "similarity": "comparable only between runs with the same encoder, concepts and "
            "images; soft_wpmi is never above the logarithm of the layer's number of units, which "
            "a concept reaches that one unit alone answers to, so that units may tie there",
            "prior": "soft_wpmi and wpmi take the mean over the units of a layer as how usual a "
            "concept is, so a layer is always described as a whole",
        }

    def _table(self, one: Described) -> pd.DataFrame:
        units, best = np.arange(len(one.top)), one.top[:, 0]
        return pd.DataFrame(
            {
                "layer": one.layer,
                "unit": units,
                "description": np.array(self._concepts.names, object)[best],
                "similarity": one.similarity[units, best],
            }
        )


def _described(layer: str, similarity: np.ndarray, activations: Tensor) -> Described:
    """Sort out the best concepts and images of each unit."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    images = top_images(activations, TOP_IMAGES)
    values = activations.t().gather(1, images)
    top = order[:, :TOP_CONCEPTS].copy()
    return Described(layer, similarity, top, images.numpy(), values.numpy())
