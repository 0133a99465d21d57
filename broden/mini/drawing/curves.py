"""What living things are made of: closed curves, limbs, clouds and eyes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import darker, plain


def smooth(points: Sequence[Point], steps: int = 5) -> list[Point]:
    """Return a closed curve through points (a Catmull-Rom spline)."""
    count = len(points)
    rounds = [[points[(i + d) % count] for d in (-1, 0, 1, 2)] for i in range(count)]
    return [_between(four, s / steps) for four in rounds for s in range(steps)]


def taper(points: Sequence[Point], widths: Sequence[float], steps: int = 5) -> list[Point]:
    """Return the outline of a bent limb through points, with a width at each and round ends."""
    ends = [*points[:1], *points, *points[-1:]]
    limb = []
    for i in range(len(points) - 1):
        for s in range(steps + (i == len(points) - 2)):
            t = s / steps
            limb.append((*_between(ends[i : i + 4], t), widths[i] * (1 - t) + widths[i + 1] * t))
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for i, (x, y, width) in enumerate(limb):
        before, after = limb[max(i - 1, 0)], limb[min(i + 1, len(limb) - 1)]
        along = math.atan2(after[1] - before[1], after[0] - before[0])
        spread = [0.5]
        if i in (0, len(limb) - 1):
            spread = [0.5, 0.36, 0.22, 0.08] if i else [0.92, 0.78, 0.64, 0.5]
        for turn in spread:
            for side, line in ((1, left), (-1, right)):
                angle = along + side * turn * math.pi
                line.append((x + width / 2 * math.cos(angle), y + width / 2 * math.sin(angle)))
    return left + right[::-1]


def scallops(
    rng: np.random.Generator, x: float, y: float, rx: float, ry: float, count: int
) -> list[Point]:
    """Return the outline of a cloud-like ellipse with so many bulges."""
    points = []
    for i in range(count):
        reach = rng.uniform(0.94, 1.06)
        for step, bulge in ((0.0, 0.88), (0.25, 0.98), (0.5, 1.02), (0.75, 0.98)):
            angle = math.tau * (i + step) / count
            far = reach * bulge
            points.append((x + far * rx * math.cos(angle), y + far * ry * math.sin(angle)))
    return points


def _between(four: Sequence[Point], t: float) -> Point:
    """Return the point at `t` of the way from the second of four points to the third."""
    weights = (
        (-t + 2 * t * t - t**3) / 2,
        (2 - 5 * t * t + 3 * t**3) / 2,
        (t + 4 * t * t - 3 * t**3) / 2,
        (t**3 - t * t) / 2,
    )
    xs, ys = zip(*four, strict=True)
    return (
        sum(w * x for w, x in zip(weights, xs, strict=True)),
        sum(w * y for w, y in zip(weights, ys, strict=True)),
    )


def eye(b: Brush, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    """Draw an eye as a part of the head."""
    b.disc(x, y, 1.5 * r, plain(rng, "white"), "head")
    b.disc(x + 0.3 * r, y, r, plain(rng, "black"), "head")


def bare(look: Look, by: float) -> Look:
    """Return the same surface with more or less light and no pattern."""
    return darker(look, by)._replace(pattern=None)
