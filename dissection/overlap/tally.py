"""Counts of intersections and areas: the only state of a dissection once thresholds are known.

All counts are int64 sums over images, so the counts of any partition of the probe set add up to
those of the whole, bit for bit. The three union rules differ only in which images a unit's active
pixels count in, and are counted together.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dissection.activations.cells import repeat, where
from dissection.overlap.stencils import Runs


class Counts(NamedTuple):
    """Pixels of the label grid, summed over images; int64, intersections also int32."""

    intersection: Tensor
    """(U, L) active pixels of the unit that carry the label."""
    all: Tensor
    """(U,) active pixels in all images."""
    category: Tensor
    """(U, K) active pixels in images that hold a label of the category."""
    mask: Tensor
    """(U, K) active pixels in images where a label of the category lies under the active pixels."""


def no_counts(
    units: int,
    labels: int,
    categories: int,
    device: torch.device | str,
    dtype: torch.dtype = torch.int64,
) -> Counts:
    """Return counts of nothing, the intersections of the given type."""
    shapes = ((units,), (units, categories), (units, categories))
    areas = (torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes)
    return Counts(torch.zeros((units, labels), dtype=dtype, device=device), *areas)


def together(grouped: Counts, units: int) -> Counts:
    """Return the counts of all groups of images, int64, from those with U rows for each."""
    return Counts(*(part.view(-1, units, *part.shape[1:]).sum(0) for part in grouped))


def merge(first: Counts, second: Counts) -> Counts:
    """Return the counts of two disjoint sets of images together."""
    return Counts(*(a + b for a, b in zip(first, second, strict=True)))


class Labels(NamedTuple):
    """What a block of N images shows, in codes: code c of image n is the label ``label[n, c]``."""

    planes: Tensor
    """(P + 1, H·W) uint8 or int16 codes, the planes of image 0 first; 0 is unlabelled. A pixel has
    a label once, however many planes its image has. The last plane is empty."""
    first: Tensor
    """(N,) int64 first plane of each image."""
    number: Tensor
    """(N,) int64 planes of each image."""
    label: Tensor
    """(N, C) int64 label number of each code, 0 for code 0 and for codes the image does not use."""
    whole: Tensor
    """(N, C) int64, 1 where the code's label covers the whole image."""
    presence: Tensor
    """(N, K) int64, 1 where the image holds a label of that primary category."""
    primary: Tensor
    """(L,) int64 primary category of each label."""


class Hits(NamedTuple):
    """What A maps with an active pixel overlap of the labels of their images."""

    unit: Tensor
    """(A,) int64."""
    image: Tensor
    """(A,) int64 image of the block."""
    area: Tensor
    """(A,) int64 active pixels."""
    pixels: Tensor
    """(A, C) int64 active pixels that carry the label of each code of the image."""


def overlapped(runs: Runs, image: Tensor, units: int, labels: Labels) -> Hits:
    """Return what the active pixels of some images overlap.

    Images with equally many planes are best looked at together: each is looked up in as many as
    the image with most of them has.

    Parameters
    ----------
    runs : Runs
        Where the maps of n images exceed their thresholds, from `stencils.evaluate`.
    image : Tensor
        (n,) int64 which images of the block they are, none twice.
    units : int
        U.
    labels : Labels
        Of a block of N images.
    """
    slots = max(1, int(labels.number[image].max()))
    area, pixels = _looked_up(runs, image, labels, units, slots)
    some = where(area > 0)
    area, pixels = area.index_select(0, some), pixels.index_select(0, some)
    image = image.index_select(0, some // units)
    label, whole = (part.index_select(0, image) for part in (labels.label, labels.whole))
    return Hits(some % units, image, area, (pixels + whole * area[:, None]) * (label > 0))


def add(hits: Hits, labels: Labels, total: Counts, first: Tensor | None = None) -> Counts:
    """Add what was overlapped to a total, in place, and return it.

    Parameters
    ----------
    hits, labels
        From `overlapped`.
    total : Counts
        Of other images, or `no_counts`; it may have U rows for each of several groups of images.
    first : Tensor, optional
        (N,) int64, the first row of each image's group; 0 by default.
    """
    label, holds = (part.index_select(0, hits.image) for part in (labels.label, labels.presence))
    row = hits.unit if first is None else hits.unit + first.index_select(0, hits.image)
    under = torch.zeros_like(holds).scatter_add(1, labels.primary[label], hits.pixels) > 0
    cell = row[:, None] * total.intersection.shape[1] + label
    pixels = hits.pixels.to(total.intersection.dtype)
    total.intersection.view(-1).scatter_add_(0, cell.view(-1), pixels.view(-1))
    total.all.index_add_(0, row, hits.area)
    total.category.index_add_(0, row, holds * hits.area[:, None])
    total.mask.index_add_(0, row, under * hits.area[:, None])
    return total


def add_images(hits: Hits, labels: Labels, total: Tensor) -> None:
    """Add to (U, L) int32, in place, in how many images a unit and a label overlap."""
    cell = hits.unit[:, None] * total.shape[1] + labels.label.index_select(0, hits.image)
    total.view(-1).scatter_add_(0, cell.view(-1), (hits.pixels > 0).to(total.dtype).view(-1))


def _looked_up(
    runs: Runs, image: Tensor, labels: Labels, units: int, slots: int
) -> tuple[Tensor, Tensor]:
    """Return the active pixels of each map (N·U,) and those under each code of its image."""
    maps, codes, size = len(image) * units, labels.label.shape[1], labels.planes.shape[1]
    narrow = max(maps * codes, labels.planes.numel()) < 2**31
    dtype = torch.int32 if narrow else torch.int64
    bucket = repeat((runs.map * codes).to(dtype), runs.length)
    planes = torch.arange(slots, device=image.device)[:, None]
    there = labels.number.index_select(0, image) > planes
    plane = torch.where(there, labels.first.index_select(0, image) + planes, len(labels.planes) - 1)
    start = (plane * size).to(dtype).repeat_interleave(units, 1)
    area = hits = torch.zeros(maps, codes, dtype=torch.int64, device=image.device)
    for slot in range(slots):
        pixel = runs.pixels(start[slot].index_select(0, runs.map))
        code = labels.planes.view(-1).index_select(0, pixel)
        found = torch.bincount(bucket + code, minlength=maps * codes).view(maps, codes)
        area, hits = found if slot == 0 else area, hits + found
    # each active pixel has one code in the first plane
    return area.sum(1), hits
