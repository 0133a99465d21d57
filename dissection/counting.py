"""The pass over the shards once the thresholds are exact: counts, and each unit's top images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.reader import ProbeSet
from dissection.codes import labels_of
from dissection.layouts import LayerInfo
from dissection.shards import ShardStore, unpack
from dissection.stencils import stencils
from dissection.tally import Counts, count, merge, no_counts

TOP_IMAGES = 10


class Top(NamedTuple):
    """The images on which each unit's maximum is highest."""

    image: np.ndarray
    """(U, n) int64, highest first, the lower number where maxima are equal."""
    value: np.ndarray
    """(U, n) float32."""


def no_images(units: int) -> Top:
    """Return the top images of none."""
    return Top(np.zeros((units, 0), np.int64), np.zeros((units, 0), np.float32))


def merge_top(parts: Sequence[Top], count: int = TOP_IMAGES) -> Top:
    """Return the top images of several disjoint sets of images together."""
    image, value = (np.concatenate(part, 1) for part in zip(*parts, strict=True))
    order = np.lexsort((image, -value), axis=1)[:, :count]
    return Top(np.take_along_axis(image, order, 1), np.take_along_axis(value, order, 1))


def count_shards(
    store: ShardStore,
    numbers: Sequence[int],
    probe: ProbeSet,
    layers: Sequence[LayerInfo],
    thresholds: dict[str, Tensor],
    advance: Callable[[int], object],
) -> tuple[dict[str, Counts], dict[str, Top]]:
    """Count the active pixels of the images of some shards.

    Parameters
    ----------
    store : ShardStore
        Where the shards are.
    numbers : sequence of int
        Which shards.
    probe : ProbeSet
        Labels of the images.
    layers : sequence of LayerInfo
        The layers.
    thresholds : dict of str to Tensor
        (U,) float32 of each layer; their device does the work.
    advance : callable
        Told the number of images whenever some are done.
    """
    device = next(iter(thresholds.values())).device
    labels, categories = len(probe.labels), len(probe.categories)
    on = {info.name: stencils(info.grid, probe.grid, device) for info in layers}
    counts = {i.name: no_counts(i.units, labels, categories, device) for i in layers}
    tops = {i.name: no_images(i.units) for i in layers}
    for number in numbers:
        shard = store.read(number)
        images = len(next(iter(shard.layers.values())).mean)
        shown = labels_of(probe, shard.first, shard.first + images, device)
        for info in layers:
            name, cells = info.name, shard.layers[info.name]
            maps = torch.from_numpy(unpack(cells, info.grid)).to(device)
            here = count(maps, thresholds[name], shown, on[name], counts[name])
            counts[name] = merge(counts[name], here)
            numbered = np.arange(shard.first, shard.first + images)
            top = Top(np.broadcast_to(numbered, cells.maximum.T.shape), cells.maximum.T)
            tops[name] = merge_top([tops[name], top])
        advance(images)
    return counts, tops
