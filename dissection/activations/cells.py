"""The candidate cells of a layer: all that its masks can depend on, packed.

A pixel of an upsampled map exceeds the threshold only if one of the four cells of its stencil does,
so the cells above a lower bound of the threshold and their 3x3 neighbours are all that is kept.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Cells(NamedTuple):
    """What is kept of one layer for a block of N images."""

    above: np.ndarray
    """(N, ceil(h·w·U / 8)) uint8, a bit for each cell in the order (h, w, U): 1 if it exceeded the
    bound when it was taken. It is kept, and so are its 3x3 neighbours."""
    kept: np.ndarray
    """(N,) int64 cells kept of each image."""
    values: np.ndarray
    """(M,) float32 values of the kept cells, in that order, image after image."""
    mean: np.ndarray
    """(N, U) float32 mean of each map; (N, 0) where nobody asks for it."""
    maximum: np.ndarray
    """(N, U) float32 maximum of each map."""
    bound: np.ndarray
    """(U,) float32 bound of the thresholds when the block ended."""
    ties: np.ndarray
    """(U,) int64 cells that equal this bound and were not above an earlier one, or fewer."""


CANDIDATES = ("above", "kept", "values", "bound")
"""The arrays of `Cells` that masks are made of; the others are pooled."""


def pack(cells: Tensor, above: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``above``, ``kept`` and ``values`` of `Cells`.

    Parameters
    ----------
    cells : Tensor
        (N, h, w, U) float32, contiguous.
    above : Tensor
        (N, h, w, U) bool.
    """
    kept = neighbourhood(above)
    values = cells.view(-1).index_select(0, where(kept))
    bits = np.packbits(above.flatten(1).cpu().numpy(), axis=1)
    return bits, kept.flatten(1).sum(1).cpu().numpy(), values.cpu().numpy()


def unpack(cells: Cells, grid: tuple[int, int], images: np.ndarray) -> np.ndarray:
    """Return the maps of some images, -inf where a cell was not kept, as (n, h, w, U) float32.

    Parameters
    ----------
    cells : Cells
        Of N images.
    grid : (int, int)
        (h, w) of the layer.
    images : ndarray
        (n,) int64 places in the block.
    """
    kept = neighbourhood(torch.from_numpy(above_of(cells, grid, images)))
    values = np.concatenate(values_of(cells, images))
    maps = torch.full(kept.shape, -torch.inf)
    maps.view(-1).index_copy_(0, where(kept), torch.from_numpy(values))
    return maps.numpy()


def values_of(cells: Cells, images: np.ndarray) -> list[np.ndarray]:
    """Return the values of the kept cells of each of some images."""
    ends = np.cumsum(cells.kept)
    starts = ends - cells.kept
    return [cells.values[starts[i] : ends[i]] for i in images]


def above_of(cells: Cells, grid: tuple[int, int], images: np.ndarray) -> np.ndarray:
    """Return which cells of some images were above the bound, as (n, h, w, U) bool."""
    shape = (*grid, len(cells.bound))
    bits = np.unpackbits(cells.above[images], axis=1, count=math.prod(shape))
    return bits.view(bool).reshape(-1, *shape)


def prune(cells: Cells, bound: np.ndarray, grid: tuple[int, int]) -> Cells:
    """Return the cells without those that no stencil above a risen bound needs.

    Parameters
    ----------
    cells : Cells
        Of one layer.
    bound : ndarray
        (U,) float32 lower bound of the thresholds.
    grid : (int, int)
        (h, w) of the layer.
    """
    parts = []
    for images in np.array_split(np.arange(len(cells.kept)), -(-len(cells.kept) // PRUNE_CHUNK)):
        maps = torch.from_numpy(unpack(cells, grid, images))
        parts.append(pack(maps, maps > torch.from_numpy(bound)))
    above, kept, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    bound = np.maximum(cells.bound, bound)
    return cells._replace(above=above, kept=kept, values=values, bound=bound)


PRUNE_CHUNK = 8
"""Images pruned at once."""


def where(mask: Tensor) -> Tensor:
    """Return the places of a flattened bool tensor that are true, int64 and ascending.

    On the CPU numpy finds them, five times faster than `torch.nonzero`.
    """
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero()[:, 0]


def repeat(values: Tensor, counts: Tensor) -> Tensor:
    """Return each value as often as its count says; on the CPU numpy does, twice as fast."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.repeat(values.numpy(), counts.numpy()))
    return values.repeat_interleave(counts)


def neighbourhood(above: Tensor) -> Tensor:
    """Return the cells that share a stencil with one above the bound: each and its 3x3 neighbours.

    Parameters
    ----------
    above : Tensor
        (N, h, w, U) bool.

    Returns
    -------
    Tensor
        (N, h, w, U) bool.
    """
    wide = above.clone()
    wide[:, :, 1:] |= above[:, :, :-1]
    wide[:, :, :-1] |= above[:, :, 1:]
    result = wide.clone()
    result[:, 1:] |= wide[:, :-1]
    result[:, :-1] |= wide[:, 1:]
    return result
