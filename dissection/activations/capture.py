"""Read the activations of layers while a network runs, and leave no trace in the network.

`capture` hands each layer's maps on inside a forward hook, the moment the layer has finished and
before anything after it can run. Networks overwrite: a ReLU in place, `+=` on a residual branch.
Whoever consumes the maps must therefore be done with them, or have copied them, on returning;
`collect` copies them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from dissection.config import PRECISIONS
from dissection.networks import modules
from dissection.networks.heads import register
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.layouts import LayerInfo, to_maps
from dissection.networks.modules import eager
from dissection.networks.running import dtype_of

__all__ = ["capture", "collect", "run_through"]

Consume = Callable[[str, Tensor], None]


class _Finished(BaseException):
    """All layers have been consumed; no `except Exception` in a network may swallow it."""


class _Hooks:
    """Forward hooks of one capture, and which layers are still to come in this forward pass."""

    def __init__(self, infos: Sequence[LayerInfo], consume: Consume) -> None:
        self._infos = {info.name: info for info in infos}
        self._consume = consume
        # None while no forward pass of the capture is under way.
        self.pending: set[str] | None = None

    def start(self) -> None:
        """Expect every layer."""
        self.pending = set(self._infos)

    def hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """Return the hook of one layer."""
        info = self._infos[name]

        def handed_on(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if self.pending is None:
                return
            if name not in self.pending:
                raise RuntimeError(f"layer {name} ran twice in one forward pass")
            # the same memory where they are of that type already
            self._consume(name, to_maps(output, info).float())
            self.pending.discard(name)
            if not self.pending:
                raise _Finished

        return handed_on


@contextmanager
def capture(
    module: nn.Module, infos: Sequence[LayerInfo], consume: Consume, precision: str = "fp32"
) -> Iterator[Callable[[Tensor], None]]:
    """Hand on the maps of layers during the forward passes run in this context.

    The callable it yields runs the network on a batch, in inference mode, as far as the last of
    the layers. Hooks exist only within the context, however it is left.

    Parameters
    ----------
    module
        In eval mode.
    infos
        The layers, from `probe_layers`.
    consume
        Called as consume(name, maps) once a layer and pass, with (N, U, h, w) float32 maps: a view
        of the network's own memory where it is of that type, valid until it returns.
    precision
        `fp32` (as the network is), or `bf16`: under autocast, with the maps widened to float32.

    Yields
    ------
    forward : Callable[[Tensor], None]
        Takes (N, C, H, W) input, which it casts to the network's dtype. Raises RuntimeError if a
        layer does not run, runs twice, or gives another shape than before.

    Raises
    ------
    ValueError
        If there is no layer, one runs more than once, or the precision is unknown.
    """
    _check_precision(precision)
    if not infos:
        raise ValueError("no layer to capture")
    for info in infos:
        if info.calls > 1:
            raise ValueError(f"layer {info.name} runs {info.calls} times: name one that runs once")
    hooks, inside = _Hooks(infos, consume), modules.layers(module)

    def forward(batch: Tensor) -> None:
        hooks.start()
        try:
            run_through(module, batch, precision)
            missing = [info.name for info in infos if info.name in (hooks.pending or ())]
            raise RuntimeError(f"layer {', '.join(missing)} did not run in a forward pass")
        except _Finished:
            pass
        finally:
            hooks.pending = None

    with ExitStack() as stack:
        for info in infos:
            handle = register(inside[info.module], info.part, hooks.hook(info.name))
            stack.callback(handle.remove)
        yield forward


def run_through(module: nn.Module, batch: Tensor, precision: str = "fp32") -> None:
    """Run all of a network on a batch, in inference mode and uncompiled, as every pass of ours is.

    Parameters
    ----------
    module
        In eval mode.
    batch : (N, C, H, W) Tensor
        Network input on the network's device, cast to the network's dtype.
    precision
        As for `capture`.

    Raises
    ------
    ValueError
        If the precision is unknown.
    """
    _check_precision(precision)
    reduced = torch.autocast(batch.device.type, torch.bfloat16) if precision == "bf16" else None
    with torch.inference_mode(), eager(), reduced or nullcontext():
        module(batch.to(dtype_of(module)))


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; allowed: {', '.join(PRECISIONS)}")


def collect(module: nn.Module, names: Sequence[str] | str, batch: Tensor) -> dict[str, Tensor]:
    """Return copies of the maps of layers for one batch.

    Parameters
    ----------
    module
        In eval mode.
    names
        Layers or wildcards, as for `resolve`.
    batch : (N, C, H, W) Tensor
        Network input, on the network's device.

    Returns
    -------
    dict from layer name to (N, U, h, w) Tensor; layers without a grid have h = w = 1.

    Raises
    ------
    ValueError
        If a layer does not exist or runs more than once.
    RuntimeError
        If a layer does not run or has no such maps.
    """
    channels, height, width = batch.shape[1:]
    infos = probe_layers(module, resolve(module, names), (height, width), batch.device, channels)
    collected: dict[str, Tensor] = {}

    def keep(name: str, maps: Tensor) -> None:
        # Outside inference mode the copy is an ordinary tensor, which autograd accepts.
        with torch.inference_mode(False):
            collected[name] = maps.clone(memory_format=torch.contiguous_format)

    with capture(module, infos, keep) as forward:
        forward(batch)
    return {name: collected[name] for name in (info.name for info in infos)}
