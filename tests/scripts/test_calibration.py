"""The figures of a calibration are what is so where everything is known, and plain loops say so."""

import math

import numpy as np
import pytest
from _calibration import (
    Drawn,
    by_stability,
    covers,
    failures,
    false_share,
    figures,
    held_out,
    mixed_discoveries,
)

UNITS, SHIFTS = 400, 20


def p_of(null, observed):
    """Return p of each unit as the definition has it, by plain loops."""
    shifts, units = len(null), len(observed)
    logs = [[math.log(value) for value in row] for row in null]
    mean = [sum(row[u] for row in logs) / shifts for u in range(units)]
    pooled = [
        (row[u] - mean[u]) * math.sqrt(shifts / (shifts - 1)) for row in logs for u in range(units)
    ]
    found = []
    for u in range(units):
        x = (math.log(observed[u]) - mean[u]) / math.sqrt(1 + 1 / shifts)
        found.append((1 + sum(value >= x for value in pooled)) / (1 + shifts * units))
    return found


def chance(rng, units=UNITS, shifts=SHIFTS):
    """Return what chance gives of units each of which has a level of its own."""
    return np.exp(rng.normal(-4, 1, units) + 0.3 * rng.standard_normal((shifts, units)))


def drawn(rng, share=0.0, planted=None, **given):
    """Return a draw whose estimates and intervals are those of normal numbers."""
    true = rng.uniform(0.3, 0.6, UNITS)
    iou = true + 0.02 * math.sqrt(1 - share) * rng.standard_normal(UNITS)
    null = chance(rng)
    parts = {"label": np.zeros(UNITS, int), "iou": iou, "low": iou - 1.96 * 0.02}
    parts |= {"high": iou + 1.96 * 0.02, "stability": rng.random(UNITS), "q": rng.random(UNITS)}
    parts |= {"null": null, "true_label": np.zeros(UNITS, int), "true_iou": true, "share": share}
    return Drawn(**(parts | {"planted": planted} | given))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_intervals_that_are_right_cover_as_often_as_they_say(share):
    rng = np.random.default_rng(1)
    found = figures([drawn(rng, share) for _ in range(10)])
    assert 0.94 < found["coverage"] < 0.96
    # half of the population is drawn, so that its number is nearly known
    assert found["coverage_as_printed"] == pytest.approx(0.95 if not share else 0.994, abs=0.01)
    assert abs(found["excess"]) < 0.002
    assert not [line for line in failures(found) if line.startswith("coverage")]


def test_intervals_that_are_too_narrow_are_noticed():
    rng = np.random.default_rng(2)
    one = drawn(rng)
    narrow = one._replace(low=one.iou - 0.02, high=one.iou + 0.02)
    found = figures([narrow])
    assert found["coverage"] < 0.75
    assert failures(found)[0].startswith("coverage is 0.")
    assert failures(found)[0].endswith("wanted 0.93 to 0.97")


def test_an_interval_covers_what_lies_in_it_by_plain_loops():
    one = drawn(np.random.default_rng(3), 0.36)
    for narrowed, width in ((False, 1), (True, 0.8)):
        for u, held in enumerate(covers(one, narrowed)):
            low = one.iou[u] - width * (one.iou[u] - one.low[u])
            high = one.iou[u] + width * (one.high[u] - one.iou[u])
            assert held == (low <= one.true_iou[u] <= high)


def test_held_out_shifts_are_judged_by_the_others():
    null = chance(np.random.default_rng(4), units=7, shifts=4)
    found = held_out(null)
    assert found.shape == (4, 7)
    for r in range(4):
        others = [null[s] for s in range(4) if s != r]
        assert found[r] == pytest.approx(p_of(others, null[r]))
    assert held_out(null[:2]).shape == (0, 7)


def test_shifts_of_chance_have_the_p_that_they_should():
    rng = np.random.default_rng(5)
    found = figures([drawn(rng) for _ in range(3)])
    assert found["p_05"] == pytest.approx(0.05, abs=0.01)
    assert found["p_01"] == pytest.approx(0.01, abs=0.004)


def test_units_that_see_their_concept_are_told_from_held_out_shifts():
    rng = np.random.default_rng(6)
    null = chance(rng)
    rates = mixed_discoveries(null, null.mean(0) * np.exp(rng.uniform(0, 4, UNITS)), rng)
    assert len(rates) == SHIFTS
    assert 0 < np.mean(rates) < 0.06
    # where all units are chance, whatever is found is false
    nothing = mixed_discoveries(null, chance(rng)[0], rng)
    assert max(nothing) <= 1
    assert mixed_discoveries(null[:2], null[0], rng) == []


def test_what_is_known_of_planted_units_is_counted():
    rng = np.random.default_rng(7)
    planted = np.arange(UNITS) < 100
    q = np.where(planted, 0.001, 0.5)
    q[[0, 1]] = 0.9
    q[[200, 300]] = 0.05
    found = figures([drawn(rng, planted=planted, q=q)])
    assert found["found_planted"] == 0.98
    assert found["false_discoveries_planted"] == 2 / 100
    assert figures([drawn(rng)])["false_discoveries_planted"] is None


def test_q_at_the_level_is_found_and_q_of_nothing_is_not():
    q = np.array([0.05, 0.0500001, np.nan, 0.0])
    assert false_share(q, np.array([True, True, True, False])) == 0.5
    assert false_share(q + 1, np.ones(4, bool)) == 0


def test_names_are_counted_by_class_of_stability():
    stability = np.array([0, 0.49, 0.5, 0.79, 0.8, 0.95, 0.951, 1.0, 1.0])
    right = np.array([0, 1, 1, 1, 0, 0, 1, 1, 0], bool)
    covered = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1], bool)
    third = pytest.approx(1 / 3)
    assert by_stability(stability, right, covered) == [
        {"from": 0.0, "to": 0.5, "units": 2, "right": 0.5, "coverage": 1.0},
        {"from": 0.5, "to": 0.8, "units": 2, "right": 1.0, "coverage": 0.0},
        {"from": 0.8, "to": 0.95, "units": 2, "right": 0.0, "coverage": 0.5},
        {"from": 0.95, "to": 1.0, "units": 3, "right": pytest.approx(2 / 3), "coverage": third},
    ]
    assert by_stability(stability[:1], right[:1], covered[:1])[3]["right"] is None


def test_too_few_shifts_tell_nothing_and_fail_nothing():
    one = drawn(np.random.default_rng(8))
    found = figures([one._replace(null=one.null[:1])])
    assert found["p_05"] is found["false_discoveries"] is None
    assert not [line for line in failures(found) if not line.startswith("coverage")]
