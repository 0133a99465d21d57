import pytest
import torch

from dissection.clip.reordering import places, reordering_errors


def slow_places(column):
    return [sum(other < value for other in set(column)) for value in column]


@pytest.mark.parametrize("k", [2, 3, 5, 64, 1 << 30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_places_are_those_of_a_loop(k, dtype):
    draw = torch.Generator().manual_seed(0)
    scores = torch.randint(-4, 5, (20, 6), generator=draw).to(dtype) * 0.1
    scores[3, 2] = -0.0
    have = places(scores, k)
    step = 1
    while step < k:
        step *= 2
    want = [[place * step for place in slow_places(column)] for column in scores.t().tolist()]
    assert have.tolist() == want


@pytest.mark.parametrize("images", [12, 1 << 12])
def test_errors_are_those_of_a_stable_sort(images):
    draw = torch.Generator().manual_seed(1)
    k, units, concepts = 7, 4, 5
    # many equal scores
    scores = torch.randint(0, 6, (images, concepts), generator=draw).double()
    rows = torch.stack([torch.randperm(images, generator=draw)[:k] for _ in range(units)])
    highest = torch.rand(units, k, generator=draw).double().sort(descending=True).values
    chance = torch.tensor([0.5, 0.0, 2.0, 1.0]).double()
    have = reordering_errors(places(scores, k), rows, highest, chance, 3.0)
    for unit in range(units):
        for concept in range(concepts):
            mine = [scores[i, concept].item() for i in rows[unit]]
            order = sorted(range(k), key=lambda j, mine=mine: (mine[j], j))
            moved = [highest[unit, j].item() for j in order]
            upwards = sorted(highest[unit].tolist())
            error = sum(abs(a - b) ** 3 for a, b in zip(moved, upwards, strict=True)) / k
            want = error / chance[unit].item() if chance[unit] else 1.0
            assert have[unit, concept].item() == pytest.approx(want, rel=1e-12)
