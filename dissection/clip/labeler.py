"""The labeler by CLIP: concept scores against the pooled activations of a run."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from broden.probe import Probe
from dissection.activations.forward import Passed
from dissection.clip import concepts, encoder
from dissection.clip.features import default_cache, image_features, text_features
from dissection.clip.pooling import Pooling
from dissection.clip.results import STRANGE, Described, definitions, described, write
from dissection.clip.scale import Scale, scale_of, spread
from dissection.clip.scoring import score
from dissection.clip.worth import Pairing, pairing_of, worth
from dissection.config import ClipConfig
from dissection.execution.job import Job
from dissection.labeler import Outcome
from dissection.networks.layouts import LayerInfo
from dissection.networks.suitability import class_tokens, require_units

__all__ = ["ClipLabeler"]

log = logging.getLogger(__name__)

MOST_SATURATED = 0.05
"""Share of a layer's units above which a run warns of those that tie."""


class ClipLabeler:
    """Call units by the concepts of a list: CLIP-Dissect.

    Parameters
    ----------
    config : ClipConfig
        Encoder, concepts, similarity, pooling.
    probe : Probe
        What the dissected network is shown, and the encoder too.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        If the concepts cannot be had.
    """

    name = "clip"
    means = True
    levels = ()
    rotations = 0

    def __init__(self, config: ClipConfig, probe: Probe) -> None:
        self.config, self.probe = config, probe
        self.precision = config.precision
        self.shifts = config.shifts_of(len(probe))
        self.concepts = concepts.read(config.concepts, probe, config.template)
        self.strange = config.encoder == "mini" and not probe.generated
        self.device = torch.device("cpu")
        self._encoder: encoder.Encoder | None = None

    @property
    def encoder(self) -> encoder.Encoder:
        """The encoder, loaded by `prepare`."""
        if self._encoder is None:
            raise RuntimeError("the encoder is not loaded yet: call prepare first")
        return self._encoder

    def scale(self, images: int) -> Scale | None:
        """Return the options of the similarity for so many images."""
        config = self.config
        return scale_of(config.similarity, images, self.encoder.sharpness, config.sharpness)

    def layers(self, infos: Sequence[LayerInfo]) -> list[LayerInfo]:
        """Return the layers, with their class tokens where these are asked for."""
        require_units(infos)
        return class_tokens(infos) if self.config.pooling == "class" else list(infos)

    def prepare(self, device: torch.device) -> None:
        """Load the encoder.

        Raises
        ------
        ValueError, FileNotFoundError, RuntimeError
            If it cannot be had.
        """
        weights = self.config.encoder_weights
        self.device = device
        self._encoder = encoder.load(self.config.encoder, weights=weights, device=device)
        if self.strange:
            log.warning("%s", STRANGE)

    def settings(self) -> dict[str, object]:
        """Return all that determines the labels, as JSON knows it; the encoder is loaded."""
        shifts = {"shifts": self.shifts} if self.shifts else {}
        scale = self.scale(len(self.probe))
        scaled = {} if scale is None else scale._asdict()
        return {
            "precision": self.config.precision,
            "clip": {
                "encoder": {
                    "name": self.config.encoder,
                    "weights": self.encoder.weights,
                    "digest": self.encoder.digest,
                    "preprocessing": self.encoder.preprocessing.as_dict(),
                },
                "concepts": {
                    "source": self.concepts.source,
                    "count": len(self.concepts),
                    "digest": self.concepts.digest,
                    "template": self.config.template,
                },
                "similarity": self.config.similarity,
                "pooling": self.config.pooling,
                **scaled,
                **shifts,
            },
        }

    def fold(self, job: Job, passed: Passed) -> "ClipFold":
        """Return the pooled activations to be gathered from the shards."""
        return ClipFold(job, self)

    def texts(self, names: Sequence[str]) -> np.ndarray:
        """Return the encoder's features of some texts, (n, D) float32 of length 1."""
        return self.encoder.texts(names).cpu().numpy()


class ClipFold(Pooling):
    """Activations of this rank's shards, and what all ranks' are called."""

    def __init__(self, job: Job, labeler: ClipLabeler) -> None:
        super().__init__(job.plan.layers, len(job.plan.probe), labeler.config.pooling)
        self._job, self._labeler = job, labeler

    def outcome(self) -> Outcome | None:
        """Score every unit against every concept, see `labeler.LabelFold`.

        Raises
        ------
        ValueError
            If an image cannot be decoded.
        """
        ranks = self._job.ranks
        if ranks.world > 1:
            others = ranks.gather([] if ranks.leads else self.own())
            for parts in others:
                self.add_all(parts)
        images = self._image_features()
        if images is None:
            return None
        labeler, config = self._labeler, self._labeler.config
        pairs = pairing_of(labeler.probe, labeler.shifts) if labeler.shifts else None
        with self._job.timed("clip features"):
            texts = text_features(labeler.encoder, labeler.concepts, cache=default_cache())
        apart, scale = spread(images, texts), labeler.scale(len(images))
        found = self._described(images, texts, pairs)
        for one in found:
            warn_saturated(one, scale)
        alone = None if pairs is None else pairs.alone
        return Outcome(
            {one.layer: one.counts for one in found},
            definitions(config, labeler.strange, scale, apart, alone),
            partial(write, found, labeler.concepts.names, apart),
            {f"clip:{Path(config.encoder).name}": labeler.texts},
        )

    def _image_features(self) -> Tensor | None:
        """Return the features of all images, encoded by all ranks, on the one that leads."""
        job, labeler = self._job, self._labeler
        with job.timed("clip features"):
            return image_features(
                labeler.encoder,
                labeler.probe,
                cache=default_cache(),
                batch_size=job.plan.batch_size,
                workers=job.plan.workers,
                progress=job.execution.progress,
                ranks=job.ranks,
            )

    def _described(self, images: Tensor, texts: Tensor, pairs: Pairing | None) -> list[Described]:
        job, labeler, device = self._job, self._labeler, self._labeler.device
        kind = labeler.config.similarity
        images, texts, found = images.to(device), texts.to(device), []

        def scored(shown: Tensor, activations: Tensor) -> Tensor:
            scale = labeler.scale(len(shown))
            options = None if scale is None else scale.options()
            return score(shown, texts, activations, kind, options=options)

        for info in job.plan.layers:
            activations = self.values(info.name).to(device)
            with job.timed("clip similarity"):
                similarity = scored(images, activations).float().cpu().numpy()
                one = described(info.name, similarity, activations.cpu(), kind)
            if pairs is not None:
                with job.timed("clip validity"):
                    judged = worth(scored, images, activations, similarity, pairs, kind)
                    one = one._replace(worth=judged)
            found.append(one)
        return found


def warn_saturated(found: Described, scale: Scale | None) -> None:
    """Log where more units tie at the highest similarity than can be overlooked."""
    units, tied = len(found.saturated), int(found.saturated.sum())
    if scale is None or tied <= MOST_SATURATED * units:
        return
    log.warning(
        "warning: layer %s: %d of %d units tie at the highest similarity there is, so their "
        "descriptions say little; use --sharpness below %g, or --similarity cosine_cubed",
        *(found.layer, tied, units, scale.sharpness),
    )
