"""The activations that CLIP's scores are compared with: one number for each image and unit."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from dissection.activations.shards import Shard, Wanted
from dissection.networks.layouts import LayerInfo

__all__ = ["Pooling"]

_ARRAYS = {"mean": "mean", "max": "maximum", "class": "mean"}


class Pooling:
    """Fold the pooled activations of every layer.

    Parameters
    ----------
    layers : sequence of LayerInfo
        The layers.
    images : int
        N, of the whole probe.
    pooling : str
        One of `config.POOLINGS`.
    """

    def __init__(self, layers: Sequence[LayerInfo], images: int, pooling: str) -> None:
        self._array = _ARRAYS[pooling]
        self._values = {info.name: torch.empty(images, info.units) for info in layers}
        self._seen: list[np.ndarray] = []

    @property
    def wanted(self) -> Wanted:
        """The pooled array of every layer."""
        return {layer: (self._array,) for layer in self._values}

    def part(self, shard: Shard) -> tuple[np.ndarray, dict[str, Tensor]]:
        """Return the images of a shard, and (n, U) float32 of each layer."""
        arrays = {name: getattr(cells, self._array) for name, cells in shard.layers.items()}
        return shard.images, {name: torch.from_numpy(arrays[name]) for name in self._values}

    def add(self, part: tuple[np.ndarray, dict[str, Tensor]]) -> None:
        """Put the activations of a shard in their place."""
        images, layers = part
        for name, values in layers.items():
            self._values[name][images] = values
        self._seen.append(images)

    def own(self) -> list[tuple[np.ndarray, dict[str, Tensor]]]:
        """Return what was added, to be added by another process."""
        return [
            (images, {name: values[images] for name, values in self._values.items()})
            for images in self._seen
        ]

    def add_all(self, parts: Iterable[tuple[np.ndarray, dict[str, Tensor]]]) -> None:
        """Add what another process has."""
        for part in parts:
            self.add(part)

    def values(self, layer: str) -> Tensor:
        """Return a layer's (N, U) float32 activations, on the CPU."""
        return self._values[layer]
