"""The digest of a probe set: SHA-256 over everything that can change a result.

It covers the image bytes in their order, names and splits, label planes and numbers, the label
table and the grid; not compression, creation time, paths or skipped rows. Each image has a digest
of its own, so that a subset has one without reading its data again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from broden.labels import LabelTable


def image_digest(
    name: str,
    split: str,
    data: bytes,
    planes: np.ndarray,
    plane_categories: Sequence[int],
    whole: Iterable[tuple[int, int]],
) -> bytes:
    """Return the 32-byte digest of one image and its labels.

    Parameters
    ----------
    name, split : str
        As in index.csv.
    data : bytes
        The photograph as stored.
    planes : ndarray
        uint16 (P, H, W).
    plane_categories : sequence of int
        Category index of each plane.
    whole : iterable of (int, int)
        Category index and number of each whole-image label.
    """
    digest = hashlib.sha256()
    numbers = [part for pair in whole for part in pair]
    for part in (name.encode(), split.encode(), data, plane_categories, numbers, planes):
        _feed(digest, part)
    return digest.digest()


def probe_digest(
    table: LabelTable,
    image_size: Sequence[int],
    grid: Sequence[int],
    images: np.ndarray,
) -> str:
    """Return the digest of a set as 64 hexadecimal digits.

    Parameters
    ----------
    table : LabelTable
        Its masses are left out: they follow from the planes.
    image_size, grid : sequence of int
        (h, w) of the images and (H, W) of the label grid.
    images : ndarray
        uint8 (N, 32), the digests of the images in their order.
    """
    digest = hashlib.sha256(b"broden/1")
    numbers = np.flatnonzero(table.known)
    texts = [*table.categories, *(table.names[n] for n in numbers)]
    texts += [";".join(table.synonyms[n]) for n in numbers]
    for text in texts:
        _feed(digest, text.encode())
    for values in (image_size, grid, numbers, table.primary[numbers], table.frequency[numbers]):
        _feed(digest, np.asarray(values, "<i8"))
    _feed(digest, table.coverage[numbers].astype("<f8"))
    _feed(digest, images.astype(np.uint8))
    return digest.hexdigest()


def _feed(digest, part: bytes | np.ndarray | Sequence[int]) -> None:
    """Add one part behind its length, so that no two lists of parts read the same."""
    if not isinstance(part, bytes):
        array = np.asarray(part, "<i8") if isinstance(part, (list, tuple)) else np.asarray(part)
        digest.update(repr(array.shape).encode())
        part = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    digest.update(len(part).to_bytes(8, "little"))
    digest.update(part)
