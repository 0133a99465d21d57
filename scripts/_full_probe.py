"""A probe set of Broden's size: drawn photographs that repeat, labels of their own for every image.

The photographs are 600 of `broden.mini`'s, each shown some hundred times. What an image is labelled
with is drawn by the law of `_law`: of a source as Broden has them, a plane of colours whose borders
follow the photograph, and by the source objects, up to three levels of parts, materials, a scene or
textures of the whole image. Regions are bands of smooth noise. Labels say nothing of the picture:
the set measures time, memory and disk, not units.

Of Broden's size it has all 1,197 labels, 2.6 planes and 15 labels an image (at most 35) and takes
1.3 GB. Quantiles of its masses, drawn and not only asked for, as in `_law`:

    color     1144 2301 3985 7071 15083
    object       7   12   27   95   793
    part         4    7   14   36   185
    material     9   24   48  142   741
    scene       11   14   20   36   141
    texture    112  120  129  148   175
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _law import SOURCES, Law, Source, laws

from broden.images import decode
from broden.labels import LabelTable
from broden.mini.drawing.canvas import GRID, SIDE
from broden.mini.probe import build
from broden.reader import ProbeSet
from broden.records import LabelledImage, labelled
from broden.system.progress import bar
from broden.writer import ProbeWriter

PICTURES = 600
"""Photographs that are drawn for a set of Broden's size."""
NAME, VERSION = "full-size", 1
_FIELDS = 64
_WAVES = 12
#: How much the shares of colours differ from image to image; more is less.
_EVENNESS = 4.0


class _Vocabulary(NamedTuple):
    """The labels, numbered category by category, and how they are drawn."""

    laws: dict[str, Law]
    first: dict[str, int]
    """Number of the first label of each category."""

    @property
    def home(self) -> np.ndarray:
        """(L,) category of each number."""
        sizes = [len(law.mass) for law in self.laws.values()]
        return np.concatenate([[0], np.repeat(np.arange(len(sizes)), sizes)])

    def table(self, frequency: np.ndarray, coverage: np.ndarray) -> LabelTable:
        """Return the table of the labels that occur; both arguments are (L,)."""
        numbers, names = np.flatnonzero(frequency), [*self.laws]
        home = self.home[numbers]
        called = [
            f"{names[c]} {n - self.first[names[c]] + 1}"
            for c, n in zip(home.tolist(), numbers.tolist(), strict=True)
        ]
        both = np.zeros((2, len(numbers), len(names)))
        both[:, np.arange(len(numbers)), home] = frequency[numbers], coverage[numbers]
        return LabelTable.from_rows(names, numbers, called, [()] * len(numbers), *both)


def _vocabulary() -> _Vocabulary:
    law = laws()
    sizes = [len(one.mass) for one in law.values()]
    ends = np.cumsum(sizes)
    return _Vocabulary(law, dict(zip(law, (ends - sizes + 1).tolist(), strict=True)))


def source_of(images: int, seed: int) -> str:
    """Return what a set of this kind says that it was made from."""
    return f"labels by law {VERSION}, {images} images, labels of seed {seed}, pictures of seed 0"


def ensure(path: Path, images: int, seed: int = 0, progress: bool = True) -> Path:
    """Return the path of the set, made there unless it is there already.

    Parameters
    ----------
    path : Path
        The probe file.
    images, seed : int
        How many images, and which labels.
    progress : bool
        Whether to show bars.

    Raises
    ------
    ValueError
        If something else has that name.
    OSError
        If it cannot be written.
    """
    if not path.exists():
        make(path, images, seed, progress)
        return path
    with ProbeSet(path) as there:
        if there.source != source_of(images, seed):
            raise ValueError(
                f"{path} is another probe set ({there.name}, {len(there)} images, made from "
                f"{there.source}); give a path where nothing is, or its number with --images"
            )
    return path


def make(path: Path, images: int, seed: int, progress: bool) -> None:
    """Write the set."""
    words = _vocabulary()
    frequency, pixels = np.zeros((2, len(words.home)), np.int64)
    any_label = np.minimum(np.arange(len(words.home)), 1)
    everything = words.table(any_label, any_label)
    grid, source = (GRID, GRID), source_of(images, seed)
    shown = _pictures(path, min(PICTURES, max(16, images // 8)), progress)
    with ProbeWriter(path, everything, grid, name=NAME, source=source) as writer:
        with bar(_images(words, shown, images, seed), images, "label", progress) as todo:
            for one in todo:
                writer.add(one)
                frequency[one.contents.label] += 1
                pixels[one.contents.label] += one.contents.pixels
        writer.describe(words.table(frequency, pixels / GRID**2))
        writer.finish(progress)


class _Picture(NamedTuple):
    """A photograph, and its pixels of the grid from dark to bright."""

    data: bytes
    rank: np.ndarray


def _pictures(path: Path, number: int, progress: bool) -> list[_Picture]:
    """Draw the photographs, in a file beside the set that does not stay."""
    drawn = path.with_name(f".{path.name}.pictures.h5")
    try:
        build(drawn, number, seed=0, progress=progress)
        with ProbeSet(drawn) as probe:
            data = probe.jpegs(range(number))
    finally:
        drawn.unlink(missing_ok=True)
    return [_Picture(one, _ranks(_brightness(one))) for one in data]


def _brightness(data: bytes) -> np.ndarray:
    """Return the brightness of each pixel of the grid, (GRID, GRID)."""
    blocks = decode(data).reshape(GRID, SIDE // GRID, GRID, SIDE // GRID, 3)
    return blocks.mean((1, 3, 4))


def _ranks(field: np.ndarray) -> np.ndarray:
    """Return how many pixels are below each of them; of equals the first is lower."""
    ranks = np.empty(field.size, np.uint16)
    ranks[np.argsort(field, axis=None, kind="stable")] = np.arange(field.size)
    return ranks.reshape(field.shape)


def _smooth(rng: np.random.Generator) -> np.ndarray:
    """Return ranks of smooth noise, sums of long waves, (GRID, GRID)."""
    y, x = np.mgrid[:GRID, :GRID] / GRID
    fields = np.zeros((GRID, GRID))
    for _ in range(_WAVES):
        down, right, phase = rng.uniform(-3, 3, 3)
        fields += rng.normal() * np.cos(2 * np.pi * (down * y + right * x + phase))
    return _ranks(fields)


def _images(
    words: _Vocabulary, shown: list[_Picture], images: int, seed: int
) -> Iterator[LabelledImage]:
    """Yield the images in an order in which the sources are mixed."""
    rng = np.random.default_rng(seed)
    fields = [_smooth(rng) for _ in range(_FIELDS)]
    shares = np.array([source.images for source in SOURCES]) / sum(s.images for s in SOURCES)
    cuts = np.round(np.cumsum(shares) * images).astype(int)
    of = rng.permutation(np.searchsorted(cuts, np.arange(images), side="right"))
    for index, source in enumerate(of.tolist()):
        own = np.random.default_rng((seed, index))
        picture = shown[own.integers(len(shown))]
        yield _image(words, SOURCES[source], index, picture, fields, own)


def _image(
    words: _Vocabulary,
    source: Source,
    index: int,
    picture: _Picture,
    fields: list[np.ndarray],
    rng: np.random.Generator,
) -> LabelledImage:
    """Return one image with its labels."""
    order = [*words.laws]
    planes, categories, whole = [], [], []
    for category in source.categories:
        law, first, place = words.laws[category], words.first[category], order.index(category)
        if category == "color":
            weight = rng.gamma(_EVENNESS * law.mass / law.mass.sum())
            found = [_plane(picture.rank, first + np.arange(len(weight)), weight, 1.0, rng)]
        elif category in ("scene", "texture"):
            whole += [(place, first + n) for n in _all_over(law, category, index, rng)]
            continue
        else:
            levels = source.levels if category == "part" else 1
            found = _regions(law, first, levels, fields, rng)
        planes += found
        categories += [place] * len(found)
    name = f"full/{index:05d}.jpg"
    size, stacked = (SIDE, SIDE), np.stack(planes)
    return labelled(name, "train", picture.data, size, stacked, categories, whole)


def _all_over(law: Law, category: str, index: int, rng: np.random.Generator) -> list[int]:
    """Return the labels that cover a whole image: at most one scene, or one texture and more."""
    if category == "scene":
        place = int(np.searchsorted(np.cumsum(law.mass), rng.uniform(0, law.images)))
        return [place] if place < len(law.mass) else []
    # as many photographs of each texture, and what else they show
    textures = len(law.mass)
    more = rng.random(textures) < (law.mass - law.images / textures) / law.images
    return sorted({int(rng.integers(textures)), *np.flatnonzero(more).tolist()})


def _regions(
    law: Law, first: int, levels: int, fields: list[np.ndarray], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return planes with the labels that an image holds, each label in one of the planes."""
    held = np.flatnonzero(rng.random(len(law.mass)) < law.chance)
    if not len(held):
        return []
    weight = law.share[held] * rng.lognormal(0, 0.6, len(held))
    # as much as is labelled on average, in more or larger regions
    covered = min(law.covered * law.images / _holding(law), 1)
    level = rng.integers(levels, size=len(held))
    planes = []
    for n in np.unique(level).tolist():
        there = level == n
        part = covered * weight[there].sum() / weight.sum()
        field = fields[rng.integers(len(fields))]
        field = np.rot90(field, int(rng.integers(4)))
        planes.append(_plane(field, first + held[there], weight[there], part, rng))
    return planes


def _holding(law: Law) -> float:
    """Return how many images hold any label."""
    return law.images * float(1 - np.prod(1 - law.chance))


def _plane(
    rank: np.ndarray,
    numbers: np.ndarray,
    weight: np.ndarray,
    covered: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a plane of a field's bands, in any order, as wide as the weights say."""
    order = rng.permutation(len(numbers) + 1)
    labels = np.append(numbers, 0)[order]
    share = np.append(covered * weight / weight.sum(), 1 - covered)[order]
    ends = np.round(np.cumsum(share) * rank.size).astype(int)
    return np.repeat(labels.astype(np.uint16), np.diff(ends, prepend=0))[rank]
