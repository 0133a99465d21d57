"""Detectors counted again: on resampled images, and in a rotated basis. Pure functions of arrays.

Axis letters: T resamples, U units, M best labels of a unit, S rotations.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["RANGE", "Counted", "count", "range_of", "resampled"]

RANGE = (2.5, 97.5)
"""Percentiles that 95% of the resamples lie between."""


class Counted(NamedTuple):
    """Detectors of a layer, counted several times."""

    detectors: np.ndarray
    """(T,) int64 units above the minimal IoU."""
    unique: np.ndarray
    """(T,) int64 different labels of these."""


def count(iou: np.ndarray, label: np.ndarray, min_iou: float) -> Counted:
    """Return detectors and their different labels.

    Parameters
    ----------
    iou : ndarray
        (T, U) float, of each unit's label.
    label : ndarray
        (T, U) int, that label.
    min_iou : float
        A detector's IoU exceeds it.

    Examples
    --------
    >>> found = count(np.array([[0.1, 0.2, 0.0], [0.1, 0.0, 0.0]]), np.array([[3, 3, 1]] * 2), 0.04)
    >>> found.detectors.tolist(), found.unique.tolist()
    ([2, 1], [1, 1])
    """
    above = iou > min_iou
    names, place = np.unique(label, return_inverse=True)
    held = np.zeros((len(iou), len(names)), bool)
    which, unit = np.nonzero(above)
    held[which, place.reshape(label.shape)[which, unit]] = True
    return Counted(above.sum(1), held.sum(1))


def resampled(iou: np.ndarray, label: np.ndarray, min_iou: float) -> Counted:
    """Return detectors and unique detectors of each resample.

    Parameters
    ----------
    iou : ndarray
        (T, U, M) float, of the best labels of each unit on each resample of the images.
    label : ndarray
        (U, M) int, these labels, the best on all images first; of equal IoU the first counts.
    min_iou : float
        A detector's IoU exceeds it.
    """
    best = iou.argmax(2)
    highest = np.take_along_axis(iou, best[:, :, None], 2)[:, :, 0]
    return count(highest, label[np.arange(len(label)), best], min_iou)


def range_of(difference: np.ndarray) -> tuple[int, int]:
    """Return between which whole numbers 95% of the differences lie.

    Parameters
    ----------
    difference : ndarray
        (T,) int.

    Examples
    --------
    >>> range_of(np.arange(101))
    (2, 98)
    """
    # order statistics, so that counts stay counts; the outer ones, so that no fewer lie between
    low = np.percentile(difference, RANGE[0], method="lower")
    return int(low), int(np.percentile(difference, RANGE[1], method="higher"))
