"""What is counted from the shards once the thresholds are exact: pixels, and masks for pictures."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.probe import LabelledProbe
from dissection.activations.cells import CANDIDATES, Cells, where
from dissection.activations.device.unpacking import chunk_cells, unpacked
from dissection.activations.shards import Shard, Wanted
from dissection.activations.top import Top
from dissection.networks.layouts import Grid, LayerInfo
from dissection.overlap.coding import Contents, labels_of
from dissection.overlap.stencils import Runs, Stencils, evaluate, stencils
from dissection.overlap.tally import Counts, Labels, count, merge, no_counts

__all__ = ["CHUNK_CELLS", "Counting", "Masks"]

CHUNK_CELLS = 1 << 20
"""Cells of the maps that are upsampled at once."""


class Masks(NamedTuple):
    """Where units are active on those of their top images that a shard holds."""

    unit: np.ndarray
    """(W,) int64."""
    rank: np.ndarray
    """(W,) int64 place of the image among the unit's top images."""
    packed: np.ndarray
    """(W, ceil(H·W / 8)) uint8: a bit for each pixel of the label grid, row by row, the first in
    the highest bit, as ``numpy.packbits`` has it."""


class Counting:
    """Fold the active pixels of every layer: counts, and the masks of each unit's top images.

    Parameters
    ----------
    probe : LabelledProbe
        Labels of the images.
    layers : sequence of LayerInfo
        With grids.
    thresholds : dict of str to Tensor
        (U,) float32 of each layer; their device does the work.
    tops : dict of str to Top
        Of each layer, over all images.

    Attributes
    ----------
    counts : dict of str to Counts
        Of each layer, over the shards that were added.
    masks : dict of str to ndarray
        Of each layer uint8 (U, n, ceil(H·W / 8)), see `Masks`; 0 for images of other shards.
    """

    def __init__(
        self,
        probe: LabelledProbe,
        layers: Sequence[LayerInfo],
        thresholds: dict[str, Tensor],
        tops: dict[str, Top],
    ) -> None:
        self._probe, self._contents = probe, Contents(probe)
        self._layers = {i.name: _layer(i, thresholds[i.name], tops[i.name], probe) for i in layers}
        labels, categories, size = len(probe.labels), len(probe.categories), math.prod(probe.grid)
        self.counts = {
            name: no_counts(len(one.threshold), labels, categories, one.threshold.device)
            for name, one in self._layers.items()
        }
        self.masks = {
            name: np.zeros((*one.top.image.shape, -(-size // 8)), np.uint8)
            for name, one in self._layers.items()
        }

    @property
    def wanted(self) -> Wanted:
        """The candidate cells of every layer."""
        return dict.fromkeys(self._layers, CANDIDATES)

    def part(self, shard: Shard) -> dict[str, tuple[Counts, Masks]]:
        """Return the counts of a shard, and the masks of its images."""
        device = next(iter(self._layers.values())).threshold.device
        shown = labels_of(self._probe, self._contents, shard.images, device)
        return {
            name: _counted(shard.layers[name], one, shard.images, shown)
            for name, one in self._layers.items()
        }

    def add(self, part: dict[str, tuple[Counts, Masks]]) -> None:
        """Add the counts of a shard and keep its masks."""
        for name, (counts, masks) in part.items():
            self.counts[name] = merge(self.counts[name], counts)
            self.masks[name][masks.unit, masks.rank] = masks.packed


class _Layer(NamedTuple):
    """One layer, ready to be counted."""

    grid: Grid
    threshold: Tensor
    top: Top
    on: Stencils


def _layer(info: LayerInfo, threshold: Tensor, top: Top, probe: LabelledProbe) -> _Layer:
    if info.grid is None:
        raise ValueError(f"layer {info.name} has no grid, so no pixels can be counted")
    return _Layer(info.grid, threshold, top, stencils(info.grid, probe.grid, threshold.device))


def _counted(cells: Cells, layer: _Layer, block: np.ndarray, shown: Labels) -> tuple[Counts, Masks]:
    """Count a layer's active pixels in one shard, images with equally many planes together."""
    units, device = len(layer.threshold), layer.threshold.device
    total = no_counts(units, len(shown.primary), shown.presence.shape[1], device)
    ranks = _ranks(layer.top, block)
    masks = []
    chunk = max(1, chunk_cells(CHUNK_CELLS, device) // (math.prod(layer.grid) * units))
    for images in torch.argsort(shown.number.cpu(), stable=True).split(chunk):
        maps = unpacked(cells, layer.grid, images.numpy(), device)
        runs = evaluate(maps, layer.threshold, layer.on)
        count(runs, images.to(device), units, shown, total)
        masks.append(_masks(runs, ranks[images.numpy()], shown.planes.shape[1]))
    return total, Masks(*(np.concatenate(part) for part in zip(*masks, strict=True)))


def _ranks(top: Top, images: np.ndarray) -> np.ndarray:
    """Return (N, U) int64 for a block: which of the unit's top images an image is, -1 if none."""
    place = np.searchsorted(images, top.image).clip(max=len(images) - 1)
    unit, rank = np.nonzero(images[place] == top.image)
    ranks = np.full((len(images), len(top.image)), -1)
    ranks[place[unit, rank], unit] = rank
    return ranks


def _masks(runs: Runs, ranks: np.ndarray, pixels: int) -> Masks:
    """Return the masks of those of (n, U) maps whose rank is not -1."""
    device, wanted = runs.map.device, ranks >= 0
    image, unit = np.nonzero(wanted)
    if not len(unit):
        # most chunks of a large probe set hold no top image
        return Masks(unit, unit, np.zeros((0, -(-pixels // 8)), np.uint8))
    row = torch.from_numpy(np.where(wanted, np.cumsum(wanted).reshape(wanted.shape) - 1, -1))
    of = row.flatten().to(device).index_select(0, runs.map)
    kept = where(of >= 0)
    shown = Runs(*(part.index_select(0, kept) for part in runs))
    dense = torch.zeros(len(unit) * pixels, dtype=torch.bool, device=device)
    dense[shown.pixels(of.index_select(0, kept) * pixels)] = True
    packed = np.packbits(dense.view(len(unit), pixels).cpu().numpy(), axis=1)
    return Masks(unit, ranks[image, unit], packed)
