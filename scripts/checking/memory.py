"""A labelled probe set of any number of images that is nowhere but in memory."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from broden.labels import LabelTable
from broden.planes import Contents, LabelBlock, contents

__all__ = ["InMemory", "decoding_nothing"]

GRID = (112, 112)
CATEGORIES = ("scene", "object", "part", "texture")
LABELS = 1198
"""As many numbers as Broden has, 0 among them."""


class InMemory:
    """Look like a `ProbeSet` of drawn photographs.

    Parameters
    ----------
    images : int
        How many it shall look like; image i is drawing i mod `drawings`.
    size : (int, int)
        (h, w) of the photographs.
    drawings : int
        How many are drawn.
    """

    def __init__(self, images: int, size: tuple[int, int], drawings: int = 256) -> None:
        rng = np.random.default_rng(0)
        self._images, self._drawings = images, min(images, drawings)
        self.decoded = np.stack([_photograph(rng, size) for _ in range(self._drawings)])
        self._jpegs = [_jpeg(picture) for picture in self.decoded]
        # half the drawings have a second plane
        self._planes = [_planes(rng, 1 + place % 2) for place in range(self._drawings)]
        self._contents = [contents(planes, ()) for planes in self._planes]
        self.path, self.name, self.grid = Path("memory"), "drawn", GRID
        self.digest, self.generated = f"{images} images drawn in memory", True
        self.names = [f"{place}.jpg" for place in range(images)]
        self.categories = CATEGORIES
        self.labels = self._table()
        held = np.zeros((self._drawings, len(CATEGORIES)), bool)
        for place, content in enumerate(self._contents):
            held[place, self.labels.primary[content.label]] = True
        self.presence = np.resize(held, (images, len(CATEGORIES)))

    def __len__(self) -> int:
        return self._images

    def _table(self) -> LabelTable:
        number = np.arange(1, LABELS)
        home = np.eye(len(CATEGORIES))[number % len(CATEGORIES)]
        mass = np.zeros(LABELS, np.int64)
        whole, rest = divmod(self._images, self._drawings)
        for place, content in enumerate(self._contents):
            mass[content.label] += content.pixels * (whole + (place < rest))
        names = [f"label {n}" for n in number]
        return LabelTable.from_rows(
            CATEGORIES, number, names, [()] * len(number), home.astype(int), home, mass[1:]
        )

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """See `broden.probe.Probe`."""
        return [self._jpegs[i % self._drawings] for i in images]

    def label_block(self, images: Sequence[int] | np.ndarray) -> LabelBlock:
        """See `broden.probe.LabelledProbe`."""
        planes = [self._planes[i % self._drawings] for i in images]
        owner = np.repeat(np.arange(len(planes)), [len(part) for part in planes])
        nothing = np.zeros(0, np.int64)
        return LabelBlock(np.concatenate(planes), owner, nothing, nothing)

    def contents(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `broden.probe.LabelledProbe`."""
        held: list[Contents] = [self._contents[i % self._drawings] for i in range(first, last)]
        image = np.repeat(np.arange(first, last), [len(content.label) for content in held])
        label, pixels = (
            np.concatenate(part) for part in zip(*((c.label, c.pixels) for c in held), strict=True)
        )
        return image, label, pixels

    def facts(self) -> dict[str, object]:
        """See `broden.probe.Probe`."""
        return {"images": self._images, "drawings": self._drawings}

    def close(self) -> None:
        """There is nothing to close."""


class _Undecoded(InMemory):
    """Its files are the numbers of the drawings."""

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        return [str(i % self._drawings).encode() for i in images]


@contextmanager
def decoding_nothing(images: int, size: tuple[int, int]) -> Iterator[InMemory]:
    """Yield a set whose images need no decoding as long as the context lasts."""
    probe = _Undecoded(images, size)

    def decoded(data: bytes, *_args: object) -> np.ndarray:
        return probe.decoded[int(data)]

    with patch("dissection.activations.batches.decode", decoded):
        yield probe


def _photograph(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return large shapes under some noise, (h, w, 3) uint8."""
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC), np.int16)
    noise = rng.integers(-12, 13, (*size, 3), dtype=np.int16)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


def _jpeg(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _planes(rng: np.random.Generator, number: int) -> np.ndarray:
    """Return planes of patches of labels, no label in two of them, (P, H, W) uint16."""
    label = rng.choice(np.arange(1, LABELS), (number, 4, 4), replace=False)
    patches = np.kron(label, np.ones((1, GRID[0] // 4, GRID[1] // 4), np.int64))
    return np.where(rng.random((number, *GRID)) < 0.8, patches, 0).astype(np.uint16)
