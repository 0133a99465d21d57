"""The text tables of the original layout: vocabulary and index, read strictly.

A table that is missing, malformed or contradicts itself stops the conversion; a bad row of
index.csv is collected, so that one run names them all.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from broden.labels import LabelTable
from broden.schema import MAX_GRID, MAX_LABEL, Skipped
from broden.sources.archive import DamagedArchiveError, Source, safe_name
from broden.system.names import named, spaced

#: Bytes and rows of a table; those of the published sets are a tenth of it.
MAX_TABLE_BYTES = 128 * 2**20
MAX_ROWS = 1_000_000
MAX_CATEGORIES = 1000
_META = ("image", "split", "ih", "iw", "sh", "sw")
_NUMBER = re.compile(r"[0-9]+")


class Row(NamedTuple):
    """One usable row of index.csv.

    line : int, line of the file; image, split : str; size : (ih, iw) or None where not given;
    grid : (sh, sw); maps, whole : (category index, file name) and (category index, number) in
    the order of the row.
    """

    line: int
    image: str
    split: str
    size: tuple[int, int] | None
    grid: tuple[int, int]
    maps: tuple[tuple[int, str], ...]
    whole: tuple[tuple[int, int], ...]


class Index(NamedTuple):
    """The rows that can be read, the grid they share, the rows that cannot, unknown columns.

    whole : bool, False where reading ended after the most bad rows.
    """

    rows: list[Row]
    grid: tuple[int, int]
    bad: list[Skipped]
    ignored: tuple[str, ...]
    whole: bool = True

    @property
    def total(self) -> int:
        """How many rows were read."""
        return len(self.rows) + len(self.bad)


def read_labels(source: Source) -> LabelTable:
    """Read category.csv, label.csv and every c_<category>.csv; masses are zero.

    Raises
    ------
    FileNotFoundError
        When one of the tables is missing.
    ValueError
        On missing columns, duplicate or impossible numbers, text that is no number, or a name
        that `broden.system.names` refuses.
    """
    written = _categories(source)
    labels: dict[int, tuple[str, list[str]]] = {}
    for line, row in _table(source, "label.csv", ("number", "name"), MAX_LABEL + 1):
        number = _whole_number(row["number"], "label.csv", line)
        name = named(row["name"] or "", f"label.csv line {line}")
        if number > MAX_LABEL or number in labels or not name:
            raise ValueError(
                f"label.csv line {line}: number {number} ({name!r}) must be at most {MAX_LABEL},"
                " listed once and have a name"
            )
        others = (
            named(part, f"label.csv line {line}") for part in (row.get("syns") or "").split(";")
        )
        labels[number] = name, [*filter(None, others)]
    labels.pop(0, None)
    if not labels:
        raise ValueError("label.csv lists no label; at least one number above 0 is needed")
    numbers = sorted(labels)
    names, synonyms = zip(*(labels[number] for number in numbers), strict=True)
    statistics = _statistics(source, [*written.values()], numbers)
    return LabelTable.from_rows([*written], numbers, names, synonyms, *statistics)


def _categories(source: Source) -> dict[str, str]:
    """Return the categories by name, each as category.csv and the name of its table spell it."""
    found: dict[str, str] = {}
    for line, row in _table(source, "category.csv", ("name",), MAX_CATEGORIES):
        written = (row["name"] or "").strip()
        name = named(written, f"category.csv line {line}")
        if not name or "/" in name or name in _META or name in found:
            raise ValueError(f"category.csv: {name!r} is empty, twice there or no possible name")
        found[name] = written
    if not found:
        raise ValueError("category.csv lists no category; at least one is needed")
    return found


def _statistics(source: Source, categories: list[str], numbers: list[int]):
    """Return frequency int64 and coverage float64, (R, K) in the order of `numbers`."""
    place = {number: i for i, number in enumerate(numbers)}
    frequency = np.zeros((len(numbers), len(categories)), np.int64)
    coverage = np.zeros((len(numbers), len(categories)))
    for k, category in enumerate(categories):
        file = f"c_{category}.csv"
        for line, row in _table(source, file, ("number", "coverage"), MAX_LABEL + 1):
            number = _whole_number(row["number"], file, line)
            if number not in place:
                continue
            try:
                coverage[place[number], k] = float(row["coverage"])
                frequency[place[number], k] = int(float(row.get("frequency") or 0))
            except (ValueError, OverflowError):
                raise ValueError(
                    f"{file} line {line}: frequency or coverage is no number"
                ) from None
    if not np.isfinite(coverage).all():
        raise ValueError("a coverage in the c_<category>.csv tables is not finite")
    return frequency, coverage


def read_index(source: Source, table: LabelTable, most_bad: int = MAX_ROWS) -> Index:
    """Read index.csv; rows that cannot be right are collected with their reason.

    All images of a set share one label grid: the one most rows have. Rows with another are bad.

    Parameters
    ----------
    source : Source
        The data set.
    table : LabelTable
        Its vocabulary.
    most_bad : int
        Reading ends when so many rows are bad.

    Raises
    ------
    FileNotFoundError
        When index.csv is missing.
    ValueError
        When a column is missing, or no row at all can be read.
    """
    rows: list[Row] = []
    bad: list[Skipped] = []
    seen: set[str] = set()
    ignored: tuple[str, ...] = ()
    columns = ("image", "sh", "sw", *table.categories)
    for line, fields in _table(source, "index.csv", columns, MAX_ROWS, short=True):
        ignored = ignored or tuple(
            name for name in fields if name and name not in (*_META, *table.categories)
        )
        image = (fields["image"] or "").strip()
        try:
            row = _row(line, image, fields, table)
            if row.image in seen:
                raise ValueError("the image is listed twice; the first row counts")
            seen.add(row.image)
            rows.append(row)
        except ValueError as error:
            bad.append(Skipped(line, image, str(error)))
            if len(bad) >= most_bad:
                return Index(rows, (1, 1), bad, ignored, whole=False)
    if not rows and not bad:
        raise ValueError("index.csv lists no image; at least one row is needed")
    if not rows:
        raise ValueError(f"index.csv has no usable row; line {bad[0].row}: {bad[0].reason}")
    grid = Counter(row.grid for row in rows).most_common(1)[0][0]
    for row in rows:
        if row.grid != grid:
            text = "label grid {}x{}, but most of the set has {}x{}".format(*row.grid, *grid)
            bad.append(Skipped(row.line, row.image, text))
    return Index([row for row in rows if row.grid == grid], grid, bad, ignored)


def _row(line: int, image: str, fields: dict, table: LabelTable) -> Row:
    """Check the fields of one row; a ValueError carries the reason."""
    image = safe_name(image)
    if None in fields or None in fields.values():
        raise ValueError("the row has more or fewer fields than the header")
    grid = _size(fields, "sh", "sw")
    if max(grid) > MAX_GRID:
        raise ValueError(f"label grid {grid[0]}x{grid[1]}, at most {MAX_GRID} a side allowed")
    given = (fields.get("ih") or fields.get("iw") or "").strip()
    maps, whole = [], []
    for k, category in enumerate(table.categories):
        for value in filter(None, (part.strip() for part in fields[category].split(";"))):
            if not _NUMBER.fullmatch(value):
                maps.append((k, safe_name(value)))
            elif int(value) >= len(table) or (int(value) and not table.known[int(value)]):
                raise ValueError(f"label number {value} ({category}) is not in label.csv")
            elif int(value):
                whole.append((k, int(value)))
    size = _size(fields, "ih", "iw") if given else None
    return Row(line, image, fields.get("split", "").strip(), size, grid, (*maps,), (*whole,))


def _size(fields: dict, height: str, width: str) -> tuple[int, int]:
    values = [(fields.get(key) or "").strip() for key in (height, width)]
    if not all(_NUMBER.fullmatch(value) and 0 < int(value[:9]) for value in values):
        raise ValueError(f"{height}, {width} are {values}, expected two whole numbers above 0")
    return int(values[0][:9]), int(values[1][:9])


def _whole_number(text: str | None, file: str, line: int) -> int:
    text = (text or "").strip()
    if not _NUMBER.fullmatch(text) or len(text) > 18:
        raise ValueError(
            f"{file} line {line}: number {text!r}, expected a whole number from 0 to {MAX_LABEL}"
        )
    return int(text)


def _table(
    source: Source, file: str, columns: tuple[str, ...], most: int, *, short: bool = False
) -> Iterator[tuple[int, dict]]:
    """Yield (line, fields) of a CSV table that has at least the given columns.

    It has at most `most` rows; each has these columns unless it may be `short`.
    """
    data = _text(source, file)
    # one line after another: a table as one text would be four times its size
    reader = csv.DictReader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""))
    try:
        header = [spaced(name) for name in reader.fieldnames or ()]
        missing = [column for column in columns if column not in header]
        twice = [column for column in columns if header.count(column) > 1]
        if missing or twice:
            problem = f"{missing[0]!r} is missing" if missing else f"{twice[0]!r} is there twice"
            raise ValueError(f"{file}: column {problem}; it has {', '.join(header)[:200]}")
        reader.fieldnames = header
        for row, fields in enumerate(reader, 1):
            if row > most:
                raise ValueError(f"{file}: more than {most} rows, which is the most there can be")
            lacking = [] if short else [name for name in columns if fields[name] is None]
            if lacking:
                raise ValueError(
                    f"{file} line {reader.line_num}: the row ends before column {lacking[0]!r}"
                )
            yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"{file} line {reader.line_num}: {error}") from None


def _text(source: Source, file: str) -> bytes:
    """Return the bytes of a table that are UTF-8."""
    try:
        data = source.read(file)
        data.decode("utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{source.path}: {file} is missing; the original layout needs index.csv, label.csv,"
            " category.csv and c_<category>.csv for each category"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except DamagedArchiveError:
        raise
    except ValueError as error:
        raise ValueError(f"{source.path}: {file} {error}") from None
    if b"\0" in data:
        raise ValueError(f"{file}: holds a NUL character; it is no text table")
    if len(data) > MAX_TABLE_BYTES:
        raise ValueError(f"{file}: {len(data)} bytes, at most {MAX_TABLE_BYTES} are allowed")
    return data
