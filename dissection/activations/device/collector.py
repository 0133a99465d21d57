"""What is taken from a layer on a device: the same as on the CPU, without waiting for the device.

What a batch gives is worked out on the device and sent to the host while the next batch is in the
network. Only then the host knows how many cells are kept, which their compaction and the tail need:
both follow a batch behind, and so do the bounds. A bound that lags keeps more cells than it needs
to, and changes no threshold.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import Cells, above_of, neighbourhood, unpack
from dissection.activations.collect import LayerCollector, NotFiniteError, _due
from dissection.activations.device.courier import Courier
from dissection.activations.device.packing import chosen, packed, running
from dissection.activations.device.tail import CountedTail
from dissection.activations.pooled import no_cells

__all__ = ["DeviceCollector"]


@dataclass
class _Batch:
    """A batch whose arrays arrive one after another."""

    images: int
    offset: int
    """Images of its shard that came before."""
    wanted: frozenset[str]

    def __post_init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    @property
    def complete(self) -> bool:
        return self.wanted <= self.arrays.keys()

    def not_finite(self) -> tuple[int, int] | None:
        """Return image and unit of the first map that has arrived and is not finite."""
        if not {"maximum", "minimum"} <= self.arrays.keys():
            return None
        # each of the two is NaN where any value is
        finite = np.isfinite(self.arrays["maximum"]) & np.isfinite(self.arrays["minimum"])
        if finite.all():
            return None
        image, unit = np.argwhere(~finite)[0].tolist()
        return self.offset + image, unit


_POOLED = frozenset({"maximum", "minimum"})
_ALL = _POOLED | {"above", "kept", "values", "bound", "tied"}


class DeviceCollector(LayerCollector):
    """Take from one layer what its threshold and masks can depend on, see `collect.Collector`.

    Parameters
    ----------
    units : int
        U.
    tail_size : int or None
        K; None where only the mean and the maximum of each map are asked for.
    device : torch.device or str
        Where the maps are.
    presumed : callable, optional
        See `collect.Collector`.
    courier : Courier, optional
        What brings things to the host; shared by the layers, and told to send after each batch.
    floor : Tensor, optional
        (U,) float32, no threshold is below it.
    means : bool
        Keep the mean of each map.
    """

    tail: CountedTail | None

    def __init__(
        self,
        units: int,
        tail_size: int | None,
        device: torch.device | str,
        presumed: Callable[[int], int] | None = None,
        courier: Courier | None = None,
        floor: Tensor | None = None,
        means: bool = True,
    ):
        self.tail = None if tail_size is None else CountedTail(units, tail_size, device)
        if self.tail is not None and floor is not None:
            self.tail.bound = floor
        self._units, self._presumed, self._means = units, presumed, means
        self._courier = courier or Courier(torch.device(device))
        self._bounded = floor is not None
        self._seen = 0
        self._sent = True
        self._open: list[_Batch] = []
        self._closed: deque[list[_Batch]] = deque()

    def __call__(self, maps: Tensor) -> None:
        """Take a batch of maps, see `LayerCollector`; what is not finite shows later."""
        if not self._sent:
            # of a layer alone, with a courier of its own
            self._courier.send()
        self.check()
        # what the network writes over after this call is needed once more
        cells = maps.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
        offset = sum(batch.images for batch in self._open)
        batch = _Batch(len(cells), offset, _POOLED if self.tail is None else _ALL)
        self._open.append(batch)
        self._sent = False
        if self._means:
            self._send(batch, "mean", cells.mean((1, 2)))
        else:
            batch.arrays["mean"] = np.empty((len(cells), 0), np.float32)
        self._send(batch, "minimum", cells.amin((1, 2)))
        self._send(batch, "maximum", cells.amax((1, 2)))
        if self.tail is not None:
            self._compare(batch, cells, self.tail)

    def after_batch(self) -> None:
        """Take note that the courier was told to send what the last batch gave.

        Raises
        ------
        NotFiniteError
            If a batch of the shard whose images are in the network was not finite.
        """
        self._sent = True
        self.check()

    def check(self) -> None:
        """Raise NotFiniteError if a batch of the open shard that has arrived was not finite."""
        _check(self._open)

    def close_shard(self) -> None:
        """Take note that the batches so far are a shard, to be taken later."""
        self._closed.append(self._open)
        self._open = []

    @property
    def ready(self) -> bool:
        """Whether the oldest closed shard has arrived."""
        return bool(self._closed) and all(batch.complete for batch in self._closed[0])

    def take(self, grid: tuple[int, int]) -> Cells:
        """Return the cells of the oldest closed shard, else of the open one; wait for them.

        Raises
        ------
        NotFiniteError
            If one is not finite; its image is the place in that shard.
        """
        if not self._closed:
            self.close_shard()
        if not self.ready:
            self._courier.flush()
            self._sent = True
        batches = self._closed.popleft()
        _check(batches)
        parts = {
            name: np.concatenate([batch.arrays[name] for batch in batches])
            for name in ("above", "kept", "values", "mean", "maximum")
            if name in batches[0].arrays
        }
        if self.tail is None:
            return no_cells(parts["mean"], parts["maximum"])
        parts["kept"] = parts["kept"].astype(np.int64)
        bound = batches[-1].arrays["bound"].copy()
        # what equals it is above the bounds of batches that had a lower one
        ties = np.zeros(len(bound), np.int64)
        for batch in batches:
            ties += np.where(batch.arrays["bound"] == bound, batch.arrays["tied"], 0)
        return Cells(**parts, bound=bound, ties=ties)

    def restore(self, cells: Cells, grid: tuple[int, int]) -> None:
        """Continue behind a shard, see `LayerCollector`."""
        if self.tail is None:
            return
        device = self.tail.bound.device
        self.tail.raise_to(torch.from_numpy(cells.bound.copy()).to(device))
        bound = self.tail.bound.cpu().numpy()
        self._bounded = bool(np.isfinite(bound).all())
        ties = np.where(cells.bound == bound, cells.ties, 0)
        for image in range(len(cells.maximum)):
            maps = unpack(cells, grid, np.array([image])).reshape(-1, self._units)
            held = above_of(cells, grid, np.array([image])).reshape(-1, self._units)
            ties += (held & (maps == bound)).sum(0)
            cell, unit = np.nonzero(maps > bound)
            counts = np.bincount(unit, minlength=self._units)
            values, of, here = (
                torch.from_numpy(part).to(device) for part in (maps[cell, unit], unit, counts)
            )
            self.tail.add_counted(values, of, here, counts)
        self.tail.ties += torch.from_numpy(ties).to(device)
        self._seen += len(cells.maximum)

    def _send(self, batch: _Batch, name: str, tensor: Tensor) -> None:
        self._courier.add(tensor, partial(batch.arrays.__setitem__, name))

    def _compare(self, batch: _Batch, cells: Tensor, tail: CountedTail) -> None:
        """Choose the cells above the bound and around them; see to it that both are taken."""
        bounded = self._bounded
        if not bounded:
            # all of them, as many as the host knows
            tail.add_all(cells.flatten(0, 2).t())
            self._raise_bound(tail, batch.images)
        above = cells > tail.bound
        keep = neighbourhood(above).flatten(1)
        self._send(batch, "above", packed(above.flatten(1)))
        self._send(batch, "bound", tail.bound)
        tied = (cells == tail.bound).sum((0, 1, 2), dtype=torch.int32)
        self._send(batch, "tied", tied)
        kept = running(keep)

        def counted(number: np.ndarray) -> None:
            batch.arrays["kept"] = number
            place = chosen(kept, int(number.sum()))
            self._send(batch, "values", cells.view(-1).index_select(0, place))

        self._courier.add(keep.sum(1, dtype=torch.int32), counted)
        if bounded:
            self._add_later(cells, above, batch.images, tail)

    def _add_later(self, cells: Tensor, above: Tensor, images: int, tail: CountedTail) -> None:
        """Add what is above the bound to the tail once the host knows how much it is."""
        before, here = running(above), above.sum((0, 1, 2), dtype=torch.int32)

        def counted(number: np.ndarray) -> None:
            place = chosen(before, int(number.sum()))
            values = cells.view(-1).index_select(0, place)
            tail.add_counted(values, place % self._units, here.long(), number.astype(np.int64))
            # the bound may have risen since: what equals it now was above it then
            tail.ties = tail.ties + (cells == tail.bound).sum((0, 1, 2))
            self._raise_bound(tail, images)

        self._courier.add(here, counted)

    def _raise_bound(self, tail: CountedTail, images: int) -> None:
        """Raise the bound if it is due after so many more images."""
        before, self._seen = self._seen, self._seen + images
        if _due(before, self._seen):
            rank = self._presumed and self._presumed(self._seen)
            tail.select(rank)
            self._bounded = self._bounded or tail.holds(rank)


def _check(batches: list[_Batch]) -> None:
    for batch in batches:
        if (place := batch.not_finite()) is not None:
            raise NotFiniteError(*place)
