"""What a cross-check found: crosscheck.csv, crosscheck.json and a summary."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.crosscheck.check import Crosscheck
from dissection.results import schema
from dissection.results.storage import write_json, write_table
from dissection.results.tables import exactly, rows, truth

__all__ = ["Findings", "findings", "levels", "read", "write"]

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
            column = units[name].replace("", "nan")
            units[name] = truth(column, table) if booleans else exactly(column)
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
    write_table(folder / schema.CROSSCHECK_UNITS, result.units, spreadsheet)
    write_json(folder / schema.CROSSCHECK, card)
