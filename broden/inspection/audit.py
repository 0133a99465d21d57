"""What a probe set holds: masses, the IoU any unit can reach, and whether the file is intact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from broden.defaults import MIN_IOU, QUANTILE
from broden.digest import image_digest, probe_digest
from broden.images import decode as decode_image
from broden.planes import Contents, contents
from broden.reader import ProbeSet, ProbeSetError
from broden.system.progress import bar


class LabelAudit(NamedTuple):
    """One label: number, name, primary category, images and pixels, share of all pixels, ceiling.

    `reachable` tells whether the ceiling is above 0.04.
    """

    number: int
    name: str
    category: str
    images: int
    pixels: int
    share: float
    ceiling: float
    reachable: bool


def ceilings(pixels: np.ndarray, counted: np.ndarray, quantile: float = QUANTILE) -> np.ndarray:
    """Return the highest IoU a unit at its nominal activation area can reach for each label.

    IoU is at most min(A, T) / max(A, T). A is q times the pixels that count under the union rule
    ``category``: those of the images that hold the label's primary category.

    Parameters
    ----------
    pixels : ndarray
        int (L), the mass T of each label.
    counted : ndarray
        int (L), pixels of the images that hold the label's primary category.
    quantile : float
        q, the fraction of activations above a unit's threshold.

    Returns
    -------
    ndarray
        float64 (L) in [0, 1]; 0 where the label has no pixels.

    Raises
    ------
    ValueError
        When `quantile` is not between 0 and 1.

    Examples
    --------
    >>> ceilings(np.array([50, 5, 0]), np.array([1000, 1000, 1000]), 0.01).tolist()
    [0.2, 0.5, 0.0]
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}, expected a fraction between 0 and 1")
    area = quantile * np.asarray(counted, np.float64)
    larger = np.maximum(area, pixels)
    return np.divide(np.minimum(area, pixels), larger, out=np.zeros_like(area), where=larger > 0)


def audit(probe: ProbeSet, quantile: float = QUANTILE) -> list[LabelAudit]:
    """Return one entry for each known label, by number."""
    labels, area = probe.labels, probe.grid[0] * probe.grid[1]
    _, held, _ = probe.contents(0, len(probe))
    images = np.bincount(held, minlength=len(labels))
    counted = probe.presence.sum(0)[labels.primary] * area
    ceiling = ceilings(labels.pixels, counted, quantile)
    share = labels.pixels / (len(probe) * area)
    return [
        LabelAudit(
            n,
            labels.names[n],
            labels.category(n),
            int(images[n]),
            int(labels.pixels[n]),
            float(share[n]),
            float(ceiling[n]),
            bool(ceiling[n] > MIN_IOU),
        )
        for n in np.flatnonzero(labels.known).tolist()
    ]


class Holding(NamedTuple):
    """An image that holds a label: its index and name, pixels of the grid and their share."""

    image: int
    name: str
    pixels: int
    share: float


def find(probe: ProbeSet, number: int) -> list[Holding]:
    """Return the images that hold a label, most pixels first; equals in the set's order."""
    image, label, pixels = probe.contents(0, len(probe))
    chosen = np.flatnonzero(label == number)
    order = chosen[np.argsort(-pixels[chosen], kind="stable")]
    area = probe.grid[0] * probe.grid[1]
    return [
        Holding(i, probe.names[i], p, p / area)
        for i, p in zip(image[order].tolist(), pixels[order].tolist(), strict=True)
    ]


def verify(path: str | Path, *, decode: bool = True, progress: bool = False) -> Iterator[str]:
    """Recompute everything in a probe file that follows from its images and planes.

    Yields one line for each failure: digests, decoding (if `decode`), contents, presence, masses.
    """
    try:
        with ProbeSet(path) as probe:
            yield from _failures(probe, decode, progress)
    except ProbeSetError as error:
        yield str(error)


def _failures(probe: ProbeSet, decode: bool, progress: bool) -> Iterator[str]:
    labels, digests = probe.labels, np.zeros((len(probe), 32), np.uint8)
    mass = np.zeros(len(labels), np.int64)
    with bar(range(len(probe)), len(probe), "verify", progress) as images:
        for i in images:
            stored, data = probe.stored(i), probe.jpeg(i)
            found = contents(stored.planes, {n for _, n in stored.whole})
            digest = image_digest(probe.names[i], probe.splits[i], data, *stored[:3])
            digests[i] = np.frombuffer(digest, np.uint8)
            mass[found.label] += found.pixels
            for fact in _differences(probe, i, found, stored.repeats):
                yield f"image {i} ({probe.names[i]}): {fact}"
            if (digests[i] != probe.image_digests[i]).any():
                yield f"image {i} ({probe.names[i]}): digest differs from the stored one"
            if decode:
                yield from _decoding(data, f"image {i} ({probe.names[i]})")
    if probe_digest(labels, probe.image_size, probe.grid, digests) != probe.digest:
        yield f"digest of the set is not the stored {probe.digest}"
    for n in np.flatnonzero(mass != labels.pixels).tolist():
        yield f"label {n} ({labels.names[n]}): {mass[n]} pixels, stored {labels.pixels[n]}"


def _differences(probe: ProbeSet, i: int, found: Contents, repeats: np.ndarray) -> Iterator[str]:
    _, label, pixels = probe.contents(i, i + 1)
    present = np.zeros(len(probe.categories), bool)
    present[probe.labels.primary[found.label]] = True
    if not (np.array_equal(found.label, label) and np.array_equal(found.pixels, pixels)):
        yield "stored contents differ from its planes"
    if not np.array_equal(found.repeats, repeats):
        yield "stored marks of repeated labels differ from its planes"
    if not np.array_equal(present, probe.presence[i]):
        yield "stored presence differs from its labels"


def _decoding(data: bytes, name: str) -> Iterator[str]:
    try:
        decode_image(data, name=name)
    except ValueError as error:
        yield str(error)
