import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dissection.activations.quantile import Tail, place, tail_size
from dissection.activations.ranking import kth_largest, largest_first, ordered, unordered
from tests.dissection import references

few = settings(max_examples=40, deadline=None, derandomize=True)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
#: All magnitudes, both signs and zeros, subnormal numbers, and values that repeat.
AWKWARD = [0.0, -0.0, 1e-45, -1e-45, 1.2e-38, 1.0, 1.0000001, -1.0, 65504.0, 3.4028235e38, -3.4e38]


def alone(values):
    return values


def kth(values, rank, total=alone):
    """Return the value of a rank where nothing is tied to a bound."""
    nothing = torch.full(values.shape[:1], -math.inf), torch.zeros(len(values), dtype=torch.int64)
    return kth_largest(values, [rank], total, *nothing)[0]


def tied(rng, *shape):
    """Return floats of which many are equal."""
    return rng.integers(-6, 7, shape).astype(np.float32) / 4


@pytest.mark.parametrize(
    ("quantile", "cells", "size"),
    [(0.005, 200, 2), (0.005, 199, 1), (0.005, 1, 1), (0, 10**9, 1), (0.5, 7, 4), (0.999, 10, 10)],
)
def test_rank_is_one_more_than_the_activations_that_may_exceed(quantile, cells, size):
    assert tail_size(quantile, cells) == size == references.rank(quantile, cells)


@pytest.mark.parametrize(
    ("quantile", "cells", "reason"),
    [
        (1.0, 5, "below 1, got 1.0"),
        (-0.1, 5, "at least 0 and below 1, got -0.1"),
        (math.nan, 5, "got nan"),
        (0.1, 0, "at least one activation, got 0"),
    ],
)
def test_impossible_quantiles_are_refused(quantile, cells, reason):
    with pytest.raises(ValueError, match=reason):
        tail_size(quantile, cells)


@few
@given(st.data())
def test_tail_of_any_batches_is_the_sort(data):
    units, size = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = tied(rng, units, size + data.draw(st.integers(0, 60)))
    expected = references.kth_largest(values, size)
    unit, column = (part.ravel() for part in np.indices(values.shape))
    order = rng.permutation(values.size)
    cuts = sorted(data.draw(st.lists(st.integers(0, values.size), max_size=8)))
    tail, previous = Tail(units, size), np.full(units, -np.inf, np.float32)
    for part in np.split(order, cuts):
        tail.add(torch.from_numpy(values[unit[part], column[part]]), torch.from_numpy(unit[part]))
        if data.draw(st.booleans()):
            bound = tail.select().numpy()
            assert (bound >= previous).all()
            assert (bound <= expected).all()
            previous = bound.copy()
    np.testing.assert_array_equal(tail.select().numpy(), expected)
    np.testing.assert_array_equal(tail.threshold(alone).numpy(), expected)
    assert ((values > expected[:, None]).sum(1) < size).all()


@few
@given(st.integers(0, 2**32), st.integers(1, 8), st.lists(st.integers(1, 5), min_size=8))
def test_values_that_do_not_exceed_the_bound_need_not_be_added(seed, size, widths):
    values = tied(np.random.default_rng(seed), 3, sum(widths))
    tail, start = Tail(3, size), 0
    for width in widths:
        part = torch.from_numpy(values[:, start : start + width])
        unit, column = (part > tail.bound[:, None]).nonzero(as_tuple=True)
        tail.add(part[unit, column], unit)
        tail.select()
        start += width
    np.testing.assert_array_equal(tail.bound.numpy(), references.kth_largest(values, size))


def test_whole_batches_may_come_before_single_values():
    values = tied(np.random.default_rng(1), 4, 50)
    tail = Tail(4, 12)
    for start, stop in ((0, 3), (3, 9), (9, 21)):
        tail.add_all(torch.from_numpy(values[:, start:stop]))
    tail.select()
    for column in values[:, 21:].T.copy():
        tail.add(torch.from_numpy(column), torch.arange(4))
    np.testing.assert_array_equal(tail.select().numpy(), references.kth_largest(values, 12))


def test_bound_stays_below_everything_until_enough_values_were_seen():
    tail = Tail(2, 3)
    tail.add_all(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert tail.select().tolist() == [-math.inf, -math.inf]
    tail.add(torch.tensor([0.5]), torch.tensor([0]))
    assert tail.select().tolist() == [0.5, -math.inf]
    tail.add(torch.tensor([5.0, 6.0, 0.1]), torch.tensor([1, 1, 0]))
    assert tail.select().tolist() == [0.5, 4.0]


def test_adding_nothing_changes_nothing():
    tail = Tail(2, 1)
    tail.add(torch.empty(0), torch.empty(0, dtype=torch.int64))
    assert tail.select().tolist() == [-math.inf, -math.inf]
    tail.add(torch.tensor([1.0, 2.0]), torch.tensor([0, 1]))
    tail.add(torch.empty(0), torch.empty(0, dtype=torch.int64))
    assert tail.select().tolist() == [1.0, 2.0]


def test_memory_of_the_tail_does_not_grow_with_what_was_added():
    tail, rng = Tail(3, 100), np.random.default_rng(0)
    at_first = tail._values.shape
    for _ in range(200):
        tail.add(torch.from_numpy(tied(rng, 60)), torch.from_numpy(rng.integers(0, 3, 60)))
        tail.add(torch.from_numpy(tied(rng, 2000)), torch.from_numpy(rng.integers(0, 3, 2000)))
    assert tail._values.shape == at_first


@pytest.mark.parametrize(("units", "each"), [(3, 30_000), (70_000, 3)], ids=["values", "units"])
def test_more_than_65536_are_no_limit(units, each):
    values = np.random.default_rng(2).normal(size=(units, each)).astype(np.float32)
    size = each // 3 + 1
    unit = np.arange(units).repeat(each)
    order = np.random.default_rng(3).permutation(values.size)
    tail = Tail(units, size)
    for part in np.array_split(order, 2):
        tail.add(torch.from_numpy(values.ravel()[part]), torch.from_numpy(unit[part]))
    np.testing.assert_array_equal(tail.select().numpy(), np.sort(values, 1)[:, -size])


@few
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 40))
def test_placing_appends_each_units_values_in_order(seed, units, count):
    rng = np.random.default_rng(seed)
    fill, unit = rng.integers(0, 4, units), rng.integers(0, units, count)
    values = np.arange(1, count + 1, dtype=np.float32)
    rows = [[-1.0] * n for n in fill]
    for value, row in zip(values.tolist(), unit.tolist(), strict=True):
        rows[row].append(value)
    width = max(map(len, rows)) + 1
    buffer = torch.full((units, width), -1.0)
    counts = np.bincount(unit, minlength=units)
    parts = (torch.from_numpy(part) for part in (fill, values, unit, counts))
    place(buffer, *parts)
    assert buffer.tolist() == [row + [-1.0] * (width - len(row)) for row in rows]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_largest_come_first(count):
    values = tied(np.random.default_rng(count), 5, 7)
    moved = torch.from_numpy(values.copy())
    largest_first(moved, count)
    np.testing.assert_array_equal(np.sort(moved, 1), np.sort(values, 1))
    np.testing.assert_array_equal(np.sort(moved[:, :count], 1), np.sort(values, 1)[:, 7 - count :])


@few
@given(
    st.lists(finite | st.sampled_from(AWKWARD), min_size=1, max_size=30),
    st.data(),
)
def test_bisected_value_is_the_sorted_one(values, data):
    k = data.draw(st.integers(1, len(values)))
    row = torch.tensor([values])
    found = kth(row, k)
    assert found.item() == sorted(row[0].tolist(), reverse=True)[k - 1]


def test_bisection_finds_every_rank_of_floats_of_any_bits():
    bits = np.random.default_rng(0).integers(0, 2**32, 3000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)][:1200].reshape(2, 600)
    for k in (1, 2, 300, 599, 600):
        found = kth(torch.from_numpy(values), k)
        np.testing.assert_array_equal(found.numpy(), references.kth_largest(values, k))


def test_missing_values_count_for_nothing():
    values = torch.tensor([[3.0, -math.inf, -math.inf], [-math.inf, 1.0, 2.0]])
    assert kth(values, 2).tolist() == [-math.inf, 1.0]
    for width in (0, 1, 2):
        assert kth(torch.ones(2, width), 3).tolist() == [-math.inf] * 2


@few
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(-6, 6))
def test_a_bound_stands_for_the_values_that_equal_it(seed, rank, bound):
    values = tied(np.random.default_rng(seed), 3, 12)
    bound = np.full(3, bound / 4, np.float32)
    ties = (values == bound[:, None]).sum(1)
    # some of those that are counted are held as well
    held = np.where(values == bound[:, None], np.float32(-np.inf), values)
    held[:, :4] = values[:, :4]
    parts = (torch.from_numpy(part) for part in (bound, ties))
    ranks = [rank, 1, 12]
    found = kth_largest(torch.from_numpy(held), ranks, alone, *parts)
    for one, wanted in zip(found, ranks, strict=True):
        np.testing.assert_array_equal(one.numpy(), references.kth_largest(values, wanted))


def over_two_ranks(parts, work):
    """Do the work in a thread for each part, with the sum of both."""
    barrier, shared = threading.Barrier(2), [None, None]

    def run(rank):
        def total(values):
            shared[rank] = values
            barrier.wait()
            result = torch.add(*shared)
            barrier.wait()
            return result

        return work(parts[rank], total)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


def test_two_ranks_find_what_one_finds():
    rng = np.random.default_rng(5)
    values = np.concatenate([tied(rng, 4, 40), rng.normal(size=(4, 60)).astype(np.float32)], 1)
    values[3] = AWKWARD[0]
    expected = references.kth_largest(values, 17)
    values = values[:, rng.permutation(100)]
    parts = [torch.from_numpy(part) for part in np.split(values, [23], 1)]
    for found in over_two_ranks(parts, lambda part, total: kth(part, 17, total)):
        np.testing.assert_array_equal(found.numpy(), expected)


def test_tails_of_two_ranks_have_one_threshold():
    values = tied(np.random.default_rng(6), 3, 80)
    expected = references.kth_largest(values, 21)

    def work(part, total):
        tail = Tail(3, 21)
        for column in np.array_split(part, 7, axis=1):
            tail.add_all(torch.from_numpy(column))
            tail.select()
        assert (tail.bound.numpy() <= expected).all()
        return tail.threshold(total)

    for found in over_two_ranks(np.split(values, [30], 1), work):
        np.testing.assert_array_equal(found.numpy(), expected)


def test_ordered_bits_sort_as_the_floats():
    values = torch.tensor(sorted({*AWKWARD, math.inf, -math.inf}))
    keys = ordered(values)
    assert (keys.diff() > 0).all()
    assert ordered(torch.tensor([-0.0, 0.0])).diff().item() == 1
    assert torch.equal(unordered(keys.long()), values)
    assert torch.signbit(unordered(ordered(torch.tensor([-0.0])).long())).item()


def test_rank_without_images_finds_what_the_others_find():
    values = tied(np.random.default_rng(7), 3, 40)

    def work(part, total):
        tail = Tail(3, 5)
        if part.shape[1]:
            tail.add_all(torch.from_numpy(part))
        return tail.threshold(total)

    for found in over_two_ranks(np.split(values, [40], 1), work):
        np.testing.assert_array_equal(found.numpy(), references.kth_largest(values, 5))


def test_unit_whose_values_are_all_at_the_bound_has_it_as_threshold():
    tail = Tail(2, 3)
    tail.bound = torch.tensor([0.0, 6.0])
    tail.ties += torch.tensor([3, 2])
    tail.add(torch.empty(0), torch.empty(0, dtype=torch.int64))
    # a third value that reaches 6 is not known of
    assert tail.threshold(alone).tolist() == [0.0, -math.inf]


@few
@given(st.integers(0, 2**32), st.integers(1, 12), st.lists(st.integers(1, 9), min_size=4))
def test_a_bound_of_any_rank_is_found_out_or_held(seed, size, widths):
    """What exceeds the bound is added, what equals it counted."""
    rng = np.random.default_rng(seed)
    widths = [*widths, size]
    values = tied(rng, 4, sum(widths))
    exact, tail, start = references.kth_largest(values, size), Tail(4, size), 0
    for width in widths:
        part = torch.from_numpy(values[:, start : start + width])
        unit, column = (part > tail.bound[:, None]).nonzero(as_tuple=True)
        tail.add(part[unit, column], unit)
        before = tail.bound
        tail.select(int(rng.integers(1, size + 1)))
        equal = (part == tail.bound[:, None]).sum(1)
        tail.ties += torch.where(tail.bound > before, 0, equal)
        start += width
    found, held = tail.threshold(alone).numpy(), tail.bound.numpy() <= exact
    np.testing.assert_array_equal(found[held], exact[held])
    assert (found[~held] < tail.bound.numpy()[~held]).all()
    assert (found <= exact).all()


def test_all_but_the_largest_of_a_long_batch_is_left_out_and_the_batch_as_it_was():
    values = tied(np.random.default_rng(8), 3, 10_000)
    batch = torch.from_numpy(values.copy())
    tail = Tail(3, 7)
    tail.add_all(batch)
    tail.add_all(batch[:, :5])
    np.testing.assert_array_equal(batch.numpy(), values)
    both = np.concatenate([values, values[:, :5]], 1)
    np.testing.assert_array_equal(tail.select().numpy(), references.kth_largest(both, 7))


def test_batches_that_are_smaller_than_the_tail_and_larger_than_its_spare_room_fit():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(3, 12000)).astype(np.float32)
    tail = Tail(3, 5000)
    for start in range(0, 12000, 4000):
        tail.add_all(torch.from_numpy(values[:, start : start + 4000]))
    assert tail.threshold(alone).tolist() == references.kth_largest(values, 5000).tolist()
