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
    """Pixels of the label grid, summed over images; all int64."""

    intersection: Tensor
    """(U, L) active pixels of the unit that carry the label."""
    all: Tensor
    """(U,) active pixels in all images."""
    category: Tensor
    """(U, K) active pixels in images that hold a label of the category."""
    mask: Tensor
    """(U, K) active pixels in images where a label of the category lies under the active pixels."""


def no_counts(units: int, labels: int, categories: int, device: torch.device | str) -> Counts:
    """Return counts of nothing."""
    shapes = ((units, labels), (units,), (units, categories), (units, categories))
    return Counts(*(torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes))


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


def count(runs: Runs, image: Tensor, units: int, labels: Labels, total: Counts) -> Counts:
    """Add the active pixels of some images to a total, in place, and return it.

    Images with equally many planes are best counted together: each is looked up in as many as the
    image with most of them has.

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
    total : Counts
        Of other images, or `no_counts`.
    """
    slots = max(1, int(labels.number[image].max()))
    area, hits = _hits(runs, image, labels, units, slots)
    some = where(area > 0)
    area, hits = area.index_select(0, some), hits.index_select(0, some)
    _add(some % units, image[some // units], area, hits, labels, total)
    return total


def _hits(
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


def _add(
    unit: Tensor, image: Tensor, area: Tensor, hits: Tensor, labels: Labels, total: Counts
) -> None:
    """Add the counts of R maps, (R,) and (R, C), to those of their units."""
    label, holds, whole = (
        part.index_select(0, image) for part in (labels.label, labels.presence, labels.whole)
    )
    hits = (hits + whole * area[:, None]) * (label > 0)
    under = torch.zeros_like(holds).scatter_add(1, labels.primary[label], hits) > 0
    cell = unit[:, None] * total.intersection.shape[1] + label
    total.intersection.view(-1).scatter_add_(0, cell.view(-1), hits.view(-1))
    total.all.index_add_(0, unit, area)
    total.category.index_add_(0, unit, holds * area[:, None])
    total.mask.index_add_(0, unit, under * area[:, None])
