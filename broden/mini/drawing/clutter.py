"""What gets in the way: shapes of no meaning, some of them with a texture."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import SIDE, Canvas, Look, Point
from broden.mini.drawing.looks import BASIC, bear, cloth, plain, tint
from broden.mini.vocabulary import MATERIALS


def scatter(canvas: Canvas, rng: np.random.Generator, count: int) -> None:
    """Draw some shapes of no meaning anywhere."""
    for _ in range(count):
        x, y = rng.uniform(0, SIDE, 2).tolist()
        size = float(rng.uniform(0.12, 0.4)) * SIDE
        Brush(canvas, None, x, y, size).polygon(_outline(rng), _look(rng))


def occlude(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw one shape that comes in over the border of the image."""
    along, size = float(rng.uniform(0, SIDE)), float(rng.uniform(0.25, 0.45)) * SIDE
    x, y = ((along, SIDE), (0, along), (SIDE, along), (along, 0))[rng.integers(4)]
    Brush(canvas, None, x, y, size).polygon(_outline(rng), _look(rng))


def _outline(rng: np.random.Generator) -> list[Point]:
    """Return a closed outline about the origin, about one unit across: round or with corners."""
    corners = int(rng.choice([3, 4, 4, 5, 24]))
    start, flat = rng.uniform(0, math.tau), float(rng.uniform(0.4, 1))
    angles = [start + math.tau * i / corners for i in range(corners)]
    return [(0.5 * math.cos(a), 0.5 * flat * math.sin(a)) for a in angles]


def _look(rng: np.random.Generator) -> Look:
    colour = str(rng.choice([*BASIC]))
    kind = rng.random()
    if kind < 0.45:
        return cloth(rng, colour, textured=1.0)
    if kind < 0.65:
        return bear(rng, tint(rng, colour), str(rng.choice(MATERIALS)))
    return plain(rng, colour)
