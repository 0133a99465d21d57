"""The exact top quantile of every unit, from one pass over the activations in any order.

Of N·h·w activations of a unit, k = floor(q·N·h·w) may exceed its threshold, so the threshold is
the K-th largest value with K = k + 1. While the values stream by, the K largest seen so far are
kept: the smallest of them is a lower bound of the threshold that only rises, and a value that does
not exceed it can be forgotten.

Where the images come in an order that has nothing to do with them, a far higher bound holds all but
surely: of the r largest values so far, r from `presumed_size`. Whether it held shows in the end: a
K-th largest value of those kept that reaches every bound is the K-th largest of all. Where it does
not, those images run again. So nothing here is approximate, and nothing knows images or files.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SELECT_CHUNK = 1 << 21
"""Values selected from at once: bounds the index memory of a selection to 16 MiB."""

DOUBT = 1e-4
"""Chance, at most, that a presumed bound is too high and images run again: once in a unit, if all
activations of an image were above the threshold or none. They cluster less, so it is rarer."""

_NATS = -math.log(DOUBT)

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


def presumed_size(quantile: float, seen: int, images: int, cells: int) -> int:
    """Return the rank among the activations seen that no threshold is below, all but surely.

    Of all images' activations at most the share q exceeds the threshold. The images seen are a
    sample without replacement; each adds a number between 0 and its h·w cells. By Hoeffding (1963,
    theorem 1 and section 6) the chance that they hold the share p > q is at most
    exp(-n·KL(p, q)), KL(p, q) = p ln(p / q) + (1 - p) ln((1 - p) / (1 - q)), however the
    activations cluster in images. The rank is that of the p whose chance is `DOUBT`, or K itself
    where that is less, which holds always.

    Parameters
    ----------
    quantile : float
        q.
    seen, images : int
        Images seen so far, n, and of the probe set, N.
    cells : int
        Activations of a unit on an image, h·w.

    Examples
    --------
    >>> presumed_size(0.005, 1000, 63305, 49), tail_size(0.005, 63305 * 49)
    (848, 15510)
    >>> presumed_size(0.005, 600, 600, 49), tail_size(0.005, 600 * 49)
    (148, 148)
    """
    exact = tail_size(quantile, images * cells)
    if quantile == 0:
        return exact
    low, high = quantile, 1.0
    for _ in range(50):
        share = (low + high) / 2
        low, high = (low, share) if seen * _divergence(share, quantile) > _NATS else (share, high)
    return min(exact, math.ceil(high * seen * cells) + 1)


def _divergence(p: float, q: float) -> float:
    """Return KL(p, q) of two coins, 0 < q <= p < 1."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


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
    """

    def __init__(self, units: int, size: int, device: torch.device | str = "cpu"):
        self.size = size
        self.bound = torch.full((units,), -torch.inf, device=device)
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
        needed = int((self._fill + counts).max())
        if needed > self._values.shape[1] and self._most() > self.size:
            self._keep_largest()
            needed = self.size + int(counts.max())
        self._reserve(needed)
        place(self._values, self._fill, values, unit, counts)
        self._fill = self._fill + counts

    def add_all(self, values: Tensor) -> None:
        """Add equally many values of every unit to a tail to which nothing else was added.

        Parameters
        ----------
        values : Tensor
            (U, M) float32, finite.
        """
        for part in values.split(self._values.shape[1] - self.size, dim=1):
            used = self._most()
            if used + part.shape[1] > self._values.shape[1]:
                self._keep_largest()
                used = self.size
            self._values[:, used : used + part.shape[1]] = part
            self._fill_all(used + part.shape[1])

    def select(self, rank: int | None = None) -> Tensor:
        """Raise the bound to a value of those added and return it, (U,) float32.

        Parameters
        ----------
        rank : int, optional
            1 for the largest value. By default K, below which no threshold can be.
        """
        rank = self._rank(rank)
        if self._most() >= rank:
            self.bound = torch.maximum(self.bound, self._at(rank))
        return self.bound

    def threshold(self, total: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the K-th largest of the values added, (U,) float32, -inf where there are fewer.

        It is that of all activations if it reaches the bound.

        Parameters
        ----------
        total : callable, optional
            Sums an int64 tensor over the ranks, whose tails count as one.
        """
        if total is None:
            return self._at(self.size)
        self._at(self.size)
        return kth_largest(self._values[:, : self.size], self.size, total) + 0.0

    def _at(self, rank: int) -> Tensor:
        """Return the value of a rank, -inf where fewer values were added."""
        if rank == self.size:
            self._keep_largest()
            lowest = self._values[:, :rank].amin(1)
        else:
            lowest = nth_largest(self._values[:, : self._most()], rank)
        # of -0.0 and 0.0, which are equal, no order is the same everywhere: adding 0 leaves one
        return lowest + 0.0

    def _keep_largest(self) -> None:
        """Forget all but the K largest; a unit with fewer keeps -inf in their place."""
        used = max(self._most(), self.size)
        largest_first(self._values[:, :used], self.size)
        self._values[:, self.size : used] = -torch.inf
        self._fill_all(self.size)

    def _rank(self, rank: int | None) -> int:
        return self.size if rank is None else min(rank, self.size)

    def _most(self) -> int:
        """Return how many values the unit with most of them has."""
        return int(self._fill.max())

    def _fill_all(self, columns: int) -> None:
        """Take note that each unit has so many values."""
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
    buffer : Tensor
        (U, C), written in place.
    fill : Tensor
        (U,) int64, values each row holds.
    values : Tensor
        (M,).
    unit : Tensor
        (M,) int64.
    counts : Tensor
        (U,) int64, values of each unit, with fill + counts <= C.
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


def largest_first(values: Tensor, count: int) -> None:
    """Move the largest values of each row to its front, in no order.

    On the CPU numpy partitions, several times faster than `torch.topk`.

    Parameters
    ----------
    values : Tensor
        (U, M), reordered in place.
    count : int
        How many, at most M.
    """
    if values.device.type == "cpu":
        rows = values.numpy()
        np.negative(rows, out=rows)
        rows.partition(count - 1, axis=1)
        np.negative(rows, out=rows)
        return
    for part in values.split(max(1, SELECT_CHUNK // values.shape[1])):
        part[:, :count] = torch.topk(part, count, dim=1, sorted=False).values


def nth_largest(values: Tensor, rank: int) -> Tensor:
    """Return the value of a rank in each row, 1 for the largest.

    Parameters
    ----------
    values : Tensor
        (U, M), left as it is.
    rank : int
        At most M.
    """
    found = []
    for part in values.split(max(1, SELECT_CHUNK // values.shape[1])):
        if values.device.type == "cpu":
            place = part.shape[1] - rank
            found.append(torch.from_numpy(np.partition(part.numpy(), place, axis=1)[:, place]))
        else:
            found.append(torch.topk(part, rank, dim=1, sorted=False).values.amin(1))
    return torch.cat(found)


def kth_largest(values: Tensor, rank: int, total: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the largest value that at least ``rank`` values of the unit reach, over all ranks.

    Bisects the bits of the float, which in the order of `ordered` sort as the numbers do, so the
    result is exact after 32 sums over the ranks, whatever the values are.

    Parameters
    ----------
    values : Tensor
        (U, M) float32, this process's share.
    rank : int
        K, 1 for the largest value.
    total : callable
        Sums an int64 tensor over the ranks.

    Returns
    -------
    Tensor
        (U,) float32, -inf where there are fewer.
    """
    keys = ordered(values)
    # from -inf, the value of those that are missing
    low = keys.new_full(keys.shape[:1], ~0x7F800000, dtype=torch.int64)
    high = torch.full_like(low, 2**31)
    for _ in range(32):
        middle = (low + high) >> 1
        reached = total((keys >= middle[:, None]).sum(1)) >= rank
        low, high = torch.where(reached, middle, low), torch.where(reached, high, middle)
    return unordered(low)


def ordered(values: Tensor) -> Tensor:
    """Map float32 to int32 so that integers compare as the floats do (-0.0 just below 0.0)."""
    bits = values.contiguous().view(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def unordered(keys: Tensor) -> Tensor:
    """Undo `ordered`."""
    bits = keys.to(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)
