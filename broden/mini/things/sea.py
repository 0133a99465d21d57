"""What lives in the sea."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.curves import bare, eye, smooth, taper
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.things.thing import Thing

# Height of the line from the mouth of a fish to its tail.
_MIDDLE = 0.31


def _twig(b: Brush, rng: np.random.Generator, look: Look, depth: int) -> None:
    """Draw a branch of coral that grows upward, and its own branches."""
    length = rng.uniform(0.85, 1.1)
    b.line([(0, 0), (rng.uniform(-0.1, 0.1), length / 2), (0, length)], 0.34, look, "branch")
    if depth:
        for turn in (-0.55, 0.5) if depth == 1 else (-0.75, 0, 0.7):
            turn = turn + rng.uniform(-0.15, 0.15)
            _twig(b.at(0, 0.85 * length, 0.76, turn), rng, darker(look, 1.08), depth - 1)


def _coral(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a coral that branches from a lump of stone."""
    b.shadow(0.8)
    _twig(b.at(0, 0.12, 0.39), rng, darker(body, 0.85), 2)
    for side in (-1, 1):
        _twig(b.at(0.1 * side, 0.1, 0.33, -0.75 * side), rng, darker(body, 0.85), 1)
    lump = [(-0.3, 0), (-0.25, 0.14), (0, 0.2), (0.26, 0.13), (0.3, 0)]
    b.polygon(smooth(lump), bear(rng, tint(rng, "grey"), "stone"), "base")


def _weed(b: Brush, rng: np.random.Generator, look: Look, height: float) -> None:
    """Draw one waving stem of seaweed with leaves on both sides."""
    sway, start = rng.uniform(0.04, 0.07), rng.uniform(0, math.tau)
    stem = [(sway * math.sin(start + 7 * y) * min(1, 3 * y), y) for y in np.linspace(0, height, 9)]
    for i, (x, y) in enumerate(stem[1:-1]):
        leaf = b.at(x, y, 1, 0.5) if i % 2 else b.at(x, y, 1, -0.5, True)
        leaf.polygon(smooth([(0, 0), (0.08, 0.06), (0.25, 0.05), (0.1, -0.035)]), look, "leaf")
    b.line(stem, 0.045, darker(look, 0.72), "stem")
    x, y = stem[-1]
    b.disc(x, y, 0.035, look, "leaf", 0.08)


def _seaweed(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw three stems of seaweed."""
    b.shadow(0.6)
    for x, height, light in ((-0.17, 0.7, 0.8), (0.18, 0.78, 0.9), (0, 0.92, 1.0)):
        _weed(
            b.at(x, 0, 1, rng.uniform(-0.08, 0.08)),
            rng,
            darker(body, light),
            height * rng.uniform(0.9, 1),
        )


def _fish_head(b: Brush, rng: np.random.Generator, body: Look, tall: float) -> None:
    """Draw the head of a fish, given half its height."""
    y = _MIDDLE
    face = [
        (0.28, y + 0.75 * tall),
        (0.34, y + 0.6 * tall),
        (0.49, y),
        (0.34, y - 0.6 * tall),
        (0.28, y - 0.75 * tall),
        (0.22, y),
    ]
    b.polygon(smooth(face), bare(body, 0.85), "head")
    eye(b, rng, 0.36, y + 0.06, 0.025)
    b.line([(0.46, y - 0.05), (0.4, y - 0.06)], 0.014, bare(body, 0.4), "head")


def _fish(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a fish that swims to the right."""
    fin, y, tall = bare(body, 0.7), _MIDDLE, rng.uniform(0.19, 0.24)
    tail = [
        (-0.26, y),
        (-0.48, y + 0.2),
        (-0.5, y + 0.12),
        (-0.43, y),
        (-0.5, y - 0.12),
        (-0.48, y - 0.2),
    ]
    b.polygon(smooth(tail), fin, "tail")
    b.polygon(
        smooth(
            [(-0.18, y + 0.1), (-0.12, y + tall + 0.06), (0.06, y + tall + 0.1), (0.16, y + 0.12)]
        ),
        fin,
        "fin",
    )
    b.polygon(
        smooth(
            [(-0.12, y - 0.08), (-0.12, y - tall - 0.07), (-0.02, y - tall - 0.07), (0.08, y - 0.1)]
        ),
        fin,
        "fin",
    )
    outline = [
        (-0.33, y),
        (-0.15, y + 0.7 * tall),
        (0.1, y + tall),
        (0.34, y + 0.62 * tall),
        (0.49, y),
    ]
    outline += [(px, 2 * y - py) for px, py in outline[-2:0:-1]]
    b.polygon(smooth(outline), body)
    _fish_head(b, rng, body, tall)
    b.polygon(
        smooth([(0.14, y - 0.02), (-0.02, y + 0.03), (-0.1, y - 0.1), (0.06, y - 0.1)]), fin, "fin"
    )


def _claw(b: Brush, look: Look) -> None:
    """Draw an open claw that points up."""
    claw = [
        (0, -0.1),
        (-0.11, 0),
        (-0.1, 0.12),
        (-0.02, 0.19),
        (-0.01, 0.06),
        (0.07, 0.16),
        (0.11, 0.02),
    ]
    b.polygon(smooth(claw), look, "claw")


def _crab(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a crab from the front, its claws raised."""
    b.shadow(0.95)
    limb = bare(body, 0.75)
    lift = rng.uniform(0, 0.08)
    for flip in (False, True):
        side = b.at(0, 0, 1, 0, flip)
        for x, y in ((0.24, 0.0), (0.35, 0.02), (0.43, 0.07)):
            knee = (0.12 + x * 0.75, 0.13 + 1.6 * y)
            side.polygon(
                taper([(0.15, 0.2 + y), knee, (x, y + 0.02)], [0.06, 0.06, 0.025]), limb, "leg"
            )
        side.line([(0.2, 0.25), (0.38, 0.27 + lift), (0.39, 0.4 + lift)], 0.065, limb, "claw")
        _claw(side.at(0.38, 0.46 + lift, 0.95, -0.1), bare(body, 0.92))
        side.line([(0.08, 0.34), (0.09, 0.47)], 0.035, limb)
        side.disc(0.09, 0.5, 0.05, plain(rng, "white"))
        side.disc(0.085, 0.505, 0.026, plain(rng, "black"))
    shell = [
        (-0.31, 0.26),
        (-0.2, 0.38),
        (0, 0.41),
        (0.2, 0.38),
        (0.31, 0.26),
        (0.19, 0.12),
        (0, 0.09),
        (-0.19, 0.12),
    ]
    b.polygon(smooth(shell), body, "shell")
    smile: list[Point] = [
        (0.08 * math.cos(a), 0.21 + 0.05 * math.sin(a)) for a in np.linspace(3.5, 5.9, 7)
    ]
    b.line(smile, 0.016, bare(body, 0.35), "shell")


SEA = {
    "coral": Thing(
        _coral,
        1,
        1,
        ("pink", "red", "orange", "purple", "white"),
        (None, "dotted", "bubbly"),
        0.3,
    ),
    "seaweed": Thing(_seaweed, 0.85, 1, ("green", "green", "brown"), (None,), 0.4),
    "fish": Thing(
        _fish,
        1,
        0.62,
        ("orange", "blue", "yellow", "red", "grey", "purple", "green"),
        (None, "scaly", "scaly", "striped"),
        0.28,
        "air",
    ),
    "crab": Thing(_crab, 1, 0.72, ("red", "orange", "brown"), (None, "dotted"), 0.24),
}
