"""Recognise how a layer's output is laid out, by its shape and by what came before it.

Pure functions: nothing here runs a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from dissection.networks.layouts import Grid

__all__ = ["Layout", "Passed", "recognise"]

# A class token, distillation tokens, and the registers that some networks add.
_MAX_PREFIX = 8
# Fewer cells are as many as heads or colours; prefixes before them would mean anything.
_FEW_CELLS = 16
# How far from 1 the sum of an attention's weights may be, of half precision too.
_SUM_TOLERANCE = 5e-3


class Layout(NamedTuple):
    """Say how an output is laid out; the fields are those of `LayerInfo`."""

    layout: str = "none"
    units: int = 0
    grid: Grid | None = None
    output: str = ""
    batch_axis: int = 0
    guess: str = ""
    why: str = ""


@dataclass
class Passed:
    """What came before a layer in the same forward pass.

    Attributes
    ----------
    grids : list of (h, w)
        Grids of maps, the latest first.
    guessed : list of (h, w)
        Grids that the number of tokens suggested where there was no map, the latest first.
    lengths : set of int
        Numbers of tokens of sequences.
    widths : set of int
        Numbers of units of sequences, by the first and by layers that make units.
    """

    grids: list[Grid] = field(default_factory=list)
    guessed: list[Grid] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)
    widths: set[int] = field(default_factory=set)

    def are_tokens(self, count: int) -> bool:
        """Tell whether there may be as many tokens, with any prefix."""
        if count in self.lengths:
            return True
        return any(
            0 <= count - h * w <= (_MAX_PREFIX if h * w >= _FEW_CELLS else 0)
            for h, w in (*self.grids, *self.guessed)
        )

    def note(self, found: Layout, shape: Sequence[int], makes_units: bool) -> None:
        """Add what a layer gave."""
        if found.grid and min(found.grid) > 1 and found.layout in ("NCHW", "NHWC"):
            self.grids.insert(0, found.grid)
        if len(shape) != 3:
            return
        if found.guess == "count" and found.grid:
            self.guessed.insert(0, found.grid)
        if makes_units or not self.lengths:
            self.widths.add(shape[2])
        axis = 2 if found.layout.startswith("channels+") else 1 - found.batch_axis
        self.lengths.add(shape[axis])


def recognise(
    output: Tensor,
    batch: int,
    size: Grid,
    passed: Passed | None = None,
    makes_maps: bool = False,
) -> Layout:
    """Recognise the layout of one layer's output.

    (N, a, b, c) is NCHW, unless (a, b) has the proportions of the input and (b, c) has not: then
    it is NHWC, as in Swin and within ConvNeXt. A table of tokens by tokens, as of attention, is
    `none`. A sequence (N, T, U) is a grid behind P prefix tokens, P the smallest number up to 8
    for which the other T - P tokens fill the grid of an earlier map (a ViT's patch embedding is a
    convolution); so is (N, U, T). Where there was no map before, the input cut into square patches
    is a guess; after maps, an earlier grid made coarser is one.

    Parameters
    ----------
    output
        What the layer returned for `batch` images, a tensor of `outputs.parts`.
    batch
        Number of images N.
    size
        Height and width of the network's input, in pixels.
    passed
        What came before.
    makes_maps
        Whether the layer is of a kind that gives maps of an image and nothing else.

    Examples
    --------
    >>> import torch
    >>> recognise(torch.zeros(2, 5, 8), 2, (32, 32), Passed([(2, 2)]))[:3]
    ('tokens+1', 8, (2, 2))
    """
    passed = passed or Passed()
    shape, seen = tuple(output.shape), f"{str(output.dtype)[6:]} {tuple(output.shape)}"
    if not output.is_floating_point() or not output.numel():
        return Layout(output=seen)
    axis = int(len(shape) == 3 and shape[0] != batch and shape[1] == batch)
    if not shape or shape[axis] != batch:
        return Layout(output=seen)
    if len(shape) == 2:
        return Layout("vector", shape[1], None, seen)
    if len(shape) == 3:
        return _sequence(output, axis, size, passed)._replace(output=seen)
    if len(shape) == 4:
        return _maps(output, size, passed, makes_maps)._replace(output=seen)
    return Layout(output=seen)


def _sequence(output: Tensor, axis: int, size: Grid, passed: Passed) -> Layout:
    """Recognise a sequence of tokens, (N, T, U), (T, N, U) or (N, U, T)."""
    tokens, units = output.shape[1 - axis], output.shape[2]
    # the first sequence of a pass is of no attention yet
    table = tokens == units and bool(passed.lengths) and passed.are_tokens(tokens)
    weights = passed.are_tokens(units) and _weighs(output)
    if weights or (table and units not in passed.widths):
        return Layout(why="a table of tokens by tokens")
    prefix, grid = _filled(tokens, passed.grids)
    if grid:
        return Layout(f"tokens+{prefix}", units, grid, "", axis, "square" if table else "")
    # what stands before the tokens was units before, or the map before was laid out flat
    flat = [] if passed.lengths else [g for g in passed.grids[:1] if g[0] * g[1] >= _FEW_CELLS]
    if tokens in passed.widths:
        prefix, grid = _filled(units, passed.grids)
    else:
        prefix, grid = _filled(units, flat, 0)
    if grid and not axis:
        return Layout(f"channels+{prefix}", tokens, grid)
    earlier = passed.grids or passed.guessed
    known = _coarser(earlier) if passed.grids else passed.guessed or _cut(size)
    prefix, grid = _filled(tokens, known, 0 if passed.grids else _MAX_PREFIX)
    if grid:
        guess = "coarser" if passed.grids else "count"
        return Layout(f"tokens+{prefix}", units, grid, "", axis, guess)
    return Layout(why=f"no map with {tokens} cells came before" if earlier else "")


def _maps(output: Tensor, size: Grid, passed: Passed, makes_maps: bool) -> Layout:
    """Recognise maps, (N, U, h, w) or (N, h, w, U)."""
    _, a, b, c = output.shape
    last = _proportional((a, b), size) and not _proportional((b, c), size)
    if not makes_maps and (b, c) not in passed.grids and (a, b) not in passed.grids:
        tokens = [passed.are_tokens(side) for side in (a, b, c)]
        if (tokens[1] and tokens[2]) or (tokens[0] and tokens[1] and a == b):
            return Layout(why="a table of tokens by tokens")
        if not last and _weighs(output):
            return Layout(why="weights that sum to 1, as of an attention")
        if tokens[0] or tokens[1]:
            return Layout(why="sequences of the heads of an attention")
    return Layout("NHWC", c, (a, b)) if last else Layout("NCHW", a, (b, c))


def _weighs(output: Tensor) -> bool:
    """Tell whether the last axis holds weights that sum to 1, as an attention's do."""
    if output.shape[-1] < 2 or output.shape[-2] < 2 or bool((output < 0).any()):
        return False
    return bool(((output.float().sum(-1) - 1).abs() < _SUM_TOLERANCE).all())


def _proportional(grid: Grid, size: Grid) -> bool:
    """Tell whether a grid has the proportions of the input."""
    if size[0] == size[1]:
        return grid[0] == grid[1]
    # Strides round each side on its own, so each may be off by less than a cell.
    return abs(grid[0] / size[0] - grid[1] / size[1]) < 1 / size[0] + 1 / size[1]


def _cut(size: Grid) -> list[Grid]:
    """Return the grids of square patches that an input of this size can be cut into."""
    patches = [p for p in range(1, min(size)) if size[0] % p == 0 and size[1] % p == 0]
    return [(size[0] // p, size[1] // p) for p in patches]


def _coarser(grids: Sequence[Grid]) -> list[Grid]:
    """Return grids whose sides are halved once or more often, as patches are merged."""
    found = [(-(-h // k), -(-w // k)) for h, w in grids for k in (2, 4, 8)]
    return [grid for grid in found if min(grid) > 1]


def _filled(tokens: int, grids: Sequence[Grid], most: int = _MAX_PREFIX) -> tuple[int, Grid | None]:
    """Return the smallest number of prefix tokens for which the others fill a grid, and that."""
    for prefix in range(min(most, tokens - 1) + 1):
        for grid in grids:
            if grid[0] * grid[1] == tokens - prefix:
                return prefix, grid
    return 0, None
