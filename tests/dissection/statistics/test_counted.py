"""Detectors of resamples are those of plain loops and sets."""

import numpy as np

from dissection.statistics.counted import count, range_of, resampled


def between(values):
    """Return what 95% of values lie between, by sorting them."""
    ordered = sorted(values)
    cut = 0.025 * (len(ordered) - 1)
    return ordered[int(np.floor(cut))], ordered[int(np.ceil(len(ordered) - 1 - cut))]


def test_an_iou_at_the_limit_is_no_detector_and_the_first_of_equals_names_it():
    iou = np.array([[[0.04, 0.01], [0.2, 0.2], [0.1, 0.3]]])
    found = resampled(iou, np.array([[1, 2], [3, 4], [1, 3]]), 0.04)
    assert (found.detectors.tolist(), found.unique.tolist()) == ([2], [1])


def test_counts_are_those_of_sets():
    rng = np.random.default_rng(0)
    iou, label = rng.random((20, 30)) * 0.1, rng.integers(0, 9, (20, 30))
    found = count(iou, label, 0.04)
    for which in range(20):
        held = [label[which, u] for u in range(30) if iou[which, u] > 0.04]
        assert (found.detectors[which], found.unique[which]) == (len(held), len(set(held)))


def test_a_range_holds_at_least_what_it_says():
    values = np.random.default_rng(0).integers(-20, 20, 200)
    low, high = range_of(values)
    assert (low, high) == between(values)
    assert ((values >= low) & (values <= high)).mean() >= 0.95
