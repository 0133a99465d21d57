import math

import numpy as np
import pytest

from dissection.statistics.discoveries import p_values, q_values, standardised


def expected_p(null, observed, logarithm=True):
    """Return p of each unit from loops, rounded where equal numbers must stay equal."""
    shifts, units = len(null), len(observed)
    change = (lambda m: math.log(max(m, least))) if logarithm else (lambda m: m)
    least = min([m for row in [*null, observed] for m in row if m > 0], default=1.0)
    pooled, found = [], []
    for u in range(units):
        values = [change(null[r][u]) for r in range(shifts)]
        mean = math.fsum(values) / shifts
        pooled += [round((m - mean) * math.sqrt(shifts / (shifts - 1)), 9) for m in values]
        found.append(round((change(observed[u]) - mean) / math.sqrt(1 + 1 / shifts), 9))
    return [(1 + sum(x >= mine for x in pooled)) / (1 + len(pooled)) for mine in found]


def expected_q(p):
    """Return q of each p by its definition: the least rate at which the procedure finds it."""
    n, ranked = len(p), sorted(p)
    rates = [min(1, value * n / (j + 1)) for j, value in enumerate(ranked)]
    return [min(rates[j] for j in range(n) if ranked[j] >= value) for value in p]


def drawn(seed, shifts=5, units=7):
    rng = np.random.default_rng(seed)
    null = rng.gamma(2, 0.02, (shifts, units)) * rng.integers(0, 4, (shifts, units))
    return null, rng.gamma(3, 0.03, units) * rng.integers(0, 3, units)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shifts", [2, 5, 20])
def test_p_is_that_of_loops(seed, shifts):
    null, observed = drawn(seed, shifts)
    assert p_values(null, observed) == pytest.approx(
        expected_p(null.tolist(), observed.tolist()), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_p_without_the_logarithm_is_that_of_loops(seed):
    rng = np.random.default_rng(seed)
    null, observed = rng.normal(-2, 3, (4, 9)), rng.normal(0, 3, 9)
    assert p_values(null, observed, logarithm=False) == pytest.approx(
        expected_p(null.tolist(), observed.tolist(), logarithm=False), abs=1e-12
    )


def test_p_without_the_logarithm_knows_neither_offset_nor_scale():
    rng = np.random.default_rng(0)
    null, observed = rng.normal(size=(4, 9)), rng.normal(1, 1, 9)
    # the offset of each unit, the scale of the layer; powers of 2 round nothing
    offset = rng.integers(-8, 8, 9)
    quarters = np.round(null * 64) / 64, np.round(observed * 64) / 64
    moved = [4 * part + offset for part in quarters]
    assert (p_values(*quarters, logarithm=False) == p_values(*moved, logarithm=False)).all()


def test_p_with_the_logarithm_is_that_of_logarithms():
    null, observed = drawn(1)
    null, observed = null + 0.01, observed + 0.01
    logs = p_values(np.log(null), np.log(observed), logarithm=False)
    assert (p_values(null, observed) == logs).all()


def test_a_zero_counts_as_the_smallest_positive_value_of_the_layer():
    null, observed = np.array([[0.0, 0.4], [0.2, 0.3], [0.3, 0.5]]), np.array([0.1, 0.0])
    least = np.array([[0.1, 0.4], [0.2, 0.3], [0.3, 0.5]]), np.array([0.1, 0.1])
    for mine, other in zip(standardised(null, observed), standardised(*least), strict=True):
        assert (mine == other).all()


def test_units_that_touch_nothing_have_p_of_one():
    assert p_values(np.zeros((20, 30)), np.zeros(30)).tolist() == [1.0] * 30


@pytest.mark.parametrize("shifts", [2, 3, 5, 7, 20])
def test_equal_values_lie_at_zero_exactly(shifts):
    rng = np.random.default_rng(shifts)
    value = rng.random(200)
    null, observed = standardised(np.tile(value, (shifts, 1)), value)
    assert not null.any()
    assert not observed.any()


def test_larger_is_rarer():
    null, _ = drawn(2, 20, 50)
    p = [p_values(null, np.full(50, value)) for value in np.linspace(0, 1, 9)]
    assert (np.diff(p, axis=0) <= 0).all()
    assert p_values(null, np.full(50, 1e6)).tolist() == [1 / 1001] * 50


@pytest.mark.parametrize("shifts", [0, 1])
def test_without_a_spread_nothing_is_said(shifts):
    p = p_values(np.ones((shifts, 3)), np.ones(3))
    assert np.isnan(p).all()
    assert np.isnan(q_values(p)).all()


def test_units_of_chance_are_called_rare_as_often_as_they_should_be():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=(21, 4000)) + rng.normal(0, 3, 4000))
    p = p_values(values[:20], values[20])
    for level in (0.01, 0.05, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * math.sqrt(level / 4000))


@pytest.mark.parametrize("seed", range(6))
def test_q_is_that_of_loops(seed):
    rng = np.random.default_rng(seed)
    # few different values, so that many are equal
    p = rng.integers(1, 21, 40) / rng.choice([20, 200, 2000])
    assert q_values(p) == pytest.approx(expected_q(p.tolist()), abs=1e-12)


def test_q_of_nothing_is_nothing():
    assert q_values(np.zeros(0)).tolist() == []


def test_q_keeps_the_order_of_p_and_never_lies_below_it():
    p = np.random.default_rng(3).random(100)
    q = q_values(p)
    assert (q >= p).all()
    assert (np.diff(q[np.argsort(p)]) >= 0).all()
