"""What a cross-check found: crosscheck.csv, crosscheck.json and a summary."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from broden.system.files import inside
from dissection.crosscheck.check import Crosscheck
from dissection.results import schema
from dissection.results.cards.fields import (
    MAPPING,
    TEXT,
    Kind,
    check,
    need,
    number,
    read_json,
    whole,
)
from dissection.results.storage import write_json, write_table
from dissection.results.tables import exactly, numbers, rows, truth

__all__ = ["Findings", "findings", "levels", "read", "write"]

FORMAT = "crosscheck/1"
NUMBERS = ("value", "chance", "low", "high")
WORDS = ("layer", "iou_label", "clip_label", "category")
_SCORES = ("unit", "iou", "similarity", "confidence")
_TRUTHS = ("detector", "confident", "exact")
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


_FIELDS = {
    "definitions": MAPPING,
    "definitions.*": TEXT,
    "agreement": Kind("a list", lambda value: isinstance(value, list)),
    "agreement.*": MAPPING,
    **{f"agreement.*.{name}": TEXT for name in ("layer", "group", "measure")},
    "agreement.*.units": whole(0),
    **{f"agreement.*.{name}": number().or_nothing() for name in (*NUMBERS, "p")},
    **{f"agreement.*.{name}": number().or_nothing() for name in ("next", "previous")},
}
_COLUMNS = ("layer", "group", "measure", "units", *NUMBERS, "p")
_NEEDED = ("definitions", "agreement", *(f"agreement.*.{name}" for name in _COLUMNS))


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
    path, table = Path(folder) / schema.CROSSCHECK, Path(folder) / schema.CROSSCHECK_UNITS
    if not (path.exists() and table.exists()):
        return None
    try:
        card = read_json(path, "cross-check")
        if card.get("format") != FORMAT:
            raise ValueError(f"format {str(card.get('format'))[:40]}, expected {FORMAT}")
        check(card, _FIELDS, path.name)
        need(card, _NEEDED, path.name)
        agreement = pd.DataFrame(card["agreement"], columns=_columns(card["agreement"]))
        agreement = agreement.astype(dict.fromkeys(NUMBERS, float))
        _check_rows(agreement)
        units = _units(table)
    except ValueError as error:
        raise ValueError(
            f"{path} is no cross-check that can be read ({error}); run it again"
        ) from error
    return Findings(network, units, agreement, card["definitions"])


def _columns(agreement: list[dict]) -> list[str]:
    """Return the columns of a table of measures, which may have no row."""
    return list(dict.fromkeys([*_COLUMNS, *(name for row in agreement for name in row)]))


def _check_rows(agreement: pd.DataFrame) -> None:
    """Refuse a table of measures that has one twice, or not the plainest of all units."""
    keys = ["layer", "group", "measure"]
    twice = agreement[agreement.duplicated(keys)]
    if len(twice):
        raise ValueError(f"agreement of {' '.join(twice.iloc[0][keys])} is there twice")
    if not ((agreement["group"] == "all") & (agreement["measure"] == "exact")).any():
        raise ValueError("agreement lacks the measure exact of all units")


def _units(path: Path) -> pd.DataFrame:
    """Read the table of units; a measure that a unit lacks is NaN."""
    units = rows(path)
    for name in (*WORDS, *_SCORES, *_TRUTHS):
        if name not in units:
            raise ValueError(f"{path} lacks the column {name}")
    for name in units.columns.difference(WORDS):
        column = units[name].replace("", "nan")
        if name in _TRUTHS or column.isin(["True", "False"]).all():
            units[name] = truth(column, path)
        elif name in _SCORES:
            units[name] = numbers(units, name, path)
        else:
            units[name] = _measured(column, path)
    if units.empty:
        raise ValueError(f"{path} has no rows; each is to be a unit")
    if units["unit"].dtype != np.int64 or units["unit"].min() < 0:
        raise ValueError(f"{path}: units must count from 0")
    twice = units[units.duplicated(["layer", "unit"])]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(f"{path} has unit {row.unit} of layer {row.layer} twice")
    return units


def _measured(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of a measure as numbers, NaN where it could not be taken."""
    try:
        # truths of which a layer has none
        found = exactly(column.replace({"True": "1", "False": "0"}))
    except ValueError as error:
        raise ValueError(f"{path}: column {column.name} holds no number, {error}") from error
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0]) + 1
        raise ValueError(f"{path}: row {row}, column {column.name} is not finite")
    return found


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


def write(result: Crosscheck, folder: str | Path, spreadsheet: bool = False) -> None:
    """Write crosscheck.csv and crosscheck.json into a directory, each complete or not at all.

    Parameters
    ----------
    result : Crosscheck
        What to write.
    folder : str or Path
        Made if it is missing.
    spreadsheet : bool
        As `storage.write_table` takes it.

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
    write_table(inside(folder, schema.CROSSCHECK_UNITS), result.units, spreadsheet)
    write_json(inside(folder, schema.CROSSCHECK), card)
