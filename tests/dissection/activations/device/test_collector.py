"""The collector of a device, here on the CPU, against that of the CPU."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.cells import unpack
from dissection.activations.collect import Collector, NotFiniteError
from dissection.activations.device.collector import DeviceCollector
from dissection.activations.device.courier import Courier
from dissection.activations.device.packing import chosen, packed, running
from dissection.activations.pooled import PoolingCollector
from dissection.activations.sampling import presumed_size
from tests.dissection import references
from tests.dissection.probes import collect, layer

few = settings(max_examples=25, deadline=None, derandomize=True)
GRID, UNITS, IMAGES = (3, 5), 6, 30
SHARDS = [[4, 3], [7], [2, 2, 3], [5, 2], [1, 1]]


def rank_of(quantile, images=IMAGES, grid=GRID):
    return references.rank(quantile, images * grid[0] * grid[1])


def presuming(quantile, images=IMAGES):
    return partial(presumed_size, quantile, images=images, cells=GRID[0] * GRID[1])


def awkward(seed, images=IMAGES, units=UNITS):
    """Return maps with ties, zeros of both signs, dead and constant units."""
    maps = layer(seed, images, units, GRID)
    flip = np.random.default_rng(seed).random(maps.shape) < 0.5
    return np.where((maps == 0) & flip, np.float32(-0.0), maps)


def threshold(collector):
    return collector.tail.threshold(lambda counts: counts).numpy()


def exact(maps, quantile):
    # of -0.0 and 0.0 a threshold is the latter
    return references.thresholds(maps, quantile) + np.float32(0)


def assert_like(found, wanted, maps):
    """The same pooled values and shapes; at least what the CPU keeps, none with another value."""
    start = 0
    for a, b in zip(found, wanted, strict=True):
        images = len(b.mean)
        for name in a._fields:
            assert getattr(a, name).dtype == getattr(b, name).dtype, name
        np.testing.assert_array_equal(a.mean, b.mean)
        np.testing.assert_array_equal(a.maximum, b.maximum)
        assert (a.bound <= b.bound).all()
        assert a.above.shape == b.above.shape
        assert not (b.above & ~a.above).any()
        here = unpack(a, maps.shape[2:], np.arange(images)).transpose(0, 3, 1, 2)
        known = np.isfinite(here)
        assert a.kept.tolist() == known.sum((1, 2, 3)).tolist()
        np.testing.assert_array_equal(here[known], maps[start : start + images][known])
        needed = references.neighbourhood(maps[start : start + images] > a.bound[:, None, None])
        assert known[needed].all()
        start += images


@few
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.005, 0.05, 0.4]),
    st.booleans(),
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_it_keeps_what_the_collector_of_the_cpu_keeps(seed, quantile, presume, shards):
    images = sum(map(sum, shards))
    maps, size = awkward(seed, images), rank_of(quantile, images)
    presumed = presuming(quantile, images) if presume else None
    wanted, kept = collect(maps, size, shards, Collector(UNITS, size, "cpu", presumed))
    far = DeviceCollector(UNITS, size, "cpu", presumed)
    _, found = collect(maps, size, shards, far)
    assert_like(found, kept, maps)
    if not presume:
        assert threshold(far).tobytes() == exact(maps, quantile).tobytes()
    if (far.tail.bound <= far.tail.threshold(lambda counts: counts)).all():
        assert threshold(far).tobytes() == exact(maps, quantile).tobytes()


@pytest.mark.parametrize(("images", "grid"), [(1, (3, 5)), (3, (1, 1)), (1, (1, 1)), (2, (1, 4))])
def test_one_image_and_one_cell(images, grid):
    maps = np.random.default_rng(4).normal(size=(images, 3, *grid)).astype(np.float32)
    for size in (1, images * grid[0] * grid[1]):
        _, kept = collect(maps, size, [[1] * images])
        far = DeviceCollector(3, size, "cpu")
        assert_like(collect(maps, size, [[1] * images], far)[1], kept, maps)
        wanted = np.sort(maps.transpose(1, 0, 2, 3).reshape(3, -1))[:, -size]
        np.testing.assert_array_equal(threshold(far), wanted)


def test_rank_beyond_what_was_seen_has_no_threshold():
    maps = awkward(1, 2)
    far = DeviceCollector(UNITS, 1000, "cpu")
    _, (cells,) = collect(maps, 1000, [[2]], far)
    assert np.isneginf(threshold(far)).all()
    assert cells.kept.tolist() == [UNITS * 15] * 2


def test_a_tail_that_overflows_its_room_stays_exact():
    # far more above the bound in every batch than there is room for beside the K largest
    maps = np.sort(np.random.default_rng(2).normal(size=(900, 2, *GRID)).astype(np.float32), 0)
    far = DeviceCollector(2, 3, "cpu")
    collect(maps, 3, [[300, 300], [300]], far)
    wanted = np.sort(maps.transpose(1, 0, 2, 3).reshape(2, -1))[:, -3]
    np.testing.assert_array_equal(threshold(far), wanted)


def test_maps_may_be_overwritten_after_the_call():
    maps = np.ascontiguousarray(awkward(7, 12).transpose(0, 2, 3, 1))
    original = maps.transpose(0, 3, 1, 2).copy()
    far, size = DeviceCollector(UNITS, rank_of(0.1, 12), "cpu"), rank_of(0.1, 12)
    for start in (0, 4, 8):
        far(torch.from_numpy(maps[start : start + 4]).permute(0, 3, 1, 2))
        maps[start : start + 4] = 1e9
    _, kept = collect(original, size, [[4, 4, 4]])
    assert_like([far.take(GRID)], kept, original)
    np.testing.assert_array_equal(threshold(far), references.thresholds(original, 0.1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_what_is_not_finite_is_named_and_not_taken(value, batch):
    maps = layer(9, 12, UNITS, GRID)
    maps[9, 4, 1, 2] = value
    maps[9, 5, 0, 0] = value
    maps[10, 0, 0, 0] = value
    far = DeviceCollector(UNITS, 3, "cpu")
    collect(maps[:4], 3, [[4]], far)
    with pytest.raises(NotFiniteError) as caught:
        collect(maps[4:], 3, [[*[batch] * (8 // batch), *[8 % batch] * (8 % batch > 0)]], far)
    # the place in the shard, not in the batch
    assert caught.value.args == (5, 4)


def test_an_error_says_so_in_its_own_shard():
    maps = layer(9, 8, UNITS, GRID)
    maps[3, 2] = np.nan
    far = DeviceCollector(UNITS, 3, "cpu")
    for start in (0, 4):
        far(torch.from_numpy(maps[start : start + 4]))
        far.close_shard()
    with pytest.raises(NotFiniteError) as caught:
        far.take(GRID)
    assert caught.value.args == (3, 2)
    assert np.isfinite(far.take(GRID).maximum).all()


def test_mean_that_overflows_is_no_reason_to_refuse():
    maps = np.full((2, 2, *GRID), 3e38, np.float32)
    far = DeviceCollector(2, 1, "cpu")
    _, kept = collect(maps, 1, [[1], [1]], far)
    assert np.isposinf(kept[0].mean[0, 0])


@few
@given(st.data(), st.sampled_from([0.0, 0.02, 0.3]))
def test_any_shards_may_be_missing_when_a_run_is_resumed(data, quantile):
    maps, size = awkward(11), rank_of(quantile)
    starts = np.cumsum([0, *map(sum, SHARDS)])
    _, kept = collect(maps, size, SHARDS, DeviceCollector(UNITS, size, "cpu"))
    missing = data.draw(st.sets(st.integers(0, 4)))
    # a run may go on where it was begun, or on another device
    kinds = (Collector, DeviceCollector)
    for kind in kinds:
        again = kind(UNITS, size, "cpu")
        for number in data.draw(st.permutations(sorted(set(range(5)) - missing))):
            again.restore(kept[number], GRID)
        for number in sorted(missing):
            collect(maps[starts[number] : starts[number + 1]], size, [SHARDS[number]], again)
        found, wanted = threshold(again), exact(maps, quantile)
        if kind is DeviceCollector:
            assert found.tobytes() == wanted.tobytes()
        # the other may lack values that equal its bound, and then says so
        assert ((found == wanted) | (found < again.tail.bound.numpy())).all()


def test_a_floor_is_the_bound_from_the_start():
    maps, quantile = awkward(12), 0.1
    floor = torch.from_numpy(references.thresholds(maps, quantile))
    far = DeviceCollector(UNITS, rank_of(quantile), "cpu", floor=floor)
    _, kept = collect(maps, rank_of(quantile), SHARDS, far)
    near = Collector(UNITS, rank_of(quantile), "cpu")
    near.tail.bound = floor
    assert_like(kept, collect(maps, rank_of(quantile), SHARDS, near)[1], maps)


def test_pooled_values_alone_are_those_of_the_pooling_collector():
    maps = layer(5, 9, UNITS, GRID)
    far, near = DeviceCollector(UNITS, None, "cpu"), PoolingCollector()
    for found, wanted in zip(
        collect(maps, 0, [[4, 3], [2]], far)[1], collect(maps, 0, [[4, 3], [2]], near)[1],
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(found.maximum, wanted.maximum)
        np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5, atol=1e-7)
        assert found.above.shape == wanted.above.shape == (len(found.mean), 0)
        assert np.isneginf(found.bound).all()
    maps[8, 1, 2, 3] = np.nan
    with pytest.raises(NotFiniteError) as caught:
        collect(maps, 0, [[4, 3], [2]], DeviceCollector(UNITS, None, "cpu"))
    assert caught.value.args == (1, 1)


def test_layers_share_a_courier_and_are_taken_behind():
    courier = Courier(torch.device("cpu"))
    far = [DeviceCollector(UNITS, 5, "cpu", courier=courier) for _ in range(2)]
    maps, taken = awkward(3, 12), []
    for start in range(0, 12, 3):
        for one in far:
            one(torch.from_numpy(maps[start : start + 3]))
        courier.send()
        for one in far:
            one.after_batch()
            one.close_shard()
        while all(one.ready for one in far):
            taken.append((start, [one.take(GRID) for one in far]))
    # a shard has arrived two batches later
    assert [start for start, _ in taken] == [6, 9]
    rest = [[one.take(GRID) for _ in range(2)] for one in far]
    found = [cells[0] for _, cells in taken] + rest[0]
    assert_like(found, collect(maps, 5, [[3]] * 4)[1], maps)
    for a, b in zip(rest[0], rest[1], strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 64, 75])
def test_bits_are_packed_as_numpy_packs_them(bits):
    keep = np.random.default_rng(bits).random((3, bits)) < 0.4
    found = packed(torch.from_numpy(keep)).numpy()
    np.testing.assert_array_equal(found, np.packbits(keep, axis=1))
    before = running(torch.from_numpy(keep))
    np.testing.assert_array_equal(chosen(before, int(keep.sum())), np.flatnonzero(keep))
