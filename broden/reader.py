"""Reading of a probe file: images, label planes, label table and what each image holds.

`ProbeSet` is safe to share between threads, to send to another process and to use after a fork.
What the members are called and how they fit together is `broden.schema`'s.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from broden import schema
from broden.digest import probe_digest
from broden.images import decode
from broden.planes import LabelBlock, StoredLabels, repeated, rows_of
from broden.schema import ProbeSetError, Skipped
from broden.system.files import regular_file

__all__ = ["ProbeSet", "ProbeSetError", "decode"]

_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


class ProbeSet:
    """A probe set in one HDF5 file.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int, optional
        Use the first `limit` images only; `digest` and the masses are those of the subset.

    Attributes
    ----------
    name, digest : str
        The set's name, and the digest of all that can change a result.
    image_size, grid : tuple of int
        (h, w) of the images in pixels and (H, W) of the label planes.
    categories, labels : tuple of str, LabelTable
        The K categories and L labels.
    palette_maps : int
        Label maps of the source that were palette images, read by index.
    presence : ndarray
        bool (N, K): the image holds a label whose primary category is k.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ProbeSetError
        When it is broken, of another schema or reaches outside itself.
    ValueError
        When `limit` is below 1.
    """

    def __init__(self, path: str | Path, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}, expected at least 1 image")
        self.path, self.limit = Path(path), limit
        if not self.path.exists():
            raise FileNotFoundError(f"{path}: no such probe file; make one with dissect-probe")
        try:
            regular_file(self.path, "probe file")
        except ValueError as error:
            raise ProbeSetError(str(error)) from error
        self._lock = threading.RLock()
        self._handle: h5py.File | None = None
        with self, self._reading() as file:
            self._load(file, schema.check_structure(file)["N"])
        _OPEN.add(self)

    def __len__(self) -> int:
        return len(self._image_offsets) - 1

    def __enter__(self) -> ProbeSet:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __getstate__(self) -> dict:
        return {"path": self.path, "limit": self.limit, "digest": self.digest}

    def __setstate__(self, state: dict) -> None:
        ProbeSet.__init__(self, state["path"], state["limit"])
        if self.digest != state["digest"]:
            raise ProbeSetError(f"{self.path}: was replaced while in use; start again")

    def close(self) -> None:
        """Close this process's handle; the next read opens another."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    @cached_property
    def skipped(self) -> list[Skipped]:
        """Rows of the source that are not in the set."""
        with self._reading() as file:
            rows = file[schema.SKIPPED_ROW][()].tolist()
            texts = (file[p].asstr()[()] for p in (schema.SKIPPED_IMAGE, schema.SKIPPED_REASON))
            return [Skipped(*entry) for entry in zip(rows, *texts, strict=True)]

    @cached_property
    def image_digests(self) -> np.ndarray:
        """Stored digest of each image, uint8 (N, 32)."""
        with self._reading() as file:
            return file[schema.IMAGE_DIGESTS][: len(self)]

    @cached_property
    def names(self) -> list[str]:
        """Name of each image, relative to the source's images folder."""
        return self._texts(schema.IMAGE_NAMES)

    @cached_property
    def splits(self) -> list[str]:
        """Split of each image."""
        return self._texts(schema.IMAGE_SPLITS)

    @property
    def generated(self) -> bool:
        """Whether the images were drawn by `broden.mini`, which names its seed as the source."""
        return self.source.startswith(schema.GENERATED)

    def facts(self) -> dict[str, object]:
        """Return what a run card says of the set, as JSON knows it."""
        return {
            "images": len(self),
            "image_size": list(self.image_size),
            "grid": list(self.grid),
            "labels": int(self.labels.known.sum()),
            "categories": list(self.categories),
        }

    def jpeg(self, i: int) -> bytes:
        """Return the stored bytes of image `i`."""
        return self.jpegs([i])[0]

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """Return the stored bytes of some images."""
        self._check(images)
        offsets = self._image_offsets
        spans = [(offsets[i], offsets[i + 1]) for i in images]
        with self._reading() as file:
            data = file[schema.IMAGE_BYTES]
            return [data[start:stop].tobytes() for start, stop in spans]

    def label_block(self, images: Sequence[int] | np.ndarray) -> LabelBlock:
        """Return the labels of some images, ready to be counted.

        A pixel that repeats a label an earlier plane of its image gave it, or that a whole-image
        number of its image covers, is 0.
        """
        self._check(images)
        images = np.asarray(images, np.int64)
        of, owner = rows_of(self._plane_offsets[images], self._plane_offsets[images + 1])
        ends = np.searchsorted(self._whole_image, [images, images + 1])
        rows, whole_image = rows_of(*ends)
        whole_label, planes = self._whole_label[rows], self._planes(of)
        # Backwards, so that the earlier planes of an image are still as stored.
        for index in np.flatnonzero(self._repeats[of])[::-1].tolist():
            begin = np.searchsorted(owner, owner[index])
            labels = whole_label[whole_image == owner[index]].tolist()
            planes[index][repeated(planes[begin : index + 1], index - begin, labels)] = 0
        return LabelBlock(planes, owner, whole_image, whole_label)

    def contents(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return which labels images `first` to `last` - 1 hold, and on how many pixels.

        Returns
        -------
        image, label, pixels : ndarray
            int64, one entry for each label of each image, sorted by image (counted from the start
            of the set), then label; pixels of the grid by set semantics.
        """
        self._check(range(first, last))
        low, high = self._contents_offsets[[first, last]]
        counts = np.diff(self._contents_offsets[first : last + 1])
        image = np.repeat(np.arange(first, last, dtype=np.int64), counts)
        with self._reading() as file:
            label = file[schema.CONTENTS_LABEL][low:high].astype(np.int64)
            return image, label, file[schema.CONTENTS_PIXELS][low:high]

    def stored(self, i: int) -> StoredLabels:
        """Return the labels of image `i` exactly as stored."""
        self._check([i])
        start, stop = self._plane_offsets[i : i + 2]
        low, high = np.searchsorted(self._whole[0], (i, i + 1))
        return StoredLabels(
            self._planes(np.arange(start, stop)),
            tuple(self._plane_category[start:stop].tolist()),
            tuple(zip(*self._whole[1:, low:high].tolist(), strict=True)),
            self._repeats[start:stop],
        )

    def maps(self, i: int) -> dict[str, list[np.ndarray | int]]:
        """Return per category with labels the stored uint16 (H, W) planes, then numbers."""
        stored = self.stored(i)
        found: dict[str, list[np.ndarray | int]] = {name: [] for name in self.categories}
        for category, plane in zip(stored.plane_categories, stored.planes, strict=True):
            found[self.categories[category]].append(plane)
        for category, number in stored.whole:
            found[self.categories[category]].append(number)
        return {name: entries for name, entries in found.items() if entries}

    def _load(self, file: h5py.File, total: int) -> None:
        """Read everything small; large members stay in the file."""
        count = total if self.limit is None else min(self.limit, total)
        self.name = file.attrs[schema.NAME]
        self.source, self.created_by = file.attrs[schema.SOURCE], file.attrs[schema.CREATED_BY]
        self.palette_maps = int(file.attrs.get(schema.PALETTE_MAPS, 0))
        self.image_size = tuple(file.attrs[schema.IMAGE_SIZE].tolist())
        self.grid = tuple(file.attrs[schema.GRID].tolist())
        self._image_offsets = file[schema.IMAGE_OFFSETS][: count + 1]
        self._contents_offsets = file[schema.CONTENTS_OFFSETS][: count + 1]
        plane_image = file[schema.PLANE_IMAGE][()]
        self._plane_offsets = np.searchsorted(plane_image, np.arange(count + 1))
        self._repeats = file[schema.PLANE_REPEATS][()]
        self.presence = file[schema.PRESENCE][:count]
        self._plane_category = file[schema.PLANE_CATEGORY][()]
        columns = (schema.WHOLE_IMAGE, schema.WHOLE_CATEGORY, schema.WHOLE_LABEL)
        self._whole = np.stack([file[column][()].astype(np.int64) for column in columns])
        # A number given in two categories is one label.
        keys = np.unique(self._whole[0] * (schema.MAX_LABEL + 1) + self._whole[2])
        self._whole_image, self._whole_label = np.divmod(keys, schema.MAX_LABEL + 1)
        self.labels = schema.label_table(file)
        self.categories = self.labels.categories
        self.digest = file.attrs[schema.DIGEST]
        if count < total:
            self._narrow(file)

    def _narrow(self, file: h5py.File) -> None:
        """Make masses and digest those of the images within the limit."""
        stop = self._contents_offsets[-1]
        label, pixels = file[schema.CONTENTS_LABEL][:stop], file[schema.CONTENTS_PIXELS][:stop]
        mass = np.zeros(len(self.labels), np.int64)
        np.add.at(mass, label, pixels)
        self.labels = replace(self.labels, pixels=mass)
        self.digest = probe_digest(self.labels, self.image_size, self.grid, self.image_digests)

    def _planes(self, rows: np.ndarray) -> np.ndarray:
        planes = np.empty((len(rows), *self.grid), np.uint16)
        # where no image has a plane, there is no run of them
        cuts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist() or [0]
        with self._reading() as file:
            data = file[schema.PLANE_DATA]
            for start, stop in zip(cuts, [*cuts[1:], len(rows)], strict=True):
                if stop > start:
                    planes[start:stop] = data[rows[start] : rows[start] + stop - start]
        if planes.size and planes.max() >= len(self.labels):
            raise ProbeSetError(f"{self.path}: a plane holds a label number the table lacks")
        return planes

    def _texts(self, path: str) -> list[str]:
        with self._reading() as file:
            return file[path].asstr()[: len(self)].tolist()

    def _check(self, images: Sequence[int] | np.ndarray) -> None:
        if len(images) and not 0 <= min(images) <= max(images) < len(self):
            raise IndexError(f"images {min(images)} to {max(images)} of a set of {len(self)}")

    @contextmanager
    def _reading(self) -> Iterator[h5py.File]:
        """Open the file if need be; whatever HDF5 raises becomes a ProbeSetError."""
        with self._lock:
            try:
                if self._handle is None:
                    # The file never changes, and some network file systems cannot lock.
                    self._handle = h5py.File(self.path, "r", locking=False)
                yield self._handle
            except ProbeSetError as error:
                raise ProbeSetError(f"{self.path}: {error}") from error
            except _HDF5_ERRORS as error:
                text = " ".join(str(error).split())
                raise ProbeSetError(
                    f"{self.path}: not a whole probe file ({text}); make it again"
                ) from error


_OPEN: weakref.WeakSet[ProbeSet] = weakref.WeakSet()


def _forget_handles() -> None:
    """Give a forked child handles and locks of its own."""
    for probe in _OPEN:
        probe._handle, probe._lock = None, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_handles)
