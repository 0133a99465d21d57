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

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a text begins with that spreadsheets take for a formula; the last four are full-width."""


def write_table(
    path: Path, table: pd.DataFrame, spreadsheet: bool = False, float_format: str | None = None
) -> None:
    """Write a CSV table.

    Parameters
    ----------
    path : Path
        The file.
    table : DataFrame
        What it is to hold.
    spreadsheet : bool
        Whether text is kept from opening as a formula, see `for_spreadsheet`.
    float_format : str, optional
        Of numbers, as printf has it; exactly if not given.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    """
    table = for_spreadsheet(table) if spreadsheet else table
    with atomic(path) as handle:
        table.to_csv(handle, index=False, lineterminator="\n", float_format=float_format)


def for_spreadsheet(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before each text that a spreadsheet takes for a formula.

    Names of columns are texts too; numbers are left as they are.

    Examples
    --------
    >>> table = pd.DataFrame({"label": ["=1+1", "car"], "score": [-0.5, 0.5]})
    >>> print(for_spreadsheet(table).to_csv(index=False), end="")
    label,score
    '=1+1,-0.5
    car,0.5
    """
    changed = {
        place: pd.Series([_plain(value) for value in table.iloc[:, place]], table.index, object)
        for place in range(table.shape[1])
        if not pd.api.types.is_numeric_dtype(table.iloc[:, place])
    }
    columns = [changed.get(place, table.iloc[:, place]) for place in range(table.shape[1])]
    made = pd.concat(columns, axis=1) if columns else table.copy()
    made.columns = pd.Index([_plain(name) for name in table.columns])
    return made


def _plain(value: object) -> object:
    """Return a value, behind an apostrophe if it is a text that could be a formula."""
    if not isinstance(value, str):
        return value
    # some skip the spaces before it
    return (
        f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
    )


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
