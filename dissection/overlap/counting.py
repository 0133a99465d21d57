"""What is counted from the shards once the thresholds are exact: pixels, and masks for pictures."""

import math
from collections.abc import Mapping, Sequence
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
from dissection.overlap.coding import SetReader, labels_of
from dissection.overlap.stencils import Runs, Stencils, evaluate_levels, stencils
from dissection.overlap.tally import (
    Counts,
    Hits,
    Labels,
    add,
    add_images,
    counter,
    no_counts,
    overlapped,
    together,
)
from dissection.overlap.validity.evidence import Block, Evidence, EvidencePart, Lines

__all__ = ["CHUNK_CELLS", "Counting", "Masks", "Thresholds"]

CHUNK_CELLS = 1 << 20
"""Cells of the maps that are upsampled at once."""

CHUNK_MAPS = 1 << 11
"""Maps that are laid over the labels of several images at once: what is counted of more leaves the
caches."""


class Masks(NamedTuple):
    """Where units are active on those of their top images that a shard holds."""

    unit: np.ndarray
    """(W,) int64."""
    rank: np.ndarray
    """(W,) int64 place of the image among the unit's top images."""
    packed: np.ndarray
    """(W, ceil(H·W / 8)) uint8: a bit for each pixel of the label grid, row by row, the first in
    the highest bit, as ``numpy.packbits`` has it."""


class Thresholds(NamedTuple):
    """Of one layer."""

    own: Tensor
    """(U,) float32 by the run's quantile."""
    levels: Sequence[Tensor] = ()
    """(U,) float32 by each of several quantiles, the lowest threshold first; the run's is among
    them. Empty where only the run's own counts."""
    place: int = 0
    """Which of them is the run's."""


class LayerPart(NamedTuple):
    """What a shard adds to one layer."""

    hits: list[Hits]
    masks: Masks
    evidence: EvidencePart | None


class Part(NamedTuple):
    """What a shard adds."""

    labels: Labels
    """Without its codes."""
    first: Tensor
    """(N,) int64 group of each image."""
    layers: dict[str, LayerPart]
    block: Block | None


class Counting:
    """Fold the active pixels of every layer: counts, and the masks of each unit's top images.

    Parameters
    ----------
    probe : LabelledProbe
        Labels of the images.
    layers : sequence of LayerInfo
        With grids.
    thresholds : dict of str to Thresholds
        Of each layer; their device does the work.
    tops : dict of str to Top
        Over all images, of the layers whose masks are wanted.
    group : ndarray, optional
        (N,) int64 the group of each image of the set; by default all are of one.
    evidence : Evidence, optional
        Of the layers with several thresholds.

    Attributes
    ----------
    masks : dict of str to ndarray
        Of each layer with top images uint8 (U, n, ceil(H·W / 8)), see `Masks`; 0 for images of
        other shards.
    overlapping : dict of str to Tensor
        Of each layer (U, L) int32 images in which unit and label overlap.
    evidence : Evidence or None
        As given.
    """

    def __init__(
        self,
        probe: LabelledProbe,
        layers: Sequence[LayerInfo],
        thresholds: Mapping[str, Thresholds],
        tops: Mapping[str, Top],
        group: np.ndarray | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        self._probe, self._sets = probe, SetReader(probe)
        self._group = np.zeros(len(probe), np.int64) if group is None else group
        self.evidence = evidence
        self._layers = {
            i.name: _layer(i, thresholds[i.name], tops.get(i.name), probe) for i in layers
        }
        labels, categories, size = len(probe.labels), len(probe.categories), math.prod(probe.grid)
        groups = int(self._group.max()) + 1
        narrow = counter(len(probe), size)
        self._counts, self.overlapping, self.masks = {}, {}, {}
        for name, one in self._layers.items():
            units, device = len(one.threshold.own), one.threshold.own.device
            shape = (groups * units, labels, categories, device, narrow)
            self._counts[name] = no_counts(*shape)
            self.overlapping[name] = torch.zeros((units, labels), dtype=torch.int32, device=device)
            if one.top is not None:
                self.masks[name] = np.zeros((*one.top.image.shape, -(-size // 8)), np.uint8)

    @property
    def wanted(self) -> Wanted:
        """The candidate cells of every layer, and what the evidence wants."""
        more = {} if self.evidence is None else self.evidence.wanted
        return {name: (*CANDIDATES, *more.get(name, ())) for name in self._layers}

    @property
    def counts(self) -> dict[str, Counts]:
        """Of each layer, over the shards that were added."""
        return {
            name: together(counts, len(self.overlapping[name]))
            for name, counts in self._counts.items()
        }

    def grouped(self, layer: str) -> Counts:
        """Return a layer's counts with U rows for each group of images, int32 or int64."""
        return self._counts[layer]

    def part(self, shard: Shard) -> Part:
        """Return the counts of a shard, and the masks of its images."""
        device = next(iter(self._layers.values())).threshold.own.device
        images, evidence = shard.images, self.evidence
        over = np.zeros((len(images), 0), np.int64)
        if evidence is not None:
            over = evidence.pairs.partner[:, images].T
        sets = self._sets.of(np.column_stack([images, over]))
        shown = labels_of(self._probe, images, over, sets, device)
        own = shown._replace(code=shown.code[:, :, :1].contiguous(), partner=shown.partner[:, :1])
        block = None if evidence is None else evidence.block(shard, sets)
        layers = {
            name: _counted(shard.layers[name], one, images, (own, shown), evidence, block)
            for name, one in self._layers.items()
        }
        first = torch.from_numpy(self._group[shard.images]).to(device)
        return Part(shown._replace(code=shown.code[:0]), first, layers, block)

    def add(self, part: Part) -> None:
        """Add the counts of a shard and keep its masks."""
        for name, (found, masks, _) in part.layers.items():
            units, overlapping = len(self.overlapping[name]), self.overlapping[name]
            for hits in found:
                add(hits, part.labels, self._counts[name], part.first * units)
                add_images(hits, part.labels, overlapping)
            if name in self.masks:
                self.masks[name][masks.unit, masks.rank] = masks.packed
        if self.evidence is not None and part.block is not None:
            believed = {n: one.evidence for n, one in part.layers.items() if one.evidence}
            self.evidence.add(believed, part.block)


class _Layer(NamedTuple):
    """One layer, ready to be counted."""

    name: str
    grid: Grid
    threshold: Thresholds
    top: Top | None
    on: Stencils


def _layer(info: LayerInfo, threshold: Thresholds, top: Top | None, probe: LabelledProbe) -> _Layer:
    if info.grid is None:
        raise ValueError(f"layer {info.name} has no grid, so no pixels can be counted")
    on = stencils(info.grid, probe.grid, threshold.own.device)
    return _Layer(info.name, info.grid, threshold, top, on)


def _counted(
    cells: Cells,
    layer: _Layer,
    block: np.ndarray,
    shown: tuple[Labels, Labels],
    evidence: Evidence | None,
    partners: Block | None,
) -> LayerPart:
    """Count a layer's active pixels in one shard."""
    units, device = len(layer.threshold.own), layer.threshold.own.device
    ranks = None if layer.top is None else _ranks(layer.top, block)
    own, all_partners = shown
    found, masks, pixels = [], [], own.code.shape[1]
    believed = None
    if evidence is not None and layer.threshold.levels:
        believed = evidence.part(units)
    for images in torch.arange(len(block)).split(_together(layer, device)):
        maps = unpacked(cells, layer.grid, images.numpy(), device)
        runs, lines = _active(maps, layer)
        image = images.to(device)
        if believed is None or evidence is None or partners is None:
            found.append(overlapped(runs, image, units, own))
        else:
            found.append(evidence.count(believed, runs, lines, image, partners, all_partners))
        if ranks is not None:
            masks.append(_masks(runs, ranks[images.numpy()], pixels))
    kept = masks or [_no_masks(pixels)]
    return LayerPart(
        found, Masks(*(np.concatenate(part) for part in zip(*kept, strict=True))), believed
    )


def _together(layer: _Layer, device: torch.device) -> int:
    """Return how many images of a layer are looked at together."""
    units = len(layer.threshold.own)
    images = chunk_cells(CHUNK_CELLS, device) // (math.prod(layer.grid) * units)
    if layer.threshold.levels:
        images = min(images, chunk_cells(CHUNK_MAPS, device) // units)
    return max(1, images)


def _active(maps: Tensor, layer: _Layer) -> tuple[Runs, Lines]:
    """Return where maps exceed their own threshold, and where each of several."""
    threshold = layer.threshold
    lowest, higher = evaluate_levels(maps, threshold.levels or (threshold.own,), layer.on)
    lines = Lines(lowest, higher, threshold.place)
    if threshold.place == 0:
        return lowest, lines
    own = higher[threshold.place - 1]
    of, first = (part.index_select(0, own.run) for part in (lowest.map, lowest.first))
    return Runs(of, first + own.skipped, own.length), lines


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
        return _no_masks(pixels)
    row = torch.from_numpy(np.where(wanted, np.cumsum(wanted).reshape(wanted.shape) - 1, -1))
    of = row.flatten().to(device).index_select(0, runs.map)
    kept = where(of >= 0)
    shown = Runs(*(part.index_select(0, kept) for part in runs))
    dense = torch.zeros(len(unit) * pixels, dtype=torch.bool, device=device)
    dense[shown.pixels(of.index_select(0, kept) * pixels)] = True
    packed = np.packbits(dense.view(len(unit), pixels).cpu().numpy(), axis=1)
    return Masks(unit, ranks[image, unit], packed)


def _no_masks(pixels: int) -> Masks:
    nothing = np.zeros(0, np.int64)
    return Masks(nothing, nothing, np.zeros((0, -(-pixels // 8)), np.uint8))
