"""The layers of a network: which there are, what each gives, and how that becomes maps.

A layer is a module of the network, addressed by its dotted name. One forward pass over blank
images tells units, grid and layout of each. Nothing here keeps activations (see
`dissection.activations.capture`), or knows how outputs become maps (see `layouts`).
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from broden.system.text import nearest
from dissection.networks.layouts import Grid, LayerInfo, Layout, recognise, to_maps

__all__ = [
    "LayerInfo",
    "probe_layers",
    "resolve",
    "to_maps",
]

# Two blank images in a probing pass: an axis of that length tells where the batch is.
_PROBED = 2


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
        if seen.layout in ("NCHW", "NHWC") and seen.grid and min(seen.grid) > 1:
            self._grids.insert(0, seen.grid)

    def info(self, name: str, layer: nn.Module) -> LayerInfo:
        kind = type(layer).__name__
        if layer not in self._seen:
            return LayerInfo(name, kind)
        order, fields = list(self._seen).index(layer), self._seen[layer]._asdict()
        return LayerInfo(name, kind, calls=self._calls[layer], order=order, **fields)
