"""The exact top quantile of every unit, from one pass over the activations in any order.

Of N·h·w activations of a unit, k = floor(q·N·h·w) may exceed its threshold, so the threshold is
the K-th largest value with K = k + 1. While the values stream by, the K largest seen so far are
kept: the smallest of them is a lower bound of the threshold that only rises, and a value that does
not exceed it can be forgotten.

The bound may also be presumed: raised to a value of less rank, from `sampling.presumed_size`, that
the threshold reaches all but surely. Whether it did shows in the end: a K-th largest of the values
kept that reaches the bound is the K-th largest of all, because all above the bound are kept and
those that equal it counted. Where it does not, images run again. Nothing here is approximate.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dissection.activations.ranking import SELECT_CHUNK, kth_largest, largest_first, nth_largest

SPARE = 2048
"""Values a unit that a tail has room for beside the K largest; K / 8 if that is more."""


def tail_size(quantile: float, cells: int) -> int:
    """Return K, the rank of the threshold among a unit's activations, largest first.

    Parameters
    ----------
    quantile : float
        Share q of the activations that may exceed the threshold, in [0, 1).
    cells : int
        Activations of a unit over the whole probe set, N·h·w.

    Raises
    ------
    ValueError
        If the quantile is outside [0, 1) or there are no cells.

    Examples
    --------
    >>> tail_size(0.005, 600 * 49)
    148
    """
    if not 0 <= quantile < 1:
        raise ValueError(f"the quantile must be at least 0 and below 1, got {quantile}")
    if cells < 1:
        raise ValueError(f"a quantile needs at least one activation, got {cells}")
    return math.floor(quantile * cells) + 1


class Tail:
    """The K largest of all values added, for each of U units.

    Parameters
    ----------
    units : int
        U.
    size : int
        K.
    device : torch.device or str
        Where the values live.

    Attributes
    ----------
    bound : Tensor
        (U,) float32: -inf until enough values were seen, then the largest value that a `select`
        found. Only values that exceed it need to be added.
    ties : Tensor
        (U,) int64, how many values equal the bound, or fewer; those that are not added are to be
        counted here.
    """

    def __init__(self, units: int, size: int, device: torch.device | str = "cpu"):
        self.size = size
        self.bound = torch.full((units,), -torch.inf, device=device)
        self.ties = torch.zeros(units, dtype=torch.int64, device=device)
        columns = size + max(size // 8, SPARE)
        self._values = torch.full((units, columns), -torch.inf, device=device)
        self._fill = torch.zeros(units, dtype=torch.int64, device=device)

    def add(self, values: Tensor, unit: Tensor) -> None:
        """Add values of any units.

        Parameters
        ----------
        values : Tensor
            (M,) float32, finite.
        unit : Tensor
            (M,) int64, the unit each belongs to.
        """
        counts = torch.bincount(unit, minlength=len(self._fill))
        self._append(values, unit, counts, int((self._fill + counts).max()), int(counts.max()))

    def add_all(self, values: Tensor) -> None:
        """Add equally many values of every unit to a tail to which nothing else was added.

        Parameters
        ----------
        values : Tensor
            (U, M) float32, finite.
        """
        for part in values.split(max(4 * self.size, self._values.shape[1] - self.size), dim=1):
            if part.shape[1] > self.size:
                part = part.clone(memory_format=torch.contiguous_format)
                largest_first(part, self.size)
                part = part[:, : self.size]
            used = self._most()
            if used + part.shape[1] > self._values.shape[1]:
                self._keep_largest()
                used = self.size
                self._reserve(used + part.shape[1])
            self._values[:, used : used + part.shape[1]] = part
            self._fill_all(used + part.shape[1])

    def _append(self, values: Tensor, unit: Tensor, counts: Tensor, needed: int, most: int) -> None:
        """Add values of any units, at most `most` of one, which then holds at most `needed`."""
        if needed > self._values.shape[1] and self._most() > self.size:
            self._keep_largest()
            needed = self.size + most
        self._reserve(needed)
        place(self._values, self._fill, values, unit, counts)
        self._fill = self._fill + counts

    def select(self, rank: int | None = None) -> Tensor:
        """Raise the bound to a value of those added and return it, (U,) float32.

        Parameters
        ----------
        rank : int, optional
            1 for the largest value. By default K, below which no threshold can be.
        """
        rank = self.size if rank is None else min(rank, self.size)
        if self._most() >= rank:
            self.raise_to(self._at(rank))
        return self.bound

    def raise_to(self, bound: Tensor) -> None:
        """Raise the bound to (U,) float32 where that is higher, and count what equals it."""
        bound = torch.maximum(self.bound, bound)
        rows = max(1, SELECT_CHUNK // self._values.shape[1])
        filled = self._values[:, : max(1, self._most())]
        parts = zip(filled.split(rows), bound.split(rows), strict=True)
        equal = torch.cat([(values == part[:, None]).sum(1) for values, part in parts])
        self.ties = torch.where(bound > self.bound, equal, self.ties)
        self.bound = bound

    def threshold(self, total: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the K-th largest of the values added, (U,) float32, -inf where there are fewer.

        It is that of all activations if it reaches the bound.

        Parameters
        ----------
        total : callable
            Sums an int64 tensor over the ranks, whose tails count as one.
        """
        return self.thresholds(total, [self.size])[0]

    def thresholds(self, total: Callable[[Tensor], Tensor], ranks: Sequence[int]) -> Tensor:
        """Return the values of some ranks up to K, (T, U) float32, as `threshold` does of K."""
        self._keep_largest()
        # -0.0 and 0.0 are equal, but not to the bisection
        kept = self._values[:, : self.size] + 0.0
        return kth_largest(kept, ranks, total, self.bound, self.ties)

    def _at(self, rank: int) -> Tensor:
        """Return the value of a rank, -inf where fewer values were added."""
        if rank == self.size:
            self._keep_largest()
            lowest = self._values[:, :rank].amin(1)
        else:
            lowest = nth_largest(self._values[:, : self._most()], rank)
        return lowest + 0.0

    def _keep_largest(self) -> None:
        """Forget all but the K largest; a unit with fewer keeps -inf in their place."""
        used = max(self._most(), self.size)
        largest_first(self._values[:, :used], self.size)
        self._values[:, self.size : used] = -torch.inf
        self._fill_all(self.size)

    def _most(self) -> int:
        return int(self._fill.max())

    def _fill_all(self, columns: int) -> None:
        self._fill = torch.full_like(self._fill, columns)

    def _reserve(self, columns: int) -> None:
        """Make room for that many values a unit; seldom more than there is."""
        units, have = self._values.shape
        if columns > have:
            empty = self._values.new_full((units, columns - have), -torch.inf)
            self._values = torch.cat([self._values, empty], dim=1)


def place(buffer: Tensor, fill: Tensor, values: Tensor, unit: Tensor, counts: Tensor) -> None:
    """Write each unit's values behind those its row of the buffer already holds.

    Parameters
    ----------
    buffer, fill : Tensor
        (U, C), written in place, and (U,) int64 values each row holds.
    values, unit, counts : Tensor
        (M,), (M,) int64, and (U,) int64 values of each unit, with fill + counts <= C.
    """
    order = _by_unit(unit)
    behind = fill - (torch.cumsum(counts, 0) - counts)
    unit = unit.index_select(0, order)
    column = torch.arange(unit.shape[0], device=unit.device) + behind.index_select(0, unit)
    row = unit * buffer.shape[1]
    buffer.view(-1).index_copy_(0, row + column, values.index_select(0, order))


def _by_unit(unit: Tensor) -> Tensor:
    """Return the order that sorts by unit; numpy counts 16-bit integers instead of comparing."""
    if unit.device.type == "cpu":
        narrow = np.uint16 if len(unit) and int(unit.max()) < 2**16 else np.int64
        return torch.from_numpy(unit.numpy().astype(narrow).argsort(kind="stable"))
    return torch.argsort(unit, stable=True)
