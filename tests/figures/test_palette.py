"""Colours can be told apart in greyscale and by colour-blind readers."""

from itertools import combinations

import numpy as np
import pytest

from figures.palette import CATEGORIES, NEUTRAL, colour, fill, ordered

# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB
BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


def linear(text):
    value = np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    ratio = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_categories_differ_in_greyscale():
    light = sorted(lab(linear(tint))[0] for tint in CATEGORIES.values())
    assert np.diff(light).min() > 7


@pytest.mark.parametrize("kind", BLIND)
def test_categories_differ_for_the_colour_blind(kind):
    seen = [lab(np.array(BLIND[kind]) @ linear(tint)) for tint in CATEGORIES.values()]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 10


def test_a_category_always_has_its_colour():
    assert colour("part") == CATEGORIES["part"]
    assert colour(None) == colour("") == NEUTRAL
    others = ["mood", "object", "smell"]
    assert colour("mood", others) != colour("smell", others)
    assert ordered(["smell", "color", "object"]) == ["object", "color", "smell"]


def test_ten_networks_have_ten_fills():
    fills = {tuple(sorted(fill(i, "#000000").items())) for i in range(10)}
    assert len(fills) == 10
