"""Labelled images and the tables that grow with them; no files."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from broden import schema
from broden.digest import image_digest
from broden.labels import LabelTable
from broden.planes import Contents, contents

#: Columns gathered while streaming, with their ``array`` type codes.
_CODES = {
    schema.IMAGE_OFFSETS: "q",
    schema.IMAGE_DIGESTS: "B",
    schema.PLANE_IMAGE: "q",
    schema.PLANE_CATEGORY: "H",
    schema.PLANE_REPEATS: "B",
    schema.WHOLE_IMAGE: "q",
    schema.WHOLE_CATEGORY: "H",
    schema.WHOLE_LABEL: "H",
    schema.CONTENTS_OFFSETS: "q",
    schema.CONTENTS_LABEL: "H",
    schema.CONTENTS_PIXELS: "q",
    schema.PRESENCE: "B",
    schema.SKIPPED_ROW: "q",
}


class LabelledImage(NamedTuple):
    """One image with its labels.

    name, split : str; data : bytes, the JPEG; size : (h, w) in pixels; planes : uint16 (P, H, W);
    plane_categories : category index of each plane; whole : (category index, number) of each
    whole-image label; contents, digest : what `labelled` derives from the others.
    """

    name: str
    split: str
    data: bytes
    size: tuple[int, int]
    planes: np.ndarray
    plane_categories: tuple[int, ...]
    whole: tuple[tuple[int, int], ...]
    contents: Contents
    digest: bytes


def labelled(
    name: str,
    split: str,
    data: bytes,
    size: tuple[int, int],
    planes: np.ndarray,
    plane_categories: Sequence[int],
    whole: Sequence[tuple[int, int]],
) -> LabelledImage:
    """Return an image ready to be written: its labels counted and its digest taken."""
    found = contents(planes, {number for _, number in whole})
    digest = image_digest(name, split, data, planes, plane_categories, whole)
    return LabelledImage(
        name, split, data, size, planes, (*plane_categories,), (*whole,), found, digest
    )


class Columns:
    """Every member of a probe file but the image bytes and planes, gathered image by image.

    Parameters
    ----------
    table : LabelTable
        The vocabulary.
    grid : tuple of int
        (H, W) of the label planes.
    """

    def __init__(self, table: LabelTable, grid: tuple[int, int]) -> None:
        self.table, self.grid = table, grid
        self.names: list[str] = []
        self._splits: list[str] = []
        self._skipped: list[schema.Skipped] = []
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._mass = np.zeros(len(table), np.int64)
        self._columns = {path: array(code) for path, code in _CODES.items()}
        self._columns[schema.IMAGE_OFFSETS].append(0)
        self._columns[schema.CONTENTS_OFFSETS].append(0)

    def add(self, image: LabelledImage) -> None:
        """Append the rows of one image.

        Raises
        ------
        ValueError
            When it holds a label the table lacks, or its planes have another grid.
        """
        labels, pixels, repeats = image.contents
        if labels.size and (labels[-1] >= len(self.table) or not self.table.known[labels].all()):
            raise ValueError(f"{image.name}: holds a label number that the table lacks")
        if image.planes.shape[1:] != self.grid:
            raise ValueError(f"{image.name}: planes are {image.planes.shape}, grid {self.grid}")
        columns, position = self._columns, len(self.names)
        for category, number in image.whole:
            columns[schema.WHOLE_IMAGE].append(position)
            columns[schema.WHOLE_CATEGORY].append(category)
            columns[schema.WHOLE_LABEL].append(number)
        columns[schema.PLANE_IMAGE].extend([position] * len(image.planes))
        columns[schema.PLANE_CATEGORY].extend(image.plane_categories)
        columns[schema.PLANE_REPEATS].extend(repeats.astype(np.uint8).tolist())
        columns[schema.CONTENTS_LABEL].extend(labels.tolist())
        columns[schema.CONTENTS_PIXELS].extend(pixels.tolist())
        columns[schema.CONTENTS_OFFSETS].append(len(columns[schema.CONTENTS_LABEL]))
        present = np.zeros(len(self.table.categories), np.uint8)
        present[self.table.primary[labels]] = 1
        columns[schema.PRESENCE].frombytes(present.tobytes())
        columns[schema.IMAGE_DIGESTS].frombytes(image.digest)
        columns[schema.IMAGE_OFFSETS].append(columns[schema.IMAGE_OFFSETS][-1] + len(image.data))
        self._mass[labels] += pixels
        self._sizes[image.size] += 1
        self.names.append(image.name)
        self._splits.append(image.split)

    def skip(self, skipped: schema.Skipped) -> None:
        """Append a row that is not in the set."""
        self._skipped.append(skipped)

    @property
    def image_size(self) -> tuple[int, int]:
        """The (h, w) most images have; of equals, the one seen first."""
        return self._sizes.most_common(1)[0][0]

    def members(self) -> dict[str, list[str] | np.ndarray]:
        """Return every member by its path, typed and shaped as the schema says."""
        table, numbers = self.table, np.flatnonzero(self.table.known)
        texts: dict[str, list[str]] = {
            schema.CATEGORIES: [*table.categories],
            schema.LABEL_NAME: [table.names[n] for n in numbers],
            schema.LABEL_SYNONYMS: [";".join(table.synonyms[n]) for n in numbers],
            schema.IMAGE_NAMES: self.names,
            schema.IMAGE_SPLITS: self._splits,
            schema.SKIPPED_IMAGE: [skipped.image for skipped in self._skipped],
            schema.SKIPPED_REASON: [skipped.reason for skipped in self._skipped],
        }
        arrays = {path: np.asarray(column) for path, column in self._columns.items()} | {
            schema.LABEL_NUMBER: numbers,
            schema.LABEL_PRIMARY: table.primary[numbers],
            schema.LABEL_FREQUENCY: table.frequency[numbers],
            schema.LABEL_COVERAGE: table.coverage[numbers],
            schema.LABEL_PIXELS: self._mass[numbers],
            schema.SKIPPED_ROW: np.array([skipped.row for skipped in self._skipped], np.int64),
        }
        for path in (schema.PRESENCE, schema.IMAGE_DIGESTS):
            arrays[path] = arrays[path].reshape(len(self.names), -1)
        typed = {path: a.astype(schema.MEMBERS[path][0]) for path, a in arrays.items()}
        return texts | typed
