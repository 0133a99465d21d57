"""Options of the similarities that belong to the encoder and to the number of images.

CLIP-Dissect was published with encoders whose scores lie close together, and for tens of thousands
of images. Its softmax saturates where the scores of another encoder lie further apart: every unit
is then alone with some concept, and the prior makes them all equal, at the logarithm of the number
of units. And 100 top images are a tenth of 1,000: most no longer show what the unit answers to.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dissection.config import SOFTMAX

__all__ = [
    "PUBLISHED",
    "SATURATED",
    "Scale",
    "saturated",
    "scale_of",
    "spread",
]


class Published(NamedTuple):
    """Of a similarity in CLIP-Dissect's similarity.py."""

    sharpness: float
    top_k: int


PUBLISHED = {"soft_wpmi": Published(10.0, 100), "wpmi": Published(2.0, 28)}
"""Oikarinen and Weng, ICLR 2023."""

_SHARE, _FEWEST = 1 / 20, 20
"""Top images: at most this share of all, but so many at least."""

SATURATED = 0.05
"""A unit is saturated where its similarity is so close to the logarithm of the number of units."""


class Scale(NamedTuple):
    """Options of a similarity in a run."""

    sharpness: float
    top_k: int

    def options(self) -> dict[str, float]:
        """Return them as the measures take them."""
        return {"a": self.sharpness, "top_k": self.top_k}


def scale_of(
    similarity: str, images: int, encoder: float, sharpness: float | None = None
) -> Scale | None:
    """Return the options of a similarity, None where it has none.

    Parameters
    ----------
    similarity : str
        One of `SIMILARITIES`.
    images : int
        N. The published number of top images, but at most a twentieth of all, or 20.
    encoder : float
        What the encoder says that soft_wpmi's sharpness is; `PUBLISHED` where scores lie as close
        together as those of the published encoders.
    sharpness : float, optional
        Instead of the encoder's.

    Examples
    --------
    >>> scale_of("soft_wpmi", 63305, 10.0)
    Scale(sharpness=10.0, top_k=100)
    >>> scale_of("soft_wpmi", 1000, 0.5), scale_of("wpmi", 600, 0.5)
    (Scale(sharpness=0.5, top_k=50), Scale(sharpness=0.1, top_k=28))
    >>> scale_of("cosine", 600, 0.5)
    """
    if similarity not in SOFTMAX:
        return None
    known = PUBLISHED[similarity]
    top_k = min(known.top_k, max(_FEWEST, round(images * _SHARE)))
    if sharpness is None:
        sharpness = known.sharpness * encoder / PUBLISHED["soft_wpmi"].sharpness
    return Scale(sharpness, top_k)


def spread(image_features: Tensor, text_features: Tensor) -> float:
    """Return how far the scores of an image lie apart: their standard deviation over concepts.

    Parameters
    ----------
    image_features, text_features : Tensor
        (N, D) and (M, D), of length 1.

    Returns
    -------
    float
        The mean over the images.

    Notes
    -----
    With C the covariance of the concepts' features, the variance of x · t over the concepts is
    x C x, so that no (N, M) scores are needed.
    """
    texts = text_features.double()
    centred = texts - texts.mean(0)
    covariance = centred.t() @ centred / len(texts)
    images = image_features.double()
    variance = ((images @ covariance) * images).sum(1)
    return float(torch.sqrt(variance.clamp(min=0)).mean())


def saturated(similarity: np.ndarray, measure: str) -> np.ndarray:
    """Return which units are next to the highest similarity that any can have, (U,) bool.

    Parameters
    ----------
    similarity : ndarray
        (U, M).
    measure : str
        Name of the similarity.

    Examples
    --------
    >>> saturated(np.array([[0.69, -2.0], [0.1, 0.2]]), "soft_wpmi").tolist()
    [True, False]
    """
    if measure not in SOFTMAX or len(similarity) < 2:
        return np.zeros(len(similarity), bool)
    return similarity.max(1) > math.log(len(similarity)) - SATURATED
