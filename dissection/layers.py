"""The layers of a network: which there are, what each gives, and how that becomes maps.

A layer is a module of the network, addressed by its dotted name. One forward pass over blank
images tells units, grid and layout of each. Nothing here keeps activations (see
`dissection.activations`), or knows how outputs become maps (see `dissection.layouts`).
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from dissection.layouts import Grid, LayerInfo, Layout, recognise, to_maps

__all__ = [
    "LayerInfo",
    "describe",
    "nearest",
    "probe_layers",
    "resolve",
    "suggest",
    "to_maps",
]

# Two blank images in a probing pass: an axis of that length tells where the batch is.
_PROBED = 2


def nearest(name: str, candidates: Sequence[str]) -> str:
    """Return a phrase naming the candidates most like a name; empty if none is like it.

    Examples
    --------
    >>> nearest("layer5", ["conv1", "layer1", "fc"])
    ', nearest: layer1'
    """
    near = difflib.get_close_matches(name, candidates, n=4, cutoff=0.5)
    return f", nearest: {', '.join(near)}" if near else ""


def resolve(module: nn.Module, patterns: Sequence[str] | str) -> list[str]:
    """Return the names of the layers that patterns mean, in the network's order.

    Parameters
    ----------
    module
        The network.
    patterns
        Dotted names, or one string of them separated by commas. `*` and `?` stand for any
        characters, or one, within a dotted part: `layer*` means layer1 but not layer1.0.

    Raises
    ------
    ValueError
        If a pattern means no layer, or there is no pattern.
    """
    if isinstance(patterns, str):
        patterns = patterns.split(",")
    patterns = [pattern.strip() for pattern in patterns if pattern.strip()]
    if not patterns:
        raise ValueError("no layer is named; --layers help lists them")
    names = _names(module)
    chosen: set[str] = set()
    for pattern in patterns:
        parts = ("[^.]*" if c == "*" else "[^.]" if c == "?" else re.escape(c) for c in pattern)
        matches = set(filter(re.compile("".join(parts)).fullmatch, names))
        if not matches:
            near = nearest(pattern, names)
            raise ValueError(f"no layer {pattern!r}{near}; --layers help lists all")
        chosen |= matches
    return [name for name in names if name in chosen]


def _names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_modules(remove_duplicate=False) if name]


def probe_layers(
    module: nn.Module,
    names: Sequence[str] | None = None,
    size: Grid = (224, 224),
    device: torch.device | str | None = None,
) -> list[LayerInfo]:
    """Find out what layers give, by one forward pass over two blank images.

    Parameters
    ----------
    module
        In eval mode.
    names
        Dotted names; all layers if None.
    size
        Height and width of the input in pixels.
    device
        Of the blank images; by default that of the network's first parameter.

    Returns
    -------
    One LayerInfo a name, in the order of `names`.

    Raises
    ------
    ValueError
        If the network is in training mode.
    RuntimeError
        If the forward pass fails.
    """
    if module.training:
        raise ValueError("the network is in training mode and would change: call its eval() first")
    if device is None:
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
    record = _Record(size)
    handles = [layer.register_forward_hook(record) for layer in module.modules()]
    try:
        with torch.inference_mode():
            module(torch.zeros(_PROBED, 3, *size, device=device))
    # A network may raise anything; it is said in one line and stays chained.
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise RuntimeError(f"the network fails on {size[0]}x{size[1]} images, {reason}") from error
    finally:
        for handle in handles:
            handle.remove()
    names = _names(module) if names is None else names
    return [record.info(name, module.get_submodule(name)) for name in names]


class _Record:
    """A forward hook that notes what each layer gives when it first finishes."""

    def __init__(self, size: Grid) -> None:
        self._size = size
        self._seen: dict[nn.Module, Layout] = {}
        self._calls: dict[nn.Module, int] = {}
        self._grids: list[Grid] = []

    def __call__(self, layer: nn.Module, _inputs: Any, output: Any) -> None:
        self._calls[layer] = self._calls.get(layer, 0) + 1
        if layer in self._seen:
            return
        seen = self._seen[layer] = recognise(output, _PROBED, self._size, self._grids)
        if seen.layout in ("NCHW", "NHWC") and min(seen.grid) > 1:
            self._grids.insert(0, seen.grid)

    def info(self, name: str, layer: nn.Module) -> LayerInfo:
        kind = type(layer).__name__
        if layer not in self._seen:
            return LayerInfo(name, kind)
        order, fields = list(self._seen).index(layer), self._seen[layer]._asdict()
        return LayerInfo(name, kind, calls=self._calls[layer], order=order, **fields)


def suggest(infos: Sequence[LayerInfo]) -> list[str]:
    """Return a few layers worth dissecting first, in order of execution.

    The last of the outermost layers at each size of grid; where there is one size only, as in
    a ViT, three evenly spaced of its blocks.
    """
    # What lies deeper are parts of blocks, some with grids of their own (windows of attention).
    usable = [i for i in infos if not i.remark and min(i.grid) > 1 and _depth(i) <= 2]
    usable.sort(key=lambda info: info.order)
    last = {}
    for info in sorted(usable, key=_depth, reverse=True):
        last[info.grid] = info
    if len(last) > 1:
        return [info.name for info in sorted(last.values(), key=lambda info: info.order)]
    parents = {info.name.rpartition(".")[0] for info in infos}
    kinds: dict[tuple[int, str], list[str]] = {}
    for info in usable:
        if info.name in parents:
            kinds.setdefault((_depth(info), info.kind), []).append(info.name)
    for _, blocks in sorted(kinds.items()):
        if len(blocks) >= 3:
            return [blocks[len(blocks) * third // 3 - 1] for third in (1, 2, 3)]
    return [info.name for info in last.values()]


def _depth(info: LayerInfo) -> int:
    return info.name.count(".")


def describe(infos: Sequence[LayerInfo]) -> str:
    """Return a table of layers for people: name, class, units, grid, and what to mind.

    Blocks that repeat the one before them, layer by layer, share one row.

    Parameters
    ----------
    infos
        Of layers in the network's order, as `probe_layers` gives them.
    """
    rows = [("layer", "class", "units", "grid", "note"), *_rows(list(infos))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, kind, units, grid, note in rows:
        left = f"{name:<{widths[0]}}  {kind:<{widths[1]}}"
        lines.append(f"{left}  {units:>{widths[2]}}  {grid:>{widths[3]}}  {note}".rstrip())
    first = suggest(infos)
    if first:
        lines += ["", f"a good start: --layers {','.join(first)}"]
    return "\n".join(lines)


def _rows(infos: list[LayerInfo]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of the table, one row a layer or a run of equal blocks."""
    start = 0
    while start < len(infos):
        block = _subtree(infos, start)
        yield _row(infos[start], infos[start].name, infos[start].remark)
        yield from _rows(block[1:])
        end = start = start + len(block)
        while len(block) > 1 and _alike(block, _subtree(infos, end)):
            end += len(block)
        if end > start:
            names = list(dict.fromkeys((infos[start].name, infos[end - len(block)].name)))
            yield _row(infos[start], " to ".join(names), f"like {block[0].name}")
        start = end


def _row(info: LayerInfo, name: str, note: str) -> tuple[str, ...]:
    grid = "x".join(map(str, info.grid)) if info.grid else "-"
    return name, info.kind, str(info.units or "-"), grid, note


def _subtree(infos: list[LayerInfo], start: int) -> list[LayerInfo]:
    """Return the layer at an index and those inside it, which follow it."""
    end = start + 1
    while end < len(infos) and infos[end].name.startswith(infos[start].name + "."):
        end += 1
    return infos[start:end]


def _alike(block: list[LayerInfo], other: list[LayerInfo]) -> bool:
    """Tell whether two blocks have the same parent and, layer by layer, the same to say."""
    if not other or block[0].name.rpartition(".")[0] != other[0].name.rpartition(".")[0]:
        return False
    said = [
        [_row(i, i.name.removeprefix(layers[0].name), i.remark) for i in layers]
        for layers in (block, other)
    ]
    return said[0] == said[1]
