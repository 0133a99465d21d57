"""What is taken from a layer where only the mean and maximum of each map are asked for."""

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import Cells
from dissection.activations.collect import NotFiniteError
from dissection.activations.shards import ShardStore


class PoolingCollector:
    """Take the mean and the maximum of each map of one layer, batch by batch.

    It stands in for `collect.Collector` and leaves shards without cells, so that a run of this
    kind is resumed like any other.
    """

    def __init__(self) -> None:
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, maps: Tensor) -> None:
        """Take a batch of maps.

        Parameters
        ----------
        maps : Tensor
            (N, U, h, w) float32, only looked at during the call.

        Raises
        ------
        NotFiniteError
            If a value is not finite. Its arguments are the image's place in the shard and the unit.
        """
        finite = torch.isfinite(maps).all(3).all(2)
        if not finite.all():
            image, unit = (~finite).nonzero()[0].tolist()
            raise NotFiniteError(sum(len(mean) for mean, _ in self._batches) + image, unit)
        pooled = maps.mean((2, 3)), maps.amax((2, 3))
        self._batches.append(tuple(part.cpu().numpy() for part in pooled))

    def take(self, grid: tuple[int, int]) -> Cells:
        """Return what was collected since the last call, one shard without cells."""
        mean, maximum = (np.concatenate(part) for part in zip(*self._batches, strict=True))
        self._batches = []
        return Cells(
            np.empty((len(mean), 0), np.uint8),
            np.zeros(len(mean), np.int64),
            np.empty(0, np.float32),
            mean,
            maximum,
            np.full(mean.shape[1], -np.inf, np.float32),
        )

    def restore(self, cells: Cells, grid: tuple[int, int]) -> None:
        """Continue behind a finished shard; nothing of it is needed."""


def pooled(store: ShardStore, shards: range, layer: str, pooling: str) -> Tensor:
    """Read what the shards hold of every unit and image.

    Parameters
    ----------
    store : ShardStore
        Where all shards of a run are.
    shards : range
        Their numbers.
    layer : str
        Name of the layer.
    pooling : str
        ``mean`` or ``max``.

    Returns
    -------
    Tensor
        (N, U) float32 on the CPU.

    Raises
    ------
    ShardError
        If a file is damaged.
    """
    field = {"mean": "mean", "max": "maximum"}[pooling]
    parts = [getattr(store.read(number).layers[layer], field) for number in shards]
    return torch.from_numpy(np.concatenate(parts))
