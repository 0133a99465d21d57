"""What is fixed in kitchens and bathrooms."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.looks import bear, darker, plain
from broden.mini.drawing.solids import arc, cuboid, rounded, steel
from broden.mini.things.thing import Thing

_ENAMEL = ("white", "white", "pink", "blue", "green", "grey", "yellow")


def _bathtub(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bathtub on feet, its tap to the right."""
    b.shadow(0.95, 0.12)
    chrome = bear(rng, (188, 160, 80), "metal") if rng.random() < 0.4 else steel(rng)
    for x in (-0.3, 0.28):
        b.line([(x, 0.14), (x * 1.15, 0.06), (x * 1.05, 0.025)], 0.05, chrome, "leg")
    b.line([(0.4, 0.36), (0.4, 0.56), (0.36, 0.6), (0.3, 0.6), (0.28, 0.55)], 0.045, chrome, "tap")
    b.line([(0.34, 0.48), (0.46, 0.48)], 0.045, chrome, "tap")
    if rng.random() < 0.6:
        for x in rng.uniform(-0.34, 0.26, 6):
            b.disc(x, 0.42, float(rng.uniform(0.05, 0.09)), plain(rng, "white"))
    head = float(rng.uniform(0.4, 0.5))
    left = [(-0.5, head), (-0.47, 0.36), (-0.42, 0.2), (-0.34, 0.1)]
    b.polygon([*left, (0.3, 0.1), (0.4, 0.2), (0.44, 0.4)], body)
    b.polygon([(-0.42, 0.2), (-0.34, 0.1), (0.3, 0.1), (0.4, 0.2)], darker(body, 0.8))
    b.line(
        [(-0.46, head), (-0.4, 0.41), (-0.3, 0.39), (0.45, 0.39)], 0.06, darker(body, 0.9), "rim"
    )


def _washbasin(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a washbasin on its pedestal."""
    b.shadow(0.5, 0.12)
    chrome, top = steel(rng), float(rng.uniform(0.72, 0.78))
    b.polygon([(-0.09, 0.5), (0.09, 0.5), (0.13, 0.05), (-0.13, 0.05)], darker(body, 0.85), "base")
    b.polygon(rounded(-0.17, 0, 0.17, 0.06, 0.03), darker(body, 0.75), "base")
    b.polygon(rounded(-0.3, top - 0.02, 0.3, top + 0.11, 0.05), darker(body, 0.92))
    b.polygon(
        [(-0.38, top), *arc(0, top, 0.38, 0.32, math.pi, math.tau), (0.38, top)], body, "basin"
    )
    b.disc(0, top, 0.38, darker(body, 1.06), "basin", 0.065)
    b.disc(0, top - 0.005, 0.31, darker(body, 0.66), "basin", 0.045)
    b.line(
        [(0, top + 0.04), (0, 0.93), (0.05, 0.96), (0.14, 0.95), (0.15, 0.87)], 0.06, chrome, "tap"
    )
    for x in (-0.16, 0.16):
        b.line([(x, top + 0.06), (x, top + 0.12)], 0.05, chrome, "tap")
        b.line([(x - 0.05, top + 0.13), (x + 0.05, top + 0.13)], 0.045, chrome, "tap")


def _toilet(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a toilet that faces right."""
    b.shadow(0.75, 0.12)
    lid = darker(body, 0.9) if rng.random() < 0.5 else bear(rng, (140, 92, 52), "wood")
    b.polygon(
        [(-0.22, 0.3), (-0.16, 0), (0.2, 0), (0.14, 0.12), (0.22, 0.24), (0.34, 0.34)],
        darker(body, 0.8),
        "base",
    )
    b.polygon(rounded(-0.2, 0, 0.22, 0.06, 0.03), darker(body, 0.72), "base")
    b.polygon([(-0.26, 0.46), *arc(0.05, 0.46, 0.35, 0.24, math.pi, math.tau), (0.4, 0.46)], body)
    b.polygon(rounded(-0.38, 0.42, -0.14, 0.9, 0.04), darker(body, 0.94), "tank")
    b.polygon(rounded(-0.4, 0.87, -0.12, 0.94, 0.03), body, "tank")
    b.line([(-0.24, 0.79), (-0.15, 0.79)], 0.045, steel(rng), "handle")
    b.line([(-0.14, 0.47), (0.38, 0.47)], 0.06, darker(lid, 0.8), "seat")
    if rng.random() < 0.5:
        b.polygon([(-0.12, 0.5), (-0.05, 0.5), (-0.03, 0.92), (-0.1, 0.92)], lid, "lid")
        b.line([(-0.08, 0.52), (-0.065, 0.92)], 0.07, lid, "lid")
    else:
        b.line([(-0.12, 0.53), (0.36, 0.53)], 0.07, lid, "lid")


def _stove(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a stove with an oven, from the front and a little above."""
    b.shadow(1.0, 0.14)
    black, glass = plain(rng, "black"), bear(rng, (60, 58, 62), "glass")
    chrome, high = steel(rng), float(rng.uniform(0.76, 0.82))
    for x in (-0.36, 0.36):
        b.box(x - 0.05, 0, x + 0.05, 0.1, black, "leg")
    b.polygon(
        [(-0.4, high + 0.13), (0.4, high + 0.13), (0.4, 0.98), (-0.4, 0.98)], darker(body, 0.85)
    )
    b.polygon(
        [(-0.45, high), (0.45, high), (0.4, high + 0.14), (-0.4, high + 0.14)], darker(body, 1.1)
    )
    for x, y, r in (
        (-0.2, 0.045, 0.14),
        (0.2, 0.045, 0.14),
        (-0.18, 0.105, 0.11),
        (0.18, 0.105, 0.11),
    ):
        b.disc(x, high + y, r, black, "hob", 0.032)
        if rng.random() < 0.3:
            b.disc(x, high + y, 0.7 * r, plain(rng, "red"), "hob", 0.02)
    b.box(-0.45, 0.05, 0.45, high, body)
    b.box(-0.45, high - 0.16, 0.45, high, darker(body, 0.85))
    for x in np.linspace(-0.34, 0.34, int(rng.integers(4, 6))):
        b.disc(x, high - 0.08, 0.052, black)
        b.line([(x, high - 0.08), (x, high - 0.05)], 0.018, chrome)
    b.polygon(rounded(-0.39, 0.1, 0.39, high - 0.19, 0.03), darker(body, 0.93), "door")
    b.polygon(rounded(-0.29, 0.16, 0.29, high - 0.32, 0.04), glass, "door")
    b.line([(-0.31, high - 0.255), (0.31, high - 0.255)], 0.05, chrome, "handle")


def _refrigerator(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a refrigerator with a freezer."""
    b.shadow(0.65, 0.12)
    depth = float(rng.uniform(0.06, 0.1)), 0.04
    split = float(rng.uniform(0.58, 0.7)) if rng.random() < 0.7 else float(rng.uniform(0.34, 0.42))
    chrome, right = steel(rng), 0.28 - depth[0]
    for x in (-0.2, right - 0.08):
        b.box(x - 0.03, 0, x + 0.03, 0.05, plain(rng, "black"), "leg")
    cuboid(b, (-0.28, 0.03, right, 0.96), depth, darker(body, 0.8))
    for bottom, top in ((0.05, split), (split + 0.015, 0.955)):
        b.polygon(rounded(-0.275, bottom, right - 0.005, top, 0.035), body, "door")
        middle = top - 0.18 if top < 0.9 else bottom + 0.16
        b.line([(-0.22, middle - 0.08), (-0.22, middle + 0.08)], 0.04, chrome, "handle")
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-0.1, right - 0.1), rng.uniform(0.42, 0.86)
        note = plain(rng, str(rng.choice(["red", "yellow", "blue", "green", "pink"])))
        b.box(x, y, x + 0.07, y + 0.07, note)


FIXTURES = {
    "bathtub": Thing(_bathtub, 1, 0.62, _ENAMEL, (None, None, "metal"), 0.5),
    "refrigerator": Thing(_refrigerator, 0.58, 1, (*_ENAMEL, "red"), (None, "metal"), 0.62),
    "stove": Thing(_stove, 0.9, 1, (*_ENAMEL, "red"), (None, "metal"), 0.44),
    "toilet": Thing(_toilet, 0.82, 0.94, _ENAMEL, (None,), 0.4),
    "washbasin": Thing(_washbasin, 0.76, 1, _ENAMEL, (None,), 0.45),
}
