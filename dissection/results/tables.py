"""The tables of units that can be read, and columns of them that are what they should be."""

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from broden.system.csvfile import read_csv
from broden.system.files import regular_file
from dissection.results import schema

__all__ = [
    "check_units",
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
    FileNotFoundError
        If there is none.
    ValueError
        If the file is not one, a column is there twice, or a row has more or fewer cells.
    """
    regular_file(path, "CSV table")
    try:
        columns, found = read_csv(path, most)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is not a CSV table ({reason}); known are {schema.FORMS}"
        ) from error
    return pd.DataFrame(found, columns=columns, dtype=str)


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
    """Return a column as finite numbers, those of an IoU from 0 to 1.

    Of `schema.MAYBE_COLUMNS` an empty cell is NaN.

    Raises
    ------
    ValueError
        If it is missing, or not of such numbers.
    """
    if column not in table:
        raise ValueError(f"{path} lacks the column {column}; known are {schema.FORMS}")
    cells = table[column]
    absent = (cells == "") & (column in schema.MAYBE_COLUMNS)
    try:
        found = exactly(cells.mask(absent, "nan"))
    except ValueError as error:
        raise ValueError(f"{path}: column {column} holds no number, {error}") from error
    share = column in schema.SHARE_COLUMNS or column.endswith(schema.of_category("", "iou"))
    good = absent | (found.between(0, 1) if share else np.isfinite(found))
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        wanted = "a number from 0 to 1" if share else "a finite number"
        cell = str(table[column].iloc[row])[:60]
        raise ValueError(f"{path}: row {row + 1}, column {column} is {cell}, expected {wanted}")
    return found


def truth(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of True and False as bool.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    words = column.str.casefold()
    wrong = ~words.isin(["true", "false"])
    if wrong.any():
        raise ValueError(
            f"{path}: column {column.name} must hold True or False; row "
            f"{int(np.flatnonzero(wrong)[0]) + 1} holds {str(column[wrong].iloc[0])[:60]!r}"
        )
    return words == "true"


def checked(
    units: pd.DataFrame, path: Path, layers: Mapping[str, dict] | None = None
) -> pd.DataFrame:
    """Return the rows layer by layer in the order of the units, if they can be what they say.

    Parameters
    ----------
    units : DataFrame
        With the columns that every labelling has.
    path : Path
        Their file, for messages.
    layers : mapping, optional
        The layers of the run card that it belongs to: each has all its units.

    Raises
    ------
    ValueError
        If there is none, a unit occurs twice or is none, or a label is no name.
    """
    if units.empty:
        raise ValueError(f"{path} has no rows; each is to be a unit")
    whole = units["unit"] == units["unit"].round()
    wrong = ~(whole & units["unit"].between(0, 2**31 - 1))
    if wrong.any():
        raise ValueError(
            f"{path}: row {int(np.flatnonzero(wrong)[0]) + 1}, column unit is "
            f"{units['unit'][wrong].iloc[0]}; units must count from 0, or from 1 in a NetDissect "
            "tally"
        )
    units = units.astype({"unit": np.int64, "score": float})
    if units.duplicated(["layer", "unit"]).any():
        row = units[units.duplicated(["layer", "unit"])].iloc[0]
        raise ValueError(f"{path} has unit {row.unit} of layer {row.layer} twice; keep one")
    blank = units[(units["label"].str.strip() == "") | ~units["label"].map(str.isprintable)]
    if len(blank):
        row = blank.iloc[0]
        raise ValueError(f"{path}: label {row.label!r} of unit {row.unit} is no name")
    check_units(units, path, layers or {})
    order = units["layer"].map({name: i for i, name in enumerate(dict.fromkeys(units["layer"]))})
    return units.assign(order=order).sort_values(["order", "unit"], ignore_index=True)[
        list(units.columns)
    ]


def check_units(units: pd.DataFrame, path: Path, layers: Mapping[str, dict]) -> None:
    """Refuse a table with a blank layer, or of a run with other units than its card says.

    Parameters
    ----------
    units : DataFrame
        With the columns layer and unit.
    path : Path
        Its file, for messages.
    layers : mapping
        The layers of the run card that it belongs to.

    Raises
    ------
    ValueError
        If it is one.
    """
    nameless = units["layer"].str.strip() == ""
    if nameless.any():
        row = int(np.flatnonzero(nameless)[0]) + 1
        raise ValueError(f"{path}: row {row}, column layer is blank; each unit is of a layer")
    for layer, found in units.groupby("layer", sort=False)["unit"]:
        total = layers.get(layer, {}).get("units")
        if total is not None and (len(found) != total or found.max() != total - 1):
            raise ValueError(
                f"{path} has {len(found)} units of layer {layer}, the last {found.max()}, but its "
                f"run card says 0 to {total - 1}; run it again"
            )


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV of results; names of layers, labels and categories stay text.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no table, or a column of numbers or of truths holds something else.
    """
    path = Path(path)
    table = rows(path)
    for name in table:
        if name in schema.NUMBER_COLUMNS or name.endswith(_NUMBER_FIELDS):
            table[name] = numbers(table, name, path)
        elif name == "detector":
            table[name] = truth(table[name], path)
        elif name not in schema.TEXT_COLUMNS and not name.endswith("-label"):
            table[name] = _typed(table[name])
    return table


_NUMBER_FIELDS = tuple(f"-{field}" for field in schema.TALLY_FIELDS if field != "label")


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
    whole = bool(column.str.fullmatch(r"[+-]?\d{1,18}").all())
    kind, dtype = (int, np.int64) if whole else (float, np.float64)
    return pd.Series(list(map(_number(kind), column, count(1))), column.index, dtype, column.name)


def _number(kind: type) -> Callable[[str, int], int | float]:
    """Return what reads the cell of a row as a number."""

    def read(cell: str, row: int) -> int | float:
        try:
            if "_" not in cell:
                return kind(cell)
        except ValueError:
            pass
        raise ValueError(f"row {row} holds {cell[:60]!r}")

    return read


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
    for name in counts:
        table[name] = _counts(table, name, Path(path))
    table["unit_1based"] = table["unit"]
    table["unit"] -= 1
    return table


def _counts(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Return a column of numbers as counts of pixels."""
    values = table[column].astype(float)
    wrong = ~values.between(0, 2**53)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{path}: row {row + 1}, column {column} is {table[column].iloc[row]}, expected a count"
        )
    return values.astype(np.int64)


def tally_categories(table: pd.DataFrame) -> list[str]:
    """Return the categories of a tally, in the order of its columns."""
    return [name.removesuffix("-label") for name in table.columns if name.endswith("-label")]
