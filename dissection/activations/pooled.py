"""What is taken from a layer where only the mean and maximum of each map are asked for."""

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import Cells
from dissection.activations.collect import LayerCollector, NotFiniteError

__all__ = ["PoolingCollector", "no_cells"]


class PoolingCollector(LayerCollector):
    """Take the mean and the maximum of each map of one layer, batch by batch.

    It leaves shards without cells, so that a run of this kind is resumed like any other.
    """

    tail = None

    def __init__(self) -> None:
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, maps: Tensor) -> None:
        """Take a batch of maps, see `collect.LayerCollector`."""
        finite = torch.isfinite(maps).all(3).all(2)
        if not finite.all():
            image, unit = (~finite).nonzero()[0].tolist()
            raise NotFiniteError(sum(len(mean) for mean, _ in self._batches) + image, unit)
        mean, maximum = maps.mean((2, 3)), maps.amax((2, 3))
        self._batches.append((mean.cpu().numpy(), maximum.cpu().numpy()))

    def take(self, grid: tuple[int, int]) -> Cells:
        """Return one shard without cells, see `collect.LayerCollector`."""
        mean, maximum = (np.concatenate(part) for part in zip(*self._batches, strict=True))
        self._batches = []
        return no_cells(mean, maximum)

    def restore(self, cells: Cells, grid: tuple[int, int]) -> None:
        """Continue behind a finished shard; nothing of it is needed."""


def no_cells(mean: np.ndarray, maximum: np.ndarray) -> Cells:
    """Return what is kept of maps of which only these are, each (N, U) float32."""
    return Cells(
        np.empty((len(mean), 0), np.uint8),
        np.zeros(len(mean), np.int64),
        np.empty(0, np.float32),
        mean,
        maximum,
        np.full(mean.shape[1], -np.inf, np.float32),
        np.zeros(mean.shape[1], np.int64),
    )
