"""Which image is laid over which: the same kinds of images, otherwise at random."""

import numpy as np

__all__ = ["alone", "pairs", "strata_of"]


def strata_of(presence: np.ndarray) -> np.ndarray:
    """Return the stratum of each image: those that hold labels of the same categories.

    Parameters
    ----------
    presence : ndarray
        (N, K) bool.

    Returns
    -------
    ndarray
        (N,) int64 from 0.

    Examples
    --------
    >>> strata_of(np.array([[True, False], [True, True], [True, False]])).tolist()
    [0, 1, 0]
    """
    if not presence.shape[1]:
        return np.zeros(len(presence), np.int64)
    _, stratum = np.unique(presence, axis=0, return_inverse=True)
    return stratum.reshape(-1).astype(np.int64)


def alone(strata: np.ndarray) -> int:
    """Return how many images have a stratum of their own, and so no partner but themselves.

    Examples
    --------
    >>> alone(np.array([0, 0, 1]))
    1
    """
    return int((np.bincount(strata) == 1).sum())


def pairs(strata: np.ndarray, order: np.ndarray, shifts: int) -> np.ndarray:
    """Return the partner of each image on each shift.

    Within a stratum of n images, in their order, shift r pairs each with the s-th next, around the
    end, s = 1 + r mod (n - 1): never with itself unless it is alone.

    Parameters
    ----------
    strata : ndarray
        (N,) int64.
    order : ndarray
        (N,) int64, all images in a random order.
    shifts : int
        R.

    Returns
    -------
    ndarray
        (R, N) int64.

    Examples
    --------
    >>> pairs(np.array([0, 0, 1, 0]), np.array([3, 2, 1, 0]), 2).tolist()
    [[3, 0, 2, 1], [1, 3, 2, 0]]
    """
    found = np.empty((shifts, len(strata)), np.int64)
    for stratum in np.unique(strata):
        images = order[strata[order] == stratum]
        for shift, row in enumerate(found):
            step = 1 + shift % (len(images) - 1) if len(images) > 1 else 0
            row[images] = np.roll(images, -step)
    return found
