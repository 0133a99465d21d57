"""The tail of a layer whose size the host knows without asking the device."""

import numpy as np
import torch
from torch import Tensor

from dissection.activations.quantile import Tail

__all__ = ["CountedTail"]


class CountedTail(Tail):
    """A `Tail` that is told how many values of each unit are added.

    Parameters
    ----------
    units : int
        U.
    size : int
        K.
    device : torch.device or str
        Where the values live.
    """

    def __init__(self, units: int, size: int, device: torch.device | str):
        super().__init__(units, size, device)
        self._filled = np.zeros(units, np.int64)

    def add_counted(self, values: Tensor, unit: Tensor, here: Tensor, counts: np.ndarray) -> None:
        """Add values of any units, see `Tail.add`.

        Parameters
        ----------
        values : Tensor
            (M,) float32, finite.
        unit : Tensor
            (M,) int64, the unit each belongs to.
        here : Tensor
            (U,) int64 values of each unit, on the device.
        counts : ndarray
            (U,) the same on the host.
        """
        if len(values) == 0:
            return
        self._append(values, unit, here, int((self._filled + counts).max()), int(counts.max()))
        self._filled += counts

    def holds(self, rank: int | None) -> bool:
        """Tell whether a unit has so many values, by default K, see `Tail.select`."""
        return self._most() >= (self.size if rank is None else min(rank, self.size))

    def _most(self) -> int:
        return int(self._filled.max())

    def _fill_all(self, columns: int) -> None:
        super()._fill_all(columns)
        self._filled[:] = columns
