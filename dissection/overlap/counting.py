"""The pass over the shards once the thresholds are exact: counts, and each unit's top images."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.reader import ProbeSet
from broden.system.parallel import in_order
from dissection.activations.cells import Cells, unpack
from dissection.activations.shards import Shard, ShardStore
from dissection.execution.threads import small_operations
from dissection.networks.layouts import LayerInfo
from dissection.overlap.coding import labels_of
from dissection.overlap.stencils import Stencils, stencils
from dissection.overlap.tally import Counts, Labels, count, merge, no_counts

TOP_IMAGES = 10

IMAGE_CHUNK = 8
"""Images upsampled at once: small enough to stay near the processor."""


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
    counts = {i.name: no_counts(i.units, labels, categories, device) for i in layers}
    tops = {i.name: no_images(i.units) for i in layers}
    on = {info.name: stencils(info.grid, probe.grid, device) for info in layers}

    def counted(number: int) -> tuple[dict[str, Counts], dict[str, Top], int]:
        with torch.inference_mode():
            shard = store.read(number)
            images = len(shard.layers[layers[0].name].mean)
            shown = labels_of(probe, shard.first, shard.first + images, device)
            here = {
                i.name: _count(shard.layers[i.name], i, thresholds[i.name], shown, on[i.name])
                for i in layers
            }
            return here, {i.name: _top(shard, i.name) for i in layers}, images

    with (
        small_operations(device) as workers,
        closing(in_order(counted, numbers, workers, workers + 1)) as results,
    ):
        for here, top, images in results:
            counts = {name: merge(counts[name], here[name]) for name in counts}
            tops = {name: merge_top([tops[name], top[name]]) for name in tops}
            advance(images)
    return counts, tops


def _count(cells: Cells, info: LayerInfo, threshold: Tensor, shown: Labels, on: Stencils) -> Counts:
    """Count a layer's active pixels in one shard, images with equally many planes together."""
    device, categories = threshold.device, shown.presence.shape[1]
    total = no_counts(info.units, len(shown.primary), categories, device)
    for images in torch.argsort(shown.number.cpu(), stable=True).split(IMAGE_CHUNK):
        maps = torch.from_numpy(unpack(cells, info.grid, images.numpy())).to(device)
        count(maps, images.to(device), threshold, shown, on, total)
    return total


def _top(shard: Shard, layer: str) -> Top:
    maximum = shard.layers[layer].maximum.T
    image = np.arange(shard.first, shard.first + maximum.shape[1])
    return merge_top([Top(np.broadcast_to(image, maximum.shape), maximum)])
