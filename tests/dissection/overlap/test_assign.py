import numpy as np
import pytest
import torch

from dissection.overlap.assign import Best, best, detectors
from tests.dissection import references

K = 4
#: Label 0 is unlabelled, 3 and 6 are gaps; nothing known is of the last category.
KNOWN = np.array([False, True, True, False, True, True, False, True])
PRIMARY = np.array([3, 0, 1, 3, 0, 1, 3, 2])


def chosen(scores, known=KNOWN, primary=PRIMARY):
    return best(torch.from_numpy(scores), torch.from_numpy(known), torch.from_numpy(primary), K)


def expected(scores, known=KNOWN, primary=PRIMARY):
    """Return the rows of `Best` from loops."""
    rows = []
    for row in scores.tolist():
        allowed = [label for label in range(len(row)) if known[label]]
        by_category = [
            references.best(row, [label for label in allowed if primary[label] == k])
            for k in range(K)
        ]
        rows.append((*references.best(row, allowed), *zip(*by_category, strict=True)))
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_best_labels_are_those_of_loops(seed):
    rng = np.random.default_rng(seed)
    # few different values, so that many are equal
    scores = rng.integers(0, 4, (30, len(KNOWN))) / 10
    found = chosen(scores)
    assert [np.asarray(part).tolist() for part in found] == [
        np.asarray(part).tolist() for part in expected(scores)
    ]


def test_lowest_number_wins_where_scores_are_equal():
    found = chosen(np.full((1, 8), 0.5))
    assert found.label.tolist() == [1]
    assert found.category_label.tolist() == [[1, 2, 7, 0]]
    assert found.category_iou.tolist() == [[0.5, 0.5, 0.5, 0.0]]


@pytest.mark.parametrize("score", [0.0, 0.9])
def test_unlabelled_and_gaps_never_win(score):
    scores = np.zeros((2, 8))
    scores[:, ~KNOWN] = score
    found = chosen(scores)
    assert found.label.tolist() == [1, 1]
    assert found.iou.tolist() == [0.0, 0.0]
    assert found.category_label.tolist() == [[1, 2, 7, 0]] * 2


def test_only_label_may_be_the_last():
    known = np.arange(8) == 7
    found = chosen(np.zeros((1, 8)), known)
    assert found.label.tolist() == [7]
    assert found.category_label.tolist() == [[0, 0, 7, 0]]


def test_probe_without_labels_names_nothing():
    with pytest.raises(ValueError, match="without labels cannot name a unit"):
        chosen(np.zeros((1, 8)), np.zeros(8, bool))


def test_permuted_units_permute_the_labels():
    scores = np.random.default_rng(9).random((12, 8))
    order = np.random.default_rng(1).permutation(12)
    for moved, part in zip(chosen(scores[order]), chosen(scores), strict=True):
        assert torch.equal(moved, part[order])


@pytest.mark.parametrize("min_iou", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_detectors_are_counted_as_in_loops(seed, min_iou):
    scores = np.random.default_rng(seed).integers(0, 4, (20, len(KNOWN))) / 10
    label, iou, category_label, category_iou = expected(scores)
    pairs = [p for p in zip(label, iou, strict=True) if p[1] > min_iou]
    by_category = [set() for _ in range(K)]
    for names, values in zip(category_label, category_iou, strict=True):
        for k in range(K):
            if values[k] > min_iou:
                by_category[k].add(names[k])
    found = detectors(chosen(scores), min_iou)
    assert found.units == len(pairs)
    assert found.unique_best == len({name for name, _ in pairs})
    assert found.unique_by_category == tuple(map(len, by_category))
    assert found.unique_paper == sum(map(len, by_category))


def test_iou_must_exceed_the_minimum():
    parts = ([1, 2], [0.04, np.nextafter(0.04, 1)], [[1], [2]], [[0.04], np.nextafter([0.04], 1)])
    found = detectors(Best(*(torch.from_numpy(np.array(part)) for part in parts)))
    assert found == (1, 1, 1, (1,))


def test_the_two_rules_of_counting_differ():
    # both units have label 5 overall; in the first category each has another one above the minimum
    parts = ([5, 5], [0.5, 0.5], [[1, 5], [2, 5]], [[0.1, 0.5], [0.2, 0.5]])
    found = detectors(Best(*map(torch.tensor, parts)))
    assert found.unique_best == 1
    assert found.unique_paper == 3
    assert found.unique_by_category == (2, 1)
