"""What other images would have said: resamples of groups of images."""

import numpy as np

from dissection.statistics.counted import resampled

__all__ = ["TIMES", "detector_spread", "resampled_iou", "resamples", "stability"]

TIMES = 200
_CHUNK = 1 << 22
"""Numbers made at once."""


def resamples(groups: int, times: int = TIMES, seed: int = 0) -> np.ndarray:
    """Return how often each of G groups is drawn in each of T resamples, (T, G) int64.

    Examples
    --------
    >>> resamples(4, 3).sum(1).tolist()
    [4, 4, 4]
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), times).astype(np.int64)


def resampled_iou(
    intersection: np.ndarray, area: np.ndarray, pixels: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return I / (A + T - I) of each resample, (T, U, C) float64; 0 where nothing is there.

    Parameters
    ----------
    intersection, area, pixels : ndarray
        (G, U, C) int64 of each group.
    weights : ndarray
        (T, G) from `resamples`.
    """
    groups, units, candidates = intersection.shape
    found = np.empty((len(weights), units, candidates))
    step = max(1, _CHUNK // (len(weights) * candidates))
    for at in range(0, units, step):
        some = slice(at, at + step)
        sums = [
            (weights @ part[:, some].reshape(groups, -1)).reshape(len(weights), -1, candidates)
            for part in (intersection, area, pixels)
        ]
        union = sums[1] + sums[2] - sums[0]
        found[:, some] = sums[0] / np.maximum(union, 1)
    return found


def stability(iou: np.ndarray) -> np.ndarray:
    """Return the share of resamples in which the first candidate of (T, U, C) wins, (U,)."""
    return (iou.argmax(2) == 0).mean(0)


def detector_spread(iou: np.ndarray, label: np.ndarray, min_iou: float) -> tuple[float, float]:
    """Return the standard deviations of the numbers of detectors and of their different labels.

    Parameters
    ----------
    iou : ndarray
        (T, U, C) from `resampled_iou`.
    label : ndarray
        (U, C) int64 labels of the candidates.
    min_iou : float
        A detector's IoU exceeds it.
    """
    found = resampled(iou, label, min_iou)
    return float(found.detectors.std(ddof=1)), float(found.unique.std(ddof=1))
