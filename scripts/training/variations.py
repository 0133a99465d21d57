"""Variations of images in training: shifts, flips and brightness, and their maps with them."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dissection.networks.preprocessing import Preprocessing


class Moves(NamedTuple):
    """Which row and column each pixel of a moved image comes from: int64 (N, side) each."""

    rows: Tensor
    columns: Tensor


def moves(count: int, side: int, rng: np.random.Generator) -> Moves:
    """Draw by how much images of a side are shifted, and which of them are flipped."""
    reach = max(side // 14, 1)
    rows = _places(side, rng.integers(-reach, reach + 1, count))
    columns = _places(side, rng.integers(-reach, reach + 1, count))
    flipped = torch.from_numpy(rng.random(count) < 0.5)[:, None]
    return Moves(rows, torch.where(flipped, columns.flip(1), columns))


def augmented(
    pixels: Tensor,
    preprocessing: Preprocessing,
    rng: np.random.Generator,
    moved: Moves | None = None,
) -> Tensor:
    """Flip, shift and brighten uint8 images (N, h, w, 3) at random, and normalise them."""
    n, side = pixels.shape[:2]
    rows, columns = moved or moves(n, side, rng)
    x = preprocessing.normalise(
        pixels[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    )
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (n, 1, 1, 1)).astype(np.float32))
    black = torch.tensor(preprocessing.mean) / torch.tensor(preprocessing.std)
    return x.mul_(gain).add_((gain - 1) * black[:, None, None])


def shifted(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return maps (N, C, g, g) moved as their images are, which have more pixels.

    rows, columns : int64 (N, side), where the rows and columns of the images come from.
    """
    n, channels, side = maps.shape[:3]
    step = rows.shape[1] / side
    middles = ((torch.arange(side) + 0.5) * step).long()
    down, across = ((places[:, middles] / step).long() for places in (rows, columns))
    numbers, planes = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
    return maps[numbers, planes, down[:, None, :, None], across[:, None, None, :]]


def _places(side: int, shifts: np.ndarray) -> Tensor:
    """Return shifted coordinates (N, side), mirrored at the border."""
    places = np.abs(np.arange(side) + shifts[:, None])
    return torch.from_numpy(np.minimum(places, 2 * (side - 1) - places))
