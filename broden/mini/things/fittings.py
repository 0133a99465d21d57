"""What vehicles and buildings have in common: blunt outlines, glass, steel, wheels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.drawing.solids import arc

_CORNER = (0.0, 0.25, 0.5, 0.75, 1.0)


def blunt(points: Sequence[Point], radius: float) -> list[Point]:
    """Return a polygon whose corners are rounded off."""
    out = []
    for i, (x, y) in enumerate(points):
        ends = []
        for ox, oy in (points[i - 1], points[(i + 1) % len(points)]):
            length = math.hypot(ox - x, oy - y) or 1.0
            share = min(radius / length, 0.5)
            ends.append((x + (ox - x) * share, y + (oy - y) * share))
        (ax, ay), (cx, cy) = ends
        for t in _CORNER:
            p, q, r = (1 - t) ** 2, 2 * t * (1 - t), t * t
            out.append((p * ax + q * x + r * cx, p * ay + q * y + r * cy))
    return out


def pane(rng: np.random.Generator) -> Look:
    """Return the glass of a window."""
    rgb = ((150, 192, 218), (128, 172, 200), (172, 205, 222))[rng.integers(3)]
    return bear(rng, rgb, "glass")


def steel(rng: np.random.Generator, light: int = 165) -> Look:
    """Return grey metal."""
    return bear(rng, (light, light + 3, light + 7), "metal")


def wheel(b: Brush, rng: np.random.Generator, x: float, y: float, r: float, rim: Look) -> None:
    """Draw a wheel with a tyre, a rim and a hub."""
    b.disc(x, y, r, plain(rng, "black"), "wheel", shade=0.5)
    b.disc(x, y, 0.62 * r, rim, "wheel")
    b.disc(x, y, 0.22 * r, darker(rim, 0.5), "wheel")


def spokes(b: Brush, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    """Draw a wheel that can be looked through: tyre, rim and spokes."""
    turns = [math.tau * i / 30 for i in range(31)]
    start, rays = float(rng.uniform(0, 1)), []
    for i in range(7):
        a = start + math.pi * i / 7
        dx, dy = r * math.cos(a), r * math.sin(a)
        rays += [(x, y), (x + dx, y + dy), (x - dx, y - dy)]
    b.line(rays, 0.009, steel(rng, 185), "wheel")
    b.line(
        [(x + r * math.cos(a), y + r * math.sin(a)) for a in turns],
        0.036,
        plain(rng, "black"),
        "wheel",
    )
    inner = 0.9 * r
    b.line(
        [(x + inner * math.cos(a), y + inner * math.sin(a)) for a in turns],
        0.014,
        steel(rng, 190),
        "wheel",
    )


def tyre(b: Brush, rng: np.random.Generator, x: float, r: float, rim: Look) -> None:
    """Draw a wheel with treads that stands on the ground."""
    turns = [math.tau * i / 48 for i in range(48)]
    reach = [r if i % 4 < 2 else 0.93 * r for i in range(48)]
    edge = [(x + d * math.cos(a), r + d * math.sin(a)) for a, d in zip(turns, reach, strict=True)]
    b.polygon(edge, plain(rng, "black"), "wheel", shade=0.5)
    b.disc(x, r, 0.58 * r, rim, "wheel")
    b.disc(x, r, 0.42 * r, darker(rim, 0.8), "wheel")
    b.disc(x, r, 0.16 * r, darker(rim, 0.5), "wheel")


def window(
    b: Brush, rng: np.random.Generator, left: float, bottom: float, w: float, h: float, frame: Look
) -> None:
    """Draw a window with a cross of bars in its frame."""
    rim, x, y = 0.09 * max(w, h), left + w / 2, bottom + h / 2
    b.box(left - rim, bottom - rim, left + w + rim, bottom + h + rim, frame, "window")
    b.box(left, bottom, left + w, bottom + h, pane(rng), "window")
    b.box(x - rim / 3, bottom, x + rim / 3, bottom + h, frame, "window")
    b.box(left, y - rim / 3, left + w, y + rim / 3, frame, "window")


def door(
    b: Brush, rng: np.random.Generator, left: float, w: float, h: float, arched: bool = False
) -> None:
    """Draw a door of wood in its frame, on the ground."""
    wood = bear(rng, tint(rng, str(rng.choice(["brown", "green", "red", "blue", "brown"]))), "wood")
    x, r = left + w / 2, w / 2
    for grow, look in ((0.12 * w, plain(rng, "white")), (0.0, wood)):
        top = (
            arc(x, h - r, r + grow, r + grow, 0, math.pi)
            if arched
            else [(left + w + grow, h + grow), (left - grow, h + grow)]
        )
        b.polygon([(left - grow, 0), (left + w + grow, 0), *top], look, "door")
    b.disc(left + 0.8 * w, 0.48 * h, 0.08 * w, plain(rng, "yellow"), "door")


def roofing(rng: np.random.Generator) -> Look:
    """Return tiles or shingles."""
    colour = str(rng.choice(["red", "brown", "grey", "black", "orange"]))
    return bear(rng, tint(rng, colour), str(rng.choice(["tile", "tile", "wood"])))
