"""What CLIP says of the units of a layer: its files and what its numbers mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from dissection.clip.measures import top_images
from dissection.clip.scale import SATURATED, Scale, saturated
from dissection.clip.worth import Worth
from dissection.config import SOFTMAX, TOP_IMAGES, ClipConfig
from dissection.results import schema
from dissection.results.storage import texts, write_table, written_hdf5
from dissection.statistics.discoveries import FDR

__all__ = ["STRANGE", "TOP_CONCEPTS", "Described", "definitions", "described", "write"]

TOP_CONCEPTS = 5
"""Concepts of each unit that clip.h5 lists."""

STRANGE = (
    "the encoder mini was trained on generated pictures alone: of others its descriptions mean "
    "little; the published choice is --encoder ViT-B-16:openai"
)

_POOLED = {
    "max": "maximum of its map",
    "mean": "mean of its map",
    "class": "value at the class token",
}


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
    saturated: np.ndarray
    """(U,) bool, see `scale.saturated`."""
    worth: Worth | None = None
    """What the descriptions are worth, where that was asked."""

    @property
    def distinct(self) -> int:
        """How many different concepts the units are called by."""
        return len(np.unique(self.top[:, 0]))

    @property
    def counts(self) -> dict[str, int]:
        """What the run card says of the layer."""
        found = {"descriptions": self.distinct, "saturated": int(self.saturated.sum())}
        if self.worth is not None:
            found["descriptions_significant"] = self.worth.significant
        return found


def described(layer: str, similarity: np.ndarray, activations: Tensor, measure: str) -> Described:
    """Sort out the best concepts and images of each unit.

    Parameters
    ----------
    layer : str
        Its name.
    similarity : ndarray
        (U, M) float32.
    activations : Tensor
        (N, U) float32.
    measure : str
        Name of the similarity.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")
    images = top_images(activations, TOP_IMAGES)
    values = activations.t().gather(1, images)
    top = order[:, :TOP_CONCEPTS].copy()
    tied = saturated(similarity, measure)
    return Described(layer, similarity, top, images.numpy(), values.numpy(), tied)


def write(found: Sequence[Described], concepts: Sequence[str], spread: float, folder: Path) -> None:
    """Write descriptions.csv and clip.h5, each complete or not at all.

    Parameters
    ----------
    found : sequence of Described
        The layers, in order.
    concepts : sequence of str
        The M names.
    spread : float
        Of the scores, see `scale.spread`.
    folder : Path
        The run directory.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    table = pd.concat([_table(one, concepts) for one in found], ignore_index=True)
    write_table(folder / schema.DESCRIPTIONS, table)
    with written_hdf5(folder / schema.CLIP) as file:
        file[schema.CLIP_CONCEPTS] = texts(concepts)
        file[schema.CLIP_SPREAD] = spread
        for one in found:
            group = file.create_group(schema.layers(one.layer))
            group.create_dataset(schema.SIMILARITY, data=one.similarity, **schema.PACKED)
            group[schema.TOP_CONCEPT] = one.top
            best = np.take_along_axis(one.similarity, one.top, axis=1)
            group[schema.TOP_SIMILARITY] = best
            group[schema.TOP_IMAGE], group[schema.TOP_VALUE] = one.top_image, one.top_value
            if one.worth is not None:
                group[schema.OBSERVED], group[schema.NULL] = one.worth.observed, one.worth.null


def _table(one: Described, concepts: Sequence[str]) -> pd.DataFrame:
    units, best = np.arange(len(one.top)), one.top[:, 0]
    columns = {
        "layer": one.layer,
        "unit": units,
        "description": np.array(concepts, object)[best],
        "similarity": one.similarity[units, best],
    }
    if one.worth is not None:
        values = (one.worth.p, one.worth.q, one.worth.stability)
        columns |= dict(zip(schema.WORTH_COLUMNS, values, strict=True))
    columns[schema.SATURATED] = one.saturated
    return pd.DataFrame(columns)


def definitions(
    config: ClipConfig,
    strange: bool,
    scale: Scale | None,
    spread: float,
    alone: int | None = None,
) -> dict[str, str]:
    """Return in words what the descriptions mean.

    Parameters
    ----------
    config : ClipConfig
        Similarity and pooling.
    strange : bool
        Whether the encoder has never seen images of this kind.
    scale : Scale, optional
        Options of the similarity.
    spread : float
        Of the scores.
    alone : int, optional
        Images that were paired with themselves, where the worth of descriptions was asked.
    """
    warning = {"encoder": STRANGE} if strange else {}
    judged = {} if alone is None else _worth_definitions(config.similarity, alone)
    scaled = {} if scale is None else _scale_definitions(config.similarity, scale)
    return (
        warning
        | judged
        | scaled
        | {
            "activation": f"of a unit on an image: the {_POOLED[config.pooling]}",
            "concept score": "cosine of image and text features of the CLIP encoder; over the "
            f"concepts, its standard deviation within an image is {spread:.3g} on average",
            "top images by CLIP": f"the {TOP_IMAGES} of highest activation",
            "description": f"the concept of highest {config.similarity} with the unit's "
            "activations over all images, the earlier in the list on ties",
            "similarity": "comparable only between runs with the same encoder, concepts and images",
            "prior": "soft_wpmi and wpmi take the mean over the units of a layer as how usual a "
            "concept is, so a layer is always described as a whole",
        }
    )


def _scale_definitions(similarity: str, scale: Scale) -> dict[str, str]:
    """Return in words what the options of a similarity do."""
    return {
        "sharpness": f"{similarity} takes the softmax of {scale.sharpness:g} times the scores; the "
        "published value, or what the encoder's card says of one whose scores lie further apart",
        "top images of a unit": f"the {scale.top_k} of highest activation: as many as published, "
        "but at most a twentieth of all, or 20",
        "saturated": f"units whose similarity is within {SATURATED} of the logarithm of the "
        "layer's number of units, which a concept gives that one unit alone answers to: there "
        "units tie, and the order of their concepts says little",
    }


def _worth_definitions(similarity: str, alone: int) -> dict[str, str]:
    """Return in words what the worth of descriptions means."""
    less = ", less the mean of that concept over the units of the layer"
    return {
        "p of descriptions": "share of the layer's chance values that reach the unit's, each less "
        "the mean of its unit's (no logarithm is taken, as of IoU); the value is the highest "
        f"{similarity} to any concept{less if similarity in SOFTMAX else ''}; by chance, the same "
        "when each image's activations are compared with the concept scores of another that holds "
        f"labels of the same categories, of any other where nothing is labelled; {alone} images "
        "have no other and keep their own scores",
        "q of descriptions": "false discovery rate of Benjamini and Hochberg over the units of "
        f"the layer; descriptions_significant: q <= {FDR}",
        "stability of descriptions": "1 where both halves of the images give the description, "
        "0.5 where one does, else 0; the halves are drawn at random, the same in every run",
    }
