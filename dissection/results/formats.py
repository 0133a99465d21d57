"""Tables in the formats of papers and notebooks, beside their CSV."""

from collections.abc import Callable, Collection
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from broden.system.files import atomic

__all__ = ["FORMATS", "check", "write_also"]


def _latex(table: pd.DataFrame) -> bytes:
    return table.to_latex(index=False, escape=True, float_format="%.4g", na_rep="").encode()


def _markdown(table: pd.DataFrame) -> bytes:
    rows = [list(map(str, table.columns)), ["---"] * table.shape[1]]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    lines = ["| " + " | ".join(map(_escaped, row)) + " |" for row in rows]
    return "\n".join([*lines, ""]).encode()


def _cell(value: object) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escaped(cell: str) -> str:
    """Return text that neither ends a cell nor is taken for HTML."""
    for char, instead in (("&", "&amp;"), ("<", "&lt;"), ("\\", "\\\\"), ("|", "\\|"), ("\n", " ")):
        cell = cell.replace(char, instead)
    return cell


def _parquet(table: pd.DataFrame) -> bytes:
    return table.to_parquet(None, index=False)


FORMATS: dict[str, tuple[str, Callable[[pd.DataFrame], bytes]]] = {
    "latex": (".tex", _latex),
    "markdown": (".md", _markdown),
    "parquet": (".parquet", _parquet),
}
"""Ending of the file and how it is made, by name."""


def check(names: Collection[str]) -> None:
    """Raise unless tables can be written in these formats.

    Parameters
    ----------
    names : collection of str
        Some of `FORMATS`.

    Raises
    ------
    ValueError
        If there is no such format.
    ImportError
        If a package that one needs is not installed.
    """
    for name in names:
        if name not in FORMATS:
            raise ValueError(f"no format of tables is called {name!r}; there are {_all()}")
    if "parquet" in names and not (find_spec("pyarrow") or find_spec("fastparquet")):
        raise ImportError(
            "tables as parquet need pyarrow, which is not installed: pip install "
            "'network-dissection[parquet]'"
        )


def write_also(path: Path, table: pd.DataFrame, names: Collection[str]) -> list[Path]:
    """Write a table beside its CSV, and return the files.

    Parameters
    ----------
    path : Path
        Of the CSV; the other files differ in the ending.
    table : DataFrame
        What they are to hold.
    names : collection of str
        Some of `FORMATS`.

    Raises
    ------
    OSError
        If one cannot be written; no part of it is left.
    """
    paths = []
    for name in names:
        ending, made = FORMATS[name]
        paths.append(path.with_suffix(ending))
        with atomic(paths[-1]) as handle:
            handle.write(made(table))
    return paths


def _all() -> str:
    return ", ".join(FORMATS)
