"""What a description is worth: what other images would have given, and each half of them.

What is compared with chance is how a unit stands out by its description: the similarity, of those
with a prior less the mean similarity of that concept over the units of the layer. With a prior,
the similarity itself is next to its bound, the logarithm of the number of units, wherever a unit is
alone with a concept: with other images too. Of a concept that several units follow it is less,
although they follow it for certain. In the difference the prior cancels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.probe import Probe, labelled
from dissection.clip.measures import fewest_images
from dissection.config import SOFTMAX
from dissection.statistics import discoveries, jackknife, pairing

__all__ = ["Pairing", "Worth", "pairing_of", "standing", "worth"]

Scorer = Callable[[Tensor, Tensor], Tensor]
"""Features of n images (n, D) and activations (n, U) -> similarities (U, M)."""


class Pairing(NamedTuple):
    """Which image stands for which."""

    partner: Tensor
    """(R, N) int64 the image whose scores an image's activations are compared with."""
    half: Tensor
    """(N,) int64, 0 or 1."""
    alone: int
    """Images that are paired with themselves."""


class Worth(NamedTuple):
    """What the descriptions of a layer's units are worth, numpy arrays."""

    observed: np.ndarray
    """(U,) float32 see `standing`."""
    null: np.ndarray
    """(R, U) float32 the same of the descriptions on each shift."""
    p: np.ndarray
    q: np.ndarray
    """(U,) float64; NaN with fewer than two shifts."""
    stability: np.ndarray
    """(U,) float64 share of the halves of the images that give the same description; NaN where a
    half is too small for the similarity."""

    @property
    def significant(self) -> int:
        """How many units have a q of at most `discoveries.FDR`."""
        return int((self.q <= discoveries.FDR).sum())


def pairing_of(probe: Probe, shifts: int) -> Pairing:
    """Return the pairs and the halves of a probe set.

    Images are paired within those that hold labels of the same categories, all with all where
    nothing is labelled.

    Parameters
    ----------
    probe : Probe
        Of N images.
    shifts : int
        R.
    """
    images = len(probe)
    nothing = np.zeros((images, 0), bool)
    presence = nothing if probe.labels is None else labelled(probe).presence
    stratum = pairing.strata_of(presence)
    order = np.random.default_rng(0).permutation(images)
    return Pairing(
        torch.from_numpy(pairing.pairs(stratum, order, shifts)),
        torch.from_numpy(jackknife.groups_of(images) % 2),
        pairing.alone(stratum),
    )


def worth(
    score: Scorer,
    images: Tensor,
    activations: Tensor,
    similarity: np.ndarray,
    pairs: Pairing,
    measure: str,
) -> Worth:
    """Return what the descriptions of a layer are worth.

    p and q are those of `discoveries.p_values` without its logarithm: similarities may be negative,
    or logarithms already. Of each shift only `standing` is kept.

    Parameters
    ----------
    score : callable
        What gave the similarities.
    images : Tensor
        (N, D) features of the images.
    activations : Tensor
        (N, U), on the same device.
    similarity : ndarray
        (U, M) float32 of the images as they are.
    pairs : Pairing
        Of the images.
    measure : str
        Name of the similarity.
    """
    observed, best = standing(similarity, measure), similarity.argmax(1)
    null = np.empty((len(pairs.partner), len(observed)), np.float32)
    for row, partner in zip(null, pairs.partner.to(images.device), strict=True):
        row[:] = standing(score(images[partner], activations).float().cpu().numpy(), measure)
    p = discoveries.p_values(null, observed, logarithm=False)
    same = [
        _best(score, images, activations, half) == best
        for half in ((pairs.half == side).nonzero()[:, 0] for side in (0, 1))
        if len(half) >= fewest_images(measure)
    ]
    stability = np.mean(same, 0) if len(same) == 2 else np.full(len(best), np.nan)
    return Worth(observed, null, p, discoveries.q_values(p), stability)


def standing(similarity: np.ndarray, measure: str) -> np.ndarray:
    """Return how each unit stands out by the concept it is most similar to, (U,) float32.

    Parameters
    ----------
    similarity : ndarray
        (U, M) float32.
    measure : str
        Name of the similarity.

    Examples
    --------
    >>> similarity = np.array([[3, 0], [1, 2]], np.float32)
    >>> standing(similarity, "cosine").tolist(), standing(similarity, "wpmi").tolist()
    ([3.0, 2.0], [1.0, 1.0])
    """
    best = similarity.argmax(1)
    found = similarity[np.arange(len(best)), best]
    if measure not in SOFTMAX:
        return found
    return (found - similarity.mean(0, dtype=float)[best]).astype(np.float32)


def _best(score: Scorer, images: Tensor, activations: Tensor, some: Tensor) -> np.ndarray:
    """Return the best concept of each unit by some of the images, (U,), the earlier on ties."""
    some = some.to(images.device)
    return score(images[some], activations[some]).float().cpu().numpy().argmax(1)
