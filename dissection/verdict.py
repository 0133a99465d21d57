"""What a cross-check found: crosscheck.csv, crosscheck.json and a summary."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.agreement import RANKS
from dissection.columns import rows, truth
from dissection.crosscheck import OVERALL, Crosscheck
from dissection.shards import atomic

__all__ = ["Findings", "aligned", "findings", "levels", "read", "summary", "write"]

FORMAT = "crosscheck/1"
NUMBERS = ("value", "chance", "low", "high")
WORDS = ("layer", "iou_label", "clip_label", "category")
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


class Findings(NamedTuple):
    """What a cross-check says, as its two files hold it."""

    network: str
    units: pd.DataFrame
    agreement: pd.DataFrame
    definitions: dict[str, str]


def findings(result: Crosscheck) -> Findings:
    """Return what a cross-check says, as it would be read from its files."""
    return Findings(result.iou.name, result.units, result.agreement, _definitions(result))


def _definitions(result: Crosscheck) -> dict[str, str]:
    return result.definitions | {"columns": CHANCE, "order": ORDER}


def read(folder: str | Path, network: str) -> Findings | None:
    """Return the cross-check in a run directory; None where there is none.

    Parameters
    ----------
    folder : str or Path
        The directory.
    network : str
        What its network is called in tables.

    Raises
    ------
    ValueError
        If the files are not those of a cross-check.
    """
    path, table = Path(folder) / "crosscheck.json", Path(folder) / "crosscheck.csv"
    if not (path.is_file() and table.is_file()):
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']}, expected {FORMAT}")
        agreement = pd.DataFrame(card["agreement"]).astype(dict.fromkeys(NUMBERS, float))
        units = rows(table)
        for name in units.columns.difference(WORDS):
            booleans = units[name].isin(["True", "False"]).all()
            units[name] = truth(units[name], table) if booleans else pd.to_numeric(units[name])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no cross-check that can be read ({error}); run it again"
        ) from error
    return Findings(network, units, agreement, card["definitions"])


def levels(units: pd.DataFrame) -> list[int]:
    """Return how each unit's labels agree: 2 same name, 1 one in the other's best five, 0 neither.

    Parameters
    ----------
    units : DataFrame
        Rows of crosscheck.csv.
    """
    near = [name for name in units if name.endswith("_top5")]
    close = units[near].fillna(0).astype(bool).any(axis=1) if near else False
    return np.where(units["exact"], 2, np.where(close, 1, 0)).tolist()


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
        "definitions": _definitions(result),
        "left_out": result.left_out,
        "agreement": table.where(table.notna(), None).to_dict("records"),
    }
    with atomic(folder / "crosscheck.csv") as handle:
        result.units.to_csv(handle, index=False, lineterminator="\n")
    with atomic(folder / "crosscheck.json") as handle:
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
        handle.write(text.encode() + b"\n")


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
