"""What a run stored of how far its labels can be believed is read as it was written, or refused."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from dissection.results.dissection import Dissection
from dissection.results.reading import read
from dissection.results.validity import (
    Expected,
    Rotated,
    believed,
    expected,
    null,
    rotated,
    sensitivity,
    without_label,
)
from tests.dissection import believed as written
from tests.dissection import labelled

UNITS, IMAGES, WHERE = 12, 600, "layers/fc/"


@pytest.fixture
def folder(tmp_path):
    return written.run(tmp_path / "run", {"fc": UNITS})


def everything(folder):
    return (
        null(folder, "fc", UNITS),
        sensitivity(folder, "fc", UNITS),
        without_label(folder, "fc", UNITS, IMAGES),
    )


def test_arrays_are_those_of_the_file(folder):
    by_shift, grid, without = everything(folder)
    with h5py.File(folder / "scores.h5") as file:
        here = file["layers/fc"]
        np.testing.assert_array_equal(by_shift, here["validity/null"][()])
        for name in ("quantile", "cut", "detectors", "unique", "expected", "shifts"):
            np.testing.assert_array_equal(getattr(grid, name), here[f"sensitivity/{name}"][()])
        np.testing.assert_array_equal(without.image, here["validity/without_image"][()])
        np.testing.assert_array_equal(without.value, here["validity/without_value"][()])


def test_every_array_is_opened_by_its_name(folder):
    stored = {}

    def keep(name, member):
        if isinstance(member, h5py.Dataset):
            stored[name] = member[()]

    with h5py.File(folder / "scores.h5") as file:
        file["layers/fc"].visititems(keep)
    result = Dissection.read(folder)
    assert len(stored) > 20
    for name, values in stored.items():
        np.testing.assert_array_equal(result.scores("fc", name), values)


@pytest.mark.parametrize("name", ["validity/null", "validity/chance", "rotated/iou"])
def test_an_array_of_other_units_is_not_opened(folder, name):
    with h5py.File(folder / "scores.h5", "r+") as file:
        del file[f"{WHERE}{name}"]
        file[f"{WHERE}{name}"] = np.ones((UNITS + 1, UNITS + 1))
    with pytest.raises(ValueError, match=r"has shape \(13, 13\), expected"):
        Dissection.read(folder).scores("fc", name)
    with h5py.File(folder / "scores.h5", "r+") as file:
        del file[f"{WHERE}{name}"]
        file[f"{WHERE}{name}"] = 1.0
    with pytest.raises(ValueError, match=r"has shape \(\), expected"):
        Dissection.read(folder).scores("fc", name)


def test_a_quantile_without_shifts_has_no_number_by_chance(folder):
    with h5py.File(folder / "scores.h5", "r+") as file:
        file[f"{WHERE}sensitivity/shifts"][2] = 0
    grid = sensitivity(folder, "fc", UNITS)
    assert np.isnan(grid.expected[2]).all()
    assert np.isfinite(np.delete(grid.expected, 2, axis=0)).all()


def test_no_shifts_are_no_null(folder):
    with h5py.File(folder / "scores.h5", "r+") as file:
        del file[f"{WHERE}validity/null"]
        file[f"{WHERE}validity/null"] = np.empty((0, UNITS))
    assert null(folder, "fc", UNITS) is None


def test_an_earlier_run_has_none(tmp_path):
    folder = labelled.run(tmp_path / "run", UNITS)
    assert everything(folder) == (None, None, None)
    assert null(tmp_path / "table.csv", "fc", UNITS) is None
    iou, _ = read(folder)
    assert not believed(iou)
    assert expected(iou, "fc") is None
    assert rotated(iou, "fc") == []
    assert set(iou.units).isdisjoint(["q", "chance_iou", "runner_up"])


def test_a_labelling_has_the_columns_of_its_table_and_the_counts_of_its_card(folder):
    (iou,) = read(folder)
    table = pd.read_csv(folder / "units.csv", keep_default_na=False)
    for name in ("iou_low", "q", "stability", "runner_up", "images", "average_precision"):
        assert iou.units[name].tolist() == table[name].tolist()
    assert believed(iou)
    counts = json.loads((folder / "run.json").read_text())["counts"]["fc"]
    given = counts["expected_by_chance"]
    assert expected(iou, "fc") == Expected(given["mean"], given["sd"], written.SHIFTS)
    assert expected(iou, "other") is None
    turned = [(one["seed"], one["detectors"], one["unique_best"]) for one in counts["rotated"]]
    assert rotated(iou, "fc") == [Rotated(*one) for one in turned]
    (alone,) = read(folder / "units.csv")
    assert alone.counts == iou.counts


def test_a_cell_without_a_number_is_none(folder):
    table = pd.read_csv(folder / "units.csv", keep_default_na=False)
    table["p"] = table["q"] = ""
    table.to_csv(folder / "units.csv", index=False)
    (iou,) = read(folder)
    assert iou.units["q"].isna().all()
    units = Dissection.read(folder).units
    assert units["p"].isna().all()
    assert units["p"].dtype == float
    assert set(units["second_label"]) == {""}


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("q", "1.5", "row 4, column q is 1.5, expected a number from 0 to 1"),
        ("q", "x", "column q holds no number, row 4 holds 'x'"),
        ("q", "nan", "row 4, column q is nan, expected a number from 0 to 1"),
        ("iou_low", "-0.1", "column iou_low is -0.1, expected a number from 0 to 1"),
        ("images", "inf", "column images is inf, expected a finite number"),
        ("iou", "", "column iou holds no number, row 4 holds ''"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(folder, column, cell, message):
    table = pd.read_csv(folder / "units.csv", keep_default_na=False, dtype=str)
    table.loc[3, column] = cell
    table.to_csv(folder / "units.csv", index=False)
    for reader in (read, Dissection.read):
        with pytest.raises(ValueError, match=message):
            reader(folder)


def put(name, values):
    def change(file):
        del file[f"{WHERE}{name}"]
        if values is not None:
            file[f"{WHERE}{name}"] = values

    return change


def at(name, place, value):
    def change(file):
        file[f"{WHERE}{name}"][place] = value

    return change


SHAPE = (len(written.QUANTILES), len(written.CUTS))
WRONG = {
    "null units": (put("validity/null", np.ones((3, 5))), r"shape \(3, 5\), expected \(any, 12\)"),
    "null text": (put("validity/null", "text"), "has type object, expected floating numbers"),
    "null nan": (at("validity/null", (2, 3), np.nan), "has nan, expected numbers from 0 to 1"),
    "null above": (at("validity/null", (2, 3), 1.5), "has 1.5, expected numbers from 0 to 1"),
    "shifts": (put("validity/null", np.zeros((70_000, UNITS), np.float32)), "at most 65536 can be"),
    "no cuts": (put("sensitivity/cut", None), "'layers/fc/sensitivity/cut' is missing"),
    "cuts fall": (put("sensitivity/cut", np.array(written.CUTS[::-1])), "numbers that ascend"),
    "no quantile": (put("sensitivity/quantile", np.empty(0)), "numbers that ascend"),
    "grid": (put("sensitivity/detectors", np.ones((2, 2), int)), r"expected \(5, 8\)"),
    "detectors": (at("sensitivity/detectors", (0, 0), UNITS + 1), "has 13, expected .* 0 to 12"),
    "unique": (at("sensitivity/unique", (0, 0), -1), "has -1, expected numbers from 0 to 12"),
    "expected": (at("sensitivity/expected", (0, 0), 13.0), "has 13.0, expected numbers from 0 to"),
    "expected nan": (at("sensitivity/expected", (0, 0), np.nan), "has nan, expected numbers"),
    "expected whole": (put("sensitivity/expected", np.ones(SHAPE, int)), "expected floating"),
    "of shifts": (put("sensitivity/shifts", np.ones(4, int)), r"shape \(4,\), expected \(5\)"),
    "image": (at("validity/without_image", (0, 0), IMAGES), "has 600, expected numbers from -1"),
    "image below": (at("validity/without_image", (0, 0), -2), "has -2, expected numbers from -1"),
    "values": (put("validity/without_value", np.ones((UNITS, 3))), r"expected \(12, 10\)"),
    "link": (
        lambda file: file.__setitem__(f"{WHERE}validity/x", h5py.SoftLink("/labels")),
        "is a soft link; links are refused",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_in_one_line(folder, change, message):
    everything(folder)
    with h5py.File(folder / "scores.h5", "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=message) as caught:
        everything(folder)
    assert str(folder / "scores.h5") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "value", "message"),
    [
        (("settings", "validity"), "half", "settings.validity is .half., expected one of full, n"),
        (("settings", "quantiles"), 0.1, "settings.quantiles is 0.1, expected a list"),
        (("settings", "quantiles"), [0.1, 2], "settings.quantiles.2 is 2, expected a number from"),
        (("counts", "fc", "significant"), -1, "counts.fc.significant is -1, expected a whole"),
        (("counts", "fc", "rotated"), {}, "counts.fc.rotated is {}, expected a list"),
        (("counts", "fc", "rotated"), [1], "counts.fc.rotated.1 is 1, expected an object"),
        (("counts", "fc", "rotated"), [{"seed": "a"}], "rotated.1.seed is .a., expected a whole"),
        (("counts", "fc", "expected_by_chance"), 3, "expected_by_chance is 3, expected an object"),
        (("counts", "fc", "expected_by_chance", "sd"), "x", "expected a number .* or null"),
    ],
)
def test_a_card_that_cannot_be_is_refused(folder, names, value, message):
    path = folder / "run.json"
    card = json.loads(path.read_text())
    inner = card
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = value
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_a_card_of_one_image_tells_of_no_chance(folder):
    path = folder / "run.json"
    card = json.loads(path.read_text())
    card["counts"]["fc"]["expected_by_chance"] = {"mean": None, "sd": None, "shifts": 0}
    path.write_text(json.dumps(card))
    assert expected(read(folder)[0], "fc") is None
