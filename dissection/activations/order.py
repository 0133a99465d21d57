"""In which order the images of a probe set run through the network."""

from functools import lru_cache

import numpy as np

__all__ = ["shards_of"]


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
