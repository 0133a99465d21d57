import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.cells import unpack
from dissection.activations.collect import Collector, NotFiniteError
from dissection.activations.shards import Shard, ShardStore
from tests.dissection import references
from tests.dissection.probes import collect, layer

few = settings(max_examples=25, deadline=None, derandomize=True)
GRID, UNITS, IMAGES = (3, 5), 6, 30


def tail_size(quantile, images=IMAGES):
    return references.rank(quantile, images * GRID[0] * GRID[1])


def draw_batches(data, images, most=9):
    """Draw batches that add up, in shards."""
    shards, left = [], images
    while left:
        batches = data.draw(st.lists(st.integers(1, most), min_size=1, max_size=4))
        cut = np.minimum(np.cumsum(batches), left)
        sizes = np.diff(cut, prepend=0)
        shards.append([int(size) for size in sizes if size])
        left -= int(cut[-1])
    return shards


def threshold(collector):
    """Return the exact thresholds, as the run takes them from a finished collector."""
    return collector.tail.select().numpy() + np.float32(0)


def assert_needed_are_kept(maps, wanted, kept, start=0):
    """Every cell that a stencil above the threshold needs is kept, and none has another value."""
    for cells in kept:
        images = len(cells.mean)
        part = maps[start : start + images]
        found = unpack(cells, GRID, np.arange(images)).transpose(0, 3, 1, 2)
        needed = references.neighbourhood(part > wanted[:, None, None])
        assert np.isfinite(found[needed]).all()
        known = np.isfinite(found)
        np.testing.assert_array_equal(found[known], part[known])
        assert (cells.bound <= wanted).all()
        start += images
    assert start == len(maps)


@few
@given(st.data(), st.integers(0, 2**32), st.sampled_from([0.0, 0.005, 0.02, 0.2, 0.7]))
def test_batches_of_any_sizes_give_the_sorted_threshold(data, seed, quantile):
    maps = layer(seed, IMAGES, UNITS, GRID)
    wanted = references.thresholds(maps, quantile)
    collector, kept = collect(maps, tail_size(quantile), draw_batches(data, IMAGES))
    np.testing.assert_array_equal(threshold(collector), wanted)
    assert_needed_are_kept(maps, wanted, kept)


@few
@given(st.integers(0, 2**32), st.sampled_from([0.005, 0.1]))
def test_bound_only_rises_and_stays_below_the_threshold(seed, quantile):
    maps = layer(seed, IMAGES, UNITS, GRID)
    wanted = references.thresholds(maps, quantile)
    collector = Collector(UNITS, tail_size(quantile), "cpu")
    previous = collector.tail.bound.clone()
    for start in range(0, IMAGES, 3):
        collector(torch.from_numpy(maps[start : start + 3]))
        assert (collector.tail.bound >= previous).all()
        assert (collector.tail.bound.numpy() <= wanted).all()
        previous = collector.tail.bound.clone()
    assert torch.isfinite(previous).all()


def test_bound_rises_before_the_end():
    maps = layer(0, IMAGES, 1, GRID)
    _, kept = collect(maps, tail_size(0.02), [[3]] * 10)
    bounds = [float(cells.bound[0]) for cells in kept]
    assert len(set(bounds)) > 3
    assert sum(len(cells.values) for cells in kept) < maps.size / 3


@few
@given(st.permutations(range(IMAGES)))
def test_permuted_images_have_the_same_threshold(order):
    maps = layer(1, IMAGES, UNITS, GRID)
    collector, _ = collect(maps[order], tail_size(0.03), [[4, 4], [8], [14]])
    np.testing.assert_array_equal(threshold(collector), references.thresholds(maps, 0.03))


def test_permuted_units_permute_the_cells():
    maps, order = layer(2, IMAGES, UNITS, GRID), np.array([2, 4, 0, 5, 1, 3])
    _, kept = collect(maps, tail_size(0.03), [[5, 5], [20]])
    _, moved = collect(maps[:, order], tail_size(0.03), [[5, 5], [20]])
    for a, b in zip(kept, moved, strict=True):
        every = np.arange(len(a.mean))
        np.testing.assert_array_equal(unpack(a, GRID, every)[..., order], unpack(b, GRID, every))
        np.testing.assert_array_equal(a.bound[order], b.bound)
        np.testing.assert_array_equal(a.maximum[:, order], b.maximum)


@few
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.3]))
def test_at_most_the_quantile_exceeds_the_threshold(seed, quantile):
    maps = layer(seed, IMAGES, UNITS, GRID)
    collector, _ = collect(maps, tail_size(quantile), [[7] * 4, [2]])
    above = (maps > threshold(collector)[:, None, None]).sum((0, 2, 3))
    assert (above <= int(quantile * IMAGES * GRID[0] * GRID[1])).all()
    # unit 0 has no ties, so exactly as many as allowed
    assert above[0] == int(quantile * IMAGES * GRID[0] * GRID[1])


def test_thresholds_of_peculiar_units():
    maps = layer(3, IMAGES, UNITS, GRID)
    collector, kept = collect(maps, tail_size(0.005), [[10, 10], [10]])
    found = threshold(collector)
    assert (found[1], found[2]) == (0.0, 1.25)
    assert found[3] < -1
    for cells in kept:
        maps_kept = unpack(cells, GRID, np.arange(len(cells.mean)))
        assert not np.isfinite(maps_kept[..., 1:3]).any()


def test_negative_zero_is_zero():
    maps = np.zeros((4, 2, *GRID), np.float32)
    maps[:, 0] = -0.0
    collector, _ = collect(maps, 7, [[1, 1], [2]])
    assert threshold(collector).tobytes() == np.zeros(2, np.float32).tobytes()


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("cells", [(1, 1), (1, 4), (2, 3)])
def test_tiny_sets(images, cells):
    maps = np.random.default_rng(4).normal(size=(images, 3, *cells)).astype(np.float32)
    wanted = references.thresholds(maps, 0.005)
    np.testing.assert_array_equal(wanted, maps.max((0, 2, 3)))
    collector, _ = collect(maps, 1, [[1] * images])
    np.testing.assert_array_equal(threshold(collector), wanted)


def test_pooled_values_are_those_of_each_map():
    maps = layer(5, IMAGES, UNITS, GRID)
    _, kept = collect(maps, tail_size(0.01), [[4, 3], [20, 3]])
    mean = np.concatenate([cells.mean for cells in kept])
    maximum = np.concatenate([cells.maximum for cells in kept])
    np.testing.assert_array_equal(maximum, maps.max((2, 3)))
    np.testing.assert_allclose(mean, maps.astype(float).mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_layout_in_memory_changes_nothing():
    maps = layer(6, 8, UNITS, GRID)
    last = np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    (_, (first,)), (_, (second,)) = (collect(part, 13, [[8]]) for part in (maps, last))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_maps_may_be_overwritten_after_the_call():
    maps = np.ascontiguousarray(layer(7, 8, UNITS, GRID).transpose(0, 2, 3, 1))
    view = torch.from_numpy(maps).permute(0, 3, 1, 2)
    wanted = references.thresholds(view.numpy(), 0.1)
    collector = Collector(UNITS, tail_size(0.1, 8), "cpu")
    collector(view)
    expected = collect(view.numpy().copy(), tail_size(0.1, 8), [[8]])[1][0]
    maps[:] = 1e9
    np.testing.assert_array_equal(threshold(collector), wanted)
    for a, b in zip(collector.take(GRID), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_units_beyond_16_bits():
    maps = np.random.default_rng(8).normal(size=(3, 66_000, 1, 1)).astype(np.float32)
    collector, kept = collect(maps, 2, [[1], [1], [1]])
    np.testing.assert_array_equal(threshold(collector), np.sort(maps[:, :, 0, 0], 0)[-2])
    assert len(kept) == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("seen", [0, 4], ids=["first shard", "later shard"])
def test_values_that_are_not_finite_are_refused_with_place_and_unit(value, seen):
    maps = layer(9, 12, UNITS, GRID)
    maps[seen + 5, 4, 1, 2] = value
    maps[seen + 5, 5, 0, 0] = value
    maps[seen + 6, 0, 0, 0] = value
    collector = Collector(UNITS, 3, "cpu")
    if seen:
        collect(maps[:seen], 3, [[seen]], collector)
    collector(torch.from_numpy(maps[seen : seen + 3]))
    with pytest.raises(NotFiniteError) as caught:
        collector(torch.from_numpy(maps[seen + 3 : seen + 8]))
    # the place in the shard, not in the batch
    assert caught.value.args == (5, 4)


def test_opposite_infinities_are_refused():
    maps = np.zeros((1, 2, 1, 2), np.float32)
    maps[0, 1] = [np.inf, -np.inf]
    with pytest.raises(NotFiniteError) as caught:
        Collector(2, 1, "cpu")(torch.from_numpy(maps))
    assert caught.value.args == (0, 1)


def test_mean_that_overflows_is_no_reason_to_refuse():
    maps = np.full((2, 2, *GRID), 3e38, np.float32)
    maps[:, 1] = -3e38
    maps[1, 0, 1, 1] = 3.2e38
    collector, kept = collect(maps, 1, [[1], [1]])
    assert threshold(collector).tolist() == [np.float32(3.2e38), np.float32(-3e38)]
    assert np.isposinf(kept[0].mean[0, 0])


def stored(folder, kept, starts):
    """Return the bytes of the shards that hold these cells."""
    store = ShardStore(folder, "key")
    for number, (cells, start) in enumerate(zip(kept, starts, strict=True)):
        store.write(number, Shard(np.arange(start, start + len(cells.kept)), {"a": cells}))
    return [store.path(number).read_bytes() for number in range(len(kept))]


SHARDS = [[4, 3], [7], [2, 2, 3], [5, 2], [1, 1]]
STARTS = [0, 7, 14, 21, 28]


@pytest.mark.parametrize("quantile", [0.0, 0.005, 0.05, 0.4])
@pytest.mark.parametrize("done", range(6))
def test_resumed_collector_writes_the_bytes_of_an_unbroken_one(done, quantile, tmp_path):
    maps, size = layer(10, IMAGES, UNITS, GRID), tail_size(quantile)
    wanted, kept = collect(maps, size, SHARDS)
    again = Collector(UNITS, size, "cpu")
    for cells in kept[:done]:
        again.restore(cells, GRID)
    np.testing.assert_array_equal(
        again.tail.bound.numpy(), kept[done - 1].bound if done else -np.inf
    )
    seen = STARTS[done] if done < 5 else IMAGES
    _, rest = collect(maps[seen:], size, SHARDS[done:], again)
    found = stored(tmp_path / "again", [*kept[:done], *rest], STARTS)
    assert found == stored(tmp_path / "unbroken", kept, STARTS)
    np.testing.assert_array_equal(threshold(again), threshold(wanted))
    np.testing.assert_array_equal(threshold(again), references.thresholds(maps, quantile))


@few
@given(st.data(), st.sampled_from([0.0, 0.02, 0.3]))
def test_any_shards_may_be_missing_when_a_run_is_resumed(data, quantile):
    maps, size = layer(11, IMAGES, UNITS, GRID), tail_size(quantile)
    _, kept = collect(maps, size, SHARDS)
    missing = data.draw(st.sets(st.integers(0, 4)))
    again = Collector(UNITS, size, "cpu")
    # a shard that was computed again has a higher bound than those behind it
    for number in data.draw(st.permutations(sorted(set(range(5)) - missing))):
        bound = again.tail.bound.numpy().copy()
        again.restore(kept[number], GRID)
        np.testing.assert_array_equal(again.tail.bound, np.maximum(bound, kept[number].bound))
    wanted = references.thresholds(maps, quantile)
    for number in sorted(missing):
        part = maps[STARTS[number] : STARTS[number] + sum(SHARDS[number])]
        batches = [1] * len(part) if data.draw(st.booleans()) else SHARDS[number]
        collect(part, size, [batches], again)
        assert (again.tail.bound.numpy() <= wanted).all()
    np.testing.assert_array_equal(threshold(again), wanted)


@few
@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.1]))
def test_shards_of_two_halves_hold_what_the_whole_needs(seed, quantile):
    maps, size = layer(seed, IMAGES, UNITS, GRID), tail_size(quantile)
    wanted = references.thresholds(maps, quantile)
    for half in (maps[:14], maps[14:]):
        collector, kept = collect(half, size, [[5, 5], [len(half) - 10]])
        assert_needed_are_kept(half, wanted, kept)
        assert (collector.tail.select().numpy() <= wanted).all()
