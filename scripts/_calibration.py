"""How often intervals, p, q and stability say what is so. Pure functions of arrays.

Axis letters: R shifts, U units.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dissection.statistics.discoveries import p_values, q_values

#: What is wanted of the figures: from, to.
WANTED = {
    "coverage": (0.93, 0.97),
    "p_05": (0.0, 0.065),
    "p_01": (0.0, 0.015),
    "false_discoveries": (0.0, 0.06),
    "false_discoveries_planted": (0.0, 0.06),
}
CLASSES = (0.0, 0.5, 0.8, 0.95, 1.0)
"""Ends of the classes of stability; an end belongs to the class above it, but 0.95 and 1 to that
below."""
LEVEL = 0.05
"""q at which a unit is found."""


class Drawn(NamedTuple):
    """What a run on drawn images says of the units of a layer, and what all images say."""

    label: np.ndarray
    """(U,) int64 number of the named label."""
    iou: np.ndarray
    """(U,) of that label."""
    low: np.ndarray
    high: np.ndarray
    """(U,) its interval."""
    stability: np.ndarray
    """(U,)"""
    q: np.ndarray
    """(U,), NaN without shifts."""
    null: np.ndarray
    """(R, U) highest IoU with shifted images."""
    true_label: np.ndarray
    """(U,) int64 best label on the population."""
    true_iou: np.ndarray
    """(U,) IoU of the named label on the population."""
    share: float
    """Of the population that was drawn, below 1."""
    planted: np.ndarray | None = None
    """(U,) bool, which units see their concept, where that is known."""


def figures(drawn: Sequence[Drawn], seed: int = 0) -> dict[str, object]:
    """Return the figures of several draws as JSON knows them, None where nothing tells.

    Parameters
    ----------
    drawn : sequence of Drawn
        Draws, or layers of draws.
    seed : int
        Of which units are given a held-out shift.

    Returns
    -------
    dict
        ``draws`` and ``units``, of all together; ``coverage`` of the interval of the named label's
        IoU, made narrower by sqrt(1 - share) since the drawn images are part of the population;
        ``coverage_as_printed`` without that; ``excess``, the mean of IoU minus the population's;
        ``p_05`` and ``p_01``, shares of held-out shifts with such p; ``false_discoveries`` among
        units half of which are held-out shifts, mean over shifts and draws;
        ``false_discoveries_planted`` and ``found_planted``, the same where it is known which units
        see their concept, and the share of these that are found; ``named``, how often the label is
        the population's and its interval covers, by class of stability.
    """
    rng = np.random.default_rng(seed)
    covered = np.concatenate([covers(one, narrowed=True) for one in drawn])
    held = np.concatenate([held_out(one.null).ravel() for one in drawn])
    mixed = [rate for one in drawn for rate in mixed_discoveries(one.null, one.iou, rng)]
    sure = [one for one in drawn if one.planted is not None]
    return {
        "draws": len(drawn),
        "units": sum(len(one.label) for one in drawn),
        "coverage": _mean(covered),
        "coverage_as_printed": _mean(np.concatenate([covers(one) for one in drawn])),
        "excess": _mean(np.concatenate([one.iou - one.true_iou for one in drawn])),
        "p_05": _mean(held <= 0.05),
        "p_01": _mean(held <= 0.01),
        "false_discoveries": _mean(np.array(mixed)),
        "false_discoveries_planted": _mean(
            np.array([false_share(one.q, ~one.planted) for one in sure if one.planted is not None])
        ),
        "found_planted": _mean(
            np.concatenate([np.zeros(0, bool), *(one.q[one.planted] <= LEVEL for one in sure)])
        ),
        "named": by_stability(
            np.concatenate([one.stability for one in drawn]),
            np.concatenate([one.label == one.true_label for one in drawn]),
            covered,
        ),
    }


def covers(one: Drawn, narrowed: bool = False) -> np.ndarray:
    """Return which intervals hold the population's IoU, (U,) bool.

    Parameters
    ----------
    one : Drawn
        Of U units.
    narrowed : bool
        Make them narrower by sqrt(1 - share), the correction for a finite population: an interval
        is meant for images without end, and draws of most of them vary less than it says.
    """
    width = math.sqrt(1 - one.share) if narrowed else 1.0
    low, high = one.iou - width * (one.iou - one.low), one.iou + width * (one.high - one.iou)
    return (low <= one.true_iou) & (one.true_iou <= high)


def held_out(null: np.ndarray) -> np.ndarray:
    """Return p of each shift as if it were what was observed, against the others.

    Parameters
    ----------
    null : ndarray
        (R, U).

    Returns
    -------
    ndarray
        (R, U); no row where fewer than two others are left.
    """
    if len(null) < 3:
        return np.zeros((0, null.shape[1]))
    return np.stack([p_values(np.delete(null, r, 0), null[r]) for r in range(len(null))])


def mixed_discoveries(null: np.ndarray, iou: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Return the share of false discoveries where half of the units are a held-out shift.

    Parameters
    ----------
    null : ndarray
        (R, U).
    iou : ndarray
        (U,) what was observed.
    rng : Generator
        Chooses the half, anew for each shift.

    Returns
    -------
    list of float
        Of each shift, see `false_share`; none where fewer than two others are left.
    """
    found = []
    for r in range(len(null) if len(null) > 2 else 0):
        replaced = rng.permutation(len(iou)) < len(iou) // 2
        observed = np.where(replaced, null[r], iou)
        q = q_values(p_values(np.delete(null, r, 0), observed))
        found.append(false_share(q, replaced))
    return found


def false_share(q: np.ndarray, false: np.ndarray) -> float:
    """Return the share of what is found that is false; 0 where nothing is found.

    Examples
    --------
    >>> false_share(np.array([0.01, 0.02, 0.3]), np.array([False, True, True]))
    0.5
    """
    found = q <= LEVEL
    return float((found & false).sum() / max(found.sum(), 1))


def by_stability(
    stability: np.ndarray, right: np.ndarray, covered: np.ndarray
) -> list[dict[str, float | None]]:
    """Return how often labels are right and intervals cover in each class of stability.

    Parameters
    ----------
    stability : ndarray
        (U,).
    right, covered : ndarray
        (U,) bool.
    """
    rows: list[dict[str, float | None]] = []
    for low, high in pairwise(CLASSES):
        above = stability > low if high == CLASSES[-1] else stability >= low
        below = stability <= high if high in CLASSES[-2:] else stability < high
        here = above & below
        row: dict[str, float | None] = {"from": low, "to": high, "units": int(here.sum())}
        rows.append(row | {"right": _mean(right[here]), "coverage": _mean(covered[here])})
    return rows


def failures(found: dict[str, object]) -> list[str]:
    """Return which figures are not what is wanted, a line each."""
    lines = []
    for name, (low, high) in WANTED.items():
        value = found[name]
        if isinstance(value, float) and not low <= value <= high:
            lines.append(f"{name} is {value:.3f}, wanted {low:g} to {high:g}")
    return lines


def _mean(values: np.ndarray) -> float | None:
    """Return a mean, None of nothing."""
    return float(np.mean(values)) if len(values) else None
