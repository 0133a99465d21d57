"""What a cross-check found: crosscheck.csv, crosscheck.json and a summary."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dissection.agreement import RANKS
from dissection.crosscheck import OVERALL, Crosscheck
from dissection.shards import atomic

__all__ = ["aligned", "summary", "write"]

FORMAT = "crosscheck/1"
CHANCE = (
    "value: mean over n units; chance, low, high: mean and 95% interval of the value when the CLIP "
    "labels of these units are shuffled within each layer; p: share of shuffles at least as good, "
    "counting the true pairing as one; next, previous: the value when each unit has the CLIP label "
    "of the next or the previous unit, as by a slip of the numbering"
)
ORDER = (
    "rows: first the units that both labelers are confident of and disagree on (exact), then other "
    "disagreements, then agreements; within these the lowest cosine first, then the highest "
    "confidence. confidence: the lower of the shares of the layer's units that have no higher IoU "
    "and no higher similarity; confident: detectors whose confidence is 0.5 or more"
)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, their columns aligned.

    Examples
    --------
    >>> aligned([("layer", "n"), ("fc", "10")])
    ['layer  n', 'fc     10']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def write(result: Crosscheck, folder: str | Path) -> None:
    """Write crosscheck.csv and crosscheck.json into a directory, each complete or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = result.agreement.astype(object)
    card = {
        "format": FORMAT,
        "settings": result.settings,
        **{
            side.method: {"name": side.name, "source": str(side.source), "digest": side.digest}
            for side in (result.iou, result.clip)
        },
        "definitions": result.definitions | {"columns": CHANCE, "order": ORDER},
        "left_out": result.left_out,
        "agreement": table.where(table.notna(), None).to_dict("records"),
    }
    with atomic(folder / "crosscheck.csv") as handle:
        result.units.to_csv(handle, index=False, lineterminator="\n")
    with atomic(folder / "crosscheck.json") as handle:
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
        handle.write(text.encode() + b"\n")


def summary(result: Crosscheck) -> str:
    """Return the agreement as a table with chance beside it, and what stands out."""
    rows = [("layer", "units", "measure", "value", "by chance (95%)", "shifted by one", "")]
    for row in result.agreement.itertuples():
        if row.layer == OVERALL and result.agreement["layer"].nunique() == 2:
            continue
        rows.append((row.layer, f"{row.group} ({row.units})", row.measure, *_shown(row)))
    lines = [f"cross-check of {result.iou.network}: IoU and CLIP", *aligned(rows)]
    for reason in dict.fromkeys(result.left_out.values()):
        names = ", ".join(name for name, why in result.left_out.items() if why == reason)
        lines.append(f"left out: {names}: {reason}")
    return "\n".join([*lines, *_slips(result.agreement)])


def _shown(row) -> tuple[str, ...]:
    """Return value, chance, values of units shifted by one, and a verdict."""
    if np.isnan(row.value):
        return ("-",) * 4
    if row.measure.startswith(("cosine", "rank", "spearman")):
        form = "{:.1f}" if row.measure in RANKS else "{:.3f}"
        value = form.format(row.value)
        chance = f"{form} ({form} to {form})".format(row.chance, row.low, row.high)
        shifted = f"{form}, {form}".format(row.next, row.previous)
    else:
        value = f"{_count(row.value, row)} ({row.value:.1%})"
        chance = f"{row.chance:.1%} ({row.low:.1%} to {row.high:.1%})"
        shifted = f"{_count(row.next, row)}, {_count(row.previous, row)}"
    if row.low <= row.value <= row.high:
        return value, chance, shifted, "as chance"
    better = (row.value > row.high) != (row.measure in RANKS)
    return value, chance, shifted, "better than chance" if better else "worse than chance"


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
