"""Outlines, volumes and the metal that several things are made of."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import bear, darker


def rounded(left: float, bottom: float, right: float, top: float, r: float) -> list[Point]:
    """Return the outline of a rectangle with round corners of radius `r`."""
    r = min(r, (right - left) / 2, (top - bottom) / 2)
    centres = (
        (right - r, top - r),
        (left + r, top - r),
        (left + r, bottom + r),
        (right - r, bottom + r),
    )
    angles = [math.pi / 10 * i for i in range(6)]
    return [
        (x + r * math.cos(a + turn), y + r * math.sin(a + turn))
        for (x, y), turn in zip(centres, (0, math.pi / 2, math.pi, 1.5 * math.pi), strict=True)
        for a in angles
    ]


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, steps: int = 14
) -> list[Point]:
    """Return points along an ellipse about (x, y), from one angle to another, in radians."""
    angles = [start + (end - start) * i / steps for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def cuboid(
    b: Brush,
    box: tuple[float, float, float, float],
    depth: Point,
    look: Look,
    part: str | None = None,
) -> None:
    """Draw a cuboid from its front (left, bottom, right, top), its far side moved by `depth`."""
    left, bottom, right, top = box
    dx, dy = depth
    above = [(left, top), (right, top), (right + dx, top + dy), (left + dx, top + dy)]
    beside = [(right, bottom), (right + dx, bottom + dy), (right + dx, top + dy), (right, top)]
    b.polygon(above, darker(look, 1.12), part)
    b.polygon(beside, darker(look, 0.75), part)
    b.box(left, bottom, right, top, look, part)


def steel(rng: np.random.Generator) -> Look:
    """Return the look of a tap or a handle."""
    return bear(rng, (150, 154, 160), "metal")
