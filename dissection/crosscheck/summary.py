"""A cross-check in words for the terminal."""

import numpy as np
import pandas as pd

from broden.system.text import aligned
from dissection.crosscheck.agreement import RANKS
from dissection.crosscheck.check import OVERALL, Crosscheck


def summary(result: Crosscheck) -> str:
    """Return the agreement of each layer with chance beside it, and what stands out."""
    lines = [
        f"cross-check of {result.iou.network}: do IoU and CLIP agree? (+ better, - worse than the "
        "95% interval of shuffled units, which is in brackets)"
    ]
    for group, table in result.agreement.groupby("group", sort=False):
        lines += ["", *aligned(_rows(table, f"{group}:"))]
    lines += ["", _shifted(result.agreement)]
    for reason in dict.fromkeys(result.left_out.values()):
        names = ", ".join(name for name, why in result.left_out.items() if why == reason)
        lines.append(f"left out: {names}: {reason}")
    return "\n".join([*lines, *_slips(result.agreement)])


def _shifted(table: pd.DataFrame) -> str:
    """Return how many names would be the same if one table's units were shifted by one."""
    rows = table[(table["measure"] == "exact_bare") & (table["group"] == "all")]
    parts = [
        f"{row.layer} {_count(row.next, row)} and {_count(row.previous, row)}"
        for row in rows.itertuples()
        if row.layer != OVERALL
    ]
    return f"exact_bare with the units shifted by one, up and down: {', '.join(parts)}"


def _rows(table: pd.DataFrame, corner: str) -> list[list[str]]:
    """Return a row a measure and a column a layer; of one layer not also that of all."""
    layers = list(dict.fromkeys(table["layer"]))
    layers = layers[:1] if len(layers) == 2 else layers
    units = table.drop_duplicates("layer").set_index("layer")["units"]
    rows = [[corner, *(f"{layer} ({units[layer]} units)" for layer in layers)]]
    for measure, part in table.groupby("measure", sort=False):
        cells = {row.layer: _cell(row) for row in part.itertuples()}
        rows.append([measure, *(cells[layer] for layer in layers)])
    return rows


def _cell(row) -> str:
    """Return value, verdict and chance."""
    if np.isnan(row.value):
        return "-"
    better = (row.value > row.high) != (row.measure in RANKS)
    mark = " " if row.low <= row.value <= row.high else "+" if better else "-"
    if row.measure.startswith(("cosine", "rank", "spearman")):
        form = "{:.1f}" if row.measure in RANKS else "{:.3f}"
        value, low, high = (form.format(x) for x in (row.value, row.low, row.high))
    else:
        value = f"{_count(row.value, row)} ({row.value:.1%})"
        low, high = f"{row.low:.1%}", f"{row.high:.1%}"
    return f"{value} {mark} [{low} to {high}]"


def _count(share: float, row) -> str:
    return "-" if np.isnan(share) else str(round(share * row.units))


def _slips(table: pd.DataFrame) -> list[str]:
    """Return a warning for each layer that agrees as chance, but far better when shifted by one."""
    rows = table[(table["measure"] == "exact") & (table["group"] == "all")]
    return [
        f"warning: {row.layer} agrees better with its units shifted by one "
        f"({max(row.next, row.previous):.1%} against {row.value:.1%}); is one table counted from 1?"
        for row in rows.itertuples()
        if row.layer != OVERALL and row.value <= row.high and _stands_out(row)
    ]


def _stands_out(row) -> bool:
    # two shifts of every layer are looked at, so one above the interval is nothing yet
    return max(row.next, row.previous) - row.chance > 3 * (row.high - row.chance)
