"""What playgrounds and libraries have, and a chessboard."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import smooth
from broden.mini.drawing.looks import bear, darker, marked, plain, tint
from broden.mini.drawing.solids import arc, steel
from broden.mini.things.thing import Thing

_BRIGHT = ("red", "blue", "green", "yellow", "purple", "pink", "orange")


def _slide(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a slide, its ladder to the left."""
    b.shadow(0.95, 0.12)
    frame, top = plain(rng, str(rng.choice(_BRIGHT))), float(rng.uniform(0.62, 0.7))
    b.line([(-0.36, 0.02), (-0.28, top + 0.24)], 0.04, frame, "rail")
    b.line([(-0.16, 0.02), (-0.14, top + 0.24)], 0.04, frame, "rail")
    for i in range(5):
        y = 0.1 + i * top / 5
        b.line([(-0.35 + 0.07 * i / 5, y), (-0.16, y)], 0.03, steel(rng), "rung")
    b.box(-0.3, top - 0.03, -0.08, top + 0.02, darker(frame, 0.8))
    bed = [(-0.12, top), (0.0, top - 0.04), (0.28, 0.16), (0.5, 0.1)]
    b.line(bed, 0.12, darker(body, 0.75), "chute")
    b.line([(x, y + 0.03) for x, y in bed], 0.07, body, "chute")
    b.line([(0.2, 0.03), (0.16, 0.26)], 0.04, frame, "leg")


def _swing(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a swing of two seats, each in a swing of its own."""
    b.shadow(1.0, 0.1)
    for x in (-0.46, 0.46):
        for foot in (-0.06, 0.06):
            b.line([(x + foot, 0.02), (0.88 * x, 0.94)], 0.038, body, "leg")
    b.line([(-0.43, 0.94), (0.43, 0.94)], 0.05, darker(body, 0.85), "rail")
    for x in (-0.2, 0.2):
        turn = float(rng.uniform(-0.35, 0.35))
        hang = b.at(x, 0.93, 1, turn)
        for side in (-0.09, 0.09):
            hang.line([(side, 0), (side, -0.62)], 0.016, plain(rng, "black"), "rope")
        hang.box(-0.12, -0.67, 0.12, -0.61, plain(rng, str(rng.choice(_BRIGHT))), "seat")


def _seesaw(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a seesaw, one end up."""
    b.shadow(0.9, 0.12)
    b.polygon(
        [(-0.14, 0), (0.14, 0), (0.03, 0.26), (-0.03, 0.26)],
        plain(rng, str(rng.choice(_BRIGHT))),
        "base",
    )
    beam = b.at(0, 0.26, 1, float(rng.uniform(0.2, 0.34)))
    beam.box(-0.5, -0.02, 0.5, 0.045, body)
    for x in (-0.44, 0.44):
        beam.box(x - 0.06, 0.04, x + 0.06, 0.075, plain(rng, "black"), "seat")
        side = 0.3 if x > 0 else -0.3
        beam.line([(side, 0.04), (side, 0.17)], 0.03, steel(rng), "handle")


def _globe(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a globe on its stand."""
    b.shadow(0.6, 0.12)
    brass = bear(rng, (190, 150, 70), "metal")
    b.polygon(arc(0, 0.02, 0.26, 0.08, 0, math.pi), darker(brass, 0.7), "base")
    b.line([(0, 0.06), (0, 0.2)], 0.06, brass, "stand")
    b.line(arc(0, 0.58, 0.41, 0.41, -math.pi / 2 + 0.3, math.pi / 2 + 0.3), 0.04, brass, "stand")
    b.disc(0, 0.58, 0.37, body)
    land = plain(rng, str(rng.choice(["green", "yellow", "brown"])))
    shift = float(rng.uniform(-0.06, 0.06))
    for points in (
        [(-0.25, 0.72), (-0.08, 0.82), (0.04, 0.72), (-0.06, 0.56), (-0.16, 0.46), (-0.24, 0.58)],
        [(0.08, 0.62), (0.24, 0.7), (0.28, 0.52), (0.16, 0.34), (0.1, 0.48)],
    ):
        b.polygon(smooth([(x + shift, y) for x, y in points]), land, "map")


def _ladder(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a step ladder."""
    b.shadow(0.6, 0.12)
    b.line([(0.06, 0.96), (0.34, 0.05)], 0.045, darker(body, 0.7), "rail")
    for left, right in ((-0.36, -0.1), (0.1, 0.06)):
        b.line([(left, 0.03), (right, 0.96)], 0.05, body, "rail")
    for i in range(6):
        t = 0.12 + 0.15 * i
        b.line(
            [(-0.36 + 0.26 * t, 0.93 * t), (0.1 - 0.04 * t, 0.93 * t)],
            0.05,
            darker(body, 0.9),
            "rung",
        )
    b.box(-0.14, 0.93, 0.12, 0.99, darker(body, 0.8), "top")


def _bust(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bust on its pedestal."""
    b.shadow(0.6, 0.12)
    stone = bear(rng, tint(rng, str(rng.choice(["grey", "brown", "white"]))), "stone")
    b.box(-0.2, 0, 0.2, 0.06, darker(stone, 0.8), "pedestal")
    b.box(-0.15, 0.05, 0.15, 0.5, stone, "pedestal")
    b.box(-0.2, 0.47, 0.2, 0.53, darker(stone, 0.9), "pedestal")
    b.polygon(
        smooth([(-0.24, 0.62), (-0.1, 0.7), (0.1, 0.7), (0.24, 0.62), (0.1, 0.52), (-0.1, 0.52)]),
        body,
        "torso",
    )
    b.box(-0.055, 0.64, 0.055, 0.76, darker(body, 0.85), "neck")
    b.disc(0, 0.84, 0.105, body, "head", 0.13)
    b.polygon(arc(-0.01, 0.87, 0.12, 0.12, 0.2, math.pi + 0.3), darker(body, 0.75), "hair")


def _chessboard(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a chessboard that leans on its edge or lies, sometimes with pieces."""
    b.shadow(0.95, 0.14)
    depth, rise = float(rng.uniform(0.0, 0.12)), float(rng.uniform(0.72, 0.92))
    board = marked(rng, Look((240, 226, 196)), "chequered", darker(body, 0.7).colour, 0.1 * b.size)
    b.polygon(
        [(-0.5, 0), (0.5, 0), (0.5 - depth, rise), (-0.5 + depth, rise)], darker(body, 0.8), "frame"
    )
    b.polygon(
        [(-0.44, 0.06), (0.44, 0.06), (0.44 - depth, rise - 0.06), (-0.44 + depth, rise - 0.06)],
        board,
        "square",
    )
    for _ in range(int(rng.integers(0, 5))):
        x, y = float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.15, 0.5))
        piece = plain(rng, str(rng.choice(["black", "white", "red"])))
        b.polygon(
            [(x - 0.055, y), (x + 0.055, y), (x + 0.02, y + 0.13), (x - 0.02, y + 0.13)], piece
        )
        b.disc(x, y + 0.15, 0.04, piece)


PLAY = {
    "slide": Thing(_slide, 0.98, 0.92, _BRIGHT, (None,), 0.52),
    "swing": Thing(_swing, 1, 0.97, _BRIGHT, (None,), 0.56),
    "seesaw": Thing(_seesaw, 1, 0.56, _BRIGHT, (None, "wood"), 0.48),
    "globe": Thing(_globe, 0.9, 1, ("blue", "blue", "green"), (None,), 0.3),
    "ladder": Thing(
        _ladder, 0.74, 1, ("brown", "grey", "red", "yellow"), ("wood", "metal", None), 0.6
    ),
    "bust": Thing(_bust, 0.5, 1, ("white", "grey", "black"), ("stone", None), 0.44),
    "chessboard": Thing(_chessboard, 1, 0.92, ("brown", "black", "red", "green"), (None,), 0.3),
}
