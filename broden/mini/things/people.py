"""People, and the snowman."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.curves import scallops, smooth, taper
from broden.mini.drawing.looks import BASIC, bear, cloth, darker, plain, tint
from broden.mini.things.thing import Thing

_SKIN = (
    (250, 220, 196),
    (236, 188, 150),
    (206, 148, 104),
    (160, 104, 68),
    (108, 68, 46),
    (78, 50, 38),
)
_HAIR = ("black", "brown", "yellow", "orange", "grey")


def _leg(b: Brush, trousers: Look, shoe: Look, swing: float) -> None:
    """Draw a leg from the hip, and its shoe."""
    foot = 0.42 * math.sin(swing)
    low = 0.44 - 0.42 * math.cos(swing) + 0.035
    b.polygon(
        taper([(0, 0.45), (0.5 * foot + 0.012, 0.24), (foot, low)], [0.115, 0.095, 0.075]),
        trousers,
        "leg",
    )
    b.line([(foot - 0.01, low - 0.015), (foot + 0.05, low - 0.017)], 0.048, shoe, "leg")


def _arm(b: Brush, sleeve: Look, skin: Look, swing: float, bare: bool) -> None:
    """Draw an arm from the shoulder, bare below the elbow or not, and its hand."""
    elbow = (0.15 * math.sin(swing), 0.73 - 0.15 * math.cos(swing))
    hand = (elbow[0] + 0.14 * math.sin(swing + 0.35), elbow[1] - 0.14 * math.cos(swing + 0.35))
    b.line([elbow, hand], 0.055, skin if bare else sleeve, "arm")
    b.line([(0, 0.73), elbow], 0.075, sleeve, "arm")
    b.disc(*hand, 0.036, skin, "arm")


def _head(b: Brush, rng: np.random.Generator, skin: Look) -> None:
    """Draw a head turned a little to the right, its hair and sometimes a hat."""
    hair, style = plain(rng, str(rng.choice(_HAIR))), int(rng.integers(3))
    if style == 0:
        b.polygon(
            smooth(
                [(-0.1, 0.93), (0.05, 0.99), (0.07, 0.8), (0.04, 0.7), (-0.12, 0.68), (-0.13, 0.8)]
            ),
            hair,
            "hair",
        )
    b.box(-0.03, 0.74, 0.035, 0.82, darker(skin, 0.82), "head")
    b.disc(0.005, 0.875, 0.086, skin, "head", 0.098)
    b.disc(0.095, 0.862, 0.017, skin, "head")
    b.disc(-0.045, 0.865, 0.02, darker(skin, 0.88), "head", 0.026)
    for x in (0.03, 0.068):
        b.disc(x, 0.888, 0.011, plain(rng, "black"), "head", 0.015)
    b.line([(0.03, 0.827), (0.05, 0.821), (0.068, 0.829)], 0.01, Look((170, 60, 60)), "head")
    cap = [
        (-0.095, 0.84),
        (-0.1, 0.93),
        (-0.04, 0.99),
        (0.04, 0.985),
        (0.088, 0.93),
        (0.04, 0.93),
        (-0.03, 0.92),
        (-0.06, 0.87),
    ]
    b.polygon(smooth(cap), hair, "hair")
    if style == 1:
        b.polygon(scallops(rng, -0.02, 0.94, 0.1, 0.065, 8), hair, "hair")
    if rng.random() < 0.3:
        hat = cloth(rng, textured=0)
        b.polygon(
            smooth([(-0.1, 0.92), (-0.08, 0.99), (0, 1.02), (0.07, 0.99), (0.09, 0.92)]), hat, "hat"
        )
        b.line([(-0.1, 0.925), (0.16, 0.925)], 0.03, darker(hat, 0.75), "hat")


def _person(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw someone who stands or walks, in trousers or a skirt."""
    b.shadow(0.4, 0.1)
    skin = Look(_SKIN[int(rng.integers(len(_SKIN)))])
    stride = rng.uniform(0.3, 0.45) if rng.random() < 0.5 else rng.uniform(0.06, 0.12)
    skirt, bare = rng.random() < 0.35, bool(rng.random() < 0.5)
    trousers = (
        skin
        if skirt
        else cloth(rng, str(rng.choice(["blue", "black", "brown", "grey", "green"])), 0)
    )
    shoe = plain(rng, str(rng.choice(["black", "brown", "red", "white"])))
    b = b.at(0, -0.42 * (1 - math.cos(stride)) - 0.01)
    _arm(b.at(0.05, 0), darker(body, 0.75), darker(skin, 0.85), stride + 0.15, bare)
    _leg(b.at(0.02, 0), darker(trousers, 0.75), shoe, -stride)
    _leg(b.at(-0.02, 0), trousers, shoe, stride)
    hem, low = (0.17, 0.27) if skirt else (0.1, 0.41)
    torso = [
        (-0.06, 0.775),
        (0.065, 0.775),
        (0.115, 0.72),
        (0.09, 0.55),
        (hem, low),
        (-hem, low),
        (-0.09, 0.55),
        (-0.115, 0.72),
    ]
    b.polygon(torso, body, "torso")
    if not skirt:
        b.box(-0.1, 0.405, 0.1, 0.435, darker(shoe, 0.8), "torso")
    _arm(b.at(-0.05, 0), darker(body, 0.9), skin, -stride - 0.1, bare)
    _head(b, rng, skin)


def _hat(b: Brush, rng: np.random.Generator) -> None:
    """Draw a top hat with a ribbon, its brim at the origin."""
    felt = plain(rng, str(rng.choice(["black", "black", "blue", "purple", "red"])))
    b.polygon([(-0.12, 0), (-0.13, 0.19), (0.13, 0.19), (0.12, 0)], felt, "hat")
    b.box(-0.123, 0.02, 0.123, 0.065, plain(rng, "red" if felt.colour[0] < 150 else "white"), "hat")
    b.line([(-0.18, 0), (0.18, 0)], 0.04, darker(felt, 0.8), "hat")


def _snowman(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a snowman of three balls with a top hat."""
    b.shadow(0.7)
    stick, wool = bear(rng, tint(rng, "brown"), "wood"), cloth(rng, str(rng.choice([*BASIC])), 0.3)
    for side in (-1, 1):
        lift = rng.uniform(0.05, 0.2)
        b.line([(0.12 * side, 0.5), (0.42 * side, 0.5 + lift)], 0.035, stick, "arm")
        for y in (0.07, -0.02):
            b.line(
                [(0.34 * side, 0.5 + 0.8 * lift), (0.42 * side, 0.5 + lift + y)],
                0.024,
                stick,
                "arm",
            )
    b.disc(0, 0.22, 0.27, body, "torso", 0.23)
    b.disc(0, 0.49, 0.2, body, "torso", 0.18)
    for y in (0.3, 0.42, 0.53):
        b.disc(0.02, y, 0.022, plain(rng, "black"), "torso")
    b.disc(0, 0.72, 0.145, body, "head")
    b.line([(-0.12, 0.615), (0, 0.59), (0.12, 0.615)], 0.065, wool)
    b.line([(0.1, 0.6), (0.12, 0.45)], 0.07, darker(wool, 0.85))
    for x in (-0.03, 0.075):
        b.disc(x, 0.755, 0.02, plain(rng, "black"), "head")
    b.polygon([(0.0, 0.745), (0.0, 0.68), (0.24, 0.69)], plain(rng, "orange"))
    _hat(b.at(0, 0.82, 0.95, rng.uniform(-0.1, 0.1)), rng)


PEOPLE = {
    "person": Thing(_person, 0.55, 1, tuple(BASIC), ("cloth",), 0.42),
    "snowman": Thing(_snowman, 0.9, 1, ("white",), ("snow",), 0.42),
}
