"""Planted units see their concept where it is, the others where another image has it."""

import numpy as np
import pytest
import torch
from _planted import CELLS, LAYER, Numbered, elsewhere, planted

import dissection
from broden import mini
from broden.reader import ProbeSet
from dissection.activations.batches import batches

UNITS = 12


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, 40, seed=9)
    with ProbeSet(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(probe):
    return planted(probe, UNITS, seed=3)


def test_another_image_holds_labels_of_the_same_categories():
    rng = np.random.default_rng(0)
    presence = rng.random((50, 3)) < 0.5
    presence[7] = True
    presence = np.concatenate([presence, np.zeros((50, 3), bool)], axis=1)
    presence[9, 5] = True
    found = elsewhere(presence, rng)
    assert sorted(found) == list(range(50))
    assert (presence[found] == presence).all()
    alone = [i for i in range(50) if (presence == presence[i]).all(1).sum() == 1]
    assert 9 in alone
    assert [i for i in range(50) if found[i] == i] == alone


def test_the_network_looks_up_what_an_image_shows(probe, made):
    network = made.network
    order = np.array([31, 2, 2, 17])
    (pixels,) = batches(Numbered(probe, order, "x"), [range(4)], network.preprocessing)
    with torch.inference_mode():
        found = network.module(network.preprocessing.normalise(pixels))
    assert found.shape == (4, UNITS, CELLS, CELLS)
    assert torch.equal(found, network.module.table[order].float())


def test_the_same_seed_plants_the_same(probe, made):
    table = made.network.module.table
    assert torch.equal(table, planted(probe, UNITS, seed=3).network.module.table)
    assert not torch.equal(table, planted(probe, UNITS, seed=4).network.module.table)
    assert made.sees.tolist() == [True] * (UNITS // 2) + [False] * (UNITS // 2)


def covered(probe, image, label):
    """Return the share of each cell that a label covers, by loops over its pixels."""
    held = np.zeros(probe.grid, bool)
    for maps in probe.maps(image).values():
        for one in maps:
            held |= one == label
    side = probe.grid[0] // CELLS
    cells = [
        [held[y * side : (y + 1) * side, x * side : (x + 1) * side].mean() for x in range(CELLS)]
        for y in range(CELLS)
    ]
    return np.array(cells)


def test_maps_are_labels_of_the_image_or_of_another_and_noise(probe, monkeypatch):
    monkeypatch.setattr("_planted._SIGNAL", (50, 50))
    made = planted(probe, UNITS, seed=3)
    table = made.network.module.table.numpy().astype(float)
    alone = np.array([(probe.presence == row).all(1).sum() == 1 for row in probe.presence])
    of_another = []
    for unit, label in enumerate(made.label.tolist()):
        own = np.array([covered(probe, image, label) for image in range(len(probe))])
        noise = table[:, unit] - 50 * own
        # a byte a cell is as exact as the maps are
        right = np.abs(noise.std(axis=(1, 2)) - 1) < 0.25
        if made.sees[unit]:
            assert right.all()
        else:
            assert right[alone].all()
            of_another += right[(own.max((1, 2)) > 0.5) & ~alone].tolist()
    assert len(of_another) > 5
    assert np.mean(of_another) < 0.3


def test_runs_dissect_planted_units(probe, made):
    result = dissection.dissect(made.network, LAYER, Numbered(probe, np.arange(40), "all"))
    assert len(result.units) == UNITS
    assert result.card["settings"]["probe"] == {"name": "mini", "images": 40, "digest": "all"}


def test_a_set_without_small_labels_is_refused(probe, monkeypatch):
    monkeypatch.setattr("_planted._SHARES", (0.9, 1.0))
    with pytest.raises(
        ValueError, match="no label in 3% of its images and on 90.0% to 100.0% of its"
    ):
        planted(probe, UNITS, seed=0)
