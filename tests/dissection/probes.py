"""Tiny probe sets and layers whose every label and activation is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from broden.labels import LabelTable
from broden.reader import ProbeSet
from broden.records import labelled
from broden.writer import ProbeWriter
from dissection.activations.cells import Cells
from dissection.activations.collect import Collector
from dissection.activations.top import merge_top, no_images, top_of
from dissection.execution.passes import fold_shards
from dissection.overlap.counting import Counting, Thresholds
from tests.broden.layout import jpeg
from tests.dissection.references import Shown

GRID = (6, 8)
CATEGORIES = ("object", "part", "scene", "texture", "material")
#: Numbers with gaps; name, and coverage by category. Nothing is a texture.
LABELS = {
    1: ("cat", {"object": 2.0}),
    2: ("dog", {"object": 1.0, "material": 0.5}),
    4: ("wheel", {"object": 1.0, "part": 1.0}),
    5: ("leg", {"object": 3.0, "part": 1.0}),
    7: ("street-s", {"scene": 1.0}),
    9: ("forest-s", {"scene": 4.0}),
    12: ("wood", {"material": 1.0}),
    300: ("fur", {"object": 1.0, "material": 2.0}),
}
#: Worked out by hand from the coverage; numbers without a label belong to the last category.
PRIMARY = [4] * 301
for _number, _category in {1: 0, 2: 0, 4: 1, 5: 0, 7: 2, 9: 2, 12: 4, 300: 4}.items():
    PRIMARY[_number] = _category


def table() -> LabelTable:
    """Return the label table of `LABELS`."""
    coverage = [[held.get(name, 0.0) for name in CATEGORIES] for _, held in LABELS.values()]
    names = [name for name, _ in LABELS.values()]
    images = np.ones((len(LABELS), len(CATEGORIES)), np.int64)
    return LabelTable.from_rows(
        CATEGORIES, [*LABELS], names, [()] * len(LABELS), images, np.array(coverage)
    )


def corner_images(seed: int = 0, more: int = 4, grid: tuple[int, int] = GRID) -> list[Shown]:
    """Return images with every corner of the label format, and some random ones."""
    rng = np.random.default_rng(seed)

    def plane(*labels: int) -> np.ndarray:
        return rng.choice(np.array(labels, np.uint16), grid)

    images = [
        Shown(),
        Shown(whole=[(2, 7), (4, 12)]),
        # one label in two planes of a category, and in two categories
        Shown([(0, plane(0, 1, 2)), (0, plane(0, 2, 5)), (4, plane(2, 300))]),
        # a whole-image label beside planes that hold it too
        Shown([(0, plane(0, 1, 5)), (4, plane(0, 12, 300))], [(4, 12), (2, 9), (4, 300)]),
        # one number in two categories
        Shown([(0, plane(0, 4)), (1, plane(0, 4))], [(2, 9), (4, 9)]),
        Shown([(0, plane(0))]),
    ]
    for _ in range(more):
        held = [*rng.choice([*LABELS], 3), 0]
        planes = [(int(rng.integers(5)), plane(*held)) for _ in range(rng.integers(4))]
        whole = [(2, int(rng.choice([7, 9])))] if rng.random() < 0.5 else []
        images.append(Shown(planes, whole))
    return images


def write_probe(
    path: Path,
    images: Sequence[Shown],
    labels: LabelTable | None = None,
    grid: tuple[int, int] = GRID,
) -> ProbeSet:
    """Write a probe set of these images and open it."""
    with ProbeWriter(path, labels or table(), grid, name="tiny", source="drawn") as writer:
        for number, shown in enumerate(images):
            planes = np.array([plane for _, plane in shown.planes], np.uint16)
            categories = [category for category, _ in shown.planes]
            writer.add(
                labelled(
                    f"{number}.jpg",
                    "train",
                    jpeg(number, (4, 4)),
                    (4, 4),
                    planes.reshape(-1, *grid),
                    categories,
                    shown.whole,
                )
            )
        writer.finish()
    return ProbeSet(path)


def layer(seed: int, images: int, units: int = 6, grid: tuple[int, int] = (3, 5)) -> np.ndarray:
    """Return (N, U, h, w) float32 maps of units that are random, dead, constant, below 0, tied."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(images, units, *grid)).astype(np.float32)
    for unit, kind in enumerate((None, "dead", "constant", "below", "tied", "relu")[:units]):
        here = maps[:, unit]
        if kind == "dead":
            here[:] = 0
        elif kind == "constant":
            here[:] = 1.25
        elif kind == "below":
            here[:] = -np.abs(here) - 1
        elif kind == "tied":
            here[:] = np.round(here)
        elif kind == "relu":
            here[:] = np.maximum(here, 0)
    return maps


def collect(
    maps: np.ndarray,
    tail_size: int,
    shards: Sequence[Sequence[int]],
    collector: Collector | None = None,
) -> tuple[Collector, list[Cells]]:
    """Collect maps in shards of batches of these sizes, and return what was kept of each."""
    collector = collector or Collector(maps.shape[1], tail_size, "cpu")
    kept, start = [], 0
    for batches in shards:
        for size in batches:
            collector(torch.from_numpy(maps[start : start + size]))
            start += size
        kept.append(collector.take(maps.shape[2:]))
    assert start == len(maps)
    return collector, kept


def own(thresholds):
    """Return thresholds of which each layer has but one."""
    return {name: Thresholds(one) for name, one in thresholds.items()}


def counted(store, numbers, probe, infos, thresholds, seen=None):
    """Count some shards in one pass: the fold, and the top images of these shards."""
    shards = [store.read(number) for number in numbers]
    tops = {
        i.name: merge_top(
            [no_images(i.units), *(top_of(s.images, s.layers[i.name].maximum) for s in shards)]
        )
        for i in infos
    }
    fold = Counting(probe, infos, own(thresholds), tops)
    device = next(iter(thresholds.values())).device
    fold_shards(store, numbers, [fold], device, (lambda number: None) if seen is None else seen)
    return fold, tops
