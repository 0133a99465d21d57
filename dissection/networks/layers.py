"""The layers of a network: which there are, what each gives, and how that becomes maps.

A layer is a module of the network, addressed by its dotted name. Forward passes over blank images
and over noise tell units, grid and layout of each. Nothing here keeps activations (see
`dissection.activations.capture`), or knows how outputs become maps (see `layouts`).
"""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from broden.system.text import nearest
from dissection.networks import modules
from dissection.networks.heads import HEADS, Hook, has_heads, register
from dissection.networks.layouts import Grid, LayerInfo, to_maps
from dissection.networks.outputs import parts
from dissection.networks.places import Corners, corner_images
from dissection.networks.recognition import Layout, Passed, recognise
from dissection.networks.running import blank, own_device, show

__all__ = [
    "LayerInfo",
    "probe_layers",
    "resolve",
    "to_maps",
]

# A layer, what is wanted of it (see `heads`), and what is told of that.
_Hooked = tuple[nn.Module, str, Hook]

# Two blank images in a probing pass: an axis of that length tells where the batch is.
_PROBED = 2
# Seeds of the images whose corners are changed.
_SEEDS = (0, 1)

# What gives maps of an image and nothing else; attentions mix their heads by convolutions of 1x1.
_MAPS = (
    nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle,
)  # fmt: skip


def resolve(module: nn.Module, patterns: Sequence[str] | str) -> list[str]:
    """Return the names of the layers that patterns mean, in the network's order.

    Parameters
    ----------
    module
        The network.
    patterns
        Dotted names, or one string of them separated by commas. `*` and `?` stand for any
        characters, or one, within a dotted part: `layer*` means layer1 but not layer1.0. Behind a
        colon may stand which of a layer's outputs is meant, `backbone:high`, or that an attention's
        heads are its units, `blocks.3.attn:heads`. What compiling and data parallelism add to names
        (`_orig_mod.`, `module.`) may be there or not.

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
    names = list(modules.layers(module))
    chosen: set[tuple[str, str]] = set()
    for pattern in patterns:
        matches = _matches(pattern, names)
        if not matches:
            near = nearest(pattern, names)
            raise ValueError(f"no layer {pattern!r}{near}; --layers help lists all")
        chosen |= matches
    place = {name: number for number, name in enumerate(names)}
    ordered = sorted(chosen, key=lambda layer: (place[layer[0]], layer[1]))
    return [f"{name}:{part}" if part else name for name, part in ordered]


def _matches(pattern: str, names: Sequence[str]) -> set[tuple[str, str]]:
    """Return name and output of the layers that a pattern means."""
    layer, _, part = pattern.partition(":")
    for wanted, output in ((pattern, ""), (layer, part)):
        for spelt in (wanted, modules.plain_name(wanted)):
            found = {(name, output) for name in names if _fits(spelt, name)}
            if found:
                return found
    return set()


def _fits(pattern: str, name: str) -> bool:
    """Tell whether a name matches, dotted part by dotted part."""
    wanted, given = pattern.split("."), name.split(".")
    return len(wanted) == len(given) and all(
        # a bracket stands for itself
        fnmatchcase(part, one.replace("[", "[[]"))
        for one, part in zip(wanted, given, strict=True)
    )


def probe_layers(
    module: nn.Module,
    names: Sequence[str] | None = None,
    size: Grid = (224, 224),
    device: torch.device | str | None = None,
    channels: int = 3,
) -> list[LayerInfo]:
    """Find out what layers give, by forward passes over two blank images and some of noise.

    Parameters
    ----------
    module
        In eval mode.
    names
        Dotted names, as `resolve` gives them; all layers if None.
    size
        Height and width of the input in pixels.
    device
        Of the images; by default that of the network's first parameter.
    channels
        Of the input: 3, or 1 for a network of grey images.

    Returns
    -------
    One LayerInfo a name, in the order of `names`.

    Raises
    ------
    ValueError
        If the network is in training mode, or a layer has no output of that name.
    RuntimeError
        If the forward pass fails.
    """
    if module.training:
        raise ValueError("the network is in training mode and would change: call its eval() first")
    device = own_device(module) if device is None else device
    record, inside = _Record(size), modules.layers(module)
    asked = [(name, *_named(name, inside)) for name in (inside if names is None else names)]
    hooks: list[_Hooked] = [(layer, "", record.of(layer, "")) for layer in module.modules()]
    # what a layer may be asked for besides what it returns
    hooks += [(layer, HEADS, record.of(layer, HEADS)) for _, layer, p in asked if p == HEADS]
    _run(module, blank(_PROBED, channels, size, device), hooks)
    infos = [record.info(name, layer, part) for name, layer, part in asked]
    infos = [_contained(info, module, inside) for info in infos]
    return _placed(module, infos, inside, size, device, channels)


def _run(module: nn.Module, batch: Tensor, hooks: Sequence[_Hooked]) -> None:
    """Show images to a network while hooks hang on some of its layers."""
    with ExitStack() as stack:
        for layer, part, hook in hooks:
            # the parts of a scripted one take none, and none would run
            if not isinstance(layer, torch.jit.ScriptModule):
                stack.callback(register(layer, part, hook).remove)
        show(module, batch)


def _named(name: str, inside: dict[str, nn.Module]) -> tuple[nn.Module, str]:
    """Return a layer, and which of its outputs is meant."""
    if name in inside:
        return inside[name], ""
    layer, _, part = name.partition(":")
    return inside[layer], part


def _contained(info: LayerInfo, module: nn.Module, inside: dict[str, nn.Module]) -> LayerInfo:
    """Say of a layer that never runs what it is, where that is known."""
    if info.calls:
        return info
    layer = inside[info.module]
    if modules.is_container_of_fx(module, layer):
        return replace(info, why="it only groups others in a network that FX traced, name one")
    if isinstance(layer, torch.jit.ScriptModule):
        return replace(info, why="it is part of a TorchScript module, whose layers cannot be read")
    return info


def _placed(
    module: nn.Module,
    infos: list[LayerInfo],
    inside: dict[str, nn.Module],
    size: Grid,
    device: torch.device | str,
    channels: int,
) -> list[LayerInfo]:
    """Say of each grid whether its cells are places in the image."""
    looked = [info for info in infos if info.grid and min(info.grid) > 1 and not info.remark]
    if not looked:
        return infos
    corners = {info.name: Corners() for info in looked}
    hooks = [(inside[i.module], i.part, _seeing(i, corners[i.name])) for i in looked]
    for seed in _SEEDS:
        if seed and all(seen.certain for seen in corners.values()):
            break
        try:
            _run(module, corner_images(size, seed, channels).to(device), hooks)
        except RuntimeError:
            # a network of a fixed number of images; nothing is known then
            break
    return [_judged(info, corners) for info in infos]


def _seeing(info: LayerInfo, corners: Corners) -> Hook:
    def hook(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        corners.see(to_maps(output, info))

    return hook


def _judged(info: LayerInfo, corners: dict[str, Corners]) -> LayerInfo:
    """Add what the corners said; a coarser grid that they do not confirm is none."""
    seen = corners.get(info.name)
    if seen is None:
        return info
    if info.guess == "coarser" and not seen.placed:
        why = f"no map with {math.prod(info.grid or ())} cells came before"
        return replace(info, layout="none", units=0, grid=None, guess="", why=why)
    return replace(info, placed=seen.placed)


class _Record:
    """Forward hooks that note what each layer gives when it first finishes."""

    def __init__(self, size: Grid) -> None:
        self._size = size
        self._seen: dict[tuple[nn.Module, str], dict[str, Layout]] = {}
        self._calls: Counter[tuple[nn.Module, str]] = Counter()
        self._passed = Passed()

    def of(self, layer: nn.Module, part: str) -> Hook:
        """Return the hook of a layer, or of its heads."""

        def note(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            self._calls[layer, part] += 1
            if (layer, part) not in self._seen:
                found = parts(output)
                seen = {name: self._recognised(layer, one) for name, one in found.items()}
                self._seen[layer, part] = seen

        return note

    def _recognised(self, layer: nn.Module, output: Any) -> Layout:
        if not isinstance(output, Tensor):
            return Layout(output=type(output).__name__)
        makes_maps = isinstance(layer, _MAPS) or (
            isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1
        )
        found = recognise(output, _PROBED, self._size, self._passed, makes_maps)
        makes_units = isinstance(layer, nn.Linear | nn.LayerNorm)
        self._passed.note(found, output.shape, makes_units)
        return found

    def info(self, name: str, layer: nn.Module, part: str) -> LayerInfo:
        """Return what was noted of a layer."""
        kind, heads = type(layer).__name__, part == HEADS and has_heads(layer)
        key = (layer, HEADS if heads else "")
        if key not in self._seen:
            return LayerInfo(name, kind, part=part)
        seen = self._seen[key]
        if part and part not in seen and not heads:
            known = [other for other in seen if other]
            has = f"it has {', '.join(known)}" if known else "it has one"
            raise ValueError(f"layer {name}: no such output{nearest(part, known)}; {has}")
        order = list(self._seen).index(key)
        first = next(iter(seen.values()), Layout(output="None"))
        found = seen[part] if part and not heads else first
        outputs = tuple(seen) if len(seen) > 1 else ()
        return LayerInfo(
            name, kind, calls=self._calls[key], order=order, part=part, outputs=outputs,
            **found._asdict(),
        )  # fmt: skip
