"""Counts at several quantiles from one look at every active pixel."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dissection.activations.cells import repeat
from dissection.overlap.stencils import Level, Runs
from dissection.overlap.tally import Labels, add_found, by_image, rows

__all__ = ["LevelCounts", "add_levels", "levels_of_pixels", "no_level_counts"]


class LevelCounts(NamedTuple):
    """Pixels above each of T thresholds, as `tally.Counts` has them of one; sums over images."""

    intersection: Tensor
    """(S, T, U, L) int32 or int64, with the labels of S images for each."""
    all: Tensor
    """(U, T) int64."""
    category: Tensor
    """(U, T, K) int64."""
    mask: Tensor
    """(U, T, K) int64, with the image's own labels."""


def no_level_counts(
    shifts: int,
    levels: int,
    units: int,
    labels: int,
    categories: int,
    device: torch.device | str,
    dtype: torch.dtype,
) -> LevelCounts:
    """Return counts of nothing, the intersections of the given type."""
    shapes = ((units, levels), (units, levels, categories), (units, levels, categories))
    areas = (torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes)
    shape = (shifts, levels, units, labels)
    return LevelCounts(torch.zeros(shape, dtype=dtype, device=device), *areas)


def add_levels(
    runs: Runs,
    levels: Sequence[Level],
    image: Tensor,
    labels: Labels,
    total: LevelCounts,
) -> None:
    """Add the active pixels of some images above T thresholds to totals, in place.

    Parameters
    ----------
    runs, levels : Runs, list of Level
        From `stencils.evaluate_levels`.
    image : Tensor
        (n,) int64 which images of the block they are.
    labels : Labels
        Of a block of images, of whose partners the first S count.
    total : LevelCounts
        Of other images.
    """
    shifts, steps, units, _ = total.intersection.shape
    active, row = rows(runs, len(image) * units)
    of_row, unit = image.index_select(0, active // units), active % units
    level = levels_of_pixels(runs, levels)
    bucket = repeat((row * steps).to(torch.int32), runs.length).add_(level)
    found = torch.bincount(bucket, minlength=len(active) * steps).view(len(active), steps)
    area = _at_least(found, 1)
    holds = labels.presence.index_select(0, of_row)
    total.all.index_add_(0, unit, area)
    total.category.index_add_(0, unit, area[:, :, None] * holds[:, None])
    hits = _at_least(_bins(runs, row, level, of_row, labels, (shifts, steps)), 2)
    hits = hits.view(len(active), shifts * steps, hits.shape[3])
    partner = labels.partner[:, :shifts].repeat_interleave(steps, 1)
    flat = total.intersection.view(shifts * steps, *total.intersection.shape[2:])
    for which, overlap, label in by_image(hits, of_row, units, labels, partner):
        add_found(flat, unit[which], overlap, label)
        under = _under(overlap[:steps], label[0], labels.primary, holds.shape[1])
        total.mask.index_add_(0, unit[which], under * area[which, :, None])


def _bins(
    runs: Runs,
    row: Tensor,
    level: Tensor,
    image: Tensor,
    labels: Labels,
    shape: tuple[int, int],
) -> Tensor:
    """Return the pixels of A maps by partner, level and set, (A, S, T, C) int64."""
    (shifts, steps), pixels, sets = shape, labels.code.shape[1], labels.member.shape[1]
    width = shifts * steps * sets
    place = runs.pixels((image * pixels).index_select(0, row))
    codes = labels.code.view(-1, labels.code.shape[2]).index_select(0, place)
    narrow = torch.int32 if len(image) * width < 2**31 else torch.int64
    start = repeat((row * width).to(narrow), runs.length).add_(level, alpha=sets)
    step = torch.arange(0, width, steps * sets, dtype=narrow, device=start.device)
    bins = (start[:, None] + step).add_(codes[:, :shifts])
    hits = torch.bincount(bins.view(-1), minlength=len(image) * width)
    return hits.view(len(image), shifts, steps, sets)


def _at_least(found: Tensor, axis: int) -> Tensor:
    """Return what exceeds each threshold, from what exceeds it and not the next one."""
    return found.flip(axis).cumsum(axis).flip(axis)


def _under(overlap: Tensor, label: Tensor, primary: Tensor, categories: int) -> Tensor:
    """Return, for (T, a, l) pixels under labels (1 or a, l), which categories lie there."""
    of = primary[label].expand_as(overlap)
    under = overlap.new_zeros(*overlap.shape[:2], categories).scatter_add(2, of, overlap)
    return (under > 0).transpose(0, 1).to(torch.int64)


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
