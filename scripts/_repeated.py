"""A probe set of any number of images, made from a smaller one by repetition."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from broden.planes import LabelBlock
from broden.reader import ProbeSet


class Repeated:
    """Look like a `ProbeSet` of another number of images.

    Parameters
    ----------
    probe : ProbeSet
        N images.
    images : int
        How many it shall look like; image i is image i mod N.
    """

    def __init__(self, probe: ProbeSet, images: int):
        whole, rest = divmod(images, len(probe))
        mass = probe.labels.pixels * whole
        if rest:
            _, label, pixels = probe.contents(0, rest)
            np.add.at(mass, label, pixels)
        self._probe, self._images = probe, images
        self.labels = replace(probe.labels, pixels=mass)
        self.presence = np.resize(probe.presence, (images, probe.presence.shape[1]))
        self.names = (probe.names * (whole + 1))[:images]
        self.digest = f"{probe.digest} as {images} images"

    def __len__(self) -> int:
        return self._images

    def __getattr__(self, name: str):
        return getattr(self._probe, name)

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield spans of the set itself, and where each stands in the block."""
        size, at = len(self._probe), first
        while at < last:
            start = at % size
            stop = min(size, start + last - at)
            yield start, stop, at - first
            at += stop - start

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """See `ProbeSet`."""
        return self._probe.jpegs([i % len(self._probe) for i in images])

    def label_block(self, images: Sequence[int] | np.ndarray) -> LabelBlock:
        """See `ProbeSet`."""
        return self._probe.label_block([i % len(self._probe) for i in images])

    def contents(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ProbeSet`."""
        parts = []
        for start, stop, at in self._pieces(first, last):
            image, label, pixels = self._probe.contents(start, stop)
            parts.append((image - start + at + first, label, pixels))
        image, label, pixels = (np.concatenate(part) for part in zip(*parts, strict=True))
        return image, label, pixels
