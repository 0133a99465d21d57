"""How the files of a run are written: each complete under its name, or not at all."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from broden.system.files import atomic

__all__ = ["for_spreadsheet", "texts", "write_json", "write_table", "written_hdf5"]


def write_table(path: Path, table: pd.DataFrame, spreadsheet: bool = False) -> None:
    """Write a CSV table; for a spreadsheet as `for_spreadsheet` makes it.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    """
    with atomic(path) as handle:
        made = for_spreadsheet(table) if spreadsheet else table
        made.to_csv(handle, index=False, lineterminator="\n")


def for_spreadsheet(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which no text is a formula: an apostrophe stands before such a cell.

    Spreadsheets compute what begins with one of ``= + - @``, also behind a tab or line break; names
    of concepts and layers may. Numbers stay as they are.

    Examples
    --------
    >>> table = pd.DataFrame({"label": ["=1+1", "cat"], "iou": [-0.5, 0.1]})
    >>> for_spreadsheet(table).values.tolist()
    [["'=1+1", -0.5], ['cat', 0.1]]
    """
    made = table.map(_no_formula)
    return made.set_axis([_no_formula(name) for name in table.columns], axis=1)


def _no_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip()[:1] in _FORMULA else cell


# what makes a spreadsheet compute a cell; an empty one is none
_FORMULA = ("=", "+", "-", "@")


def write_json(path: Path, content: dict) -> None:
    """Write a JSON object, in UTF-8 and one entry a line.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    ValueError
        If a number in it is not finite.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic(path) as handle:
        handle.write(text.encode() + b"\n")


@contextmanager
def written_hdf5(path: Path) -> Iterator[h5py.File]:
    """Hand out an HDF5 file that appears under its name when the block ends well.

    It is made in memory: HDF5 cannot close a file that it could not write, so a full disk must not
    meet it.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        yield file
    with atomic(path) as handle:
        handle.write(memory.getbuffer())


def texts(names: object) -> np.ndarray:
    """Return names as an array that HDF5 stores as text."""
    return np.array(names, dtype=h5py.string_dtype())
