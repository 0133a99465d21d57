"""What is taken from a layer while the network runs: pooled values, tail, candidate cells."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import Cells, above_of, pack, prune, unpack, where
from dissection.activations.quantile import Tail

SELECT_GROWTH = 1.15
"""The bound is raised whenever this many times more images were seen. A bound that lags keeps more
cells than it needs to, selecting more often takes longer than it saves."""


CHUNK_CELLS = 1 << 20
"""Cells compared and copied at once, so that little besides them is in memory."""


FEW = 4
"""Units are picked for a comparison if no more than one in so many is to be compared: picking takes
as long as three comparisons."""


Packed = tuple[np.ndarray, np.ndarray, np.ndarray]

_NO_TIES = np.empty(0, np.int64)


class NotFiniteError(ValueError):
    """A map holds NaN or an infinite value."""


class LayerCollector(Protocol):
    """Takes from one layer, batch by batch, what is to be kept of it."""

    tail: Tail | None
    """The largest values so far, where thresholds are asked for."""

    def __call__(self, maps: Tensor) -> None:
        """Take a batch of maps, (N, U, h, w) float32, only looked at during the call.

        Raises
        ------
        NotFiniteError
            If a value is not finite. Its arguments are the image's place in the shard and the unit.
        """

    def take(self, grid: tuple[int, int]) -> Cells:
        """Return what was collected since the last call, the cells of one shard of (h, w) maps."""

    def restore(self, cells: Cells, grid: tuple[int, int]) -> None:
        """Continue behind a shard that was collected earlier, as if it had just been taken."""


class Collector(LayerCollector):
    """Take from one layer what its threshold and masks can depend on, batch by batch.

    Parameters
    ----------
    units : int
        U.
    tail_size : int
        K, from `quantile.tail_size` and all N images of the probe set.
    device : torch.device or str
        Where the maps are.
    presumed : callable, optional
        The rank to which the bound may rise after so many images, see `sampling.presumed_size`; by
        default K, which holds always.
    means : bool
        Keep the mean of each map.
    floor : Tensor, optional
        (U,) float32, no threshold is below it.

    Attributes
    ----------
    tail : Tail
        The largest values so far.
    """

    tail: Tail

    def __init__(
        self,
        units: int,
        tail_size: int,
        device: torch.device | str,
        presumed: Callable[[int], int] | None = None,
        means: bool = True,
        floor: Tensor | None = None,
    ):
        self.tail = Tail(units, tail_size, device)
        self._presumed, self._means, self._floor = presumed, means, floor
        self._all_added = True
        self._seen = 0
        self._images = 0
        self._batches: list[Cells] = []
        self._ties = torch.zeros_like(self.tail.ties)

    def __call__(self, maps: Tensor) -> None:
        """Take a batch of maps, see `LayerCollector`."""
        cells = maps.permute(0, 2, 3, 1).contiguous()
        maximum, mean = cells.amax((1, 2)), cells.mean((1, 2))
        self._check_finite(cells, maximum, mean)
        parts = cells.split(max(1, CHUNK_CELLS // cells[0].numel()))
        if _due(self._seen, self._seen + len(maps)):
            kept = self._raise_bound(parts, self._seen + len(maps))
        else:
            kept = self._below_bound(parts)
        above, number, values = (np.concatenate(part) for part in zip(*kept, strict=True))
        bound = self.tail.bound.cpu().numpy().copy()
        means = mean.cpu().numpy() if self._means else np.empty((len(maps), 0), np.float32)
        most = maximum.cpu().numpy()
        self._batches.append(Cells(above, number, values, means, most, bound, _NO_TIES))
        self._seen += len(maps)
        self._images += len(maps)

    def take(self, grid: tuple[int, int]) -> Cells:
        """Return the cells of one shard, see `LayerCollector`."""
        bound = self.tail.bound.cpu().numpy().copy()
        if self._seen == self._images:
            # the first shard's batches kept cells by bounds far below the one at its end
            for place, batch in enumerate(self._batches):
                self._batches[place] = prune(batch, bound, grid)
            self._ties = self.tail.ties.clone()
        parts = [np.concatenate(part) for part in zip(*self._batches, strict=True)]
        ties = self._ties.cpu().numpy().copy()
        self._batches, self._images = [], 0
        self._ties.zero_()
        return Cells(*parts)._replace(bound=bound, ties=ties)

    def restore(self, cells: Cells, grid: tuple[int, int]) -> None:
        """Continue behind a shard, see `LayerCollector`.

        The tail is given the values that exceed the bound: a superset of the final tail's.
        """
        device, tail = self.tail.bound.device, self.tail
        self._raise_to_floor()
        own = torch.from_numpy(cells.bound.copy()).to(device)
        tail.raise_to(own)
        tail.ties += torch.where(own == tail.bound, torch.from_numpy(cells.ties).to(device), 0)
        self._all_added = False
        for image in range(len(cells.maximum)):
            maps = torch.from_numpy(unpack(cells, grid, np.array([image]))).to(device)
            above = where(maps > tail.bound)
            tail.add(maps.view(-1).index_select(0, above), above % len(own))
            # those that equal a bound risen since were above the bound of their time
            held = torch.from_numpy(above_of(cells, grid, np.array([image]))).to(device)
            tail.ties += (held & (maps == tail.bound)).sum((0, 1, 2))
        self._seen += len(cells.maximum)

    def _count_ties(self, parts: Sequence[Tensor], risen: Tensor) -> None:
        """Count what equals the bound, unless that was one value when the bound rose to it.

        Then there seldom are more; of a bound that other images gave, all are to be counted.
        """
        wanted = risen | (self.tail.ties != 1) | (self._floor is not None)
        tied = where(wanted)
        if not len(tied):
            return
        if FEW * len(tied) > len(wanted):
            tied = torch.arange(len(wanted), device=tied.device)
        bound = self.tail.bound.index_select(0, tied)

        def counted(part: Tensor) -> Tensor:
            some = part if len(tied) == len(wanted) else part.index_select(3, tied)
            return (some == bound).sum((0, 1, 2))

        found = torch.stack([counted(part) for part in parts]).sum(0)
        equal = torch.zeros_like(self._ties).index_add_(0, tied, found) * wanted
        # the tail holds those of this batch that a risen bound equals, and counted them; the shard
        # will hold only what was above the bound before it rose
        self.tail.ties += torch.where(risen, 0, equal)
        first = torch.minimum(equal, self.tail.ties)
        self._ties = torch.where(risen, first, self._ties + equal)

    def _raise_bound(self, parts: Sequence[Tensor], seen: int) -> list[Packed]:
        """Add a batch to the tail, raise the bound, and return what is above it."""
        before = self.tail.bound
        for part in parts:
            self._add(part, None if self._all_added else where(part > before))
        self._raise_to_floor()
        self.tail.select(self._presumed and self._presumed(seen))
        self._all_added &= not torch.isfinite(self.tail.bound).all()
        self._count_ties(parts, self.tail.bound > before)
        return [pack(part, part > self.tail.bound) for part in parts]

    def _below_bound(self, parts: Sequence[Tensor]) -> list[Packed]:
        """Add a batch to the tail and return what is above the bound, which stays."""
        found = []
        for part in parts:
            above = part > self.tail.bound
            self._add(part, None if self._all_added else where(above))
            found.append(pack(part, above))
        self._count_ties(parts, torch.zeros_like(self.tail.bound, dtype=torch.bool))
        return found

    def _raise_to_floor(self) -> None:
        """Raise the bound to the floor once the tail holds what equals it."""
        if self._floor is not None:
            self.tail.raise_to(self._floor)

    def _add(self, part: Tensor, above: Tensor | None) -> None:
        """Add what is at some places of a part to the tail, or all of it."""
        if above is None:
            self.tail.add_all(part.flatten(0, 2).t())
            return
        # few are above once the bound has risen; the first batches are added bit by bit
        for place in above.split(CHUNK_CELLS // 8):
            self.tail.add(part.view(-1).index_select(0, place), place % part.shape[3])

    def _check_finite(self, cells: Tensor, maximum: Tensor, mean: Tensor) -> None:
        # a mean can overflow where no value is infinite, so it only says where to look
        if torch.isfinite(mean).all() and torch.isfinite(maximum).all():
            return
        wrong = (~torch.isfinite(cells)).flatten(1, 2).any(1).nonzero()
        if len(wrong):
            image, unit = wrong[0].tolist()
            raise NotFiniteError(self._images + image, unit)


def _due(before: int, after: int) -> bool:
    """Return whether the bound is raised between these numbers of images, whatever came before."""
    if before == 0:
        return True
    return _step(before) < _step(after)


def _step(images: int) -> int:
    return math.floor(math.log(images) / math.log(SELECT_GROWTH))
