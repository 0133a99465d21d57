"""How a layer's output is laid out, and how it becomes one map a unit.

Layouts are recognised by shape alone. Pure functions: nothing here runs a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Grid", "LayerInfo", "Layout", "first_tensor", "recognise", "to_maps"]

Grid = tuple[int, int]

# A class token, distillation tokens, and the registers that some networks add.
_MAX_PREFIX = 8


class Layout(NamedTuple):
    """Say how an output is laid out; the fields are those of `LayerInfo`."""

    layout: str = "none"
    units: int = 0
    grid: Grid | None = None
    output: str = ""
    batch_axis: int = 0


@dataclass(frozen=True)
class LayerInfo:
    """Say what one layer gives for an image.

    Attributes
    ----------
    name : str
        Dotted name of the module.
    kind : str
        Name of its class.
    units : int
        U, 0 where the output is of no known layout.
    grid : (h, w) or None
        Cells of a unit's map, None where there is no map.
    layout : str
        `NCHW`, `NHWC`, `tokens+P` (P prefix tokens, which are dropped, then the grid row by row),
        `vector`, `class` (the first of its tokens alone, see `suitability.class_tokens`), or
        `none`: no float tensor, or none of these.
    calls : int
        How often the layer ran in one forward pass.
    order : int
        In which place it first finished, -1 if it never ran.
    output : str
        Dtype and shape of what it gave for two images, or the class of what is no tensor.
    batch_axis : int
        1 for token sequences laid out (T, N, U), else 0.
    """

    name: str
    kind: str
    units: int = 0
    grid: Grid | None = None
    layout: str = "none"
    calls: int = 0
    order: int = -1
    output: str = ""
    batch_axis: int = 0

    @property
    def remark(self) -> str:
        """Return why the layer cannot be dissected by IoU, empty if it can."""
        if self.calls == 0:
            return "never runs"
        if self.calls > 1:
            return f"runs {self.calls} times: name a module that runs once"
        if self.layout == "vector":
            return "no grid"
        return "" if self.grid else f"no grid: {self.output}"


def first_tensor(output: Any) -> Any:
    """Return an output itself or, of a tuple, list or mapping, its first element, however deep."""
    while isinstance(output, tuple | list | Mapping) and len(output) > 0:
        output = next(iter(output.values() if isinstance(output, Mapping) else output))
    return output


def recognise(output: Any, batch: int, size: Grid, earlier: Sequence[Grid] = ()) -> Layout:
    """Recognise the layout of one layer's output.

    (N, a, b, c) is NCHW, unless (a, b) has the proportions of the input and (b, c) has not: then
    it is NHWC, as in Swin and within ConvNeXt; where neither has, it may be the sequences of the
    heads of an attention, and is `none`. A sequence (N, T, U) is a grid behind P prefix tokens, P
    the smallest number up to 8 for which the other T - P tokens fill the grid of an earlier layer
    (a ViT's patch embedding is a convolution) or the input cut into square patches.

    Parameters
    ----------
    output
        What the layer returned for `batch` images.
    batch
        Number of images N.
    size
        Height and width of the network's input, in pixels.
    earlier
        Grids of layers that ran before, the latest first.

    Examples
    --------
    >>> import torch
    >>> recognise(torch.zeros(2, 5, 8), 2, (32, 32))[:3]
    ('tokens+1', 8, (2, 2))
    """
    output = first_tensor(output)
    if not isinstance(output, Tensor):
        return Layout(output=type(output).__name__)
    shape, seen = tuple(output.shape), f"{str(output.dtype)[6:]} {tuple(output.shape)}"
    if not output.is_floating_point() or not output.numel():
        return Layout(output=seen)
    axis = int(len(shape) == 3 and shape[0] != batch and shape[1] == batch)
    if not shape or shape[axis] != batch:
        return Layout(output=seen)
    if len(shape) == 2:
        return Layout("vector", shape[1], None, seen)
    if len(shape) == 3:
        prefix, grid = _filled(shape[1 - axis], [*earlier, *_cut(size)])
        if grid:
            return Layout(f"tokens+{prefix}", shape[2], grid, seen, axis)
    if len(shape) == 4 and _proportional(shape[2:], size):
        return Layout("NCHW", shape[1], shape[2:], seen)
    if len(shape) == 4 and _proportional(shape[1:3], size):
        return Layout("NHWC", shape[3], shape[1:3], seen)
    if len(shape) == 4 and not any(_filled(side, earlier)[1] for side in shape[1:3]):
        return Layout("NCHW", shape[1], shape[2:], seen)
    return Layout(output=seen)


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


def _filled(tokens: int, grids: Sequence[Grid]) -> tuple[int, Grid | None]:
    """Return the smallest number of prefix tokens for which the others fill a grid, and that."""
    for prefix in range(min(_MAX_PREFIX, tokens - 1) + 1):
        for grid in grids:
            if grid[0] * grid[1] == tokens - prefix:
                return prefix, grid
    return 0, None


def to_maps(output: Any, info: LayerInfo) -> Tensor:
    """Bring a layer's output to one map a unit, as a view of the same memory.

    Parameters
    ----------
    output
        What the layer returned.
    info
        What `probe_layers` found for it.

    Returns
    -------
    (N, U, h, w) Tensor; a vector gives maps of one cell.

    Raises
    ------
    RuntimeError
        If the output is not of the units and grid that were found.
    """
    maps = first_tensor(output)
    if info.layout == "NHWC":
        maps = maps.permute(0, 3, 1, 2)
    elif info.layout == "vector":
        maps = maps[:, :, None, None]
    elif info.layout == "class":
        maps = maps.transpose(0, info.batch_axis)[:, 0, :, None, None]
    elif info.layout.startswith("tokens+"):
        tokens = maps.transpose(0, info.batch_axis)[:, int(info.layout[7:]) :]
        if info.grid is not None and tokens.shape[1] == info.grid[0] * info.grid[1]:
            maps = tokens.transpose(1, 2).unflatten(2, info.grid)
    if info.layout == "none" or maps.shape[1:] != (info.units, *(info.grid or (1, 1))):
        raise RuntimeError(
            f"layer {info.name} gave {tuple(first_tensor(output).shape)}, which does not fit the "
            f"layout found for it ({info.layout} from {info.output})"
        )
    return maps
