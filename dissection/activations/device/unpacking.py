"""The maps of a shard made on a device from what is stored, which is far smaller."""

import math

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import Cells, neighbourhood, unpack, values_of
from dissection.activations.device.packing import running
from dissection.activations.device.uploading import sent

__all__ = ["chunk_cells", "unpacked"]


def chunk_cells(cells: int, device: torch.device) -> int:
    """Return how many cells to work on at once, where it is so many on the CPU.

    A GPU is idle between short operations; four times as many take some 0.3 GB of its memory.
    """
    return cells if device.type == "cpu" else 4 * cells


def unpacked(
    cells: Cells, grid: tuple[int, int], images: np.ndarray, device: torch.device
) -> Tensor:
    """Return the maps of some images on a device, see `cells.unpack`; nothing waits for it.

    Parameters
    ----------
    cells : Cells
        Of N images.
    grid : (int, int)
        (h, w) of the layer.
    images : ndarray
        (n,) int64 places in the block.
    device : torch.device
        Where they are wanted.

    Returns
    -------
    Tensor
        (n, h, w, U) float32, -inf where a cell was not kept.
    """
    if device.type == "cpu":
        return torch.from_numpy(unpack(cells, grid, images))
    # a value in front, so that there is one to look up where none is kept
    values = sent(np.concatenate([_NOTHING, *values_of(cells, images)]), device)
    kept = neighbourhood(_bits(sent(cells.above[images], device), (*grid, len(cells.bound))))
    ordinal = running(kept).view(kept.shape)
    found = values.index_select(0, ordinal.view(-1)).view(kept.shape)
    return found.masked_fill_(~kept, -torch.inf)


_NOTHING = np.full(1, -np.inf, np.float32)


def _bits(packed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the bits of (n, B) uint8, the highest first, as (n, *shape) bool."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    bits = (packed[:, :, None] >> shifts).bitwise_and_(1).view(len(packed), -1)
    return bits[:, : math.prod(shape)].to(torch.bool).view(-1, *shape)
