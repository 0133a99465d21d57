"""Whether the cells of a layer's grid are places in the image: change a corner and see which do."""

from collections.abc import Iterator

import torch
from torch import Tensor

from dissection.networks.layouts import Grid

__all__ = ["Corners", "corner_images"]

CHANGED = 8
"""A side of a corner is this part of the image's."""

NEAR = 4
"""A hit is within this part of the grid's side: fields of view are wide, paddings shift them."""


def corner_images(size: Grid, seed: int, channels: int = 3) -> Tensor:
    """Return an image of noise, and that image with another noise in each of its corners.

    Parameters
    ----------
    size
        Height and width in pixels.
    seed
        Of the noise.
    channels
        Of the images.

    Returns
    -------
    (5, channels, h, w) float32 Tensor on the CPU, about as large as normalised images.
    """
    made = torch.Generator().manual_seed(seed)
    first, other = torch.rand(2, channels, *size, generator=made) * 4 - 2
    images = first.repeat(5, 1, 1, 1)
    sides = [max(1, side // CHANGED) for side in size]
    for place, (y, x) in enumerate(_corners(size)):
        rows = slice(max(0, y - sides[0] + 1), y + sides[0])
        columns = slice(max(0, x - sides[1] + 1), x + sides[1])
        images[place + 1, :, rows, columns] = other[:, rows, columns]
    return images


def _corners(grid: Grid) -> Iterator[tuple[int, int]]:
    """Yield row and column of the corners."""
    for y in (0, grid[0] - 1):
        for x in (0, grid[1] - 1):
            yield y, x


class Corners:
    """Count how often the cells of corners changed most, over several images.

    Three of four is enough: by chance it is rare, and a trained network may care little for noise.
    """

    def __init__(self) -> None:
        self._hits = self._trials = 0

    def see(self, maps: Tensor) -> None:
        """Take a layer's maps of `corner_images`, (5, U, h, w)."""
        grid = (maps.shape[2], maps.shape[3])
        near = [max(1, side // NEAR) if side > 2 else 0 for side in grid]
        change = (maps[1:].double() - maps[:1].double()).abs().sum(1)
        for place, (y, x) in enumerate(_corners(grid)):
            if not torch.isfinite(change[place]).all() or change[place].max() == 0:
                continue
            row, column = divmod(int(change[place].argmax()), grid[1])
            self._trials += 1
            self._hits += abs(row - y) <= near[0] and abs(column - x) <= near[1]

    @property
    def certain(self) -> bool:
        """Whether each cell changed most where it should, so that another image tells no more."""
        return self._hits == self._trials

    @property
    def placed(self) -> bool | None:
        """Whether the cells are places in the image; None where nothing changed."""
        return self._hits * 4 >= self._trials * 3 if self._trials else None
