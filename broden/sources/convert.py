"""Conversion of the original layout to a probe file.

Images are read, checked and counted by a few threads and written in the order of index.csv; how
many are under way at once is bounded, so memory does not grow with the set.
"""

from __future__ import annotations

import io
import os
import warnings
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from broden.images import DECODE_ERRORS, FORMATS, MAX_PIXELS, explain
from broden.labels import LabelTable
from broden.planes import decode_plane, is_palette
from broden.records import LabelledImage, labelled
from broden.schema import Skipped
from broden.sources.archive import DamagedArchiveError, Source, open_source
from broden.sources.layout import Index, Row, read_index, read_labels
from broden.system.parallel import in_order
from broden.system.progress import bar
from broden.writer import ProbeWriter

# Pillow and hashing release the interpreter lock; more threads than this wait for the writer.
_THREADS = min(4, os.cpu_count() or 1)
_UNDER_WAY = 8 * _THREADS
#: Bad rows that are listed, and those that can be left out.
MOST_LISTED, MOST_SKIPPED = 1000, 100_000


class BadRowsError(ValueError):
    """Rows of index.csv that cannot be used; `details` has one line for each, up to 1,000.

    Parameters
    ----------
    source : Path
        The data set.
    bad : list of Skipped
        The rows, as many as were found.
    total : int or None
        How many rows there are; None where reading ended after so many bad ones.
    """

    def __init__(self, source: Path, bad: list[Skipped], total: int | None) -> None:
        self.bad = bad
        shown = bad[:MOST_LISTED]
        self.details = [f"index.csv line {b.row}: {b.image[:200]}: {b.reason[:300]}" for b in shown]
        if total is not None:
            text = f"{len(bad)} of {total} rows of index.csv cannot be used (listed below)"
        else:
            text = (
                f"at least {len(bad)} rows of index.csv cannot be used, and it was not read further"
                f" (the first {len(shown)} are listed below)"
            )
        remedy = "repair them, or leave them out with --skip-bad"
        if len(bad) >= MOST_SKIPPED:
            remedy = f"at most {MOST_SKIPPED} can be left out; is it an index of the layout?"
        super().__init__(f"{source}: {text}; {remedy}")


class Conversion(NamedTuple):
    """What a conversion did: images written, rows left out, unknown index columns, digest.

    palettes : int, label maps that are palette images; the index in the palette was the label.
    """

    images: int
    skipped: list[Skipped]
    ignored: tuple[str, ...]
    digest: str
    palettes: int = 0


class _Loaded(NamedTuple):
    """An image, and how many of its label maps are palette images."""

    image: LabelledImage
    palettes: int


def convert(
    source: str | Path, target: str | Path, *, skip_bad: bool = False, progress: bool = False
) -> Conversion:
    """Convert a data set in the original layout to a probe file.

    Parameters
    ----------
    source : str or Path
        The unpacked folder, or the zip as published.
    target : str or Path
        The file to write.
    skip_bad : bool
        Leave bad rows out and record them in the file, instead of failing after the last row.
    progress : bool
        Show a bar on stderr.

    Raises
    ------
    BadRowsError
        When rows are bad and `skip_bad` is not set; it lists every one, up to 1,000.
    FileNotFoundError, ValueError
        When a table is missing or wrong, or the zip is damaged or unsafe.
    OSError
        When the target cannot be written.
    """
    opened = open_source(source)
    try:
        if Path(target).exists() and Path(target).samefile(opened.path):
            raise ValueError(f"{target}: is the source itself; give another file to write")
        table = read_labels(opened)
        index = read_index(opened, table, MOST_SKIPPED if skip_bad else MOST_LISTED)
        if not index.whole:
            raise BadRowsError(opened.path, index.bad, None)
        with ProbeWriter(
            Path(target), table, index.grid, name=opened.name, source=opened.path.name
        ) as writer:
            images, palettes, bad = _stream(opened, table, index, writer, skip_bad, progress)
            if bad and not skip_bad:
                whole = len(bad) < MOST_LISTED or images + len(bad) == index.total
                raise BadRowsError(opened.path, bad, index.total if whole else None)
            for skipped in bad:
                writer.skip(skipped)
            writer.record_palettes(palettes)
            digest = writer.finish(progress)
            return Conversion(images, bad, index.ignored, digest, palettes)
    finally:
        opened.close()


def _stream(
    source: Source,
    table: LabelTable,
    index: Index,
    writer: ProbeWriter,
    skip_bad: bool,
    progress: bool,
) -> tuple[int, int, list[Skipped]]:
    """Write every good row; return how many there are, their palette maps, bad rows by line."""
    good, palettes, bad = 0, 0, list(index.bad)

    def load(row: Row) -> _Loaded | Skipped:
        try:
            return _load(source, row, table)
        except DamagedArchiveError:
            raise
        except ValueError as error:
            return Skipped(row.line, row.image, str(error))

    with (
        warnings.catch_warnings(),
        closing(in_order(load, index.rows, _THREADS, _UNDER_WAY)) as loaded,
        bar(loaded, len(index.rows), "convert", progress) as items,
    ):
        # Pixel counts are checked against our own, lower limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        for item in items:
            if isinstance(item, Skipped):
                bad.append(item)
                if len(bad) >= MOST_LISTED and not skip_bad:
                    break
                continue
            good += 1
            palettes += item.palettes
            if skip_bad or not bad:
                writer.add(item.image)
    return good, palettes, sorted(bad)


def _load(source: Source, row: Row, table: LabelTable) -> _Loaded:
    """Read and check all files of one row; a ValueError carries the reason."""
    data = _read(source, row.image, "image")
    size = _photo_size(data, row)
    planes, palettes = np.zeros((len(row.maps), *row.grid), np.uint16), 0
    for plane, (category, file) in zip(planes, row.maps, strict=True):
        try:
            png = _read(source, file, "label map")
            plane[...] = decode_plane(png, row.grid)
        except ValueError as error:
            reason = str(error)
            raise ValueError(reason if file in reason else f"label map {file} {reason}") from error
        palettes += is_palette(png)
        kind = ", a palette image read by index" if is_palette(png) else ""
        _check_numbers(plane, f"{file} ({table.categories[category]}{kind})", table)
    categories = tuple(category for category, _ in row.maps)
    found = labelled(row.image, row.split, data, size, planes, categories, row.whole)
    return _Loaded(found, palettes)


def _read(source: Source, file: str, kind: str) -> bytes:
    try:
        return source.read(f"images/{file}")
    except FileNotFoundError:
        raise ValueError(f"{kind} {file} is missing") from None
    except OSError as error:
        raise ValueError(f"{kind} {file} cannot be read ({error.strerror})") from error


def _photo_size(data: bytes, row: Row) -> tuple[int, int]:
    """Decode a photograph completely and return its (h, w)."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.height, image.width
            if size[0] * size[1] > MAX_PIXELS:
                raise ValueError(f"{size[0]}x{size[1]} pixels, at most {MAX_PIXELS} are allowed")
            image.load()
    except DECODE_ERRORS as error:
        raise ValueError(f"image {row.image} cannot be decoded ({explain(error)})") from error
    if row.size not in (None, size):
        raise ValueError(
            f"image {row.image} is {size[0]}x{size[1]}, but ih, iw say {row.size[0]}x{row.size[1]}"
        )
    return size


def _check_numbers(plane: np.ndarray, what: str, table: LabelTable) -> None:
    found = np.flatnonzero(np.bincount(plane.ravel(), minlength=len(table)))
    lacking = [n for n in found.tolist() if n and (n >= len(table) or not table.known[n])]
    if lacking:
        numbers = ", ".join(map(str, lacking[:5])) + (" ..." if len(lacking) > 5 else "")
        raise ValueError(f"label map {what} holds {numbers}, not in label.csv")
