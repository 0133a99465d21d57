"""Surfaces: colours jittered about their names, and the usual look of each material."""

from __future__ import annotations

import math

import numpy as np

from broden.mini import vocabulary
from broden.mini.drawing.canvas import RGB, Look

#: A typical colour of each basic term, from which the colours of things are drawn.
BASIC: dict[str, RGB] = {
    "black": (42, 42, 46),
    "blue": (52, 98, 196),
    "brown": (124, 80, 46),
    "grey": (132, 132, 132),
    "green": (66, 148, 66),
    "orange": (236, 138, 44),
    "pink": (238, 150, 178),
    "purple": (134, 70, 156),
    "red": (202, 42, 40),
    "white": (240, 240, 238),
    "yellow": (242, 208, 58),
}
# What the pattern of each material adds to its colour, per channel.
_ACCENTS: dict[str, int] = {
    "brick": 70,
    "concrete": -35,
    "fabric": -45,
    "foliage": 60,
    "fur": -50,
    "glass": 70,
    "grass": 55,
    "metal": 75,
    "sand": -35,
    "snow": -25,
    "stone": -60,
    "tile": 60,
    "water": 65,
    "wood": -45,
}
_PITCHES = {"brick": (5, 9), "tile": (9, 16), "fabric": (2, 4), "glass": (10, 20), "water": (9, 16)}


def tint(rng: np.random.Generator, name: str, spread: int = 14) -> RGB:
    """Return a colour near a basic term's."""
    r, g, b = (
        int(min(max(c + d, 0), 255))
        for c, d in zip(BASIC[name], rng.integers(-spread, spread + 1, 3), strict=True)
    )
    return r, g, b


def plain(rng: np.random.Generator, name: str) -> Look:
    """Return a surface of one colour near a basic term's."""
    return Look(tint(rng, name))


def marked(
    rng: np.random.Generator,
    body: Look,
    pattern: str,
    accent: RGB,
    pitch: float,
    angle: float = 0.0,
) -> Look:
    """Return a surface that bears a texture as its kind does: in colours and a size of its own."""
    period = pitch * float(rng.uniform(0.85, 1.2))
    return Look(
        body.colour, pattern, accent, max(period, 3.0), angle, float(rng.uniform(0.8, 0.97))
    )


def bear(rng: np.random.Generator, colour: RGB, pattern: str) -> Look:
    """Return a surface of a colour that bears a material or a texture.

    A material's other colour follows from the first; a texture's is drawn far from it.
    """
    if pattern in vocabulary.TEXTURES:
        return textured(rng, pattern, colour, _accent(rng, colour), (6, 15))
    step = _ACCENTS[pattern]
    r, g, b = (min(max(c + step, 0), 255) for c in colour)
    low, high = _PITCHES.get(pattern, (5, 9))
    angle = float(rng.uniform(-0.08, 0.08))
    return Look(
        colour, pattern, (r, g, b), float(rng.uniform(low, high)), angle, float(rng.uniform(0.7, 1))
    )


def textured(
    rng: np.random.Generator, texture: str, colour: RGB, accent: RGB, pitch: tuple[float, float]
) -> Look:
    """Return a surface with a texture in two colours, its period drawn from a range."""
    angle, contrast = float(rng.uniform(0, math.pi)), float(rng.uniform(0.5, 0.95))
    return Look(colour, texture, accent, float(rng.uniform(*pitch)), angle, contrast)


def _accent(rng: np.random.Generator, colour: RGB) -> RGB:
    """Return a colour that stands out from another."""
    distances = {
        n: sum(abs(a - b) for a, b in zip(rgb, colour, strict=True)) for n, rgb in BASIC.items()
    }
    far = sorted(BASIC, key=lambda name: -distances[name])
    return tint(rng, far[int(rng.integers(6))])


def cloth(rng: np.random.Generator, name: str | None = None, textured: float = 0.5) -> Look:
    """Return fabric, or with probability `textured` a surface with a texture."""
    colour = tint(rng, name or str(rng.choice([*BASIC])))
    if rng.random() < textured:
        return bear(rng, colour, str(rng.choice(vocabulary.TEXTURES)))
    return bear(rng, colour, "fabric")


def darker(look: Look, by: float = 0.7) -> Look:
    """Return the same surface with less light."""
    return look._replace(colour=scale(look.colour, by), accent=scale(look.accent, by))


def scale(colour: RGB, by: float) -> RGB:
    """Return a colour with its channels multiplied."""
    r, g, b = (min(255, int(c * by)) for c in colour)
    return r, g, b


def blend(colour: RGB, other: RGB, share: float) -> RGB:
    """Return a colour moved towards another by a share of the way."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue
