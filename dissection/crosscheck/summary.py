"""Cross-checks in words for the terminal: a short table of all, the rest is in their files."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from broden.system.text import aligned
from dissection.crosscheck.check import OVERALL, Crosscheck
from dissection.results import schema

__all__ = ["summary"]

MOST_LINES = 12
"""Of the table: what a reader takes in at once."""

SHOWN = {
    "exact": "same name",
    "iou_label_in_clip_top5": "IoU's among CLIP's best five",
    "clip_label_in_iou_top5": "CLIP's among IoU's best five",
    "same_category": "same category",
}
"""Measures of the table, the most telling first, before the first cosine."""


def summary(results: Sequence[Crosscheck]) -> str:
    """Return how well two labelers agree beside what chance gives, in a table of few lines.

    Parameters
    ----------
    results : sequence of Crosscheck
        One or more.
    """
    lines = [
        "cross-check: do IoU and CLIP agree? (share of the units that do; + above, - below the "
        "95% interval of shuffled units, which is in brackets)",
        *aligned(_table(results)),
        f"all measures, detectors alone, units shifted by one: {schema.CROSSCHECK}; "
        f"unit by unit: {schema.CROSSCHECK_UNITS}",
    ]
    for reason in dict.fromkeys(why for one in results for why in one.left_out.values()):
        names = dict.fromkeys(
            name for one in results for name, why in one.left_out.items() if why == reason
        )
        lines.append(f"left out: {', '.join(names)}: {reason}")
    return "\n".join([*lines, *(slip for one in results for slip in _slips(one.agreement))])


def _table(results: Sequence[Crosscheck]) -> list[list[str]]:
    """Return a row a network and measure, and a column a layer."""
    tables = [one.agreement[one.agreement["group"] == "all"] for one in results]
    layers = list(dict.fromkeys(layer for table in tables for layer in table["layer"]))
    # of one layer not also that of all
    layers = [x for x in layers if x != OVERALL] + [OVERALL] * (len(layers) > 2)
    each = max(1, (MOST_LINES - 1) // len(results))
    rows = [["network", "labels", *layers]]
    for one, table in zip(results, tables, strict=True):
        for measure, words in list(_measures(table))[:each]:
            found = {row.layer: _cell(row) for row in _rows(table, measure)}
            rows.append([one.iou.name, words, *(found.get(layer, "-") for layer in layers)])
    return rows


def _measures(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the measures to show that were taken, and what they are called."""
    taken = list(dict.fromkeys(table["measure"]))
    yield from ((name, words) for name, words in SHOWN.items() if name in taken)
    yield from [
        (name, f"{name.removeprefix('cosine_')} cosine")
        for name in taken
        if name.startswith("cosine_")
    ][:1]


def _rows(table: pd.DataFrame, measure: str) -> Iterator[Any]:
    """Yield the rows of a measure, with its columns as attributes."""
    yield from table[table["measure"] == measure].itertuples()


def _cell(row: Any) -> str:
    """Return value, verdict and chance."""
    if np.isnan(row.value):
        return "-"
    mark = " " if row.low <= row.value <= row.high else "+" if row.value > row.high else "-"
    if row.measure.startswith("cosine"):
        return f"{row.value:.2f} {mark} [{row.low:.2f} to {row.high:.2f}]"
    return f"{row.value:.1%} of {row.units} {mark} [{row.low:.1%} to {row.high:.1%}]"


def _slips(table: pd.DataFrame) -> list[str]:
    """Return a warning for each layer that agrees as chance, but far better when shifted by one."""
    rows = _rows(table[table["group"] == "all"], "exact")
    return [
        f"warning: {row.layer} agrees better with its units shifted by one "
        f"({max(row.next, row.previous):.1%} against {row.value:.1%}); is one table counted from 1?"
        for row in rows
        if row.layer != OVERALL and row.value <= row.high and _stands_out(row)
    ]


def _stands_out(row: Any) -> bool:
    # two shifts of every layer are looked at, so one above the interval is nothing yet
    return max(row.next, row.previous) - row.chance > 3 * (row.high - row.chance)
