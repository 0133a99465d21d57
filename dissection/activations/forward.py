"""The one pass of the images through the network: shards to disk, tails in memory."""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from broden.probe import Probe
from dissection.activations.batches import batches
from dissection.activations.capture import capture
from dissection.activations.cells import Cells
from dissection.activations.collect import Collector, LayerCollector, NotFiniteError
from dissection.activations.device.collector import DeviceCollector
from dissection.activations.device.courier import Courier
from dissection.activations.device.exactness import exact_convolutions
from dissection.activations.device.uploading import pinned, sent, uploaded
from dissection.activations.pooled import PoolingCollector
from dissection.activations.quantile import tail_size
from dissection.activations.rotation import orthogonal, rotated
from dissection.activations.sampling import presumed_size, shards_of
from dissection.activations.shards import Shard, ShardError, ShardStore, ShardWriter
from dissection.activations.top import Top, no_images, with_block
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network

SHARD_IMAGES = 64
"""Images of a shard: what a kill can cost, and what is in memory at once."""

log = logging.getLogger(__name__)

Advance = Callable[[int], object]


class Plan(NamedTuple):
    """What goes through what."""

    network: Network
    probe: Probe
    layers: Sequence[LayerInfo]
    quantile: float | None
    """The largest that is asked for; None where only pooled activations are."""
    means: bool
    """Whether the mean of each map is asked for."""
    precision: str
    device: torch.device
    batch_size: int
    workers: int
    levels: tuple[float, ...] = ()
    """All quantiles whose thresholds are asked for, ascending; the last is `quantile`."""
    rotations: int = 0
    """How many random bases of each layer go through beside its units."""

    def twins(self) -> dict[tuple[str, int], LayerInfo]:
        """Return the rotated twins, by the name of the layer and the seed of the basis."""
        # no layer of a network can have such a name
        return {
            (info.name, seed): replace(info, name=f"{info.name}\trotated {seed}")
            for info in self.layers
            for seed in range(1, self.rotations + 1)
        }

    def images_of(self, shard: int) -> np.ndarray:
        """Return the images of a shard, (N,) int64, see `sampling.shards_of`."""
        return shards_of(len(self.probe), SHARD_IMAGES)[shard]

    def batches(self, shard: int) -> list[np.ndarray]:
        """Return the images of each batch of a shard."""
        images, size = self.images_of(shard), self.batch_size
        return [images[at : at + size] for at in range(0, len(images), size)]

    def images(self, shards: Iterable[int]) -> int:
        """Return the number of images of some shards."""
        return sum(len(self.images_of(shard)) for shard in shards)

    def shards(self) -> range:
        """Return the numbers of all shards."""
        return range(len(shards_of(len(self.probe), SHARD_IMAGES)))


class Passed(NamedTuple):
    """What the pass leaves behind, besides the shards."""

    collectors: dict[str, LayerCollector]
    tops: dict[str, Top]
    """Of each layer, the images with the highest maxima."""
    restored: int
    """Images whose shards an earlier start had finished."""
    thresholds: dict[str, torch.Tensor] = {}
    """Of each layer (T, U) float32 on its device by each of the plan's levels, the largest quantile
    first, and of each twin (1, U); from `dissection.execution.thresholds`."""


def run_images(
    plan: Plan,
    store: ShardStore,
    mine: Sequence[int],
    advance: Advance,
    floors: Mapping[str, torch.Tensor] | None = None,
) -> Passed:
    """Run the images of some shards through the network, but for those already finished.

    Parameters
    ----------
    plan : Plan
        Network, probe set and layers.
    store : ShardStore
        Where finished shards are and new ones go.
    mine : sequence of int
        The shards to care for.
    advance : callable
        Told the number of images whenever some are done.
    floors : mapping of str to Tensor, optional
        (U,) float32 of each layer, no threshold is below them. With them no bound is presumed.

    Raises
    ------
    ValueError
        If an image cannot be decoded or an activation is not finite. Finished shards stay.
    OSError
        If a shard cannot be written. Finished shards stay.
    """
    with closing(ShardWriter(store, beside=plan.device.type != "cpu")) as writer:
        taken = _Taken(plan, floors)
        finished = _restore(plan, store, mine, taken)
        _run_shards(plan, [n for n in mine if n not in finished], taken, writer, advance)
    return Passed(taken.collectors, taken.tops, plan.images(finished))


class _Taken:
    """What is taken from every layer; `shard` is the one whose images are in the network."""

    def __init__(self, plan: Plan, floors: Mapping[str, torch.Tensor] | None = None) -> None:
        self._plan, self._floors = plan, floors
        self._courier = None if plan.device.type == "cpu" else Courier(plan.device)
        self._closed: deque[int] = deque()
        twins = plan.twins()
        everything = [*plan.layers, *twins.values()]
        self._own = {info.name for info in plan.layers}
        self.collectors = {info.name: self._collector(info) for info in everything}
        self.tops = {info.name: no_images(info.units) for info in plan.layers}
        # what has no grid is only pooled
        self._grids = {info.name: info.grid or (0, 0) for info in everything}
        self._turns: dict[str, list[tuple[str, torch.Tensor]]] = {i.name: [] for i in plan.layers}
        for (name, seed), info in twins.items():
            turn = sent(orthogonal(info.units, seed), plan.device)
            self._turns[name].append((info.name, turn))
        self.shard = 0

    def _collector(self, info: LayerInfo) -> LayerCollector:
        device, courier = self._plan.device, self._courier
        if self._plan.quantile is None:
            if courier is None:
                return PoolingCollector()
            return DeviceCollector(info.units, None, device, courier=courier)
        if info.grid is None:
            raise ValueError(f"layer {info.name} has no grid, which thresholds need")
        quantile, images, cells = self._plan.quantile, len(self._plan.probe), math.prod(info.grid)
        size = tail_size(quantile, images * cells)
        presumed = partial(presumed_size, quantile, images=images, cells=cells)
        floor = None if self._floors is None else self._floors[info.name]
        rank = presumed if floor is None else None
        means = self._plan.means and info.name in self._own
        if courier is not None:
            return DeviceCollector(info.units, size, device, rank, courier, floor, means)
        return Collector(info.units, size, device, rank, means, floor)

    def consume(self, name: str, maps: torch.Tensor) -> None:
        """Take a batch of one layer's maps."""
        try:
            self.collectors[name](maps)
            for other, turn in self._turns[name]:
                self.collectors[other](rotated(maps, turn))
        except NotFiniteError as error:
            raise _named(error, name, self.shard, self._plan) from None

    def after_batch(self) -> None:
        """Send on what a batch gave, where it is not taken at once."""
        if self._courier is None:
            return
        self._courier.send()
        for name, collector in self._far():
            try:
                collector.after_batch()
            except NotFiniteError as error:
                raise _named(error, name, self.shard, self._plan) from None

    def close_shard(self) -> None:
        """Take note that the images of a shard are all through."""
        self._closed.append(self.shard)
        for _, collector in self._far():
            collector.close_shard()

    def finished(self, wait: bool = False) -> Iterator[tuple[int, Shard]]:
        """Yield shards of which all is there, or all closed ones."""
        while self._closed and (wait or all(one.ready for _, one in self._far())):
            number = self._closed.popleft()
            layers = {name: self._take(name, number) for name in self.collectors}
            shard = Shard(self._plan.images_of(number), layers)
            self._rank(shard)
            yield number, shard

    def _take(self, name: str, number: int) -> Cells:
        try:
            return self.collectors[name].take(self._grids[name])
        except NotFiniteError as error:
            raise _named(error, name, number, self._plan) from None

    def _far(self) -> list[tuple[str, DeviceCollector]]:
        """Return the collectors of a device, with the names of their layers."""
        return [(n, one) for n, one in self.collectors.items() if isinstance(one, DeviceCollector)]

    def restore(self, shard: Shard) -> None:
        """Continue behind a shard of an earlier start."""
        for name, collector in self.collectors.items():
            collector.restore(shard.layers[name], self._grids[name])
        self._rank(shard)

    def _rank(self, shard: Shard) -> None:
        for name, top in self.tops.items():
            maximum = shard.layers[name].maximum
            self.tops[name] = with_block(top, shard.images, maximum)


def _restore(plan: Plan, store: ShardStore, mine: Sequence[int], taken: _Taken) -> set[int]:
    """Read the finished shards and return their numbers."""
    finished = set()
    for number in store.finished(mine):
        try:
            shard = store.read(number)
        except ShardError as error:
            log.warning("%s: its images run again", error)
            continue
        taken.restore(shard)
        finished.add(number)
    return finished


def _run_shards(
    plan: Plan, numbers: Sequence[int], taken: _Taken, writer: ShardWriter, advance: Advance
) -> None:
    """Run the images of shards through the network, in order."""
    cuts = [(number, images) for number in numbers for images in plan.batches(number)]
    preprocessing, module = plan.network.preprocessing, plan.network.module
    wanted, fast = [cut for _, cut in cuts], pinned(plan.device)
    decoded = batches(plan.probe, wanted, preprocessing, plan.workers, fast)
    with (
        exact_convolutions(plan.device),
        capture(module, plan.layers, taken.consume, plan.precision) as forward,
        closing(decoded),
        closing(uploaded(decoded, plan.device)) as there,
    ):
        for (taken.shard, cut), images in zip(cuts, there, strict=True):
            forward(preprocessing.normalise(images))
            taken.after_batch()
            if cut[-1] == plan.images_of(taken.shard)[-1]:
                taken.close_shard()
            for finished in taken.finished():
                writer.write(*finished)
            advance(len(cut))
        for finished in taken.finished(wait=True):
            writer.write(*finished)


def _named(error: NotFiniteError, layer: str, shard: int, plan: Plan) -> ValueError:
    place, unit = error.args
    image = plan.images_of(shard)[place]
    return ValueError(
        f"layer {layer}, unit {unit}: NaN or infinite activation for image {image} "
        f"({plan.probe.names[image]}); check the weights and the preprocessing"
        + (", or use --precision fp32" if plan.precision != "fp32" else "")
    )
