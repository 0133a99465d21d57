"""Names of the same concept are found the same, and others are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broden.labels import LabelTable
from dissection.crosscheck.naming import agreement, bare, normal, singular, spoken, synonyms_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Bedroom-s", "bedroom"),
        ("red-c", "red"),
        ("dining_room-s", "dining room"),
        ("labyrinth-indoor-s", "labyrinth-indoor"),
        ("cars", "cars"),
        ("crosswalk-sign", "crosswalk-sign"),
        (" two  words ", "two words"),
        ("-s", ""),
    ],
)
def test_bare_removes_case_underscores_and_suffixes_alone(name, expected):
    assert bare(name) == expected


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        *[("cars", "car"), ("horses", "horse"), ("bushes", "bush"), ("boxes", "box")],
        *[("cities", "city"), ("movies", "movie"), ("ties", "tie"), ("shoes", "shoe")],
        *[("tomatoes", "tomato"), ("shelves", "shelf"), ("caves", "cave"), ("buses", "bus")],
        *[("people", "person"), ("glasses", "glass"), ("mazes", "maze"), ("stairs", "stair")],
        *[("grass", "grass"), ("bus", "bus"), ("tennis", "tennis"), ("gas", "gas")],
        *[("lens", "lens"), ("dog", "dog"), ("", "")],
    ],
)
def test_singular(plural, expected):
    assert singular(plural) == expected
    assert singular(expected) == expected


def test_normal_and_spoken_forms():
    assert normal("Swimming_Pools") == normal("swimming-pool-s") == "swimming pool"
    assert spoken("labyrinth-indoor-s") == "labyrinth indoor"
    assert normal("") == ""


@given(st.text(max_size=20))
def test_any_text_has_a_bare_and_a_normal_form_without_spaces_around(name):
    for form in (bare(name), normal(name)):
        assert form == form.strip()


def test_a_list_of_synonyms_agrees_with_each_of_them():
    listed = "crayfish, crawfish, crawdad"
    assert agreement([listed], ["Crawdads", "fish", "crayfish"]).tolist() == [[True, False, True]]


def test_an_empty_name_agrees_with_nothing():
    assert not agreement(["", ","], ["", "-s"]).any()


def test_synonyms_work_both_ways_but_are_not_chained():
    synonyms = {"car": frozenset({"auto"}), "truck": frozenset({"auto"})}
    names = ["car", "autos", "truck"]
    assert agreement(names, names, synonyms).tolist() == [
        [True, True, False],
        [True, True, True],
        [False, True, True],
    ]


def test_synonyms_of_a_probe_are_in_normal_form():
    table = LabelTable.from_rows(
        ["object"], [1, 2], ["Cars", "dog"], [["auto_mobiles", "car"], []], np.ones((2, 1)),
        np.ones((2, 1)),
    )  # fmt: skip
    assert synonyms_of(table) == {"car": frozenset({"auto mobile"})}
