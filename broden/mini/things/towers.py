"""Tall buildings."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.looks import bear, cloth, darker, plain, tint
from broden.mini.drawing.solids import arc
from broden.mini.things.fittings import blunt, door, pane, roofing, steel, window
from broden.mini.things.thing import Thing


def _lighthouse(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a lighthouse with rings, or in one colour, on a rock."""
    b.shadow(0.5, 0.09)
    rock = [(-0.24, 0), (0.24, 0), (0.2, 0.07), (0.08, 0.1), (-0.1, 0.1), (-0.21, 0.05)]
    b.polygon(blunt(rock, 0.03), bear(rng, (118, 112, 106), "stone"), "base")
    low, high, y0, y1 = float(rng.uniform(0.13, 0.155)), float(rng.uniform(0.08, 0.09)), 0.07, 0.72
    rings, pale = (
        (int(rng.integers(2, 4)) * 2 + 1 if rng.random() < 0.8 else 1),
        plain(rng, "white"),
    )
    for i in range(rings):
        a, c = i / rings, (i + 1) / rings
        wa, wc = low + (high - low) * a, low + (high - low) * c
        ya, yc = y0 + (y1 - y0) * a, y0 + (y1 - y0) * c
        points = [(-wa, ya), (wa, ya), (wc, yc), (-wc, yc)]
        b.polygon(points, body if i % 2 == 0 else pale)
    glass = darker(pane(rng), 0.6)
    for y in (0.36, 0.54):
        b.polygon(
            blunt([(-0.025, y), (0.025, y), (0.025, y + 0.07), (-0.025, y + 0.07)], 0.02),
            glass,
            "window",
        )
    door(b.at(0, 0.085), rng, -0.045, 0.09, 0.15, arched=True)
    _lantern(b, rng, y1, body)


def _lantern(b: Brush, rng: np.random.Generator, y: float, body: Look) -> None:
    """Draw the top of a lighthouse: its gallery, its light under glass, its roof."""
    dark = plain(rng, "black")
    gallery = [(-0.09, y), (0.09, y), (0.14, y + 0.04), (-0.14, y + 0.04)]
    b.polygon(gallery, dark, "gallery")
    b.box(-0.07, y + 0.04, 0.07, y + 0.16, bear(rng, (250, 222, 110), "glass"), "lantern")
    b.disc(0, y + 0.1, 0.035, plain(rng, "white"), "lantern")
    for x in (-0.07, 0.07):
        b.box(x - 0.008, y + 0.04, x + 0.008, y + 0.16, dark, "lantern")
    for x in (-0.132, -0.07, 0.0, 0.07, 0.132):
        b.box(x - 0.005, y + 0.04, x + 0.005, y + 0.085, dark, "gallery")
    b.box(-0.137, y + 0.077, 0.137, y + 0.09, dark, "gallery")
    roof = Look(body.colour) if sum(body.colour) < 600 else plain(rng, "red")
    b.polygon([*arc(0, y + 0.155, 0.095, 0.085, 0, math.pi)], roof, "roof")
    b.line([(0, y + 0.23), (0, y + 0.265)], 0.02, roof, "roof")


def _control_tower(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw the control tower of an airfield."""
    b.shadow(0.6, 0.09)
    thin, y = float(rng.uniform(0.075, 0.1)), float(rng.uniform(0.57, 0.62))
    b.box(-0.24, 0, 0.24, 0.14, darker(body, 0.85), "base")
    for x in (-0.2, -0.1, 0.1):
        b.box(x, 0.05, x + 0.08, 0.1, pane(rng), "window")
    shaft = [(-thin - 0.03, 0), (thin + 0.03, 0), (thin, y), (-thin, y)]
    b.polygon(shaft, body)
    for level in (0.24, 0.36, 0.48):
        b.box(-0.022, level, 0.022, level + 0.05, darker(pane(rng), 0.65), "window")
    b.box(-0.04, 0, 0.04, 0.1, darker(pane(rng), 0.5), "door")
    b.polygon(
        [(-thin, y - 0.07), (thin, y - 0.07), (0.21, y + 0.04), (-0.21, y + 0.04)],
        darker(body, 0.8),
    )
    b.box(-0.21, y + 0.03, 0.21, y + 0.07, body)
    wide = float(rng.uniform(0.23, 0.26))
    b.polygon(
        [(-0.2, y + 0.07), (0.2, y + 0.07), (wide, y + 0.22), (-wide, y + 0.22)],
        pane(rng),
        "window",
    )
    bar = plain(rng, "white")
    for i in range(-2, 3):
        b.line([(0.095 * i, y + 0.075), (0.5 * wide * i * 0.97, y + 0.22)], 0.012, bar, "window")
    lid = [(-0.28, y + 0.215), (0.28, y + 0.215), (0.21, y + 0.28), (-0.21, y + 0.28)]
    b.polygon(
        blunt(lid, 0.02), plain(rng, str(rng.choice(["red", "blue", "black", "green"]))), "roof"
    )
    b.line([(0.06, y + 0.27), (0.06, 0.98)], 0.016, plain(rng, "red"))
    b.line([(-0.1, y + 0.27), (-0.1, y + 0.33)], 0.02, steel(rng, 120))
    b.disc(-0.1, y + 0.34, 0.055, steel(rng, 185), None, ry=0.03)


def _windmill(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a windmill with four sails."""
    b.shadow(0.5, 0.09)
    hub, low = 0.62, float(rng.uniform(0.18, 0.22))
    b.polygon([(-low, 0), (low, 0), (0.11, 0.6), (-0.11, 0.6)], body)
    cap = [*arc(0, 0.585, 0.14, 0.16, 0, math.pi)]
    b.polygon(cap, roofing(rng), "roof")
    door(b, rng, -0.055, 0.11, 0.19, arched=True)
    frame = plain(rng, "white")
    for x, y in ((-0.07, 0.27), (0.03, 0.38)):
        window(b, rng, x, y, 0.05, 0.06, frame)
    start = float(rng.uniform(0.15, math.pi / 2 - 0.15))
    wood, sail = bear(rng, tint(rng, "brown"), "wood"), bear(rng, tint(rng, "white", 8), "fabric")
    if rng.random() < 0.35:
        sail = cloth(rng, textured=0)
    for i in range(4):
        arm = b.at(0, hub, turn=start + i * math.pi / 2)
        arm.box(0.1, 0.0, 0.37, 0.09, sail, "sail", shade=0.4)
        for x in (0.19, 0.28):
            arm.box(x - 0.006, 0.0, x + 0.006, 0.09, wood, "sail")
        arm.line([(0.37, 0.09), (0.1, 0.09)], 0.012, wood, "sail")
        arm.line([(0, 0), (0.375, 0)], 0.024, wood, "sail")
    b.disc(0, hub, 0.035, darker(wood, 0.8))


TOWERS = {
    "control tower": Thing(
        _control_tower,
        0.56,
        1,
        ("grey", "white", "brown", "blue"),
        ("concrete", None, "brick"),
        0.75,
        tilt=0.02,
    ),
    "lighthouse": Thing(
        _lighthouse,
        0.48,
        1,
        ("red", "red", "blue", "black", "orange", "green"),
        (None, None, "brick"),
        0.75,
        tilt=0.03,
    ),
    "windmill": Thing(
        _windmill,
        0.76,
        1,
        ("white", "brown", "grey", "red", "yellow"),
        ("stone", "brick", "wood", None),
        0.75,
        tilt=0.03,
    ),
}
