"""The one pass of the images through the network: shards to disk, tails in memory."""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from typing import NamedTuple

import torch

from broden.probe import Probe
from dissection.activations.batches import batches
from dissection.activations.capture import capture
from dissection.activations.collect import Collector, LayerCollector, NotFiniteError
from dissection.activations.pooled import PoolingCollector
from dissection.activations.quantile import tail_size
from dissection.activations.shards import Shard, ShardError, ShardStore
from dissection.activations.top import Top, merge_top, no_images, top_of
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network

SHARD_IMAGES = 64
"""Images of a shard: what a kill can cost, and what is in memory at once."""

PRUNE_BYTES = 1 << 30
"""Shards are written again with the bounds risen since whenever they pass this size, and again
whenever they have doubled: what early shards kept too much goes, and the work stays a fraction."""

LARGE_SHARD_BYTES = 1 << 24
"""A shard above this is written before the network goes on."""

log = logging.getLogger(__name__)

Advance = Callable[[int], object]


class Plan(NamedTuple):
    """What goes through what."""

    network: Network
    probe: Probe
    layers: Sequence[LayerInfo]
    quantile: float | None
    """None where only pooled activations are asked for."""
    precision: str
    device: torch.device
    batch_size: int
    workers: int

    def span(self, shard: int) -> tuple[int, int]:
        """Return the first image of a shard and one past its last."""
        return shard * SHARD_IMAGES, min((shard + 1) * SHARD_IMAGES, len(self.probe))

    def batches(self, shard: int) -> list[tuple[int, int]]:
        """Return the first image and one past the last of each batch of a shard."""
        first, last = self.span(shard)
        starts = range(first, last, self.batch_size)
        return [(start, min(start + self.batch_size, last)) for start in starts]

    def images(self, shards: Iterable[int]) -> int:
        """Return the number of images of some shards."""
        return sum(last - first for first, last in map(self.span, shards))

    def shards(self) -> range:
        """Return the numbers of all shards."""
        return range(-(-len(self.probe) // SHARD_IMAGES))


class Passed(NamedTuple):
    """What the pass leaves behind, besides the shards."""

    collectors: dict[str, LayerCollector]
    tops: dict[str, Top]
    """Of each layer, the images with the highest maxima."""
    restored: int
    """Images whose shards an earlier start had finished."""
    peak_bytes: int
    """Largest size of the shards on disk."""


def run_images(plan: Plan, store: ShardStore, mine: Sequence[int], advance: Advance) -> Passed:
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

    Raises
    ------
    ValueError
        If an image cannot be decoded or an activation is not finite. Finished shards stay.
    OSError
        If a shard cannot be written. Finished shards stay.
    """
    taken = _Taken(plan)
    finished = _restore(plan, store, mine, taken)
    writer = _Writer(plan, store, sorted(finished))
    try:
        _run_shards(plan, [n for n in mine if n not in finished], taken, writer, advance)
    finally:
        writer.close()
    return Passed(taken.collectors, taken.tops, plan.images(finished), writer.peak)


class _Taken:
    """What is taken from every layer; `shard` is the one whose images are in the network."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.collectors = {info.name: self._collector(info) for info in plan.layers}
        self.tops = {info.name: no_images(info.units) for info in plan.layers}
        self._grids = _grids(plan)
        self.shard = 0

    def _collector(self, info: LayerInfo) -> LayerCollector:
        if self._plan.quantile is None:
            return PoolingCollector()
        if info.grid is None:
            raise ValueError(f"layer {info.name} has no grid, which thresholds need")
        cells = len(self._plan.probe) * info.grid[0] * info.grid[1]
        return Collector(info.units, tail_size(self._plan.quantile, cells), self._plan.device)

    def consume(self, name: str, maps: torch.Tensor) -> None:
        """Take a batch of one layer's maps."""
        try:
            self.collectors[name](maps)
        except NotFiniteError as error:
            raise _named(error, name, self.shard, self._plan) from None

    def finish(self, first: int) -> Shard:
        """Return what was taken of a shard whose images are all through."""
        collected = self.collectors.items()
        shard = Shard(first, {name: one.take(self._grids[name]) for name, one in collected})
        self._rank(shard)
        return shard

    def restore(self, shard: Shard) -> None:
        """Continue behind a shard of an earlier start."""
        for name, collector in self.collectors.items():
            collector.restore(shard.layers[name], self._grids[name])
        self._rank(shard)

    def _rank(self, shard: Shard) -> None:
        for name, cells in shard.layers.items():
            self.tops[name] = merge_top([self.tops[name], top_of(shard.first, cells.maximum)])


def _grids(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return the (h, w) of each layer's maps; what has none is only pooled."""
    return {info.name: info.grid or (0, 0) for info in plan.layers}


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
    plan: Plan, numbers: Sequence[int], taken: _Taken, writer: "_Writer", advance: Advance
) -> None:
    """Run the images of shards through the network, in order."""
    cuts = [(number, span) for number in numbers for span in plan.batches(number)]
    decoded = batches(
        plan.probe, [span for _, span in cuts], plan.network.preprocessing, plan.workers
    )
    module, normalise = plan.network.module, plan.network.preprocessing.normalise
    with (
        exact_convolutions(plan.device),
        capture(module, plan.layers, taken.consume, plan.precision) as forward,
        closing(decoded),
    ):
        for (taken.shard, (first, last)), images in zip(cuts, decoded, strict=True):
            forward(normalise(images.to(plan.device)))
            if last == plan.span(taken.shard)[1]:
                writer.write(taken.shard, taken.finish(plan.span(taken.shard)[0]))
            advance(last - first)


def exact_convolutions(device: torch.device) -> AbstractContextManager:
    """Keep the convolutions of a GPU from rounding their input to 10 bits, which is the default.

    Parameters
    ----------
    device : torch.device
        Where the network runs.

    Returns
    -------
    context manager
        In which they do not; other devices never do.
    """
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(cudnn.enabled, cudnn.benchmark, cudnn.deterministic, allow_tf32=False)


def _named(error: NotFiniteError, layer: str, shard: int, plan: Plan) -> ValueError:
    place, unit = error.args
    image = plan.span(shard)[0] + place
    return ValueError(
        f"layer {layer}, unit {unit}: NaN or infinite activation for image {image} "
        f"({plan.probe.names[image]}); check the weights and the preprocessing"
        + (", or use --precision fp32" if plan.precision != "fp32" else "")
    )


class _Writer:
    """Write shards behind the network's back, one at a time."""

    def __init__(self, plan: Plan, store: ShardStore, written: list[int]):
        self._store, self._written = store, written
        self._grids = _grids(plan)
        self._size = self.peak = sum(store.path(n).stat().st_size for n in written)
        self._limit = math.inf if plan.quantile is None else PRUNE_BYTES
        self._pool = ThreadPoolExecutor(1, "shards")
        self._pending: Future | None = None

    def write(self, number: int, shard: Shard) -> None:
        """Write a shard while the network goes on; raise what an earlier write raised."""
        self._wait()
        self._pending = self._pool.submit(self._write, number, shard)
        # the first shards keep nearly every cell; two of those need not be in memory
        if sum(part.values.nbytes for part in shard.layers.values()) > LARGE_SHARD_BYTES:
            self._wait()

    def close(self) -> None:
        """Finish the last write."""
        try:
            self._wait()
        finally:
            self._pool.shutdown()

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _write(self, number: int, shard: Shard) -> None:
        self._store.write(number, shard)
        self._written.append(number)
        self._size += self._store.path(number).stat().st_size
        self.peak = max(self.peak, self._size)
        if self._size > self._limit:
            bounds = {name: part.bound for name, part in shard.layers.items()}
            for earlier in self._written:
                self._store.prune(earlier, bounds, self._grids)
            self._size = sum(self._store.path(n).stat().st_size for n in self._written)
            self._limit = max(PRUNE_BYTES, 2 * self._size)
