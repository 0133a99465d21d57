"""Show images to a network of any kind: uncompiled, in its own dtype, errors in one line."""

import inspect
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dissection.networks.modules import eager, require_readable, unwrapped
from dissection.networks.preprocessing import Preprocessing

__all__ = ["blank", "dtype_of", "own_device", "ready", "show"]

WRAP = "wrap it in a module that takes one batch of images, (N, 3, h, w)"


def own_device(module: nn.Module) -> torch.device:
    """Return where a network is, by its first parameter; the CPU where it has none."""
    return next((p.device for p in module.parameters()), torch.device("cpu"))


def dtype_of(module: nn.Module) -> torch.dtype:
    """Return the dtype of a network's input: that of its first floating parameter."""
    floating = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(floating, torch.float32)


def blank(images: int, channels: int, size: tuple[int, int], device: torch.device | str) -> Tensor:
    """Return images of zeros, (N, channels, h, w) float32."""
    return torch.zeros(images, channels, *size, device=device)


def ready(
    name: str, module: nn.Module, preprocessing: Preprocessing
) -> tuple[nn.Module, Preprocessing]:
    """Return a network as it can be dissected, and its input as it takes it.

    Out of the wrappers of compiling and data parallelism, in eval mode, with lazy modules made by a
    first pass; where it takes one channel and not three, its images are grey.

    Parameters
    ----------
    name
        For messages.
    module
        Changed in place: its mode, and its lazy modules.
    preprocessing
        What is known of its input.

    Raises
    ------
    ValueError
        If it is of a kind whose layers cannot be read.
    RuntimeError
        If it has lazy modules and the first pass fails.
    """
    module = unwrapped(module).eval()
    require_readable(module, name)
    size, device = preprocessing.size, own_device(module)
    if preprocessing.channels == 3 and not _takes(module, 3, size, device):
        with suppress(RuntimeError):
            show(module, blank(1, 1, size, device))
            preprocessing = replace(preprocessing, channels=1)
    if any(map(is_lazy, module.parameters())):
        # what is made in inference mode could never be used outside it
        with torch.no_grad():
            _pass(module, blank(1, preprocessing.channels, size, device))
    return module, preprocessing


def _takes(module: nn.Module, channels: int, size: tuple[int, int], device: torch.device) -> bool:
    """Tell whether a network takes so many channels; by its first layer, else by trial."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part.in_channels:
            if part.in_channels == channels:
                return True
            break
    if any(map(is_lazy, module.parameters())):
        return True
    try:
        show(module, blank(1, channels, size, device))
    except RuntimeError:
        return False
    return True


def show(module: nn.Module, batch: Tensor) -> None:
    """Run a network on a batch of images, in inference mode; hooks see what it makes of them.

    Parameters
    ----------
    module
        In eval mode.
    batch : (N, C, h, w) float32 Tensor
        Normalised images on the network's device.

    Raises
    ------
    RuntimeError
        If the forward pass fails; in one line, with what to do.
    """
    with torch.inference_mode():
        _pass(module, batch)


def _pass(module: nn.Module, batch: Tensor) -> None:
    try:
        with eager():
            module(batch.to(dtype_of(module)))
    # A network may raise anything; it is said in one line and stays chained.
    except Exception as error:
        raise RuntimeError(_complaint(module, batch, error)) from error


def _complaint(module: nn.Module, batch: Tensor, error: Exception) -> str:
    """Say what failed, and what to do about it."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    height, width = batch.shape[2:]
    inputs = _required_inputs(module)
    if len(inputs) > 1:
        return f"the network takes {len(inputs)} inputs ({', '.join(inputs)}); {WRAP}"
    if any(isinstance(part, nn.Conv3d) for part in module.modules()):
        return f"the network takes video, {reason}; {WRAP}"
    return (
        f"the network fails on {height}x{width} images, {reason}; "
        f"give the size it takes with --input-size, or {WRAP}"
    )


def _required_inputs(module: nn.Module) -> list[str]:
    """Return the names of what a network's forward cannot do without."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind in (*positional, inspect.Parameter.KEYWORD_ONLY)
    ]
