"""CSV tables that another may have made: whole, each row as wide as the first."""

import csv
from collections import Counter
from pathlib import Path

__all__ = ["read_csv"]


def read_csv(path: Path, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns of a table, and the cells of its rows.

    Parameters
    ----------
    path : Path
        A plain file. Blank lines in it are passed over.
    most : int, optional
        Rows to read; all unless given.

    Raises
    ------
    ValueError
        If it is no such table, a column is there twice, or a cell holds a NUL; the reason is all
        that the message says. Rows count from 1.
    """
    found: list[list[str]] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = _columns(next(reader, []))
            for cells in reader:
                if most is not None and len(found) >= most:
                    break
                if cells:
                    found.append(_row(cells, columns, len(found) + 1))
    except (csv.Error, UnicodeDecodeError) as error:
        where = f"after row {len(found)}: " if found else ""
        raise ValueError(f"{where}{error}") from error
    return columns, found


def _columns(names: list[str]) -> list[str]:
    """Return the names of the columns; one without a name is called by its place."""
    names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    if not names:
        raise ValueError("it has no columns")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"column {twice[0][:60]!r} is there twice")
    if any("\0" in name for name in names):
        raise ValueError("a NUL character is in the names of its columns")
    return names


def _row(cells: list[str], columns: list[str], row: int) -> list[str]:
    if len(cells) != len(columns):
        raise ValueError(f"row {row} has {len(cells)} cells and not {len(columns)}")
    if any("\0" in cell for cell in cells):
        raise ValueError(f"row {row} holds a NUL character")
    return cells
