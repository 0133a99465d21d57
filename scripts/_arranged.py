"""A probe set of any images of another, in any order and as often as is wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from broden.planes import LabelBlock
from broden.probe import LabelledProbe


class Arranged:
    """Look like a `ProbeSet` of other images.

    Parameters
    ----------
    probe : LabelledProbe
        N images.
    order : ndarray
        int64, numbers of its images: image i of this set is image ``order[i]`` of the other.
    digest : str
        Tells the set from others.
    """

    def __init__(self, probe: LabelledProbe, order: np.ndarray, digest: str):
        times = np.bincount(order, minlength=len(probe))
        image, label, pixels = probe.contents(0, len(probe))
        mass = np.zeros(len(probe.labels), np.int64)
        np.add.at(mass, label, pixels * times[image])
        self._probe, self._order = probe, order
        self.labels = replace(probe.labels, pixels=mass)
        self.presence = probe.presence[order]
        names = probe.names
        self.names = [names[i] for i in order.tolist()]
        self.digest = digest

    def __len__(self) -> int:
        return len(self._order)

    def __getattr__(self, name: str):
        return getattr(self._probe, name)

    def facts(self) -> dict[str, object]:
        """See `ProbeSet`."""
        return {**self._probe.facts(), "images": len(self)}

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """See `ProbeSet`."""
        return self._probe.jpegs(self._order[np.asarray(images, np.int64)])

    def label_block(self, images: Sequence[int] | np.ndarray) -> LabelBlock:
        """See `ProbeSet`."""
        return self._probe.label_block(self._order[np.asarray(images, np.int64)])

    def contents(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ProbeSet`."""
        nothing = np.zeros(0, np.int64)
        parts = [(nothing, nothing, nothing)]
        for start, stop, at in self._pieces(first, last):
            image, label, pixels = self._probe.contents(start, stop)
            parts.append((image - start + at, label, pixels))
        image, label, pixels = (np.concatenate(part) for part in zip(*parts, strict=True))
        return image, label, pixels

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield spans of the other set that follow each other, and where each stands in this."""
        here = self._order[first:last]
        starts = np.flatnonzero(np.diff(here, prepend=-2) != 1)
        for at, end in zip(starts.tolist(), [*starts[1:].tolist(), len(here)], strict=False):
            yield int(here[at]), int(here[at]) + end - at, first + at


class Repeated(Arranged):
    """Look like a `ProbeSet` of another number of images.

    Parameters
    ----------
    probe : LabelledProbe
        N images.
    images : int
        How many it shall look like; image i is image i mod N.
    """

    def __init__(self, probe: LabelledProbe, images: int):
        order = np.arange(images) % len(probe)
        super().__init__(probe, order, f"{probe.digest} as {images} images")
