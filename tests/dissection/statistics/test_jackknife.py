import hashlib
import math
import statistics

import numpy as np
import pytest

from dissection.statistics.jackknife import groups_of, interval

#: Student's t at 0.975 from printed tables, by degrees of freedom.
T_975 = {1: 12.706, 4: 2.776, 9: 2.262, 49: 2.0096}


@pytest.mark.parametrize(("images", "groups"), [(1, 50), (7, 50), (50, 50), (123, 50), (40, 6)])
def test_groups_follow_the_digests_of_the_numbers(images, groups):
    ranked = sorted((hashlib.sha256(f"{n}".encode()).hexdigest(), n) for n in range(images))
    wanted = {n: rank % min(groups, images) for rank, (_, n) in enumerate(ranked)}
    found = groups_of(images, groups)
    assert found.dtype == np.int64
    assert found.tolist() == [wanted[n] for n in range(images)]


def test_groups_are_fifty_of_equal_size_up_to_one():
    sizes = np.bincount(groups_of(1234))
    assert len(sizes) == 50
    assert np.ptp(sizes) == 1


def test_fewer_images_are_a_group_each():
    assert sorted(groups_of(20)) == list(range(20))


def test_groups_of_no_image_are_none():
    assert groups_of(0).shape == (0,)


@pytest.mark.parametrize("groups", [2, 5, 10, 50])
def test_interval_is_that_of_the_formula(groups):
    rng = np.random.default_rng(groups)
    without, observed = rng.normal(0.5, 0.002, (groups, 6)), rng.normal(0.5, 0.001, 6)
    low, high = interval(without, observed)
    for u, here in enumerate(observed.tolist()):
        values = without[:, u].tolist()
        squares = sum((value - statistics.fmean(values)) ** 2 for value in values)
        half = T_975[groups - 1] * math.sqrt((groups - 1) / groups * squares)
        assert low[u] == pytest.approx(here - half, abs=2e-4 * half)
        assert high[u] == pytest.approx(here + half, abs=2e-4 * half)


def test_interval_is_cut_to_what_a_share_can_be():
    without = np.array([[0.0, 0.9], [0.1, 1.0], [0.2, 0.8]])
    low, high = interval(without, np.array([0.1, 0.95]))
    assert (low.tolist()[0], high.tolist()[1]) == (0, 1)


def test_one_group_says_nothing():
    low, high = interval(np.array([[0.3]]), np.array([0.4]))
    assert (low.tolist(), high.tolist()) == ([0.0], [1.0])


def test_equal_values_leave_no_doubt():
    low, high = interval(np.full((50, 1), 0.25), np.array([0.25]))
    assert (low.tolist(), high.tolist()) == ([0.25], [0.25])


def test_a_mean_has_its_textbook_error():
    # of a mean over images, leaving out one each gives the standard error of the mean
    values = np.random.default_rng(0).random(50)
    without = (values.sum() - values) / 49
    low, high = interval(without[:, None], np.array([values.mean()]))
    error = statistics.stdev(values.tolist()) / math.sqrt(50)
    assert (high - low)[0] == pytest.approx(2 * T_975[49] * error, rel=1e-4)
