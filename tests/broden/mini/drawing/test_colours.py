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


def test_prototypes_have_their_own_names():
    rgb = np.array([rgb for _, rgb in colours.PROTOTYPES], np.uint8)
    named = [colours.NAMES[i] for i in colours.terms(rgb)]
    assert named == [name for name, _ in colours.PROTOTYPES]
    assert len(colours.NAMES) == 11


def test_terms_are_the_nearest_prototypes():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (500, 3), np.uint8)
    centre = (rgb >> 3 << 3) + 4
    prototypes = colours.lab(np.array([p for _, p in colours.PROTOTYPES]))
    for pixel, term in zip(centre, colours.terms(rgb), strict=True):
        distance = [float(((colours.lab(pixel) - p) ** 2).sum()) for p in prototypes]
        assert colours.PROTOTYPES[int(np.argmin(distance))][0] == colours.NAMES[term]
