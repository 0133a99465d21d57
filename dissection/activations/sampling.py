"""In which order images run through the network, and what those seen say of all."""

import math
from functools import lru_cache

import numpy as np

from dissection.activations.quantile import tail_size

__all__ = ["DOUBT", "presumed_size", "shards_of"]

DOUBT = 1e-3
"""Chance, at most, that a presumed bound is too high and images run again: once in a unit, if all
activations of an image were above the threshold or none. They cluster less, so it is rarer."""

_NATS = -math.log(DOUBT)


@lru_cache(maxsize=2)
def shards_of(images: int, most: int) -> tuple[np.ndarray, ...]:
    """Return the images of each shard, ascending.

    They are drawn without replacement, the same in every process and version: probe sets are often
    sorted, and a bound that the images seen suggest must hold for those that follow.

    Parameters
    ----------
    images : int
        N.
    most : int
        Images of a shard at most; numbers of two shards differ by at most one.

    Examples
    --------
    >>> [shard.tolist() for shard in shards_of(7, 3)]
    [[0, 1, 3], [2, 5], [4, 6]]
    """
    numbers = -(-images // most)
    order = np.argsort(_mixed(np.arange(images, dtype=np.uint64)), kind="stable")
    return tuple(np.sort(order[shard::numbers]) for shard in range(numbers))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return a hash of each number: the finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(31))


def presumed_size(quantile: float, seen: int, images: int, cells: int) -> int:
    """Return the rank among the activations seen that no threshold is below, all but surely.

    Of all images' activations at most the share q exceeds the threshold. The images seen are a
    sample without replacement; each adds a number between 0 and its h·w cells. By Hoeffding (1963,
    theorem 1 and section 6) the chance that they hold the share p > q is at most
    exp(-n·KL(p, q)), KL(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), however the
    activations cluster in images. The rank is that of the p whose chance is `DOUBT`, or K itself
    where that is less, which holds always.

    Parameters
    ----------
    quantile : float
        q.
    seen, images : int
        Images seen so far, n, and of the probe set, N.
    cells : int
        Activations of a unit on an image, h·w.

    Examples
    --------
    >>> presumed_size(0.005, 1000, 63305, 49), tail_size(0.005, 63305 * 49)
    (753, 15510)
    >>> presumed_size(0.005, 600, 600, 49), tail_size(0.005, 600 * 49)
    (148, 148)
    """
    exact = tail_size(quantile, images * cells)
    if quantile == 0:
        return exact
    low, high = quantile, 1.0
    for _ in range(50):
        share = (low + high) / 2
        low, high = (low, share) if seen * _divergence(share, quantile) > _NATS else (share, high)
    return min(exact, math.ceil(high * seen * cells) + 1)


def _divergence(p: float, q: float) -> float:
    """Return KL(p, q) of two coins, 0 < q <= p < 1."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
