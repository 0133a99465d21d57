"""Household things: what stands on tables, hangs on walls or is taken to the beach."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.looks import BASIC, bear, darker, plain, tint
from broden.mini.drawing.solids import arc, rounded, steel
from broden.mini.things.hangings import HANGINGS
from broden.mini.things.thing import Thing

_BRIGHT = ("red", "blue", "green", "yellow", "purple", "pink", "orange")
_CHINA = (*_BRIGHT, "white")
_CASES = ("black", "grey", "white")


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> Look:
    return plain(rng, str(rng.choice(names)))


def _unlike(rng: np.random.Generator, look: Look, names: tuple[str, ...]) -> Look:
    """Return a surface of a colour among `names` that stands out from another surface."""
    gaps = [np.abs(np.subtract(BASIC[name], look.colour)).sum() for name in names]
    return _pick(rng, tuple(n for n, gap in zip(names, gaps, strict=True) if gap > 130))


def _lamp(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a lamp on a stand."""
    b.shadow(0.5, 0.1)
    metal = bear(rng, tint(rng, str(rng.choice(["brown", "grey", "black", "yellow"]))), "metal")
    low, wide = float(rng.uniform(0.56, 0.64)), float(rng.uniform(0.28, 0.33))
    neck = float(rng.uniform(0.45, 0.75)) * wide
    b.disc(0, 0.045, 0.19, darker(metal, 0.8), "base", 0.045)
    b.polygon(arc(0, 0.05, 0.17, 0.08, 0, math.pi), metal, "base")
    b.line([(0, 0.08), (0, low + 0.05)], 0.055, metal, "stand")
    if rng.random() < 0.5:
        vase = _pick(rng, _CHINA)
        b.disc(0, 0.26, 0.13, vase, "stand", 0.16)
        b.disc(-0.04, 0.31, 0.03, darker(vase, 1.3), "stand", 0.06)
    b.disc(0, low, wide, Look((255, 236, 150)), None, 0.045)
    rim = arc(0, low, wide, 0.045, math.pi, math.tau)
    b.polygon([*rim, (neck, 0.97), (-neck, 0.97)], body, "shade")
    b.polygon(
        [
            *arc(0, low, wide, 0.045, math.pi, math.tau),
            *arc(0, low + 0.035, wide * 0.98, 0.045, math.tau, math.pi),
        ],
        darker(body, 0.75),
        "shade",
    )
    b.disc(0, 0.97, neck, darker(body, 0.6), "shade", 0.025)


def _television(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a television on a low stand."""
    b.shadow(1.0, 0.1)
    wood = bear(rng, tint(rng, "brown"), "wood")
    for x in (-0.33, 0.33):
        b.box(x - 0.03, 0, x + 0.03, 0.08, darker(wood, 0.7), "stand")
    b.box(-0.4, 0.05, 0.4, 0.19, wood, "stand")
    b.box(-0.37, 0.075, -0.02, 0.165, darker(wood, 0.8), "stand")
    b.box(0.02, 0.075, 0.37, 0.165, darker(wood, 0.8), "stand")
    b.polygon([(-0.15, 0.19), (0.15, 0.19), (0.08, 0.26), (-0.08, 0.26)], darker(body, 0.7), "base")
    top = float(rng.uniform(0.74, 0.8))
    if rng.random() < 0.35:
        for x in (-0.2, 0.2):
            b.line([(0, top), (x, top + 0.14)], 0.03, steel(rng))
    b.polygon(rounded(-0.5, 0.23, 0.5, top, 0.04), body)
    _programme(b, rng, top - 0.045)


def _programme(b: Brush, rng: np.random.Generator, top: float) -> None:
    """Draw what is on the television: a landscape, or nothing."""
    off = rng.random() < 0.3
    screen = bear(rng, (38, 44, 56), "glass") if off else _pick(rng, ("blue", "orange", "pink"))
    left, right, bottom = -0.455, 0.455, 0.28
    b.box(left, bottom, right, top, screen, "screen")
    if off:
        return
    b.disc(float(rng.uniform(-0.3, 0.3)), top - 0.13, 0.08, plain(rng, "yellow"), "screen")
    hills = _pick(rng, ("green", "purple", "brown"))
    for x, high, light in ((-0.2, 0.22, 1.0), (0.2, 0.16, 0.8)):
        hill = arc(x, bottom, 0.255 + 0.001 * high, high, 0, math.pi)
        b.polygon(hill, darker(hills, light), "screen")


def _computer(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a computer: a monitor with a keyboard before it."""
    b.shadow(0.9, 0.1)
    shell, light = darker(body, 1.0), plain(rng, "white")
    b.polygon([(-0.2, 0.15), (0.2, 0.15), (0.15, 0.22), (-0.15, 0.22)], darker(shell, 0.7), "base")
    b.box(-0.07, 0.18, 0.07, 0.34, darker(shell, 0.6), "base")
    b.polygon(rounded(-0.47, 0.28, 0.47, 0.9, 0.04), shell)
    screen = _pick(rng, ("blue", "blue", "green", "purple", "black"))
    b.box(-0.42, 0.35, 0.42, 0.855, screen, "screen")
    b.box(-0.34, 0.42, 0.08, 0.78, light, "screen")
    b.box(-0.34, 0.73, 0.08, 0.79, plain(rng, "grey"), "screen")
    for y in (0.66, 0.59, 0.52):
        b.box(
            -0.3,
            y - 0.02,
            float(rng.uniform(-0.15, 0.04)),
            y + 0.015,
            darker(screen, 0.9),
            "screen",
        )
    b.box(0.16, 0.55, 0.36, 0.75, _pick(rng, ("yellow", "orange", "pink")), "screen")
    b.polygon(
        [(-0.4, 0.05), (0.28, 0.05), (0.24, 0.16), (-0.36, 0.16)], darker(shell, 0.85), "keyboard"
    )
    b.box(-0.4, 0.02, 0.28, 0.05, darker(shell, 0.55), "keyboard")
    keys = darker(shell, 1.5) if shell.colour[1] < 120 else darker(shell, 0.5)
    for y, wide in ((0.08, 0.35), (0.108, 0.34), (0.135, 0.33)):
        for i in range(6):
            x = -0.06 - wide + wide / 3 * i
            b.box(x + 0.015, y - 0.01, x + wide / 3 - 0.005, y + 0.01, keys, "keyboard")
    b.disc(0.4, 0.07, 0.06, darker(shell, 0.9), None, 0.05)


def _cup(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a cup, its handle to the right."""
    b.shadow(0.8, 0.14)
    foot, high = float(rng.uniform(0.2, 0.29)), float(rng.uniform(0.68, 0.78))
    b.line(arc(0.2, high * 0.52, 0.2, 0.19, -1.5, 1.5), 0.085, darker(body, 0.85), "handle")
    b.polygon([(-0.38, high), *arc(-0.08, 0.06, foot, 0.06, math.pi, math.tau), (0.22, high)], body)
    if rng.random() < 0.6:
        band = _unlike(rng, body, _CHINA)
        above, below = (foot + (0.3 - foot) * (y - 0.06) / (high - 0.06) for y in (0.5, 0.36))
        left, right = (-0.08 - above, 0.5), (-0.08 + above, 0.5)
        b.polygon([left, (-0.08 - below, 0.36), (-0.08 + below, 0.36), right], band)
    b.disc(-0.08, high, 0.3, darker(body, 1.12), "rim", 0.08)
    drink = Look((74, 44, 28)) if rng.random() < 0.6 else Look((190, 120, 50))
    b.disc(-0.08, high - 0.01, 0.25, drink, None, 0.055)


def _kettle(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a kettle, its spout to the right."""
    b.shadow(0.85, 0.14)
    grip = (
        _pick(rng, ("black", "brown", "red"))
        if rng.random() < 0.6
        else bear(rng, (120, 76, 44), "wood")
    )
    wide = float(rng.uniform(0.32, 0.36))
    b.line(arc(-0.06, 0.5, 0.27, 0.4, 0.1, math.pi - 0.1), 0.075, grip, "handle")
    spout = [(0.14, 0.14), (0.38, 0.46), (0.5, 0.5), (0.47, 0.57), (0.34, 0.56), (0.12, 0.42)]
    b.polygon(spout, darker(body, 0.85))
    outline = [*arc(-0.06, 0.36, wide, 0.24, 0, math.pi), (-0.06 - wide - 0.03, 0.08)]
    b.polygon([*outline, (-0.06 - wide, 0.02), (wide - 0.06, 0.02), (wide - 0.03, 0.08)], body)
    b.polygon(rounded(-0.09 - wide, 0.02, wide - 0.03, 0.1, 0.03), darker(body, 0.75), "base")
    b.disc(-0.06 - wide * 0.5, 0.36, 0.045, darker(body, 1.35), None, 0.1)
    b.polygon(arc(-0.06, 0.54, 0.19, 0.1, 0, math.pi), darker(body, 0.9), "lid")
    b.line([(-0.25, 0.54), (0.13, 0.54)], 0.035, darker(body, 0.65), "lid")
    b.disc(-0.06, 0.67, 0.055, grip, "lid")


def _umbrella(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw an open umbrella whose pole stands in the ground."""
    b.shadow(0.6, 0.1)
    low, count = float(rng.uniform(0.55, 0.62)), int(rng.integers(5, 8))
    pole = plain(rng, "white") if rng.random() < 0.5 else bear(rng, tint(rng, "brown"), "wood")
    b.box(-0.022, 0, 0.022, 0.9, pole, "pole")
    b.disc(0, 0.95, 0.03, darker(pole, 0.9), "pole", 0.05)
    second = _unlike(rng, body, ("white", "yellow", "blue"))
    if rng.random() < 0.3:
        second = darker(body, 0.85)
    edges = [-0.48 * math.cos(math.pi * i / count) for i in range(count + 1)]
    for i, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
        sides = [_rib(left, low), _rib(right, low)[::-1]]
        hem = arc((left + right) / 2, low, (right - left) / 2, 0.035, 0, math.pi, 6)
        b.polygon([*sides[0], *sides[1], *hem], second if i % 2 else body, "canopy", 0.6)


def _rib(x: float, low: float) -> list[tuple[float, float]]:
    """Return points along a rib of the umbrella from its hem at `x` to its tip."""
    angles = [math.pi / 2 * i / 8 for i in range(9)]
    return [(x * math.cos(a), low + (0.94 - low) * math.sin(a)) for a in angles]


def _ball(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a beach ball."""
    b.shadow(1.0, 0.2)
    other = _unlike(rng, body, ("white", "white", "yellow", "blue"))
    b.disc(0, 0.5, 0.5, darker(body, 0.75))
    tip, start = (float(rng.uniform(-0.2, 0.2)), float(rng.uniform(0.62, 0.75))), rng.uniform(0, 1)
    count = 6
    for i in range(count):
        look = body if i % 2 else other
        if i == 2 and rng.random() < 0.5:
            look = _pick(rng, _BRIGHT)
        a, c = (math.tau * (i + start + d) / count for d in (0, 1))
        b.polygon(_sector(tip, a, c), look, None, 0.5)
    b.disc(*tip, 0.1, darker(other, 0.95), "cap", 0.08)
    b.disc(-0.2, 0.76, 0.05, Look((255, 255, 255)), None, 0.035)


def _sector(tip: tuple[float, float], start: float, end: float) -> list[tuple[float, float]]:
    """Return the part of the ball between two bent lines from the tip to its outline."""
    rim = arc(0, 0.5, 0.5, 0.5, start, end, 8)
    lines = []
    for (x, y), a in ((rim[0], start), (rim[-1], end)):
        bend = 0.07 * math.cos(a)
        middle = ((x + tip[0]) / 2 + bend, (y + tip[1]) / 2 + 0.07)
        lines.append([_between(tip, middle, (x, y), t / 6) for t in range(7)])
    return [*lines[0], *rim, *lines[1][::-1]]


def _between(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], t: float
) -> tuple[float, float]:
    """Return a point along the curve from `a` to `c` that is drawn towards `b`."""
    s = 1 - t
    x, y = (s * s * p + 2 * s * t * q + t * t * r for p, q, r in zip(a, b, c, strict=True))
    return x, y


def _potted_plant(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a plant in a pot."""
    b.shadow(0.6, 0.12)
    green, count = tint(rng, "green"), int(rng.integers(7, 10))
    flowers = _pick(rng, _BRIGHT) if rng.random() < 0.35 else None
    angles = np.linspace(-1.25, 1.25, count) + rng.uniform(-0.1, 0.1, count)
    for i in rng.permutation(count):
        leaf = b.at(0, 0.36, float(rng.uniform(0.42, 0.6)), -float(angles[i]))
        look = bear(rng, green, "foliage")
        bow = float(rng.uniform(0.1, 0.15))
        side = [(bow * math.sin(math.pi * t / 8) + 0.04, t / 8) for t in range(9)]
        outline = [*side, *((0.04 - x, y) for x, y in reversed(side))]
        leaf.polygon(outline, darker(look, 0.75 + 0.35 * float(rng.random())), "leaf")
        if flowers:
            leaf.disc(0.03, 0.95, 0.13, flowers, "petal")
    b.polygon([(-0.19, 0.3), (0.19, 0.3), (0.14, 0), (-0.14, 0)], body, "pot")
    b.polygon(rounded(-0.23, 0.28, 0.23, 0.38, 0.02), darker(body, 0.85), "pot")


HOUSEHOLD = {
    "ball": Thing(_ball, 1, 1, _BRIGHT, (None,), 0.2, "ground", 0.3),
    "computer": Thing(_computer, 0.95, 0.9, _CASES, (None,), 0.3, "table"),
    "cup": Thing(_cup, 0.9, 0.86, _CHINA, (None,), 0.14, "table"),
    "kettle": Thing(_kettle, 1, 0.93, _CHINA, (None, "metal"), 0.22, "table"),
    "lamp": Thing(_lamp, 0.65, 1, _CHINA, ("cloth",), 0.45),
    "potted plant": Thing(_potted_plant, 0.95, 1, (*_CHINA, "brown"), (None, "stone"), 0.32),
    "television": Thing(_television, 1, 0.8, _CASES, (None,), 0.42),
    "umbrella": Thing(_umbrella, 0.96, 1, _BRIGHT, ("cloth",), 0.5, "ground", 0.2),
} | HANGINGS
