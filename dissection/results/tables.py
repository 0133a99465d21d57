"""The tables of units that can be read, and columns of them that are what they should be."""

from pathlib import Path

import numpy as np
import pandas as pd

from dissection.results import schema

__all__ = [
    "checked",
    "common",
    "exactly",
    "numbers",
    "read_table",
    "read_tally",
    "rows",
    "tally_categories",
    "truth",
]


def rows(path: Path, most: int | None = None) -> pd.DataFrame:
    """Return a CSV table as text, up to a number of rows.

    Raises
    ------
    ValueError
        If the file is not one.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, nrows=most)
    except (ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is not a CSV table ({reason}); known are {schema.FORMS}"
        ) from error


def common(table: pd.DataFrame, label: str, score: str, path: Path) -> dict[str, pd.Series]:
    """Return the columns that every labelling has, from those called so in a table of `rows`."""
    category = table["category"] if "category" in table else None
    return {
        "layer": table["layer"],
        "unit": numbers(table, "unit", path),
        "label": table[label],
        "category": category,
        "score": numbers(table, score, path),
    }


def numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Return a column as numbers.

    Raises
    ------
    ValueError
        If it is missing, or not of numbers.
    """
    if column not in table:
        raise ValueError(f"{path} lacks the column {column}; known are {schema.FORMS}")
    try:
        return exactly(table[column])
    except ValueError as error:
        raise ValueError(f"{path}: column {column} holds no number, {error}") from error


def truth(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of True and False as bool.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    words = column.str.casefold()
    if not words.isin(["true", "false"]).all():
        raise ValueError(f"{path}: column detector must hold True or False")
    return words == "true"


def checked(units: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows layer by layer in the order of the units, if they can be what they say.

    Raises
    ------
    ValueError
        If there is none, a unit occurs twice or is none, or a label is no name.
    """
    if units.empty:
        raise ValueError(f"{path} has no rows; each is to be a unit")
    whole = units["unit"] == units["unit"].round()
    if not (whole & units["unit"].between(0, 2**31)).all():
        raise ValueError(f"{path}: units must count from 0, or from 1 in a NetDissect tally")
    units = units.astype({"unit": np.int64, "score": float})
    if units.duplicated(["layer", "unit"]).any():
        row = units[units.duplicated(["layer", "unit"])].iloc[0]
        raise ValueError(f"{path} has unit {row.unit} of layer {row.layer} twice; keep one")
    blank = units[(units["label"].str.strip() == "") | ~units["label"].map(str.isprintable)]
    if len(blank):
        row = blank.iloc[0]
        raise ValueError(f"{path}: label {row.label!r} of unit {row.unit} is no name")
    order = units["layer"].map({name: i for i, name in enumerate(dict.fromkeys(units["layer"]))})
    return units.assign(order=order).sort_values(["order", "unit"], ignore_index=True)[
        list(units.columns)
    ]


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV of results; names of layers, labels and categories stay text."""
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    for name in table:
        if name not in schema.TEXT_COLUMNS and not name.endswith("-label"):
            table[name] = _typed(table[name])
    return table


def _typed(column: pd.Series) -> pd.Series:
    """Return a column of text as what it writes: truth, numbers, or else text."""
    if column.isin(["True", "False"]).all():
        return column == "True"
    try:
        return exactly(column)
    except ValueError:
        return column


def exactly(column: pd.Series) -> pd.Series:
    """Return a column of text as the numbers it writes, to the last bit; numbers as they are.

    The parsers of pandas do so in some versions only.

    Raises
    ------
    ValueError
        If it writes anything else.
    """
    if pd.api.types.is_numeric_dtype(column):
        return column
    whole = column.str.fullmatch(r"[+-]?\d+").all()
    kind, dtype = (int, np.int64) if whole else (float, np.float64)
    return pd.Series(list(map(kind, column)), column.index, dtype, column.name)


def read_tally(path: str | Path) -> pd.DataFrame:
    """Read a tally, ours or a published NetDissect result file.

    Parameters
    ----------
    path : str or Path
        A CSV file.

    Returns
    -------
    DataFrame
        The columns of the file with counts as int64 and ``unit`` counted from 0; the file's own
        number is in ``unit_1based``.

    Raises
    ------
    ValueError
        If the columns are not those of a tally.
    """
    table = read_table(path)
    missing = set(schema.TALLY_COLUMNS) - set(table.columns)
    categories = tally_categories(table)
    missing |= {schema.of_category(c, f) for c in categories for f in schema.TALLY_FIELDS} - set(
        table.columns
    )
    if missing or not categories:
        lacking = ", ".join(sorted(missing)) or "<category>-label"
        raise ValueError(f"{path} is not a NetDissect tally: it lacks the columns {lacking}")
    counted = ("truth", "activation", "intersect")
    counts = [schema.of_category(c, f) for c in categories for f in counted]
    table[counts] = table[counts].astype(float).astype(np.int64)
    table["unit_1based"] = table["unit"]
    table["unit"] -= 1
    return table


def tally_categories(table: pd.DataFrame) -> list[str]:
    """Return the categories of a tally, in the order of its columns."""
    return [name.removesuffix("-label") for name in table.columns if name.endswith("-label")]
