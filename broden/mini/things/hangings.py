"""What hangs on the walls of a house."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.drawing.solids import rounded, steel
from broden.mini.things.thing import Thing
from broden.mini.vocabulary import TEXTURES

_BRIGHT = ("red", "blue", "green", "yellow", "purple", "pink", "orange")
_CHINA = (*_BRIGHT, "white")


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> Look:
    return plain(rng, str(rng.choice(names)))


def _clock(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a clock that hangs on a wall."""
    dark = bool(rng.random() < 0.2)
    dial, ink = plain(rng, "black" if dark else "white"), plain(rng, "white" if dark else "black")
    if rng.random() < 0.25:
        b.polygon(rounded(-0.48, 0.02, 0.48, 0.98, 0.12), body, "rim")
    else:
        b.disc(0, 0.5, 0.5, darker(body, 0.8), "rim")
        b.disc(0, 0.505, 0.47, body, "rim")
    b.disc(0, 0.5, 0.4, darker(dial, 0.8), "dial")
    b.disc(0, 0.495, 0.385, dial, "dial")
    for hour in range(12):
        c, s = math.cos(math.tau * hour / 12), math.sin(math.tau * hour / 12)
        inner, width = (0.28, 0.05) if hour % 3 == 0 else (0.32, 0.03)
        b.line([(inner * c, 0.5 + inner * s), (0.345 * c, 0.5 + 0.345 * s)], width, ink)
    minute = float(rng.uniform(0, math.tau))
    hand = minute + float(rng.uniform(0.8, 5.4))
    for angle, length, width in ((hand, 0.18, 0.065), (minute, 0.28, 0.05)):
        end = (length * math.cos(angle), 0.5 + length * math.sin(angle))
        b.line([(0, 0.5), end], width, ink, "hand")
    b.disc(0, 0.5, 0.045, _pick(rng, ("red", "grey", "yellow")), "hand")


def _mirror(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a mirror in its frame."""
    glass = bear(rng, (176, 206, 218), "glass")._replace(contrast=0.25)
    shine, wide = Look((226, 240, 246)), float(rng.uniform(0.32, 0.38))
    if rng.random() < 0.5:
        b.disc(0, 0.5, wide, body, "frame", 0.5)
        b.disc(0, 0.5, wide - 0.065, darker(body, 0.7), "frame", 0.435)
        b.disc(0, 0.495, wide - 0.075, glass, "pane", 0.42)
    else:
        b.polygon(rounded(-wide, 0, wide, 1, 0.06), body, "frame")
        b.box(-wide + 0.06, 0.06, wide - 0.06, 0.94, darker(body, 0.7), "frame")
        b.box(-wide + 0.07, 0.06, wide - 0.06, 0.93, glass, "pane")
    for shift, width in ((0.0, 0.085), (0.13, 0.035)):
        ends = [(-0.13 + shift, 0.32 - shift * 0.6), (0.13, 0.58 - shift * 1.6)]
        b.polygon(
            [ends[0], ends[1], (ends[1][0], ends[1][1] + width), (ends[0][0], ends[0][1] + width)],
            shine,
            "pane",
        )


def _painting(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a painting: a landscape, or a pattern."""
    high = float(rng.uniform(0.68, 0.8))
    b.box(-0.5, 0, 0.5, high, body, "frame")
    b.box(-0.44, 0.06, 0.44, high - 0.06, darker(body, 0.7), "frame")
    b.box(-0.41, 0.09, 0.41, high - 0.09, plain(rng, "white"), "canvas")
    left, bottom, right, top = -0.36, 0.14, 0.36, high - 0.14
    if rng.random() < 0.4:
        name = str(rng.choice(TEXTURES))
        b.box(
            left, bottom, right, top, bear(rng, tint(rng, str(rng.choice(_BRIGHT))), name), "canvas"
        )
        return
    b.box(left, bottom, right, top, _pick(rng, ("blue", "orange", "pink", "yellow")), "canvas")
    b.disc(float(rng.uniform(-0.2, 0.2)), top - 0.12, 0.07, _pick(rng, ("white", "red")), "canvas")
    ridge = [(left, bottom + 0.15), (-0.12, top - 0.1), (0.04, bottom + 0.2), (0.18, top - 0.16)]
    b.polygon(
        [*ridge, (right, bottom + 0.12), (right, bottom), (left, bottom)],
        _pick(rng, ("purple", "grey", "brown")),
        "canvas",
    )
    shore = [(left, bottom + 0.14), (0.0, bottom + 0.08), (right, bottom + 0.17)]
    b.polygon([*shore, (right, bottom), (left, bottom)], _pick(rng, ("green", "yellow")), "canvas")


def _towel(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a towel that hangs over a bar."""
    chrome, wide, low = steel(rng), float(rng.uniform(0.25, 0.31)), float(rng.uniform(0, 0.06))
    b.box(-wide + 0.06, low + 0.16, wide + 0.045, 0.93, darker(body, 0.6))
    b.line([(-0.36, 0.93), (0.36, 0.93)], 0.055, chrome)
    for x in (-0.37, 0.37):
        b.disc(x, 0.93, 0.055, darker(chrome, 0.8))
    foot = [(-wide - 0.02, low + 0.03), (0.0, low), (wide + 0.01, low + 0.03)]
    b.polygon([*rounded(-wide, 0.7, wide, 0.98, 0.05)[:12], *foot], body)
    for x in (-wide / 3, wide / 3):
        b.polygon([(x, 0.9), (x + 0.02, low + 0.04), (x - 0.03, low + 0.04)], darker(body, 0.82))
    hem = plain(rng, "white") if body.colour[1] < 200 else _pick(rng, _BRIGHT)
    for y, tall in ((low + 0.11, 0.07), (low + 0.21, 0.035)):
        edge = [(-wide - 0.015, y), (0, y - 0.02), (wide + 0.01, y)]
        b.polygon([*edge, *((x, level + tall) for x, level in edge[::-1])], hem, "hem")


_FRAMES = (None, "wood", "metal")
HANGINGS = {
    "clock": Thing(_clock, 1, 1, (*_CHINA, "brown", "black"), _FRAMES, 0.24, "wall"),
    "mirror": Thing(_mirror, 0.76, 1, ("brown", "white", "black", "yellow"), _FRAMES, 0.34, "wall"),
    "painting": Thing(
        _painting, 1, 0.8, ("brown", "yellow", "black", "white"), _FRAMES, 0.34, "wall"
    ),
    "towel": Thing(_towel, 0.84, 1, _CHINA, ("cloth",), 0.3, "wall"),
}
