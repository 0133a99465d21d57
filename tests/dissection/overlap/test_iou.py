import numpy as np
import pytest
import torch

from dissection.overlap.iou import activation_area, iou
from dissection.overlap.tally import Counts
from tests.dissection import references

UNIONS = ("category", "mask", "all")
UNITS, LABELS, K = 5, 9, 3


def random_counts(seed):
    """Return counts that could be counted: each intersection within all it can be part of."""
    rng = np.random.default_rng(seed)
    primary = rng.integers(0, K, LABELS)
    everywhere = rng.integers(0, 500, UNITS)
    everywhere[0] = 0
    by_category = (everywhere[:, None] * rng.random((UNITS, K))).astype(np.int64)
    by_mask = (by_category * rng.random((UNITS, K))).astype(np.int64)
    pixels = rng.integers(0, 400, LABELS)
    pixels[[0, 4]] = 0
    most = np.minimum(by_mask[:, primary], pixels)
    intersection = (most * rng.random((UNITS, LABELS))).astype(np.int64)
    intersection[1] = most[1]
    return references.Counted(intersection, everywhere, by_category, by_mask, pixels), primary


@pytest.mark.parametrize("union", UNIONS)
@pytest.mark.parametrize("seed", range(4))
def test_iou_is_the_ratio_of_loops(union, seed):
    counted, primary = random_counts(seed)
    counts = Counts(*map(torch.from_numpy, counted[:4]))
    found = iou(counts, torch.from_numpy(counted.pixels), torch.from_numpy(primary), union)
    assert found.dtype == torch.float64
    wanted = references.iou(counted, primary, union)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-15, atol=0)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert found.max() > 0


@pytest.mark.parametrize("union", UNIONS)
def test_nothing_over_nothing_is_zero(union):
    counts = Counts(*(torch.zeros(s, dtype=torch.int64) for s in ((1, 2), (1,), (1, 1), (1, 1))))
    found = iou(counts, torch.tensor([0, 0]), torch.tensor([0, 0]), union)
    assert found.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("pixels", [1, 7])
def test_perfect_match_is_one_by_every_rule(pixels):
    counts = Counts(*map(torch.tensor, ([[0, pixels]], [pixels], [[pixels]], [[pixels]])))
    for union in UNIONS:
        found = iou(counts, torch.tensor([0, pixels]), torch.tensor([0, 0]), union)
        assert found[0, 1].item() == 1.0


def test_large_counts_lose_no_digit():
    pixels = 10**12
    counts = Counts(*map(torch.tensor, ([[pixels - 1]], [pixels], [[pixels]], [[pixels]])))
    found = iou(counts, torch.tensor([pixels]), torch.tensor([0]), "all")
    assert found.item() == (pixels - 1) / (pixels + 1)


def test_rules_differ_in_the_active_pixels_that_count():
    counts = Counts(*map(torch.tensor, ([[0, 1, 2]], [9], [[5, 7]], [[3, 4]])))
    primary = torch.tensor([0, 0, 1])
    areas = {rule: activation_area(counts, primary, rule)[0].tolist() for rule in UNIONS}
    assert areas == {"category": [5, 5, 7], "mask": [3, 3, 4], "all": [9, 9, 9]}


def test_unknown_rule_is_refused():
    counted, primary = random_counts(0)
    counts = Counts(*map(torch.from_numpy, counted[:4]))
    pixels, primary = torch.from_numpy(counted.pixels), torch.from_numpy(primary)
    with pytest.raises(ValueError, match="unknown union rule 'any'; one of category, mask, all"):
        iou(counts, pixels, primary, "any")
