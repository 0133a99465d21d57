"""Bounds that are presumed: a threshold is exact, or below a bound and so found out."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.collect import Collector
from tests.dissection import references
from tests.dissection.probes import collect, layer

few = settings(max_examples=80, deadline=None, derandomize=True)
GRID, UNITS, IMAGES = (3, 5), 6, 32
CELLS = GRID[0] * GRID[1]


def thresholds(collectors):
    """Return what as many ranks as collectors find, which is the same for each."""
    barrier = threading.Barrier(len(collectors), timeout=60)
    shared = [None] * len(collectors)

    def find(rank):
        def total(values):
            shared[rank] = values
            barrier.wait()
            result = torch.stack(shared).sum(0)
            barrier.wait()
            return result

        return collectors[rank].tail.threshold(total).numpy()

    with ThreadPoolExecutor(len(collectors)) as pool:
        found = list(pool.map(find, range(len(collectors))))
    for other in found:
        np.testing.assert_array_equal(other, found[0])
    return found[0]


def coarse(seed):
    """Return the peculiar units of `layer`, and some with very few values."""
    maps = layer(seed, IMAGES, UNITS, GRID)
    rng = np.random.default_rng(seed)
    few_values = np.clip(np.round(rng.normal(size=maps.shape) * 3), 0, 6)
    rare = np.where(rng.random(maps.shape) < 0.1, maps, 0)
    return np.concatenate([maps, few_values[:, :2], rare[:, :2]], 1).astype(np.float32)


@few
@given(st.data(), st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.1, 0.4, 0.9]))
def test_a_threshold_is_exact_or_below_a_bound(data, seed, quantile):
    maps, size = coarse(seed), references.rank(quantile, IMAGES * CELLS)
    wanted = references.thresholds(maps, quantile)
    ranks = data.draw(st.sampled_from([1, 2, 3]))
    of_seen = data.draw(st.lists(st.integers(1, size), min_size=IMAGES + 1, max_size=IMAGES + 1))
    collectors = []
    for mine in np.array_split(data.draw(st.permutations(range(IMAGES))), ranks):
        part, cuts = maps[mine], [4] * (len(mine) // 4)
        shards = [[2, 2] for _ in cuts] + ([[len(mine) % 4]] if len(mine) % 4 else [])
        presumed = of_seen.__getitem__
        first = Collector(maps.shape[1], size, "cpu", presumed)
        _, kept = collect(part, size, shards, first)
        if data.draw(st.booleans()):
            # some shards are found, the others run
            again = Collector(maps.shape[1], size, "cpu", presumed)
            missing = data.draw(st.sets(st.integers(0, len(shards) - 1)))
            for number in sorted(set(range(len(shards))) - missing):
                again.restore(kept[number], GRID)
            starts = np.cumsum([0, *map(sum, shards)])
            for number in sorted(missing):
                collect(part[starts[number] : starts[number + 1]], size, [shards[number]], again)
            first = again
        collectors.append(first)
    found = thresholds(collectors)
    bounds = np.max([one.tail.bound.numpy() for one in collectors], 0)
    exact = found == wanted
    # a value that was rare when the bound rose to it is not counted
    assert exact[bounds < wanted].all()
    assert (found[~exact] < bounds[~exact]).all()
    assert (found <= wanted).all()


@pytest.mark.parametrize("value", [0.0, 6.0, -1.5])
@pytest.mark.parametrize("restored", [0, 1, 4, 8])
def test_a_unit_with_one_value_has_it_as_threshold(value, restored):
    maps, size = np.full((IMAGES, 1, *GRID), value, np.float32), 200
    presumed, shards = (lambda _seen: 1), [[2, 2]] * 8
    whole, kept = collect(maps, size, shards, Collector(1, size, "cpu", presumed))
    assert thresholds([whole]).tolist() == [value]
    assert sum(len(cells.values) for cells in kept) == 0
    again = Collector(1, size, "cpu", presumed)
    for cells in kept[:restored]:
        again.restore(cells, GRID)
    collect(maps[4 * restored :], size, shards[restored:], again)
    assert thresholds([again]).tolist() == [value]


def test_negative_zeros_count_as_zeros_at_a_bound_of_zero():
    rng = np.random.default_rng(0)
    maps = np.where(rng.random((IMAGES, 1, *GRID)) < 0.5, 0.0, -0.0).astype(np.float32)
    for rank in (1, 20):
        collector = Collector(1, 300, "cpu", lambda _seen, rank=rank: rank)
        collect(maps, 300, [[2, 2]] * 8, collector)
        assert thresholds([collector]).tobytes() == np.zeros(1, np.float32).tobytes()


@pytest.mark.parametrize("first", [True, False])
def test_values_at_a_floor_are_counted(first):
    """As images that run again find them, from the start or behind shards that stayed."""
    maps, size = coarse(3), references.rank(0.1, IMAGES * CELLS)
    wanted = references.thresholds(maps, 0.1)
    shards = [[2, 2]] * 8
    _, kept = collect(maps, size, shards, Collector(maps.shape[1], size, "cpu"))
    again = Collector(maps.shape[1], size, "cpu", floor=torch.from_numpy(wanted))
    stayed = 0 if first else 2
    for cells in kept[:stayed]:
        again.restore(cells, GRID)
    _, rest = collect(maps[4 * stayed :], size, shards[stayed:], again)
    np.testing.assert_array_equal(again.tail.bound.numpy(), wanted)
    np.testing.assert_array_equal(thresholds([again]), wanted)
    # and so do those that find these shards later
    later = Collector(maps.shape[1], size, "cpu")
    for cells in [*kept[:stayed], *rest]:
        later.restore(cells, GRID)
    np.testing.assert_array_equal(thresholds([later]), wanted)
