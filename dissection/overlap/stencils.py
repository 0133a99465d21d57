"""Which pixels of the label grid a unit's activation map exceeds its threshold on.

The definition is dense: upsample the map bilinearly to the label grid (half-pixel centres, edges
clamped) and keep the pixels above the threshold. A pixel is a weighted mean of four cells, so it
can exceed the threshold only where one of the four does: only those stencils are evaluated. The
cells are taken as float64 differences to the threshold, so a pixel between cells that equal it is
exactly 0, and element by element in a fixed order, so how the maps are grouped cannot change one.

Maps are held as (N, h, w, U): neighbouring cells are then U apart, and shifting all units at once
is a copy of long runs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dissection.activations.cells import repeat, where


class Axis(NamedTuple):
    """How one axis of the label grid (m pixels) is cut by the centres of a layer's n cells.

    Block b, 0 <= b <= n, holds the pixels between the centres of the cells b - 1 and b; those of
    block 0 and block n lie outside the outermost centres and see one cell only.
    """

    first: Tensor
    """(n + 1,) int64, first pixel of each block."""
    size: Tensor
    """(n + 1,) int64, pixels of each block."""
    weight: Tensor
    """(s, n + 1) float64, weight of cell b for each pixel of block b; NaN past the block's end."""
    low: Tensor
    """(n + 1,) float64, weight for the first pixel of each block."""
    step: Tensor
    """(n + 1,) float64, by which it rises from pixel to pixel; 1 in a block of one."""


def axis(cells: int, pixels: int) -> Axis:
    """Return the blocks of one axis.

    Parameters
    ----------
    cells, pixels : int
        n and m, the axis' length in the layer's map and in the label grid.
    """
    centre = (torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5
    low = centre.floor()
    block = low.to(torch.int64) + 1
    size = torch.bincount(block, minlength=cells + 1)
    first = torch.cumsum(size, 0) - size
    weight = torch.full((int(size.max()), cells + 1), torch.nan, dtype=torch.float64)
    weight[torch.arange(pixels) - first[block], block] = centre - low
    second = weight[min(1, len(weight) - 1)]
    step = torch.where(size > 1, second - weight[0], 1)
    return Axis(first, size, weight, weight[0].clone(), step)


class Stencils(NamedTuple):
    """The bilinear stencils of an (h, w) map on an (H, W) label grid."""

    rows: Axis
    columns: Axis
    width: int
    """W."""


def stencils(
    cells: tuple[int, int], pixels: tuple[int, int], device: torch.device | str = "cpu"
) -> Stencils:
    """Return the stencils from a map of (h, w) cells to a label grid of (H, W) pixels."""
    rows, columns = (
        Axis(*(part.to(device) for part in axis(n, m))) for n, m in zip(cells, pixels, strict=True)
    )
    return Stencils(rows, columns, pixels[1])


class Runs(NamedTuple):
    """The active pixels, as B runs of neighbours in a line of the label grid."""

    map: Tensor
    """(B,) int64, n·U + u of the map each run belongs to."""
    first: Tensor
    """(B,) int64, the run's first pixel, row-major in the label grid."""
    length: Tensor
    """(B,) int64, its pixels; may be 0."""

    def pixels(self, before: Tensor) -> Tensor:
        """Return the place of each active pixel, (P,) int32 or int64 as its run's `before`.

        Parameters
        ----------
        before : Tensor
            (B,) what is to be added to the places in a run's map.
        """
        # from the run's first pixel on, counted from the first of all
        offset = before + self.first - (torch.cumsum(self.length, 0) - self.length)
        place = repeat(offset.to(before.dtype), self.length)
        return place.add_(torch.arange(place.shape[0], dtype=place.dtype, device=place.device))


class Level(NamedTuple):
    """Where maps exceed a higher threshold too: parts of some of the runs."""

    run: Tensor
    """(b,) int64 which run each is a part of."""
    skipped: Tensor
    """(b,) int64 pixels of the run before it."""
    length: Tensor
    """(b,) int64, its pixels; may be 0."""


def evaluate(cells: Tensor, threshold: Tensor, on: Stencils) -> Runs:
    """Return where upsampled maps exceed their thresholds.

    Parameters
    ----------
    cells : Tensor
        (N, h, w, U) float32 activations, contiguous. Where neither a cell nor one of its 3x3
        neighbours exceeds the threshold, it may hold any value that does not.
    threshold : Tensor
        (U,) float32.
    on : Stencils
        Of the same (h, w).
    """
    return evaluate_levels(cells, [threshold], on)[0]


def evaluate_levels(
    cells: Tensor, thresholds: Sequence[Tensor], on: Stencils
) -> tuple[Runs, list[Level]]:
    """Return where upsampled maps exceed the first of T thresholds, and there each further one.

    Parameters
    ----------
    cells, on
        As in `evaluate`, of the first threshold.
    thresholds : sequence of Tensor
        (U,) float32 each, at least as high as the one before.
    """
    _, height, width, units = cells.shape
    image, down, right, unit = _with_a_cell_above(cells > thresholds[0])
    lines = ((down - 1).clamp(min=0), down.clamp(max=height - 1))
    columns = ((right - 1).clamp(min=0), right.clamp(max=width - 1))
    corners = [
        cells.view(-1).index_select(0, ((image * height + line) * width + column) * units + unit)
        for column in columns
        for line in lines
    ]
    # a weight past the end of a block is NaN, and NaN is not above 0
    y = on.rows.weight.index_select(1, down)
    left, end = _ends(corners, y, thresholds[0].index_select(0, unit))
    # between its ends a line is linear, so it is active nowhere if at neither
    run = where((left > 0) | (end > 0))
    block = run % unit.shape[0]
    line = on.rows.first.index_select(0, down.index_select(0, block)) + run // unit.shape[0]
    column = right.index_select(0, block)
    left, end = (part.view(-1).index_select(0, run) for part in (left, end))
    skipped, length = _active(left, end, column, on.columns)
    runs = Runs(
        (image * units + unit).index_select(0, block),
        (line * on.width).add_(on.columns.first.index_select(0, column)).add_(skipped),
        length,
    )
    if len(thresholds) == 1:
        return runs, []
    corners = [corner.index_select(0, block) for corner in corners]
    found = _Lines(corners, y.view(-1).index_select(0, run), column, unit.index_select(0, block))
    return runs, _levels(found, skipped, thresholds[1:], on.columns)


class _Lines(NamedTuple):
    """Lines within stencils: their corners, weight of the lower ones, block of columns and unit."""

    corners: Sequence[Tensor]
    y: Tensor
    column: Tensor
    unit: Tensor


def _ends(corners: Sequence[Tensor], y: Tensor, zero: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much a line exceeds its threshold where it starts and where it ends."""
    zero = zero.double()
    above, below, above_end, below_end = (corner.double() - zero for corner in corners)
    return above * (1 - y) + below * y, above_end * (1 - y) + below_end * y


def _levels(
    lines: _Lines, before: Tensor, thresholds: Sequence[Tensor], columns: Axis
) -> list[Level]:
    """Return the parts of lines above further thresholds; `before` is skipped for the first."""
    found, kept = [], torch.arange(len(lines.y), device=lines.y.device)
    for threshold in thresholds:
        left, end = _ends(lines.corners, lines.y, threshold.index_select(0, lines.unit))
        some = where((left > 0) | (end > 0))
        kept = kept.index_select(0, some)
        corners = [corner.index_select(0, some) for corner in lines.corners]
        lines = _Lines(corners, *(part.index_select(0, some) for part in lines[1:]))
        left, end = left.index_select(0, some), end.index_select(0, some)
        skipped, length = _active(left, end, lines.column, columns)
        found.append(Level(kept, skipped - before.index_select(0, kept), length))
    return found


def _active(left: Tensor, end: Tensor, column: Tensor, columns: Axis) -> tuple[Tensor, Tensor]:
    """Return how many pixels of a line within a block come before the active ones, and these.

    A pixel is active if left·(1 - x) + end·x > 0. The weights x rise along the block, and rounding
    keeps the order of sums and products, so the sign changes at most once: where one end is not
    above 0, the pixels on the other's side are active up to that place. Where the real line crosses
    0 tells it but for rounding, which is far less than a pixel: its neighbours tell the rest.

    Parameters
    ----------
    left, end : Tensor
        (B,) float64 excess over the threshold at the line's ends; one is above 0.
    column : Tensor
        (B,) int64 block.
    columns : Axis
        The blocks.
    """
    length, skipped = columns.size.index_select(0, column), torch.zeros_like(column)
    some = where((left <= 0) | (end <= 0))
    left, end, column = (part.index_select(0, some) for part in (left, end, column))
    size, falls, blocks = length.index_select(0, some), left > 0, columns.weight.shape[1]
    crossing = left / (left - end) - columns.low.index_select(0, column)
    change = (crossing / columns.step.index_select(0, column)).ceil().to(torch.int64)
    change = change.clamp(min=0).minimum(size)

    def like_the_start(pixel: Tensor) -> Tensor:
        x = columns.weight.take(pixel * blocks + column)
        return (left * (1 - x) + end * x > 0) == falls

    before = (change > 0) & ~like_the_start((change - 1).clamp(min=0))
    behind = (change < size) & like_the_start(change.minimum(size - 1).clamp(min=0))
    change = change + behind.to(torch.int64) - before.to(torch.int64)
    length[some] = torch.where(falls, change, size - change)
    skipped[some] = torch.where(falls, 0, change)
    return skipped, length


def _with_a_cell_above(above: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return image, block row, block column and unit of the stencils with a corner above."""
    images, height, width, units = above.shape
    wide = above.new_zeros(images, height, width + 1, units)
    wide[:, :, :-1] = above
    wide[:, :, 1:] |= above
    corner = above.new_zeros(images, height + 1, width + 1, units)
    corner[:, :-1] = wide
    corner[:, 1:] |= wide
    place = where(corner)
    line = place // units
    block = line // (width + 1)
    return block // (height + 1), block % (height + 1), line % (width + 1), place % units


def masks(cells: Tensor, threshold: Tensor, on: Stencils, pixels: tuple[int, int]) -> Tensor:
    """Return the active pixels as (N, U, H, W) bool, for pictures and comparison."""
    runs, size = evaluate(cells, threshold, on), pixels[0] * pixels[1]
    place = runs.pixels(runs.map * size)
    shape = (cells.shape[0], cells.shape[3], *pixels)
    dense = torch.zeros(shape, dtype=torch.bool, device=cells.device)
    dense.view(-1)[place] = True
    return dense
