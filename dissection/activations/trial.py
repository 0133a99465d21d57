"""Try a network on two fixed images before a run: is it deterministic, and what does it give.

What the digest of a network cannot see, functions that its classes call and values they close
over, shows in what its layers give.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dissection.activations.capture import capture
from dissection.networks.layouts import LayerInfo
from dissection.networks.places import corner_images
from dissection.networks.running import own_device

__all__ = ["Trial", "try_out"]

_SEEDS = (2, 3)
# A GPU may sum in another order each time; dropout changes far more.
_UNSTEADY = 1e-3


class Trial(NamedTuple):
    """What layers gave for the two images."""

    outputs: dict[str, list[float]]
    """Of each layer, for each image, weighted sums of what is above and below 0; empty where two
    passes differ."""
    random: list[str]
    """Layers that gave something else the second time."""


def try_out(
    module: nn.Module, infos: Sequence[LayerInfo], size: tuple[int, int], channels: int = 3
) -> Trial:
    """Show a network the two images twice.

    The global generators are left as they were, and stand otherwise in each pass.

    Parameters
    ----------
    module
        In eval mode.
    infos
        Its layers, from `probe_layers`.
    size
        Height and width of its input in pixels.
    channels
        Of its input.

    Raises
    ------
    RuntimeError
        If a layer does not run, or gives another shape than before.
    """
    noise = [corner_images(size, seed, channels)[:1] for seed in _SEEDS]
    images = torch.cat(noise).to(own_device(module))
    first, second = (_maps(module, infos, images, seed) for seed in (0, 1))
    random = [name for name in first if not _equal(first[name], second[name])]
    outputs = {} if random else {name: _sums(maps) for name, maps in first.items()}
    return Trial(outputs, random)


def _maps(
    module: nn.Module, infos: Sequence[LayerInfo], images: Tensor, seed: int
) -> dict[str, Tensor]:
    """Return copies of the maps of layers, the generators standing at a seed."""
    found: dict[str, Tensor] = {}
    devices = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        with capture(module, infos, lambda n, maps: found.update({n: maps.clone()})) as forward:
            forward(images)
    return found


def _equal(first: Tensor, second: Tensor) -> bool:
    """Tell whether two passes gave the same: on the CPU to the bit."""
    if first.device.type == "cpu":
        return torch.equal(first.nan_to_num(), second.nan_to_num())
    scale = float(first.nan_to_num().abs().max())
    return torch.allclose(first, second, rtol=0, atol=_UNSTEADY * scale, equal_nan=True)


def _sums(maps: Tensor) -> list[float]:
    """Return two sums an image, weighted by unit and place so that neither may be exchanged.

    Weights and what they weigh are positive, so nothing cancels and the sums are as exact as the
    maps; six digits are kept.
    """
    flat = maps.detach().cpu().double().nan_to_num().flatten(1)
    weights = torch.rand(flat.shape[1], generator=torch.Generator().manual_seed(0)).double() + 0.5
    sums = [(part.clamp(min=0) * weights).mean(1) for part in (flat, -flat)]
    return [float(f"{value:.6g}") for image in torch.stack(sums, 1).tolist() for value in image]
