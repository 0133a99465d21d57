"""Counts at several quantiles from one look at every active pixel."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dissection.activations.cells import where
from dissection.overlap.stencils import Level, Runs
from dissection.overlap.tally import (
    Hits,
    Labels,
    Pixels,
    add_found,
    bins,
    by_image,
    no_pixels,
    pixels_of,
)

__all__ = [
    "LevelCounts",
    "Overlaps",
    "above",
    "add",
    "levels_of_pixels",
    "no_overlaps",
    "overlapped",
]


class LevelCounts(NamedTuple):
    """Pixels by each of T thresholds, the lowest first; sums over images.

    All but `mask` are of the pixels that do not exceed the next threshold; `above` adds them up.
    """

    intersection: Tensor
    """(S, U, T, L) int32 or int64, with the labels of S images for each."""
    all: Tensor
    """(U, T) int64."""
    category: Tensor
    """(U, T, K) int64, in images that hold a label of the category."""
    mask: Tensor
    """(U, T, K) int64 of all that exceed the threshold, in images where a label of the category
    lies under them."""


class Overlaps(NamedTuple):
    """What is counted of labels on shifts; sums over images."""

    levels: LevelCounts
    """The image's own labels and those of some partners, at every threshold."""
    shifted: Tensor
    """(R, U, L) int32 or int64 active pixels under the labels of the other partners, at the run's
    own threshold."""


def no_overlaps(
    partners: tuple[int, int],
    levels: int,
    units: int,
    labels: int,
    categories: int,
    device: torch.device | str,
    dtype: torch.dtype,
) -> Overlaps:
    """Return counts of nothing, the intersections of the given type.

    Parameters
    ----------
    partners : (int, int)
        S and R.
    levels, units, labels, categories : int
        T, U, L and K.
    device, dtype
        Of the counts.
    """
    shapes = ((units, levels), (units, levels, categories), (units, levels, categories))
    areas = (torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes)
    at_levels, others = partners
    shape = (at_levels, units, levels, labels)
    counts = LevelCounts(torch.zeros(shape, dtype=dtype, device=device), *areas)
    return Overlaps(counts, torch.zeros((others, units, labels), dtype=dtype, device=device))


def add(total: Overlaps, more: Overlaps) -> None:
    """Add the counts of other images, in place."""
    for mine, others in zip(
        (*total.levels, total.shifted), (*more.levels, more.shifted), strict=True
    ):
        mine.add_(others)


def above(counts: LevelCounts) -> LevelCounts:
    """Return the counts of the pixels above each threshold, from `LevelCounts`."""
    return LevelCounts(
        at_least(counts.intersection, 2),
        at_least(counts.all, 1),
        at_least(counts.category, 1),
        counts.mask,
    )


def at_least(found: Tensor, axis: int) -> Tensor:
    """Return what exceeds each threshold, from what exceeds it and not the next one."""
    return found.flip(axis).cumsum(axis, dtype=found.dtype).flip(axis)


def overlapped(
    runs: Runs,
    levels: Sequence[Level],
    own: int,
    image: Tensor,
    labels: Labels,
    total: Overlaps,
) -> Hits:
    """Return what active pixels overlap of their images' labels, and add all else to totals.

    Parameters
    ----------
    runs, levels : Runs, list of Level
        From `stencils.evaluate_levels`.
    own : int
        Which of the T thresholds is the run's.
    image : Tensor
        (n,) int64 which images of the block they are, ascending.
    labels : Labels
        Of a block of images, with 1 + R partners.
    total : Overlaps
        Of other images; added to in place.
    """
    partners, units, steps, _ = total.levels.intersection.shape
    sets = labels.member.shape[1]
    found = pixels_of(runs, image, units, labels, partners + len(total.shifted))
    level = levels_of_pixels(runs, levels)
    hits = bins(
        (found.row * steps).add_(level), found.code[:, :partners], len(found.unit) * steps, sets
    )
    of_image = _add_levels(hits, found, labels, total.levels, own)
    row, code = found.row, found.code[:, partners:]
    if own:
        kept = where(level >= own)
        row, code = row.index_select(0, kept), code.index_select(0, kept)
    if len(total.shifted):
        hits = bins(row, code, len(found.unit), sets, partners)
        for which, overlap, label in by_image(hits, found.image, units, labels, partners):
            add_found(total.shifted, found.unit[which], overlap, label)
    return of_image


def _add_levels(hits: Tensor, found: Pixels, labels: Labels, total: LevelCounts, own: int) -> Hits:
    """Add (A·T, S, C) pixels by threshold to totals, and return those above the run's own."""
    partners, units, steps, names = total.intersection.shape
    # each active pixel is of one set
    area = hits[:, 0].sum(1).view(-1, steps)
    holds = labels.presence.index_select(0, found.image)
    total.all.index_add_(0, found.unit, area)
    total.category.index_add_(0, found.unit, area[:, :, None] * holds[:, None])
    area, pixels = at_least(area, 1), no_pixels(found, labels)
    row = found.unit[:, None] * steps + torch.arange(steps, device=hits.device)
    flat, of_row = total.intersection.view(partners, units * steps, names), row.view(-1)
    image = found.image.repeat_interleave(steps)
    for which, overlap, label in by_image(hits, image, units * steps, labels):
        add_found(flat, of_row[which], overlap, label)
        maps = slice(which.start // steps, which.stop // steps)
        higher = at_least(overlap[0].view(-1, steps, overlap.shape[2]), 1)
        pixels[maps] = higher[:, own].to(torch.int64)
        under = _under(higher, labels.primary[label[0]], holds.shape[1])
        total.mask.index_add_(0, found.unit[maps], under * area[maps, :, None])
    return Hits(found.unit, found.image, area[:, own], pixels)


def _under(overlap: Tensor, primary: Tensor, categories: int) -> Tensor:
    """Return for (a, T, l) pixels which categories lie under them, (a, T, K) int64.

    The labels' categories come as (a·T, l), or (1, l) where they are the same for all.
    """
    maps, steps, labels = overlap.shape
    of = primary.expand(maps * steps, labels).view(maps, steps, labels)
    under = overlap.new_zeros(maps, steps, categories).scatter_add(2, of, overlap)
    return (under > 0).to(torch.int64)


def levels_of_pixels(runs: Runs, levels: Sequence[Level]) -> Tensor:
    """Return how many further thresholds each active pixel exceeds, (P,) int32."""
    start = torch.cumsum(runs.length, 0) - runs.length
    total = int(runs.length.sum())
    change = torch.zeros(total + 1, dtype=torch.int32, device=start.device)
    for level in levels:
        first = start.index_select(0, level.run) + level.skipped
        one = torch.ones_like(first, dtype=torch.int32)
        change.index_add_(0, first, one).index_add_(0, first + level.length, one, alpha=-1)
    return torch.cumsum(change, 0, dtype=torch.int32)[:total]
