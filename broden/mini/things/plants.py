"""Plants and what lies among them."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import bare, scallops, smooth, taper
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.things.thing import Thing

_BLOSSOM = ("red", "pink", "yellow", "white", "purple", "orange", "blue")


def _tree(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a broad-leaved tree, sometimes with fruit."""
    b.shadow(0.5)
    bark = bear(rng, tint(rng, "brown"), "wood")
    wide, y = rng.uniform(0.29, 0.36), rng.uniform(0.64, 0.68)
    b.polygon(
        [(-0.09, 0), (0.09, 0), (0.05, 0.12), (0.045, 0.5), (-0.045, 0.5), (-0.05, 0.12)],
        bark,
        "trunk",
    )
    for side in (-1, 1):
        b.polygon(
            taper([(0, 0.26), (0.08 * side, 0.36), (0.15 * side, 0.48)], [0.06, 0.05, 0.04]),
            bark,
            "trunk",
        )
    b.polygon(scallops(rng, 0, y, wide, 0.98 - y, 9), darker(body, 0.78), "crown")
    for x, dy, share in ((0.09, -0.06, 0.58), (-0.11, 0.02, 0.62), (0.07, 0.11, 0.55)):
        b.polygon(
            scallops(rng, x, y + dy, share * wide, share * wide, 7), darker(body, 0.9 + dy), "crown"
        )
    if rng.random() < 0.3:
        fruit = plain(rng, str(rng.choice(["red", "orange", "yellow"])))
        for angle in np.arange(6) + rng.random():
            b.disc(0.2 * math.cos(angle), y + 0.19 * math.sin(2.1 * angle), 0.032, fruit, "fruit")


def _fir(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a fir of three or four tiers."""
    b.shadow(0.55)
    b.box(-0.055, 0, 0.055, 0.22, bear(rng, tint(rng, "brown"), "wood"), "trunk")
    count, wide = int(rng.integers(3, 5)), rng.uniform(0.27, 0.33)
    for i in range(count):
        low, reach = 0.13 + 0.62 * i / count, wide * (1 - 0.62 * i / count)
        top = 1.0 if i == count - 1 else low + 1.35 * 0.8 / count
        hem = [
            (reach * (1 - s / 4), low + (0.045 if s % 2 else 0.0) - 0.02 * (s % 8 > 0))
            for s in range(9)
        ]
        tier = [
            (0, top),
            (0.55 * reach, low + 0.36 * (top - low)),
            *hem,
            (-0.55 * reach, low + 0.36 * (top - low)),
        ]
        b.polygon(tier, darker(body, 0.72 + 0.3 * i / (count - 1)), "branch")


def _frond(b: Brush, look: Look, length: float, droop: float) -> None:
    """Draw a palm leaf that grows to the right and hangs down, jagged below."""
    ridge = [
        (length * t, 0.11 * math.sin(2.2 * t) - droop * t**2.2) for t in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    hem = []
    for (ax, ay), (bx, by) in zip(ridge[:0:-1], ridge[-2::-1], strict=True):
        depth = 0.12 if bx > 0 else 0.03
        hem += [((ax + bx) / 2 + 0.01, (ay + by) / 2 - 0.035), (bx + 0.01, by - depth)]
    b.polygon([*ridge, *hem], look, "leaf")


def _palm(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a palm with a bent trunk and hanging leaves."""
    bend = rng.uniform(0.04, 0.1)
    b = b.at(-0.6 * bend, 0)
    b.at(-bend, 0).shadow(0.4)
    bark = bear(rng, tint(rng, "brown"), "wood")
    path = [(-bend, 0.05), (-0.2 * bend, 0.35), (bend, 0.76)]
    b.polygon(taper(path, [0.12, 0.085, 0.065]), bark, "trunk")
    for y in (0.14, 0.26, 0.38, 0.5, 0.62):
        x = -bend + 2 * bend * (y / 0.76) ** 1.3
        b.line([(x - 0.04, y), (x + 0.035, y + 0.012)], 0.014, darker(bark, 0.7), "trunk")
    crown = b.at(bend, 0.77)
    for turn, length, droop, light in (
        (0.1, 0.38, 0.33, 0.75),
        (0.75, 0.33, 0.18, 0.85),
        (0.3, 0.42, 0.18, 1.0),
    ):
        for flip in (False, True):
            sway = rng.uniform(-0.12, 0.12)
            _frond(
                crown.at(0, 0, 1, -turn - sway if flip else turn + sway, flip),
                darker(body, light),
                length,
                droop,
            )
    _frond(crown.at(0, 0, 1, 1.35), body, 0.24, 0.1)
    for x, y in ((-0.035, -0.02), (0.04, -0.03)):
        b.disc(bend + x, 0.77 + y, 0.04, plain(rng, "brown"), "fruit")


def _cactus(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a cactus with two arms, sometimes in bloom."""
    b.shadow(0.4)
    rib = bare(body, 0.72)
    for side in (-1, 1):
        low, high = rng.uniform(0.3, 0.48), rng.uniform(0.12, 0.3)
        arm = [(0, low), (0.23 * side, low), (0.25 * side, low + 0.05), (0.25 * side, low + high)]
        b.line(arm, 0.13, darker(body, 0.88), "arm")
        b.line(arm[2:], 0.014, rib, "arm")
    b.line([(0, 0.05), (0, 0.87)], 0.25, body, "trunk")
    b.box(-0.125, 0, 0.125, 0.08, body, "trunk")
    for x in (-0.065, 0, 0.065):
        b.line([(x, 0.04), (x, 0.92 - abs(x))], 0.012, rib, "trunk")
    spine = plain(rng, "white")
    for x in (-0.095, -0.033, 0.033, 0.095):
        for y in np.arange(0.14, 0.86, 0.18) + 0.06 * (abs(x) > 0.05):
            b.line([(x - 0.012, y), (x + 0.012, y + 0.014)], 0.01, spine, "trunk")
    if rng.random() < 0.6:
        bloom = plain(rng, str(rng.choice(["pink", "red", "yellow"])))
        for x in (-0.06, 0.06, 0):
            b.disc(x, 0.96 + 0.02 * (x == 0), 0.06, darker(bloom, 1 - abs(x)), "petal", 0.055)


def _flower(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a flower with its stem and two leaves."""
    b.shadow(0.25, 0.08)
    green, lean, y = plain(rng, "green"), rng.uniform(-0.04, 0.04), 0.72
    b.polygon(taper([(0, 0.02), (lean, 0.35), (0, y)], [0.05, 0.045, 0.045]), green, "stem")
    for side in (-1, 1):
        low, high = rng.uniform(0.06, 0.2), rng.uniform(0.12, 0.2)
        tip = (0.29 * side, low + high + 0.06)
        leaf = [(0.5 * lean, low), (0.13 * side, low + 0.01), tip, (0.1 * side, low + high)]
        b.polygon(smooth(leaf), darker(green, 0.9 if side > 0 else 1.1), "leaf")
    count = int(rng.integers(5, 10))
    for ring in (0, 1):
        for i in range(ring, count * 2, 2):
            petal = b.at(0, y, 1, math.pi * i / count)
            petal.disc(0.155, 0, 0.115, darker(body, 0.8 + 0.2 * ring), "petal", 0.6 / count)
    yellow = body.colour[1] > 170 and body.colour[2] < 120
    centre = plain(rng, "brown" if yellow else "yellow")
    b.disc(0, y, 0.1, centre, "centre")
    b.disc(-0.015, y + 0.015, 0.06, darker(centre, 0.85), "centre")


def _mushroom(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a mushroom; the cap has white spots unless it bears a pattern."""
    b.shadow(0.7)
    stem, wide, tall = plain(rng, "white"), rng.uniform(0.42, 0.5), rng.uniform(0.42, 0.5)
    b.polygon(
        smooth(
            [(-0.17, 0.02), (0.17, 0.02), (0.12, 0.25), (0.11, 0.5), (-0.11, 0.5), (-0.12, 0.25)]
        ),
        stem,
        "stem",
    )
    b.disc(0, 0.44, 0.93 * wide, darker(stem, 0.8), None, 0.09)
    b.polygon(
        smooth([(-0.15, 0.37), (0, 0.31), (0.15, 0.37), (0, 0.4)]), darker(stem, 0.88), "stem"
    )
    angles = np.linspace(0, math.pi, 15)
    dome = [(wide * math.cos(a), 0.44 + tall * math.sin(a)) for a in angles]
    b.polygon([*dome, (-0.6 * wide, 0.39), (0, 0.375), (0.6 * wide, 0.39)], body, "cap")
    if body.pattern is None:
        spot = plain(rng, "brown") if min(body.colour) > 200 else stem
        for x, y, r in (
            (-0.6, 0.2, 0.06),
            (-0.25, 0.62, 0.07),
            (0.12, 0.25, 0.08),
            (0.3, 0.72, 0.05),
            (0.65, 0.3, 0.06),
        ):
            b.disc(x * wide, 0.44 + y * tall, r, spot, "cap", 0.85 * r)


def _haystack(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a domed haystack about a pole, its foot spread wider."""
    b.shadow(1.05)
    b.line([(0, 0.6), (0, 0.9)], 0.06, bear(rng, tint(rng, "brown"), "wood"), "pole")
    wide = rng.uniform(0.36, 0.42)
    dome = [
        (-wide, 0.04),
        (-wide, 0.3),
        (-0.25, 0.62),
        (0, 0.78),
        (0.25, 0.62),
        (wide, 0.3),
        (wide, 0.04),
    ]
    b.polygon(smooth(dome), body)
    hem = [
        (x, 0.5 + rng.uniform(-0.06, 0.02) + 0.04 * (i % 2))
        for i, x in enumerate(np.linspace(-0.33, 0.33, 9))
    ]
    b.polygon(
        [*hem, (0.25, 0.63), (0.1, 0.76), (0, 0.79), (-0.1, 0.76), (-0.25, 0.63)],
        darker(body, 1.1),
        "top",
    )
    foot = [(x, 0.15 + rng.uniform(-0.03, 0.05)) for x in np.linspace(-0.42, 0.42, 9)]
    b.polygon([(-0.5, 0), *foot, (0.5, 0)], darker(body, 0.86), "base")
    straw = bare(body, 0.7)
    for x, y in rng.uniform((-0.3, 0.15), (0.28, 0.55), (12, 2)):
        b.line([(x, y), (x + rng.uniform(-0.05, 0.05), y + 0.09)], 0.01, straw)


def _rock(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a boulder with a lit top and a dark side."""
    b.shadow(1.1, 0.16)
    tall, mid = rng.uniform(0.55, 0.68), rng.uniform(-0.1, 0.08)
    left, right = (-0.32 + mid / 2, 0.85 * tall), (0.27 + mid / 2, 0.88 * tall)
    front, edge = (mid - 0.05, 0.6 * tall), (0.38, 0.5 * tall)
    crest = (mid, tall)
    b.polygon([(-0.48, 0), (-0.5, 0.2), left, crest, right, edge, (0.5, 0.14), (0.46, 0)], body)
    b.polygon([left, crest, right, edge, front], darker(body, 1.2), "top")
    b.polygon([front, edge, (0.5, 0.14), (0.46, 0), (0.08 + mid, 0)], darker(body, 0.72))
    b.line([(-0.3, 0.3), (-0.2, 0.22), (-0.22, 0.1)], 0.014, darker(body, 0.5))


def _bush(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a low bush, often with blossoms."""
    b.shadow(1.05)
    bark = bear(rng, tint(rng, "brown"), "wood")
    for x in (-0.14, 0, 0.14):
        b.line([(0.6 * x, 0.02), (1.5 * x, 0.25)], 0.06, bark, "trunk")
    tall = rng.uniform(0.5, 0.58)
    for x, y, r, light in (
        (-0.27, 0.3, 0.22, 0.75),
        (0.27, 0.3, 0.22, 0.8),
        (0, tall - 0.2, 0.28, 0.9),
    ):
        b.polygon(scallops(rng, x, y, r, 0.9 * r, 8), darker(body, light), "crown")
    for x, y, r in ((-0.14, 0.26, 0.19), (0.16, 0.27, 0.18)):
        b.polygon(scallops(rng, x, y, r, 0.8 * r, 7), body, "crown")
    if rng.random() < 0.6:
        bloom, phase = plain(rng, str(rng.choice(_BLOSSOM[:5]))), rng.random()
        for i in range(11):
            angle, far = 2.4 * i + phase, math.sqrt((i + 0.5) / 11)
            b.disc(
                0.4 * far * math.cos(angle),
                0.33 + 0.17 * far * math.sin(angle),
                0.032,
                bloom,
                "petal",
            )


_LEAF = ("green", "green", "green", "green", "orange", "yellow")
PLANTS = {
    "tree": Thing(_tree, 0.75, 1, _LEAF, ("foliage",), 0.62),
    "fir": Thing(_fir, 0.66, 1, ("green",), ("foliage",), 0.6),
    "palm": Thing(_palm, 0.95, 1, ("green",), (None, "foliage"), 0.62),
    "cactus": Thing(_cactus, 0.64, 1, ("green",), (None, "striped", "dotted"), 0.38),
    "flower": Thing(_flower, 0.58, 1, _BLOSSOM, (None,), 0.24),
    "mushroom": Thing(
        _mushroom,
        1,
        0.94,
        ("red", "orange", "brown", "white", "purple"),
        (None, "polka-dotted"),
        0.2,
    ),
    "haystack": Thing(_haystack, 1, 0.93, ("yellow",), ("grass",), 0.36),
    "rock": Thing(_rock, 1, 0.65, ("grey", "grey", "brown"), ("stone",), 0.3),
    "bush": Thing(_bush, 1, 0.62, ("green", "green", "green", "orange"), ("foliage",), 0.32),
}
