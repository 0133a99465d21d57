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

    Examples
    --------
    >>> part = np.array([[[1]], [[3]]])
    >>> resampled_iou(part, 2 * part, 4 * part, np.array([[1, 1], [0, 2]])).ravel().tolist()
    [0.2, 0.2]
    """
    groups, units, candidates = intersection.shape
    found = np.empty((len(weights), units, candidates))
    step = max(1, _CHUNK // (len(weights) * candidates))
    # whole numbers below 2^53 are exact as floats, whose product is many times as fast
    drawn = weights.astype(float)
    for at in range(0, units, step):
        some = slice(at, at + step)
        sums = [
            (drawn @ part[:, some].reshape(groups, -1)).reshape(len(weights), -1, candidates)
            for part in (intersection, area, pixels)
        ]
        union = sums[1] + sums[2] - sums[0]
        found[:, some] = sums[0] / np.maximum(union, 1)
    return found


def stability(iou: np.ndarray) -> np.ndarray:
    """Return the share of resamples in which the first candidate of (T, U, C) wins, (U,).

    It wins where another is as good.

    Examples
    --------
    >>> stability(np.array([[[0.3, 0.2]], [[0.1, 0.2]], [[0.2, 0.2]], [[0.2, 0.3]]])).tolist()
    [0.5]
    """
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

    Examples
    --------
    >>> iou = np.array([[[0.3], [0.2]], [[0.3], [0.0]], [[0.0], [0.0]]])
    >>> detector_spread(iou, np.array([[7], [7]]), 0.04)
    (1.0, 0.5773502691896258)
    """
    found = resampled(iou, label, min_iou)
    return float(found.detectors.std(ddof=1)), float(found.unique.std(ddof=1))
