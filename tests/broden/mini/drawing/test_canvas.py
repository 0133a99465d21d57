import math
from collections import Counter

import numpy as np
import pytest

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import FULL, GRID, SIDE, Canvas, Look, majority

RED, BLUE = Look((200, 0, 0)), Look((0, 0, 200))


def canvas(seed=0):
    return Canvas(np.random.default_rng(seed))


def place(table, plane):
    """Return the (top, left, bottom, right) of a plane's labelled cells, ends included."""
    y, x = np.nonzero(plane == table)
    return y.min(), x.min(), y.max(), x.max()


def test_majority_is_the_most_frequent_label_of_a_block_and_the_lowest_on_a_tie():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, (FULL, FULL))
    lookup = np.array([0, 7, 7, 3], np.uint16)
    plane = majority(lookup[:, None], numbers)[0]
    for y, x in rng.integers(0, GRID, (200, 2)).tolist():
        votes = Counter(lookup[numbers[4 * y : 4 * y + 4, 4 * x : 4 * x + 4]].ravel().tolist())
        most = max(votes.values())
        assert plane[y, x] == min(label for label, count in votes.items() if count == most)


def test_a_shape_is_labelled_where_it_is_seen():
    c = canvas()
    b = Brush(c, "thing", SIDE / 2, SIDE, SIDE)
    b.box(-0.25, 0.25, 0.25, 0.75, RED, "part")
    b.box(0.0, 0.25, 0.25, 0.75, BLUE)
    objects, parts = c.planes({"thing": 1}, {"part": 5}, {}, {})[:2]
    assert place(1, objects) == (28, 28, 83, 83)
    assert place(5, parts) == (28, 28, 83, 55)
    rgb = c.picture()
    assert rgb[112, 80, 0] > 100 > rgb[112, 80, 2]
    assert rgb[112, 150, 2] > 100 > rgb[112, 150, 0]


def test_borders_are_antialiased():
    c = canvas()
    Brush(c, None, SIDE / 2, SIDE / 2, SIDE).disc(0, 0, 0.25, Look((255, 255, 255)), shade=0)
    levels = np.unique(c.picture()[112, :, 0].round())
    row = c.picture()[60, :, 0]
    between = ((row > 140) & (row < 250)).sum()
    assert 1 <= between <= 12
    assert len(levels) < 40


@pytest.mark.parametrize(
    ("turn", "flip", "expected"),
    [(0, False, (150, 62)), (0, True, (74, 62)), (math.pi / 2, False, (62, 74))],
)
def test_frames_turn_counter_clockwise_and_flip(turn, flip, expected):
    c = canvas()
    brush = Brush(c, "thing", SIDE / 2, SIDE / 2, 100, turn, flip)
    brush.disc(0.38, 0.5, 0.06, RED)
    y, x = np.nonzero(c.planes({"thing": 1}, {}, {}, {})[0])
    assert (2 * x.mean() + 1, 2 * y.mean() + 1) == pytest.approx(expected, abs=1.5)


def test_a_nested_frame_is_the_frame_drawn_directly():
    pictures = []
    for nested in (False, True):
        c = canvas()
        brush = Brush(c, "thing", 100, 150, 80, 0.3, flip=True)
        if nested:
            brush.at(0.2, 0.4, 0.5).box(-0.2, 0, 0.2, 0.6, RED)
        else:
            brush.box(0.1, 0.4, 0.3, 0.7, RED)
        pictures.append(c.picture())
    np.testing.assert_allclose(*pictures, atol=1)


def test_a_line_is_as_wide_as_it_says():
    c = canvas()
    Brush(c, "thing", SIDE / 2, SIDE, SIDE).line([(-0.4, 0.5), (0.4, 0.5)], 0.1, RED)
    plane = c.planes({"thing": 1}, {}, {}, {})[0]
    assert abs((plane[:, 56] == 1).sum() - 0.1 * GRID) <= 1
    assert abs((plane[56] == 1).sum() - 0.9 * GRID) <= 2


def test_a_shadow_falls_on_what_was_there_before():
    c = canvas()
    ground = Brush(c, "ground", SIDE / 2, SIDE, SIDE)
    ground.box(-0.5, 0, 0.5, 1, RED, shade=0)
    b = Brush(c, "thing", SIDE / 2, SIDE / 2, 100)
    b.shadow(1.0, 0.6)
    b.box(-0.05, -0.1, 0.05, 0.3, RED, shade=0)
    row = c.picture()[112, :, 0]
    assert row[112] == pytest.approx(200, abs=1)
    assert row[140] < 150
    assert row[10] == pytest.approx(200, abs=1)
    assert set(np.unique(c.planes({"ground": 1, "thing": 2}, {}, {}, {})[0])) == {1, 2}


def test_an_undeclared_name_is_an_error():
    c = canvas()
    Brush(c, "thing", 50, 50, 50).box(0, 0, 1, 1, RED, "misspelt")
    with pytest.raises(KeyError, match="misspelt"):
        c.planes({"thing": 1}, {"part": 1}, {}, {})
