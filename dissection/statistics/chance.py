"""Is an agreement of two labelers more than chance? Pure functions on matrices of unit by unit.

Every measure is a matrix (U, U): its entry (u, v) compares what the first labeler says of unit u
with what the second says of unit v. The diagonal is the agreement; other pairings are chance.
"""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

__all__ = ["Chance", "Sums", "added", "against_chance", "shuffles", "sums"]

INTERVAL = (2.5, 97.5)
"""Percentiles of the interval that 95% of the shuffles lie in."""


class Sums(NamedTuple):
    """A measure summed over the units for which it is defined."""

    total: float
    """Over each unit with itself."""
    units: int
    """How many."""
    shuffled: np.ndarray
    """(P,) totals with the second labeler's units shuffled."""
    shuffled_units: np.ndarray
    """(P,) int64."""
    shifted: np.ndarray
    """(2,) totals with each unit paired with the next one, and with the one before."""
    shifted_units: np.ndarray
    """(2,) int64."""


NOTHING = Sums(0.0, 0, np.zeros(0), np.zeros(0, int), np.zeros(2), np.zeros(2, int))
"""Of no unit at all."""


class Chance(NamedTuple):
    """The mean of a measure, and what it is when the units are paired otherwise."""

    units: int
    value: float
    chance: float
    """Mean over the shuffles."""
    low: float
    """2.5th percentile of the shuffles."""
    high: float
    """97.5th percentile of the shuffles."""
    p: float
    """Share of shuffles at least as good, the true pairing counted as one of them."""
    next: float
    """With each unit paired with the next one, as when one table counts from 1."""
    previous: float
    """With each unit paired with the one before."""


def shuffles(units: int, times: int, rng: np.random.Generator) -> np.ndarray:
    """Return (P, U) random orders of U units."""
    return rng.permuted(np.tile(np.arange(units), (times, 1)), axis=1)


def sums(matrix: np.ndarray, chosen: np.ndarray, orders: np.ndarray) -> Sums:
    """Return what a measure adds up to over some units of a layer.

    Parameters
    ----------
    matrix : ndarray
        (U, U) bool or float, NaN where the measure is undefined.
    chosen : ndarray
        (U,) bool, the n units that count.
    orders : ndarray
        (P, n) int, orders of these n units; P·n values are drawn at once.

    Examples
    --------
    >>> found = sums(np.eye(3), np.array([True, True, False]), np.array([[1, 0], [0, 1]]))
    >>> found.total, found.units, found.shuffled.tolist()
    (2.0, 2, [0.0, 2.0])
    """
    matrix = matrix.astype(np.float32) if matrix.dtype == bool else matrix
    pairs = matrix[np.ix_(chosen, chosen)]
    drawn = pairs[np.arange(len(pairs)), orders]
    shifted = (np.diagonal(matrix, 1)[chosen[:-1]], np.diagonal(matrix, -1)[chosen[1:]])
    own = np.diagonal(pairs)
    return Sums(
        float(np.nansum(own, dtype=float)),
        int(np.isfinite(own).sum()),
        np.nansum(drawn, axis=1, dtype=float),
        np.isfinite(drawn).sum(1),
        np.array([np.nansum(part, dtype=float) for part in shifted]),
        np.array([np.isfinite(part).sum() for part in shifted]),
    )


def added(parts: Sequence[Sums]) -> Sums:
    """Return the sums over several layers, whose shuffles stay within each layer."""
    return reduce(_plus, parts)


def _plus(a: Sums, b: Sums) -> Sums:
    return Sums(
        a.total + b.total,
        a.units + b.units,
        a.shuffled + b.shuffled,
        a.shuffled_units + b.shuffled_units,
        a.shifted + b.shifted,
        a.shifted_units + b.shifted_units,
    )


def against_chance(found: Sums, higher_is_better: bool = True) -> Chance:
    """Return the mean of a measure beside its mean and 95% interval over the shuffles.

    Parameters
    ----------
    found : Sums
        Of one layer or, `added`, of several.
    higher_is_better : bool
        False for a rank, where 1 is the best.
    """
    value = found.total / found.units if found.units else np.nan
    shuffled = found.shuffled / np.where(found.shuffled_units, found.shuffled_units, np.nan)
    shuffled = shuffled[np.isfinite(shuffled)]
    if not found.units or not len(shuffled):
        return Chance(found.units, float(value), *[np.nan] * 6)
    low, high = np.percentile(shuffled, INTERVAL)
    # sums of float32 in another order differ in the last digits
    margin = 1e-9 * max(1.0, abs(value))
    as_good = shuffled >= value - margin if higher_is_better else shuffled <= value + margin
    p = (1 + as_good.sum()) / (1 + len(shuffled))
    after, before = found.shifted / np.where(found.shifted_units, found.shifted_units, np.nan)
    numbers = (value, shuffled.mean(), low, high, p, after, before)
    return Chance(found.units, *map(float, numbers))
