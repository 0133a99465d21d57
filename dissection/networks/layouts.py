"""How a layer's output is laid out, and how it becomes one map a unit.

Pure functions: nothing here runs a network. `recognition` finds the layouts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dissection.networks.outputs import parts

__all__ = ["Grid", "LayerInfo", "to_maps"]

Grid = tuple[int, int]


@dataclass(frozen=True)
class LayerInfo:
    """Say what one layer gives for an image.

    Attributes
    ----------
    name : str
        Dotted name of the module; behind a colon which of its outputs, if not the first.
    kind : str
        Name of its class.
    units : int
        U, 0 where the output is of no known layout.
    grid : (h, w) or None
        Cells of a unit's map, None where there is no map.
    layout : str
        `NCHW`, `NHWC`, `tokens+P` (P prefix tokens, which are dropped, then the grid row by row),
        `channels+P` (the same, the units before the tokens), `vector`, `class` (the first of its
        tokens alone, see `suitability.class_tokens`), or `none`: no float tensor, or none of these.
    calls : int
        How often the layer ran in one forward pass.
    order : int
        In which place it first finished, -1 if it never ran.
    output : str
        Dtype and shape of what it gave for two images, or the class of what is no tensor.
    batch_axis : int
        1 for token sequences laid out (T, N, U), else 0.
    guess : str
        ``count`` where only the number of tokens suggests the grid, ``coarser`` where it is an
        earlier grid with longer sides of cells; empty where an earlier map has the grid.
    why : str
        Why there is no grid, where more can be said than the shape.
    part : str
        Which of several outputs was asked for.
    outputs : tuple of str
        Names of all outputs, where there are several.
    placed : bool or None
        Whether the cells of the corners changed most where the corners of an image changed
        (`dissection.networks.places`); None where nobody looked, or nothing changed.
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
    guess: str = ""
    why: str = ""
    part: str = ""
    outputs: tuple[str, ...] = ()
    placed: bool | None = None

    @property
    def module(self) -> str:
        """Dotted name of the module."""
        return self.name.removesuffix(f":{self.part}") if self.part else self.name

    @property
    def remark(self) -> str:
        """Return why the layer cannot be dissected by IoU, empty if it can."""
        if self.calls == 0:
            return f"never runs{self.why and ': '}{self.why}"
        if self.calls > 1:
            return f"runs {self.calls} times: name a module that runs once"
        if self.layout == "vector":
            return "no grid"
        return "" if self.grid else f"no grid: {self.output}{self.why and ': '}{self.why}"

    @property
    def caveats(self) -> list[str]:
        """Return what whoever reads the layer's maps must know, a phrase each."""
        said = []
        if len(self.outputs) > 1 and not self.part:
            said.append(
                f"first of {len(self.outputs)} outputs ({_listed(self.outputs)}); "
                f"LAYER:{self.outputs[1]} names another"
            )
        if self.guess and self.grid:
            said.append(f"its grid is a guess, {_GUESSES[self.guess]}")
        if self.placed is False and self.grid:
            said.append(
                "where a corner of an image changes, the cell of that corner does not change most: "
                "its grid may be no place in the image"
            )
        return said


_GUESSES = {
    "count": "from the number of its tokens alone",
    "coarser": "an earlier one made coarser",
    "square": "as it may be a table of tokens by tokens",
}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


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
    found = {} if isinstance(output, Tensor) else parts(output)
    first = next(iter(found.values()), output)
    maps = found.get(info.part) if info.part and found else first
    if not isinstance(maps, Tensor):
        raise RuntimeError(f"layer {info.name} gave no tensor but {type(output).__name__}")
    seen = tuple(maps.shape)
    if info.layout == "NHWC":
        maps = maps.permute(0, 3, 1, 2)
    elif info.layout == "vector":
        maps = maps[:, :, None, None]
    elif info.layout == "class":
        maps = maps.transpose(0, info.batch_axis)[:, 0, :, None, None]
    elif info.layout.startswith(("tokens+", "channels+")) and maps.ndim == 3:
        maps = _placed(maps, info)
    if info.layout == "none" or maps.shape[1:] != (info.units, *(info.grid or (1, 1))):
        raise RuntimeError(
            f"layer {info.name} gave {seen}, which does not fit the "
            f"layout found for it ({info.layout} from {info.output})"
        )
    return maps


def _placed(maps: Tensor, info: LayerInfo) -> Tensor:
    """Return the tokens of a sequence on their grid, as far as they fit."""
    kind, prefix = info.layout.split("+")
    by_unit = maps if kind == "channels" else maps.transpose(0, info.batch_axis).transpose(1, 2)
    tokens = by_unit[:, :, int(prefix) :]
    if info.grid is None or tokens.shape[2] != info.grid[0] * info.grid[1]:
        return maps
    return tokens.unflatten(2, info.grid)
