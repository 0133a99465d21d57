import numpy as np
import pytest

from dissection.statistics.pairing import pairs, strata_of


def drawn(seed, images=60):
    """Return presence of a few categories, its strata and an order."""
    rng = np.random.default_rng(seed)
    presence = rng.random((images, 4)) < [0.9, 0.5, 0.1, 0.02]
    return presence, strata_of(presence), rng.permutation(images)


def expected_pairs(strata, order, shifts):
    """Return partners from lists."""
    found = [[0] * len(strata) for _ in range(shifts)]
    for stratum in set(strata):
        images = [n for n in order if strata[n] == stratum]
        for r in range(shifts):
            step = 1 + r % (len(images) - 1) if len(images) > 1 else 0
            for place, n in enumerate(images):
                found[r][n] = images[(place + step) % len(images)]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_images_of_a_stratum_hold_the_same_categories_and_no_others_do(seed):
    presence, strata, _ = drawn(seed)
    assert strata.dtype == np.int64
    same = [[row.tolist() == other.tolist() for other in presence] for row in presence]
    assert (np.equal.outer(strata, strata) == np.array(same)).all()
    assert set(strata) == set(range(strata.max() + 1))


def test_without_categories_all_images_are_one_stratum():
    assert strata_of(np.zeros((4, 0), bool)).tolist() == [0] * 4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shifts", [0, 1, 5, 20])
def test_partners_are_those_of_lists(seed, shifts):
    _, strata, order = drawn(seed)
    found = pairs(strata, order, shifts)
    assert (found.shape, found.dtype) == ((shifts, 60), np.int64)
    assert found.tolist() == expected_pairs(strata.tolist(), order.tolist(), shifts)


def test_each_image_is_the_partner_of_one_of_its_stratum():
    _, strata, order = drawn(5)
    for partner in pairs(strata, order, 20):
        assert sorted(partner) == list(range(60))
        assert (strata[partner] == strata).all()


def test_no_image_is_its_own_partner_unless_it_is_alone():
    strata = np.array([0, 1, 0, 2, 0, 3, 3, 0])
    for partner in pairs(strata, np.random.default_rng(0).permutation(8), 20):
        assert (partner == np.arange(8)).nonzero()[0].tolist() == [1, 3]


def test_shifts_differ_until_a_stratum_has_no_more():
    strata, order = np.zeros(5, np.int64), np.arange(5)
    rows = pairs(strata, order, 8).tolist()
    assert len({tuple(row) for row in rows[:4]}) == 4
    assert rows[4:] == rows[:4]
