"""Whether a probe file is what it says: digests, masses and images computed anew."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from broden.digest import image_digest, probe_digest
from broden.images import decode as decode_image
from broden.planes import Contents, contents
from broden.reader import ProbeSet, ProbeSetError
from broden.system.progress import bar

__all__ = ["verify"]


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
