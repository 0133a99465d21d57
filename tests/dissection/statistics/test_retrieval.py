import math

import numpy as np
import pytest

from dissection.statistics.retrieval import average_precision, first_without


def drawn(seed, units=6, images=25):
    rng = np.random.default_rng(seed)
    # few different values, so that many are equal
    return rng.integers(0, 8, (units, images)) / 8, rng.random((units, images)) < 0.3


def expected_precision(values, holds):
    """Return average precision by its definition, from sets of images above each value."""
    total, found, before = sum(holds), 0.0, 0.0
    for least in sorted(set(values), reverse=True):
        shown = [held for value, held in zip(values, holds, strict=True) if value >= least]
        recall = sum(shown) / total
        found += (recall - before) * sum(shown) / len(shown)
        before = recall
    return found


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_loops(seed):
    values, holds = drawn(seed)
    wanted = [
        expected_precision(*pair) for pair in zip(values.tolist(), holds.tolist(), strict=True)
    ]
    assert average_precision(values, holds) == pytest.approx(wanted, abs=1e-12)


def test_average_precision_does_not_depend_on_the_order_of_images():
    values, holds = drawn(1)
    order = np.random.default_rng(0).permutation(values.shape[1])
    assert (
        average_precision(values, holds) == average_precision(values[:, order], holds[:, order])
    ).all()


@pytest.mark.parametrize(
    ("values", "holds", "wanted"),
    [
        ([4, 3, 2, 1], [1, 1, 0, 0], 1.0),
        ([4, 3, 2, 1], [0, 0, 0, 1], 0.25),
        ([7, 7, 7, 7], [1, 0, 0, 0], 0.25),
        ([4, 3, 2, 1], [1, 1, 1, 1], 1.0),
    ],
    ids=["first", "last", "all equal", "all hold"],
)
def test_average_precision_by_hand(values, holds, wanted):
    found = average_precision(np.array([values], float), np.array([holds], bool))
    assert found.tolist() == [wanted]


def test_average_precision_without_a_holder_is_unknown():
    assert math.isnan(average_precision(np.ones((1, 3)), np.zeros((1, 3), bool))[0])


@pytest.mark.parametrize("seed", range(3))
def test_top_images_without_the_label_are_those_of_loops(seed):
    values, holds = drawn(seed)
    image, value = first_without(values, holds, 7)
    assert (image.dtype, value.dtype) == (np.int64, np.float32)
    for u in range(len(values)):
        others = sorted((-values[u, n], n) for n in range(25) if not holds[u, n])[:7]
        assert image[u].tolist() == [n for _, n in others]
        assert value[u].tolist() == [-negative for negative, _ in others]


def test_fewer_images_leave_places_empty():
    image, value = first_without(np.array([[3.0, 2, 1]]), np.array([[True, False, True]]), 3)
    assert image.tolist() == [[1, -1, -1]]
    assert value.tolist() == [[2.0, 0.0, 0.0]]
