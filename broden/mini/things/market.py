"""What a market sells, where it does so, and what is washed at home."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import bare, smooth
from broden.mini.drawing.looks import bear, cloth, darker, marked, plain, tint
from broden.mini.drawing.solids import arc, rounded, steel
from broden.mini.things.thing import Thing

_BRIGHT = ("red", "blue", "green", "yellow", "purple", "pink", "orange")


def _watermelon(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a watermelon, whole or cut open."""
    b.shadow(1.0, 0.18)
    rind = marked(rng, body, "banded", (24, 66, 34), 0.055 * b.size, rng.uniform(-0.3, 0.3))
    b.disc(0, 0.4, 0.5, rind, None, 0.4)
    if rng.random() < 0.4:
        b.disc(0.1, 0.4, 0.36, plain(rng, "white"), "top", 0.34)
        b.disc(0.1, 0.4, 0.32, plain(rng, "red"), "top", 0.3)
        for i in range(9):
            a, r = 2.4 * i, 0.07 + 0.022 * i
            b.disc(0.1 + r * math.cos(a), 0.4 + r * math.sin(a), 0.018, plain(rng, "black"), "top")
    b.line([(-0.44, 0.52), (-0.5, 0.62), (-0.44, 0.7)], 0.045, plain(rng, "green"), "stem")


def _pineapple(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a pineapple with its crown of leaves."""
    b.shadow(0.5, 0.1)
    green = plain(rng, "green")
    for angle in (-0.7, 0.7, -0.4, 0.4, 0.0):
        leaf = b.at(0, 0.56, 1, angle)
        blade = [(-0.06, 0), (-0.05, 0.2), (0, 0.44 - 0.12 * abs(angle)), (0.05, 0.2), (0.06, 0)]
        leaf.polygon(blade, darker(green, float(rng.uniform(0.7, 1.1))), "leaf")
    skin = marked(rng, body, "grid", (120, 74, 30), 0.085 * b.size, math.pi / 4)
    b.disc(0, 0.31, float(rng.uniform(0.23, 0.27)), skin, None, 0.31)


def _basket(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a wicker basket with a handle, sometimes with fruit in it."""
    b.shadow(0.95, 0.16)
    wicker = marked(rng, body, "woven", darker(body, 0.45).colour, 0.05 * b.size)
    b.line(arc(0, 0.4, 0.38, 0.5, 0.05, math.pi - 0.05), 0.06, darker(wicker, 0.85), "handle")
    if rng.random() < 0.6:
        for x in (-0.24, -0.08, 0.08, 0.24):
            fruit = plain(rng, str(rng.choice(["red", "green", "orange", "yellow", "purple"])))
            b.disc(x, 0.44 + float(rng.uniform(0, 0.05)), 0.1, fruit, "fruit")
    b.polygon([(-0.45, 0.44), (-0.36, 0), (0.36, 0), (0.45, 0.44)], wicker)
    b.line([(-0.46, 0.44), (0.46, 0.44)], 0.07, darker(wicker, 0.75), "rim")


def _sweater(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a knitted sweater that hangs, sometimes with a band."""
    accent = darker(body, 0.5).colour if sum(body.colour) > 300 else (225, 222, 214)
    wool = marked(rng, body, "knitted", accent, 0.045 * b.size, rng.uniform(-0.1, 0.1))
    for side in (-1, 1):
        sleeve = [(0.26, 0.86), (0.36, 0.72), (0.49, 0.26), (0.34, 0.2), (0.24, 0.56)]
        b.polygon([(side * x, y) for x, y in sleeve], darker(wool, 0.85), "sleeve")
        cuff = [(0.49, 0.27), (0.47, 0.19), (0.33, 0.13), (0.34, 0.21)]
        b.polygon([(side * x, y) for x, y in cuff], bare(body, 0.6), "sleeve")
    b.polygon(
        [(-0.28, 0.86), (-0.26, 0.04), (0.26, 0.04), (0.28, 0.86), (0.1, 0.94), (-0.1, 0.94)], wool
    )
    if rng.random() < 0.5:
        band = plain(rng, str(rng.choice(_BRIGHT)))
        b.box(-0.27, 0.42, 0.27, 0.52, wool._replace(colour=band.colour))
    b.box(-0.27, 0, 0.27, 0.07, bare(body, 0.6), "hem")
    b.disc(0, 0.94, 0.14, bare(body, 0.6), "collar", 0.055)
    b.disc(0, 0.95, 0.1, bare(body, 0.3), "collar", 0.03)


def _stall(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a market stall with an awning over its fruit."""
    b.shadow(1.05, 0.12)
    wood, roof = bear(rng, tint(rng, "brown"), "wood"), tint(rng, "white")
    for x in (-0.44, 0.44):
        b.line([(x, 0.03), (x, 0.7)], 0.035, wood, "pole")
    b.box(-0.44, 0.36, 0.44, 0.66, bare(body, 0.3))
    for row in range(2):
        for x in np.linspace(-0.38, 0.38, 8):
            fruit = plain(rng, ("red", "orange", "green", "yellow")[int((x + 0.5) * 4) % 4])
            b.disc(float(x), 0.4 + 0.07 * row, 0.055, fruit, "fruit")
    b.box(-0.48, 0.04, 0.48, 0.38, wood, "panel")
    awning = marked(rng, body, "striped", roof, 0.1 * b.size)
    b.polygon([(-0.5, 0.66), (0.5, 0.66), (0.42, 0.93), (-0.42, 0.93)], awning, "awning")
    for i in range(8):
        b.disc(-0.4375 + 0.125 * i, 0.665, 0.0625, body if i % 2 else Look(roof), "awning", 0.05)


def _washing_machine(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a washing machine, its round door to the front."""
    b.shadow(0.95, 0.14)
    chrome = steel(rng)
    b.polygon(rounded(-0.42, 0.02, 0.42, 0.98, 0.05), body)
    b.box(-0.42, 0.82, 0.42, 0.96, darker(body, 0.85), "panel")
    b.disc(-0.26, 0.89, 0.05, chrome, "panel")
    b.box(0.05, 0.86, 0.34, 0.92, plain(rng, str(rng.choice(["black", "blue", "green"]))), "panel")
    b.disc(0, 0.43, 0.32, chrome, "door")
    b.disc(0, 0.43, 0.25, bear(rng, (70, 90, 110), "glass"), "drum")
    b.polygon(
        smooth([(-0.2, 0.34), (-0.1, 0.42), (0.12, 0.4), (0.2, 0.34), (0, 0.2)]), cloth(rng), "drum"
    )


def _ironing_board(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw an ironing board, a flat iron on it."""
    b.shadow(0.85, 0.12)
    chrome = steel(rng)
    b.line([(-0.3, 0.03), (0.22, 0.6)], 0.04, chrome, "leg")
    b.line([(0.3, 0.03), (-0.22, 0.6)], 0.04, darker(chrome, 0.8), "leg")
    board = [(-0.5, 0.6), (-0.44, 0.57), (0.42, 0.57), (0.5, 0.63), (0.44, 0.7), (-0.4, 0.7)]
    b.polygon(smooth(board), body, "top")
    colour = plain(rng, str(rng.choice(_BRIGHT)))
    b.polygon([(-0.1, 0.66), (0.24, 0.66), (0.1, 0.8), (-0.1, 0.8)], colour)
    b.line(
        [(-0.06, 0.8), (-0.02, 0.88), (0.1, 0.86), (0.13, 0.78)],
        0.035,
        darker(colour, 0.6),
        "handle",
    )


MARKET = {
    "watermelon": Thing(_watermelon, 1, 0.8, ("green",), ("banded",), 0.22),
    "pineapple": Thing(_pineapple, 0.6, 1, ("yellow", "orange"), ("grid",), 0.28),
    "basket": Thing(_basket, 0.94, 0.95, ("brown", "orange", "yellow"), ("woven",), 0.28),
    "sweater": Thing(_sweater, 1, 1, (*_BRIGHT, "white", "grey"), ("knitted",), 0.34, "wall"),
    "stall": Thing(_stall, 1, 0.94, ("red", "blue", "green", "orange"), (None,), 0.58),
    "washing machine": Thing(_washing_machine, 0.86, 1, ("white", "white", "grey"), (None,), 0.42),
    "ironing board": Thing(_ironing_board, 1, 0.9, _BRIGHT, ("cloth",), 0.46),
}
