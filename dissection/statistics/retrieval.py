"""How well a unit's maximum finds the images that hold its label."""

import numpy as np

__all__ = ["average_precision", "first_without"]


def average_precision(values: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Return the area under precision and recall of each unit, (U,) float64; NaN without a holder.

    AP = sum over the different values v, falling, of (R(v) - R(before v)) P(v), where P and R are
    precision and recall of the images with a value of at least v: images of equal value count
    together, in no order.

    Parameters
    ----------
    values : ndarray
        (U, N) of each image.
    holds : ndarray
        (U, N) bool, which images hold the unit's label.

    Examples
    --------
    >>> average_precision(np.array([[3.0, 2, 1, 0]]), np.array([[True, False, True, False]]))
    array([0.83333333])
    """
    found = np.full(len(values), np.nan)
    for unit, (value, held) in enumerate(zip(values, holds, strict=True)):
        total = held.sum()
        if total:
            order = np.argsort(-value, kind="stable")
            ends = np.flatnonzero(np.diff(value[order], append=np.nan) != 0)
            hits = np.cumsum(held[order])[ends]
            found[unit] = (np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / total
    return found


def first_without(
    values: np.ndarray, holds: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images with the highest values that do not hold the label of the unit.

    Parameters
    ----------
    values, holds
        As in `average_precision`.
    count : int
        n.

    Returns
    -------
    image, value : ndarray
        (U, n) int64 and float32, the lower number first where values are equal; -1 and 0 where
        there are fewer.
    """
    shape = (len(values), count)
    image, value = np.full(shape, -1, np.int64), np.zeros(shape, np.float32)
    for unit, (row, held) in enumerate(zip(values, holds, strict=True)):
        others = np.flatnonzero(~held)
        first = others[np.argsort(-row[others], kind="stable")[:count]]
        image[unit, : len(first)], value[unit, : len(first)] = first, row[first]
    return image, value
