"""Names, types and structural checks of the probe file, schema ``broden/1``.

No other module spells a member or an attribute of the file. Axis letters: N images, P planes, Q
whole-image labels, R known labels, K categories, M entries of the contents table, B image bytes,
S skipped rows, H W the label grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broden.labels import LabelTable
from broden.system.names import flaw

VERSION = "broden/1"
#: Label numbers are stored in 16 bits; the original layout cannot encode larger ones either.
MAX_LABEL = 65535
#: A label grid is held in memory for many images at a time; no published one exceeds 384.
MAX_GRID = 4096
#: Bytes to which a packed member may unpack that is read as a whole; ours are not packed.
MOST_TABLE = 1 << 30

SCHEMA = "schema"
NAME = "name"
CREATED_BY = "created by"
SOURCE = "source"
#: How the source of a generated set begins, before the seed it was drawn from.
GENERATED = "seed "
#: How many label maps were palette images, read by index; missing where none was.
PALETTE_MAPS = "palette maps read by index"
DIGEST = "digest"
IMAGE_SIZE = "image_size"
GRID = "grid"

CATEGORIES = "categories"
LABEL_NUMBER = "labels/number"
LABEL_NAME = "labels/name"
LABEL_SYNONYMS = "labels/synonyms"
LABEL_PRIMARY = "labels/primary"
LABEL_FREQUENCY = "labels/frequency"
LABEL_COVERAGE = "labels/coverage"
LABEL_PIXELS = "labels/pixels"
IMAGE_BYTES = "images/bytes"
IMAGE_OFFSETS = "images/offsets"
IMAGE_NAMES = "images/names"
IMAGE_SPLITS = "images/splits"
IMAGE_DIGESTS = "images/digests"
PLANE_DATA = "planes/data"
PLANE_IMAGE = "planes/image"
PLANE_CATEGORY = "planes/category"
PLANE_REPEATS = "planes/repeats"
WHOLE_IMAGE = "whole/image"
WHOLE_CATEGORY = "whole/category"
WHOLE_LABEL = "whole/label"
CONTENTS_OFFSETS = "contents/offsets"
CONTENTS_LABEL = "contents/label"
CONTENTS_PIXELS = "contents/pixels"
PRESENCE = "presence"
SKIPPED_ROW = "skipped/row"
SKIPPED_IMAGE = "skipped/image"
SKIPPED_REASON = "skipped/reason"

#: Member -> (dtype, axes); ``N+1`` is an offset table over N.
MEMBERS: dict[str, tuple[str, tuple[str, ...]]] = {
    CATEGORIES: ("str", ("K",)),
    LABEL_NUMBER: ("uint16", ("R",)),
    LABEL_NAME: ("str", ("R",)),
    LABEL_SYNONYMS: ("str", ("R",)),
    LABEL_PRIMARY: ("uint16", ("R",)),
    LABEL_FREQUENCY: ("int64", ("R", "K")),
    LABEL_COVERAGE: ("float64", ("R", "K")),
    LABEL_PIXELS: ("int64", ("R",)),
    IMAGE_BYTES: ("uint8", ("B",)),
    IMAGE_OFFSETS: ("int64", ("N+1",)),
    IMAGE_NAMES: ("str", ("N",)),
    IMAGE_SPLITS: ("str", ("N",)),
    IMAGE_DIGESTS: ("uint8", ("N", "32")),
    PLANE_DATA: ("uint16", ("P", "H", "W")),
    PLANE_IMAGE: ("int64", ("P",)),
    PLANE_CATEGORY: ("uint16", ("P",)),
    PLANE_REPEATS: ("bool", ("P",)),
    WHOLE_IMAGE: ("int64", ("Q",)),
    WHOLE_CATEGORY: ("uint16", ("Q",)),
    WHOLE_LABEL: ("uint16", ("Q",)),
    CONTENTS_OFFSETS: ("int64", ("N+1",)),
    CONTENTS_LABEL: ("uint16", ("M",)),
    CONTENTS_PIXELS: ("int64", ("M",)),
    PRESENCE: ("bool", ("N", "K")),
    SKIPPED_ROW: ("int64", ("S",)),
    SKIPPED_IMAGE: ("str", ("S",)),
    SKIPPED_REASON: ("str", ("S",)),
}


class ProbeSetError(ValueError):
    """A probe file that is broken, foreign or unsafe; the text is one line."""


class Skipped(NamedTuple):
    """One row of index.csv that is not in the set: its line, image name and the reason."""

    row: int
    image: str
    reason: str


def check_structure(file) -> dict[str, int]:
    """Check an open ``h5py.File`` against the schema without reading its large members.

    Returns
    -------
    dict
        The length of every axis by its letter.

    Raises
    ------
    ProbeSetError
        On another schema, links out of the file, virtual or external storage, a missing member,
        a wrong type or shape, or index columns that do not fit together.
    """
    version = file.attrs.get(SCHEMA)
    if version != VERSION:
        raise ProbeSetError(
            f"schema is {version!r}, this program reads {VERSION!r}; convert the source again"
        )
    from broden.system.hdf5 import RefusedError, check_links

    try:
        check_links(file)
        axes = _check_members(file)
    except RefusedError as error:
        raise ProbeSetError(str(error)) from error
    _check_attributes(file, axes)
    _check_columns(file, axes)
    return axes


def _check_members(file) -> dict[str, int]:
    """Match every member with its type, shape and size; the length of each axis comes out."""
    import h5py

    from broden.system.hdf5 import check_size

    axes = {"32": 32}
    for path, (dtype, letters) in MEMBERS.items():
        member = file.get(path)
        if not isinstance(member, h5py.Dataset):
            raise ProbeSetError(f"dataset {path!r} is missing; convert the source again")
        if not _has_type(member, dtype):
            raise ProbeSetError(f"dataset {path!r} has type {member.dtype}, expected {dtype}")
        if member.ndim != len(letters):
            raise ProbeSetError(f"dataset {path!r} has {member.ndim} axes, expected {letters}")
        check_size(member, None if path in (IMAGE_BYTES, PLANE_DATA) else MOST_TABLE)
        for letter, length in zip(letters, member.shape, strict=True):
            letter, length = (letter[0], length - 1) if letter.endswith("+1") else (letter, length)
            if axes.setdefault(letter, length) != length or length < 0:
                raise ProbeSetError(
                    f"dataset {path!r} has shape {member.shape}, but axis {letter} is"
                    f" {axes[letter]} long elsewhere"
                )
    if not axes["N"]:
        raise ProbeSetError("the file holds no image")
    return axes


def _has_type(dataset, dtype: str) -> bool:
    import h5py

    if dtype == "str":
        return h5py.check_string_dtype(dataset.dtype) is not None
    return dataset.dtype == np.dtype(dtype)


def _check_attributes(file, axes: dict[str, int]) -> None:
    for name in (NAME, SOURCE, DIGEST, CREATED_BY):
        if not isinstance(file.attrs.get(name), str):
            raise ProbeSetError(f"attribute {name!r} is missing or no text")
    for name in (IMAGE_SIZE, GRID):
        value = np.asarray(file.attrs.get(name, ()))
        if value.shape != (2,) or value.dtype.kind not in "iu" or value.min() < 1:
            raise ProbeSetError(f"attribute {name!r} is {value.tolist()}, expected two sizes")
    grid = tuple(int(side) for side in file.attrs[GRID])
    if max(grid) > MAX_GRID:
        raise ProbeSetError(f"label grid is {grid}, at most {MAX_GRID} a side are allowed")
    if grid != (axes["H"], axes["W"]):
        raise ProbeSetError(f"label grid is {grid}, but planes are {axes['H']}x{axes['W']}")


def _check_columns(file, axes: dict[str, int]) -> None:
    """Check the columns that index others, so that no later read leaves its table."""
    for path, total in ((IMAGE_OFFSETS, axes["B"]), (CONTENTS_OFFSETS, axes["M"])):
        offsets = file[path][()]
        if offsets[0] != 0 or offsets[-1] != total or (np.diff(offsets) < 0).any():
            raise ProbeSetError(f"{path!r} does not rise from 0 to {total}; the file is damaged")
    for path in (PLANE_IMAGE, WHOLE_IMAGE):
        image = file[path][()]
        if image.size and (image[0] < 0 or image[-1] >= axes["N"] or (np.diff(image) < 0).any()):
            raise ProbeSetError(f"{path!r} is not a rising list of images below {axes['N']}")
    for path in (PLANE_CATEGORY, WHOLE_CATEGORY, LABEL_PRIMARY):
        if (file[path][()] >= axes["K"]).any():
            raise ProbeSetError(f"{path!r} names a category beyond the {axes['K']} there are")
    numbers = file[LABEL_NUMBER][()].astype(np.int64)
    if not numbers.size or numbers[0] < 1 or (np.diff(numbers) < 1).any():
        raise ProbeSetError(f"{LABEL_NUMBER!r} is not a rising list of numbers from 1")
    for path in (WHOLE_LABEL, CONTENTS_LABEL):
        if not np.isin(file[path][()], numbers).all():
            raise ProbeSetError(f"{path!r} holds a number that {LABEL_NUMBER!r} lacks")


def label_table(file) -> LabelTable:
    """Read the label table of a checked ``h5py.File``.

    Raises
    ------
    ProbeSetError
        When a name is one that no result could be written with, or the stored primary
        categories do not follow from the coverage.
    """
    for path in (CATEGORIES, LABEL_NAME):
        for name in file[path].asstr()[()].tolist():
            if (found := flaw(name)) or not name.strip():
                why = f"holds {found}, which no name may" if found else "is no name"
                raise ProbeSetError(f"{path}: {name!r} {why}; convert the source again")
    table = LabelTable.from_rows(
        file[CATEGORIES].asstr()[()].tolist(),
        file[LABEL_NUMBER][()],
        file[LABEL_NAME].asstr()[()].tolist(),
        [text.split(";") if text else [] for text in file[LABEL_SYNONYMS].asstr()[()]],
        file[LABEL_FREQUENCY][()],
        file[LABEL_COVERAGE][()],
        file[LABEL_PIXELS][()],
    )
    if not np.array_equal(table.primary[table.known], file[LABEL_PRIMARY][()]):
        raise ProbeSetError("the primary categories do not follow from the coverage")
    return table
