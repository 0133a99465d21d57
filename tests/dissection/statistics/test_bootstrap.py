import statistics
from fractions import Fraction

import numpy as np
import pytest

from dissection.statistics import bootstrap
from dissection.statistics.bootstrap import (
    detector_spread,
    resampled_iou,
    resamples,
    stability,
)


def counted(seed, groups=6, units=5, candidates=3, largest=40):
    """Return intersections, areas and label pixels that can be, some of them 0."""
    rng = np.random.default_rng(seed)
    shape = (groups, units, candidates)
    inside = rng.integers(0, largest, shape) * rng.integers(0, 2, shape)
    area, pixels = (
        inside + rng.integers(0, largest, shape),
        inside + rng.integers(0, largest, shape),
    )
    for part in (inside, area, pixels):
        part[:, 0, 0] = 0
    return inside, area, pixels


def expected_iou(inside, area, pixels, weights):
    """Return IoU of each resample from sums of fractions."""
    groups, units, candidates = inside.shape
    found = np.zeros((len(weights), units, candidates))
    for t, row in enumerate(weights.tolist()):
        for u in range(units):
            for c in range(candidates):
                i, a, p = (
                    sum(row[g] * int(part[g, u, c]) for g in range(groups))
                    for part in (inside, area, pixels)
                )
                if a + p - i:
                    found[t, u, c] = float(Fraction(i, a + p - i))
    return found


def test_as_many_groups_are_drawn_as_there_are():
    weights = resamples(50)
    assert (weights.shape, weights.dtype) == ((200, 50), np.int64)
    assert (weights.sum(1) == 50).all()
    assert (weights >= 0).all()


def test_each_group_is_drawn_once_on_average_and_left_out_as_often_as_it_should_be():
    weights = resamples(20, 5000)
    assert weights.mean(0) == pytest.approx(np.ones(20), abs=0.06)
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 20) ** 20, abs=0.01)


def test_a_seed_gives_the_same_resamples_and_another_others():
    assert (resamples(9, 30, 1) == resamples(9, 30, 1)).all()
    assert (resamples(9, 30, 1) != resamples(9, 30, 2)).any()


def test_one_group_is_always_drawn():
    assert resamples(1, 3).tolist() == [[1], [1], [1]]


@pytest.mark.parametrize("seed", range(3))
def test_iou_is_that_of_fractions(seed):
    parts, weights = counted(seed), resamples(6, 20, seed)
    assert (resampled_iou(*parts, weights) == expected_iou(*parts, weights)).all()


def test_iou_of_large_counts_is_exact():
    parts, weights = counted(0, largest=1 << 40), resamples(6, 20)
    assert resampled_iou(*parts, weights) == pytest.approx(expected_iou(*parts, weights), rel=1e-15)


def test_iou_is_the_same_in_any_chunks(monkeypatch):
    parts, weights = counted(1), resamples(6, 20)
    whole = resampled_iou(*parts, weights)
    monkeypatch.setattr(bootstrap, "_CHUNK", 1)
    assert (resampled_iou(*parts, weights) == whole).all()


def test_every_group_once_gives_the_iou_of_all_images():
    inside, area, pixels = counted(2)
    found = resampled_iou(inside, area, pixels, np.ones((1, 6), np.int64))[0]
    i, a, p = (part.sum(0) for part in (inside, area, pixels))
    union = a + p - i
    assert (found[union > 0] == (i / np.maximum(union, 1))[union > 0]).all()
    assert not found[union == 0].any()


@pytest.mark.parametrize("seed", range(3))
def test_stability_is_that_of_loops(seed):
    # few different values, so that many are equal
    iou = np.random.default_rng(seed).integers(0, 3, (30, 4, 3)) / 10
    for u, found in enumerate(stability(iou).tolist()):
        wins = sum(row[u].tolist().index(max(row[u])) == 0 for row in iou)
        assert found == pytest.approx(wins / 30)


@pytest.mark.parametrize("seed", range(3))
def test_spread_is_that_of_loops(seed):
    rng = np.random.default_rng(seed)
    iou, label = rng.integers(0, 12, (25, 8, 3)) / 100, rng.integers(1, 5, (8, 3))
    detectors, unique = [], []
    for row in iou.tolist():
        best = [one.index(max(one)) for one in row]
        named = [label[u, at] for u, at in enumerate(best) if row[u][at] > 0.04]
        detectors.append(len(named))
        unique.append(len(set(named)))
    found = detector_spread(iou, label, 0.04)
    assert found == pytest.approx((statistics.stdev(detectors), statistics.stdev(unique)))


def test_a_detector_exceeds_the_threshold():
    iou = np.array([[[0.04]], [[0.05]]])
    assert detector_spread(iou, np.array([[1]]), 0.04)[0] > 0
    assert detector_spread(iou, np.array([[1]]), 0.05) == (0.0, 0.0)
