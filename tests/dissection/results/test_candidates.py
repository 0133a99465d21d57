"""Counts by groups of images are read as written; what cannot be is refused in one line."""

import h5py
import numpy as np
import pytest

from dissection.results.candidates import candidates, label_pixels, twin
from tests.dissection import grouped, labelled

UNITS, GROUPS = 8, 6
MEMBER = "layers/fc/"


@pytest.fixture
def counted():
    return grouped.drawn(3, UNITS, GROUPS)


@pytest.fixture
def folder(tmp_path, counted):
    """A run with counts by groups, and two rotations."""
    rotated = {"seed": np.array([0, 1]), "iou": np.full((2, UNITS), 0.5)}
    rotated["label"] = np.tile(np.arange(UNITS) % 6, (2, 1))
    return grouped.run(tmp_path / "run", [counted], "d", "net", rotated=rotated)


def everything(folder):
    label_pixels(folder)
    candidates(folder, "fc", UNITS)
    twin(folder, "fc", UNITS)


def test_what_is_written_is_read(folder, counted):
    label, both, area, pixels = counted
    found = candidates(folder, "fc", UNITS)
    assert (found.label == label).all()
    assert (found.intersection == both).all()
    assert (found.area == area).all()
    assert (label_pixels(folder) == pixels).all()
    rotated = twin(folder, "fc", UNITS)
    assert rotated.seed.tolist() == [0, 1]
    assert rotated.iou.shape == rotated.label.shape == (2, UNITS)


def test_runs_without_them_have_none(tmp_path, folder):
    for old in (labelled.run(tmp_path / "old"), tmp_path / "nothing"):
        assert label_pixels(old) is None
        assert candidates(old, "fc", UNITS) is None
        assert twin(old, "fc", UNITS) is None
    assert candidates(folder, "other", UNITS) is None
    assert twin(folder, "other", UNITS) is None


def test_no_rotation_is_no_twin(folder):
    with h5py.File(folder / "scores.h5", "r+") as file:
        for name, shape in (("seed", (0,)), ("iou", (0, UNITS)), ("label", (0, UNITS))):
            del file[f"{MEMBER}rotated/{name}"]
            file[f"{MEMBER}rotated/{name}"] = np.zeros(shape, "f8" if name == "iou" else "i8")
    assert twin(folder, "fc", UNITS) is None


def put(name, make):
    """Return what puts something else in place of a member."""

    def change(file):
        old = file[name][()]
        del file[name]
        if (made := make(old)) is not None:
            file[name] = made

    return change


PIXELS, LABEL = "validity/label_pixels", f"{MEMBER}validity/candidate"
BOTH, AREA = f"{LABEL}_intersection", f"{LABEL}_area"
WRONG = {
    "pixels of one axis": (put(PIXELS, lambda old: old[0]), "has shape .* expected"),
    "no groups": (put(PIXELS, lambda old: old[:0]), r"\(0, 6\), expected 1 to 1000 groups"),
    "too many groups": (put(PIXELS, lambda _: np.ones((1001, 6), int)), "1 to 1000 groups"),
    "pixels below 0": (put(PIXELS, lambda old: old - 100), "has -.*, expected numbers of pixels"),
    "pixels beyond": (put(PIXELS, lambda old: old + (1 << 60)), "expected numbers of pixels"),
    "floating pixels": (put(PIXELS, lambda old: old * 1.0), "type float64, expected whole"),
    "no pixels": (put(PIXELS, lambda _: None), "'validity/label_pixels' is missing"),
    "groups differ": (put(PIXELS, lambda old: old[1:]), r"shape \(6, 8, 3\), expected \(5, 8, 3\)"),
    "units": (put(LABEL, lambda old: old[1:]), r"shape \(7, 3\), expected \(8, any\)"),
    "a label that is none": (put(LABEL, lambda old: old + 3), "expected labels from 0 to 5"),
    "a label below 0": (put(LABEL, lambda old: old - 9), "has -.*, expected labels from 0"),
    "no labels of a unit": (put(LABEL, lambda old: old[:, :0]), "has no label of any unit"),
    "fewer labels": (put(LABEL, lambda old: old[:, :2]), r"expected \(6, 8, 2\)"),
    "no intersections": (put(BOTH, lambda _: None), "candidate_intersection' is missing"),
    "no areas": (put(AREA, lambda _: None), "candidate_area' is missing"),
    "more in both than in one": (put(BOTH, lambda old: old + 99), "more pixels than unit or label"),
    "texts": (put(AREA, lambda old: np.full(old.shape, "a", labelled.TEXT)), "type object"),
    "seeds": (put(f"{MEMBER}rotated/seed", lambda _: np.ones(2)), "type float64, expected whole"),
    "other seeds": (put(f"{MEMBER}rotated/seed", lambda old: old[:1]), r"expected \(1, 8\)"),
    "an IoU above 1": (put(f"{MEMBER}rotated/iou", lambda old: old + 1), "numbers from 0 to 1"),
    "an IoU that is none": (put(f"{MEMBER}rotated/iou", lambda old: old * np.nan), "from 0 to 1"),
    "a rotated label": (put(f"{MEMBER}rotated/label", lambda old: old - 9), "expected labels from"),
    "no rotated labels": (put(f"{MEMBER}rotated/label", lambda _: None), "label' is missing"),
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


def test_other_numbers_of_units_than_the_table_has_are_refused(folder):
    for read in (candidates, twin):
        with pytest.raises(ValueError, match="has shape"):
            read(folder, "fc", UNITS + 1)
