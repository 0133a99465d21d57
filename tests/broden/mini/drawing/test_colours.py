import numpy as np
import pytest

from broden.mini.drawing import colours


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [  # from the CIE definitions, by an independent calculator
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((128, 128, 128), (53.59, 0, 0)),
    ],
)
def test_lab_of_known_colours(rgb, expected):
    np.testing.assert_allclose(colours.lab(np.array(rgb)), expected, atol=0.02)


def test_focal_colours_have_their_own_names():
    rgb = np.array([*colours.FOCAL.values()], np.uint8)
    assert colours.terms(rgb).tolist() == [*range(1, 12)]
    assert list(colours.FOCAL) == list(colours.NAMES)


def test_a_term_names_what_lies_within_reach_of_its_focus_and_nothing_else():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (2000, 3), np.uint8)
    centre = (rgb >> 3 << 3) + 4
    focal = [colours.lab(np.array(value)) for value in colours.FOCAL.values()]
    named = colours.terms(rgb).tolist()
    for pixel, term in zip(centre, named, strict=True):
        distance = [float(((colours.lab(pixel) - f) ** 2).sum()) ** 0.5 for f in focal]
        nearest = min(distance)
        assert term == (distance.index(nearest) + 1 if nearest <= colours.REACH else 0)
    assert 0 in named
    assert len({*named}) > 6
