"""Counts of intersections and areas: the only state of a dissection once thresholds are known.

All counts are int64 sums over images, so the counts of any partition of the probe set add up to
those of the whole, bit for bit. The three union rules differ only in which images a unit's active
pixels count in, and are counted together.
"""

from collections.abc import Iterator
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


def counter(images: int, pixels: int) -> torch.dtype:
    """Return the smaller type of integers that can count all pixels of N images of H·W."""
    return torch.int32 if images * pixels < 2**31 else torch.int64


def together(grouped: Counts, units: int) -> Counts:
    """Return the counts of all groups of images, int64, from those with U rows for each."""
    return Counts(*(part.view(-1, units, *part.shape[1:]).sum(0) for part in grouped))


def merge(first: Counts, second: Counts) -> Counts:
    """Return the counts of two disjoint sets of images together."""
    return Counts(*(a + b for a, b in zip(first, second, strict=True)))


class Labels(NamedTuple):
    """What N images show, and the partners whose labels they are laid over: S of D images each.

    The first of the S is the image itself. `coding.labels_of` makes them.
    """

    code: Tensor
    """(N, H·W, S) integers, s·C + c where a pixel carries set c of the labels of partner s."""
    partner: Tensor
    """(N, S) int64 which of the D images they are."""
    member: Tensor
    """(D, C, l) float64, 1 where a set of the image holds its label."""
    label: Tensor
    """(D, l) int64 label number of each of the image's labels, 0 where it has fewer."""
    presence: Tensor
    """(N, K) int64, 1 where the image holds a label of that primary category."""
    primary: Tensor
    """(L,) int64 primary category of each label."""

    def own(self, image: Tensor) -> Tensor:
        """Return the labels (A, l) of images (A,) of the block."""
        return self.label.index_select(0, self.partner[:, 0].index_select(0, image))


class Hits(NamedTuple):
    """What A maps overlap of the labels of their images."""

    unit: Tensor
    """(A,) int64."""
    image: Tensor
    """(A,) int64 image of the block, ascending."""
    area: Tensor
    """(A,) int64 active pixels."""
    pixels: Tensor
    """(A, l) int64 active pixels that carry each label of the image."""


def overlapped(runs: Runs, image: Tensor, units: int, labels: Labels) -> Hits:
    """Return what the active pixels of some images overlap of their own labels.

    Parameters
    ----------
    runs : Runs
        Where the maps of n images exceed their thresholds, from `stencils.evaluate`.
    image : Tensor
        (n,) int64 which images of the block they are, ascending.
    units : int
        U.
    labels : Labels
        Of a block of N images.
    """
    found = pixels_of(runs, image, units, labels, 1)
    hits = bins(found.row, found.code, len(found.unit), labels.member.shape[1])
    pixels = no_pixels(found, labels)
    for which, overlap, _ in by_image(hits, found.image, units, labels):
        pixels[which] = overlap[0].to(torch.int64)
    # each active pixel is of one set
    return Hits(found.unit, found.image, hits[:, 0].sum(1), pixels)


class Pixels(NamedTuple):
    """The active pixels of A maps, P in all, and the labels that they lie on."""

    unit: Tensor
    """(A,) int64 of each map."""
    image: Tensor
    """(A,) int64 image of the block, ascending."""
    row: Tensor
    """(P,) int32 which of the A maps each pixel is of."""
    code: Tensor
    """(P, S) as in `Labels`."""


def pixels_of(runs: Runs, image: Tensor, units: int, labels: Labels, partners: int) -> Pixels:
    """Return the active pixels of some images on the labels of their first S partners.

    Parameters
    ----------
    runs, image, units, labels
        As in `overlapped`.
    partners : int
        S.
    """
    active, row = rows(runs, len(image) * units)
    of_row, unit = image.index_select(0, active // units), active % units
    pixels = labels.code.shape[1]
    place = runs.pixels((of_row * pixels).index_select(0, row))
    code = labels.code.view(-1, labels.code.shape[2])[:, :partners].index_select(0, place)
    return Pixels(unit, of_row, repeat(row.to(torch.int32), runs.length), code)


def no_pixels(found: Pixels, labels: Labels) -> Tensor:
    """Return (A, l) int64 zeros, for the pixels of each map under each label of its image."""
    shape = len(found.unit), labels.label.shape[1]
    return torch.zeros(shape, dtype=torch.int64, device=found.unit.device)


def rows(runs: Runs, maps: int) -> tuple[Tensor, Tensor]:
    """Return the maps that count, (A,) int64 ascending, and of each run which of them it is in.

    On the CPU those that have runs; on a device all, because asking would wait.
    """
    if runs.map.device.type != "cpu":
        return torch.arange(maps, device=runs.map.device), runs.map
    there = torch.zeros(maps, dtype=torch.bool)
    there[runs.map] = True
    active = where(there)
    number = torch.zeros(maps, dtype=torch.int64)
    number[active] = torch.arange(len(active))
    return active, number.index_select(0, runs.map)


def bins(row: Tensor, code: Tensor, rows: int, sets: int, before: int = 0) -> Tensor:
    """Return how many pixels each row has on each set of labels, (rows, S, C) int64.

    Parameters
    ----------
    row : Tensor
        (P,) int32, which row each pixel is of.
    code : Tensor
        (P, S) as in `Labels`.
    rows, sets : int
        How many of them, and C.
    before : int
        How many partners come before the S.
    """
    width = code.shape[1] * sets
    if not width:
        return torch.zeros((rows, 0, sets), dtype=torch.int64, device=row.device)
    narrow = torch.int32 if rows * width < 2**31 else torch.int64
    cell = (row.to(narrow) * width).sub_(before * sets)[:, None] + code
    hits = torch.bincount(cell.view(-1), minlength=rows * width)
    return hits.view(rows, code.shape[1], sets)


def by_image(
    hits: Tensor, image: Tensor, units: int, labels: Labels, before: int = 0
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield what rows overlap of the labels of their image's partners, image by image.

    On a device all images come at once.

    Parameters
    ----------
    hits : Tensor
        (A, S, C) int64 pixels of A rows on the sets of S partners of their images.
    image : Tensor
        (A,) int64 of each row, ascending.
    units : int
        Rows of an image, where all have as many.
    labels : Labels
        Of a block of images.
    before : int
        How many partners come before the S.

    Yields
    ------
    which : slice
        Some of the rows, a of them.
    found : Tensor
        (S, a, l) float64 pixels under each label, whole numbers.
    label : Tensor
        (S, 1, l) int64, or (S, a, l) where they are of several images.
    """
    partner = labels.partner[:, before : before + hits.shape[1]]
    if hits.device.type != "cpu":
        _, shifts, sets = hits.shape
        others = partner.index_select(0, image[::units])
        member, label = labels.member[others], labels.label[others]
        cells = hits.view(-1, units, shifts, sets).transpose(1, 2).double()
        found = (cells @ member).transpose(0, 1).flatten(1, 2)
        yield slice(0, len(hits)), found, label.transpose(0, 1).repeat_interleave(units, 1)
        return
    kept, counts = torch.unique_consecutive(image, return_counts=True)
    at = 0
    for one, count in zip(kept.tolist(), counts.tolist(), strict=True):
        which, others = slice(at, at + count), partner[one]
        member = labels.member.index_select(0, others)
        found = hits[which].transpose(0, 1).double() @ member
        yield which, found, labels.label.index_select(0, others)[:, None]
        at += count


def add_found(total: Tensor, row: Tensor, found: Tensor, label: Tensor) -> None:
    """Add what `by_image` found of some rows, (a,) int64, to (S, rows, L) integers, in place."""
    shifts, rows, labels = total.shape
    step = torch.arange(shifts, device=total.device)[:, None, None] * (rows * labels)
    cell = (step + label) + row[:, None] * labels
    total.view(-1).scatter_add_(0, cell.view(-1), found.to(total.dtype).view(-1))


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
    label, holds = labels.own(hits.image), labels.presence.index_select(0, hits.image)
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
    cell = hits.unit[:, None] * total.shape[1] + labels.own(hits.image)
    total.view(-1).scatter_add_(0, cell.view(-1), (hits.pixels > 0).to(total.dtype).view(-1))
