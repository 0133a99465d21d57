import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broden.labels import LabelTable, primary_categories


@pytest.fixture(scope="module")
def table():
    return LabelTable.from_rows(
        ("color", "object", "scene"),
        [1, 3, 4, 6],
        ["red-c", "street", "street-s", "Traffic light"],
        [(), ("road", "way"), ("road",), ()],
        np.ones((4, 3)),
        np.array([[1, 0, 0], [0, 2, 2.5], [0, 0, 9], [0, 0, 0]]),
    )


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.25]), min_size=3, max_size=3), min_size=1)
)
def test_primary_category_is_the_largest_and_the_later_of_equals(rows):
    expected = [max((value, k) for k, value in enumerate(row))[1] for row in rows]
    assert primary_categories(np.array(rows)).tolist() == expected


def test_gaps_and_zero_are_unlabelled(table):
    assert table.names == ("-", "red-c", "-", "street", "street-s", "-", "Traffic light")
    assert table.known.tolist() == [False, True, False, True, True, False, True]
    assert table.primary.tolist() == [2, 0, 2, 2, 2, 2, 2]
    assert table.pixels.tolist() == [0] * 7
    assert table.frequency.shape == table.coverage.shape == (7, 3)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("street", (3,)),
        ("street-s", (4,)),
        ("STREET-S", (4,)),
        ("red", (1,)),
        ("road", (3, 4)),
        (" way ", (3,)),
        ("traffic light", (6,)),
    ],
)
def test_labels_are_found_by_name_display_name_and_synonym(name, numbers, table):
    assert table.numbers(name) == numbers


@pytest.mark.parametrize(
    ("name", "hint"), [("stret", "nearest are street"), ("-", "info --labels"), ("", "info")]
)
def test_unknown_name_lists_the_nearest(name, hint, table):
    with pytest.raises(ValueError, match=f"no label is called '{name}'; .*{hint}"):
        table.numbers(name)


def test_display_drops_the_mark_of_the_primary_category_only(table):
    assert [table.display(n) for n in (1, 3, 4)] == ["red", "street", "street"]
