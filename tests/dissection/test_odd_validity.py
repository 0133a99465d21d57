"""What labels are worth where it is hard to say: few images, kinds of one image, no labels."""

import numpy as np
import pytest
import torch
from torch import nn

import dissection
from dissection.config import Execution, IouConfig
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.results import schema
from dissection.results.validity import sensitivity
from tests.dissection.probes import GRID, Shown, write_probe

EXECUTION = Execution(device="cpu", batch_size=2, workers=0)
CONFIG = IouConfig(quantile=0.2, quantiles=(0.1, 0.2, 0.4))
UNITS = 5
DEAD, CONSTANT = 3, 4
PLAIN = Preprocessing((8, 8), (0.5,) * 3, (0.5,) * 3, "bilinear")


class Maps(nn.Module):
    """Random filters, a unit that never fires and one that is the same everywhere."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, UNITS, 3, stride=2, padding=1)
        with torch.no_grad():
            for unit, value in ((DEAD, 0.0), (CONSTANT, 1.0)):
                self.maps.weight[unit] = 0
                self.maps.bias[unit] = value

    def forward(self, images):
        return self.maps(images)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network("odd", Maps().eval(), PLAIN, "seed 0")


def plane(seed, *labels):
    return np.random.default_rng(seed).choice(np.array(labels, np.uint16), GRID)


CATS = [Shown([(0, plane(n, 0, 1, 2))]) for n in range(7)]
PROBES = {
    "one image": CATS[:1],
    "two images": CATS[:2],
    # each holds labels of other categories than all others
    "each image of its own kind": [
        Shown([(0, plane(0, 1))]),
        Shown([(1, plane(1, 4))]),
        Shown([(4, plane(2, 12, 300))]),
        Shown([], [(2, 7)]),
    ],
    "a kind without labels": [*CATS, Shown(), Shown(), Shown()],
    "nothing but images without labels and one with": [Shown(), Shown(), Shown(), CATS[0]],
    "seven of a kind": CATS,
}


@pytest.fixture(scope="module", params=PROBES)
def result(request, network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    with write_probe(folder / "probe.h5", PROBES[request.param]) as probe:
        found = dissection.dissect(
            network, ["maps"], probe, out=folder / "run", config=CONFIG, execution=EXECUTION
        )
    return request.param, found


def test_numbers_stay_in_their_ranges(result):
    units = result[1].units
    assert set(schema.VALIDITY_COLUMNS) <= set(units)
    for name in ("chance_iou", "runner_up_iou", "second_iou", "precision", "recall"):
        assert units[name].between(0, 1).all(), name
    for name in ("p", "q", "stability", "average_precision"):
        assert (units[name].isna() | units[name].between(0, 1)).all(), name
    assert (units["images"] <= len(PROBES[result[0]])).all()
    assert (units["iou_low"].isna() | (units["iou_low"] <= units["iou_high"])).all()


def test_no_more_shifts_than_other_images(result):
    images = len(PROBES[result[0]])
    counts = result[1].card["counts"]["maps"]
    assert result[1].card["settings"]["shifts"] == images - 1
    assert counts["expected_by_chance"]["shifts"] == images - 1
    if images == 1:
        assert result[1].units["p"].isna().all()
        assert counts["significant"] == 0


def test_more_shifts_than_other_images_are_refused(network, tmp_path):
    with (
        write_probe(tmp_path / "probe.h5", CATS) as probe,
        pytest.raises(ValueError, match="7 shifts need 8 images, there are 7; give at most 6"),
    ):
        dissection.dissect(
            network, ["maps"], probe, out=tmp_path / "run", config=IouConfig(shifts=7)
        )


def test_images_of_their_own_kind_have_only_themselves(result):
    images, counts = PROBES[result[0]], result[1].card["counts"]["maps"]
    kinds = [frozenset(c for c, _ in [*one.planes, *one.whole]) for one in images]
    assert counts["alone"] == sum(kinds.count(kind) == 1 for kind in kinds)
    if counts["alone"] == len(images):
        # each is laid over its own labels, so chance is what was found
        np.testing.assert_allclose(result[1].units["chance_iou"], result[1].units["iou"])
        assert counts["significant"] == 0


def test_units_that_never_fire_or_always_do_are_not_significant(result):
    units = result[1].units.set_index("unit").loc[[DEAD, CONSTANT]]
    assert not (units["q"] <= 0.05).any()
    assert units.loc[DEAD, "iou"] == units.loc[DEAD, "chance_iou"] == 0


def test_the_grid_has_the_run_s_own_counts(result):
    run = result[1]
    grid = sensitivity(run.path, "maps", UNITS)
    at = grid.quantile.tolist().index(CONFIG.quantile), grid.cut.tolist().index(CONFIG.min_iou)
    assert grid.detectors[at] == run.card["counts"]["maps"]["detectors"]
    assert grid.unique[at] == run.card["counts"]["maps"]["unique_best"]
