"""Intervals from leaving out groups of images."""

import hashlib

import numpy as np
from scipy import stats

__all__ = ["GROUPS", "groups_of", "interval"]

GROUPS = 50


def groups_of(images: int, groups: int = GROUPS) -> np.ndarray:
    """Return the group of each of N images, (N,) int64: at random, the same everywhere.

    Images are ordered by the SHA-256 of their number as decimal text; the group is the rank modulo
    G, the number of groups, or N where there are fewer images.

    Examples
    --------
    >>> groups_of(5, 2).tolist()
    [0, 1, 0, 1, 0]
    """
    order = sorted(range(images), key=lambda n: (hashlib.sha256(str(n).encode()).digest(), n))
    found = np.empty(images, np.int64)
    found[order] = np.arange(images) % min(groups, images)
    return found


def interval(without: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95% interval of a figure, from its values without each group of images.

    se² = (G - 1) / G · sum over g of (J_g - mean J)², and the interval is J ± t · se with t of
    G - 1 degrees of freedom, cut to [0, 1] (the delete-a-group jackknife; Kott, 2001).

    Parameters
    ----------
    without : ndarray
        (G, U), J_g without group g.
    observed : ndarray
        (U,), J of all images.

    Returns
    -------
    low, high : ndarray
        (U,); 0 and 1 where there is but one group.

    Examples
    --------
    >>> low, high = interval(np.array([[0.49], [0.51]]), np.array([0.5]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.373], [0.627])
    """
    groups = len(without)
    if groups < 2:
        return np.zeros_like(observed), np.ones_like(observed)
    squares = ((without - without.mean(0)) ** 2).sum(0)
    half = stats.t.ppf(0.975, groups - 1) * np.sqrt((groups - 1) / groups * squares)
    return np.maximum(observed - half, 0), np.minimum(observed + half, 1)
