"""What villages, camps, ponds and savannas have."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import scallops, smooth
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.drawing.solids import arc
from broden.mini.things.fittings import door, pane, roofing, window
from broden.mini.things.thing import Thing


def _cabin(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a cabin of logs, their round ends at its corners."""
    b.shadow(1.05)
    eaves, ridge = 0.38, float(rng.uniform(0.7, 0.78))
    b.box(0.2, eaves, 0.3, ridge, bear(rng, tint(rng, "grey"), "stone"), "chimney")
    b.polygon([(-0.38, eaves), (0.38, eaves), (0, ridge - 0.05)], darker(body, 0.85))
    for i in range(6):
        y = 0.033 + 0.063 * i
        b.line([(-0.38, y), (0.38, y)], 0.066, darker(body, 0.9 + 0.2 * (i % 2)), "log")
        for x in (-0.41, 0.41):
            b.disc(x, y, 0.034, darker(body, 0.6), "log")
            b.disc(x, y, 0.024, darker(body, 1.3), "log")
    roof, low = roofing(rng), eaves - 0.05
    slopes = [(-0.5, low), (0, ridge), (0.5, low), (0.45, low - 0.04), (0, ridge - 0.1)]
    b.polygon([*slopes, (-0.45, low - 0.04)], roof, "roof")
    door(b, rng, -0.07, 0.14, 0.26)
    for x in (-0.3, 0.16):
        window(b, rng, x, 0.15, 0.13, 0.13, plain(rng, "white"))


def _church(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a church with its tower to the left."""
    b.shadow(0.9, 0.08)
    roof = roofing(rng)
    b.box(-0.1, 0, 0.42, 0.32, body)
    b.polygon([(-0.1, 0.3), (0.46, 0.3), (0.36, 0.5), (-0.1, 0.5)], roof, "roof")
    for x in (0.06, 0.2, 0.34):
        b.polygon(
            [(x - 0.035, 0.08), (x + 0.035, 0.08), *arc(x, 0.2, 0.035, 0.05, 0, math.pi)],
            pane(rng),
            "window",
        )
    b.box(-0.32, 0, -0.06, 0.58, darker(body, 0.92))
    tip = float(rng.uniform(0.86, 0.9))
    b.polygon([(-0.36, 0.56), (-0.02, 0.56), (-0.19, tip)], roof, "steeple")
    gold = plain(rng, "yellow")
    b.line([(-0.19, tip - 0.01), (-0.19, 0.99)], 0.022, gold, "cross")
    b.line([(-0.23, 0.95), (-0.15, 0.95)], 0.022, gold, "cross")
    b.disc(-0.19, 0.44, 0.06, plain(rng, "white"), "dial")
    b.line([(-0.19, 0.48), (-0.19, 0.44), (-0.165, 0.44)], 0.012, plain(rng, "black"), "hand")
    door(b, rng, -0.25, 0.12, 0.22, arched=True)


def _well(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a well with a roof and a bucket on its rope."""
    b.shadow(0.8, 0.14)
    wood = bear(rng, tint(rng, "brown"), "wood")
    for x in (-0.27, 0.27):
        b.box(x - 0.03, 0.3, x + 0.03, 0.74, wood, "post")
    b.line([(-0.27, 0.66), (0.27, 0.66)], 0.04, wood, "handle")
    drop = float(rng.uniform(0.46, 0.54))
    b.line([(0, 0.66), (0, drop)], 0.015, plain(rng, "black"), "rope")
    b.polygon(
        [(-0.07, drop), (0.07, drop), (0.055, drop - 0.11), (-0.055, drop - 0.11)],
        plain(rng, "grey"),
        "bucket",
    )
    b.box(-0.36, 0, 0.36, 0.34, body, "base")
    b.box(-0.39, 0.31, 0.39, 0.38, darker(body, 0.8), "rim")
    b.polygon([(-0.42, 0.7), (0.42, 0.7), (0, 0.97)], roofing(rng), "roof")


def _campfire(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a fire of logs within stones."""
    b.shadow(1.0, 0.2)
    wood = bear(rng, tint(rng, "brown"), "wood")
    for x, a in ((-0.3, 0.5), (0.3, -0.5), (0.0, 0.0)):
        b.line([(x, 0.1), (x + 0.5 * a, 0.34)], 0.1, wood, "log")
    for wide, high, look in (
        (0.3, 0.96, plain(rng, "red")),
        (0.22, 0.76, body),
        (0.13, 0.52, plain(rng, "yellow")),
    ):
        sway = float(rng.uniform(-0.06, 0.06))
        flame = [
            (-wide, 0.2),
            (-0.8 * wide, 0.45 * high),
            (sway, high),
            (0.7 * wide, 0.5 * high),
            (wide, 0.2),
            (0, 0.1),
        ]
        b.polygon(smooth(flame), look, "flame", 0.3)
    stone = bear(rng, tint(rng, "grey"), "stone")
    for x in (-0.42, -0.22, 0.0, 0.22, 0.42):
        b.disc(x, 0.07, 0.1, darker(stone, float(rng.uniform(0.7, 1.1))), None, 0.075)


def _signpost(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a signpost with two or three arms."""
    b.shadow(0.35, 0.08)
    post = bear(rng, tint(rng, "brown"), "wood")
    b.box(-0.035, 0, 0.035, 0.98, post, "pole")
    for i in range(int(rng.integers(2, 4))):
        y, side = 0.83 - 0.2 * i, 1 if rng.random() < 0.5 else -1
        arm = [(-0.1, y - 0.07), (0.27, y - 0.07), (0.36, y), (0.27, y + 0.07), (-0.1, y + 0.07)]
        b.polygon([(side * x, h) for x, h in arm], body, "arm")
        b.line([(side * -0.02, y), (side * 0.24, y)], 0.025, plain(rng, "black"), "arm")


def _reed(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw reeds with their brown ears."""
    b.shadow(0.6, 0.1)
    for x in np.linspace(-0.24, 0.24, int(rng.integers(6, 9))):
        bend, tall = float(rng.uniform(-0.12, 0.12)), float(rng.uniform(0.6, 0.9))
        x = float(x)
        blade = [(x - 0.02, 0), (x + bend, tall), (x + 0.025, 0)]
        if rng.random() < 0.55:
            b.polygon(blade, darker(body, float(rng.uniform(0.7, 1.1))), "leaf")
            continue
        b.line([(x, 0), (x + 0.4 * bend, tall)], 0.022, darker(body, 0.8), "stem")
        b.line(
            [(x + 0.4 * bend, tall - 0.1), (x + 0.45 * bend, tall + 0.06)],
            0.06,
            plain(rng, "brown"),
            "fruit",
        )


def _lily(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a water lily between its leaves."""
    green = plain(rng, "green")
    for x, y, r in ((-0.27, 0.1, 0.22), (0.27, 0.12, 0.22), (0, 0.08, 0.26)):
        leaf = arc(x, y, r, 0.36 * r, 0.25, math.tau - 0.25)
        b.polygon([(x, y), *leaf], darker(green, float(rng.uniform(0.75, 1.05))), "leaf")
    for angle in (-1.2, 1.2, -0.75, 0.75, -0.35, 0.35, 0.0):
        petal = b.at(0, 0.1, 1, angle)
        petal.polygon(
            smooth([(-0.06, 0.02), (-0.07, 0.2), (0, 0.36), (0.07, 0.2), (0.06, 0.02)]),
            darker(body, 1.08 - 0.2 * abs(angle)),
            "petal",
        )
    b.disc(0, 0.14, 0.08, plain(rng, "yellow"), "centre", 0.06)


def _acacia(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw an acacia: a flat crown on a forked trunk."""
    b.shadow(0.7, 0.08)
    bark = bear(rng, tint(rng, "brown"), "wood")
    fork = float(rng.uniform(0.3, 0.42))
    b.line([(0, 0.02), (0.02, fork)], 0.06, bark, "trunk")
    for x in (-0.28, -0.05, 0.26):
        b.line([(0.02, fork), (0.5 * x, 0.55), (x, 0.66)], 0.035, bark, "branch")
    for x, y, r in ((-0.26, 0.66, 0.24), (0.26, 0.68, 0.24), (0, 0.74, 0.32)):
        b.polygon(
            scallops(rng, x, y, r, 0.3 * r, 9), darker(body, float(rng.uniform(0.8, 1.1))), "crown"
        )


_WALLS = ("white", "white", "yellow", "grey", "pink")
PLACES = {
    "cabin": Thing(
        _cabin, 1, 0.78, ("brown", "brown", "orange", "grey"), ("wood",), 0.6, tilt=0.02
    ),
    "church": Thing(_church, 0.86, 1, _WALLS, (None, "stone", "brick"), 0.72, tilt=0.02),
    "well": Thing(_well, 0.86, 0.98, ("grey", "red", "brown"), ("stone", "brick"), 0.36, tilt=0.03),
    "campfire": Thing(_campfire, 1, 0.96, ("orange",), (None,), 0.26),
    "signpost": Thing(
        _signpost, 0.72, 1, ("white", "yellow", "green", "brown"), (None, "wood"), 0.46
    ),
    "reed": Thing(_reed, 0.66, 1, ("green", "green", "yellow"), (None, "grass"), 0.4),
    "water lily": Thing(_lily, 1, 0.48, ("pink", "white", "purple"), (None,), 0.24),
    "acacia": Thing(_acacia, 1, 0.86, ("green", "green", "yellow"), ("foliage",), 0.62),
}
