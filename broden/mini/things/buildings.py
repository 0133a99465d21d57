"""Buildings."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.drawing.solids import arc
from broden.mini.things.fittings import blunt, door, pane, roofing, window
from broden.mini.things.thing import Thing
from broden.mini.things.towers import TOWERS


def _house(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a house with its gable or its eaves to the front, of one floor or two."""
    b.shadow(1.05)
    roof, frame, gable = roofing(rng), plain(rng, "white"), rng.random() < 0.45
    floors = int(rng.integers(1, 3))
    wide, eaves = (0.42, 0.38) if floors == 1 else (0.36, 0.52)
    ridge = eaves + float(rng.uniform(0.3, 0.36))
    side = -1 if rng.random() < 0.5 else 1
    x = 0.24 * side
    b.box(
        x - 0.055, eaves, x + 0.055, ridge + 0.04, bear(rng, tint(rng, "red"), "brick"), "chimney"
    )
    b.box(x - 0.07, ridge + 0.03, x + 0.07, ridge + 0.065, plain(rng, "grey"), "chimney")
    b.box(-wide, 0, wide, eaves, body)
    b.box(-wide, 0, wide, 0.035, bear(rng, (120, 118, 115), "stone"))
    if gable:
        b.polygon([(-wide, eaves), (wide, eaves), (0, ridge - 0.02)], body, shade=0.3)
        low = eaves - 0.065
        slopes = [(-wide - 0.08, low), (0, ridge), (wide + 0.08, low), (wide + 0.05, low - 0.03)]
        b.polygon([*slopes, (0, ridge - 0.09), (-wide - 0.05, low - 0.03)], roof, "roof")
        window(b, rng, -0.06, eaves + 0.06, 0.12, 0.1, frame)
    else:
        reach, low = wide + 0.08, eaves - 0.03
        top = [(wide - 0.12, ridge), (-wide + 0.12, ridge)]
        b.polygon([(-reach, low), (reach, low), *top], roof, "roof")
        b.box(-reach, low - 0.02, reach, low + 0.01, darker(roof, 0.6), "roof")
    _house_front(b, rng, wide, floors, frame)


def _house_front(b: Brush, rng: np.random.Generator, wide: float, floors: int, frame: Look) -> None:
    """Draw the door and the windows."""
    places = [-0.62 * wide, 0.0, 0.62 * wide]
    at = int(rng.integers(0, 3))
    door(b, rng, places[at] - 0.065, 0.13, 0.25)
    shutters = plain(rng, str(rng.choice(["green", "blue", "red"]))) if rng.random() < 0.4 else None
    for floor in range(floors):
        for i, x in enumerate(places):
            if (floor == 0 and i == at) or (floor and i == 1):
                continue
            y = 0.12 + 0.22 * floor
            if shutters:
                b.box(x - 0.11, y, x + 0.11, y + 0.13, shutters)
            window(b, rng, x - 0.06, y, 0.12, 0.13, frame)


def _barn(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a barn with a gambrel roof and a large door."""
    b.shadow(1.0)
    white, eaves = plain(rng, "white"), float(rng.uniform(0.38, 0.43))
    top = eaves + 0.4
    right = [(0.4, 0), (0.4, eaves), (0.27, top - 0.14)]
    b.polygon([*right, (0, top), *_mirrored(right)], body)
    slope = [(0.45, eaves - 0.05), (0.29, top - 0.11)]
    b.line([*slope, (0, top + 0.04), *_mirrored(slope)], 0.07, roofing(rng), "roof")
    if rng.random() < 0.5:
        jamb = [(0.08, top - 0.3), (0.08, top - 0.17)]
        b.polygon([*jamb, (0, top - 0.1), *_mirrored(jamb)], white, "window")
        b.box(-0.055, top - 0.28, 0.055, top - 0.17, plain(rng, "black"), "window")
    else:
        b.disc(0, top - 0.2, 0.085, white, "window")
        b.disc(0, top - 0.2, 0.065, darker(pane(rng), 0.6), "window")
    _barn_door(b, rng, white, darker(body, 0.85))


def _mirrored(points: list[Point]) -> list[Point]:
    """Return the points on the other side, in the order that closes an outline."""
    return [(-x, y) for x, y in reversed(points)]


def _barn_door(b: Brush, rng: np.random.Generator, white: Look, planks: Look) -> None:
    """Draw the two leaves of a barn's door, shut or slid aside."""
    w, h = float(rng.uniform(0.19, 0.23)), float(rng.uniform(0.3, 0.36))
    b.box(-w - 0.02, 0, w + 0.02, h + 0.02, white, "door")
    leaves = ((-w, -0.008), (0.008, w))
    if rng.random() < 0.3:
        b.box(-w, 0, w, h, plain(rng, "black"), "door")
        leaves = ((-0.39, -w), (w, 0.39))
    for left, right in leaves:
        b.box(left, 0.01, right, h, planks, "door")
        for y, z in ((0.02, h - 0.01), (h - 0.01, 0.02), (h - 0.01, h - 0.01)):
            b.line([(left + 0.012, y), (right - 0.012, z)], 0.022, white, "door")


def _tent(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a ridge tent, its opening towards the viewer."""
    b.shadow(1.05)
    top, back = float(rng.uniform(0.52, 0.6)), float(rng.uniform(0.3, 0.36))
    rope = plain(rng, "white")
    b.line([(-0.49, 0.02), (-0.15, top)], 0.012, rope)
    b.line([(back, top - 0.05), (0.49, 0.08)], 0.012, rope)
    b.polygon(
        [(0.16, 0), (0.46, 0.06), (back, top - 0.05), (-0.15, top)], darker(body, 0.75), "roof"
    )
    pole = bear(rng, tint(rng, "brown"), "wood")
    b.polygon([(-0.45, 0), (0.16, 0), (-0.15, top)], body)
    gap = float(rng.uniform(0.1, 0.2))
    x, y = -0.15, top - 0.07
    b.polygon([(x - gap, 0), (x + gap, 0), (x, y)], Look((44, 36, 34)), "door")
    for s in (-1, 1):
        flap = [
            (x + s * gap, 0),
            (x, y),
            (x + s * (gap + 0.07), 0.5 * y),
            (x + s * (gap + 0.08), 0.1),
        ]
        b.polygon(blunt(flap, 0.02), darker(body, 1.12), "flap")
    b.line([(x, 0), (x, top + 0.03)], 0.024, pole, "pole")
    if rng.random() < 0.4:
        b.polygon([(x, top + 0.04), (x + 0.13, top), (x, top - 0.04)], plain(rng, "red"))


def _pyramid(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a pyramid of stone courses, one face in the light and one in the shade."""
    b.shadow(1.05, 0.08)
    edge, high = float(rng.uniform(0.12, 0.24)), float(rng.uniform(0.58, 0.66))
    shaded = darker(body, 0.66)
    b.polygon([(-0.5, 0.04), (edge, 0), (0, high)], body, shade=0.6)
    b.polygon([(edge, 0), (0.5, 0.07), (0, high)], shaded, shade=0.6)
    line, count = darker(Look(body.colour), 0.62), int(rng.integers(5, 8))
    for i in range(1, count):
        t = i / count
        y, x = high * t, edge * (1 - t)
        b.line([(-0.5 * (1 - t), 0.04 * (1 - t) + y), (x, y)], 0.011, line)
        b.line([(x, y), (0.5 * (1 - t), 0.07 * (1 - t) + y)], 0.011, darker(line, 0.66))
    t = float(rng.uniform(0.74, 0.82))
    tip, y = (0, high), high * t
    pale = bear(rng, tint(rng, str(rng.choice(["white", "yellow"]))), "stone")
    left, mid = (-0.5 * (1 - t), y + 0.04 * (1 - t)), (edge * (1 - t), y)
    b.polygon([left, mid, tip], pale, "peak")
    b.polygon([mid, (0.5 * (1 - t), y + 0.07 * (1 - t)), tip], darker(pale, 0.7), "peak")
    b.polygon([(-0.2, 0.02), (-0.19, 0.2), (-0.05, 0.2), (-0.02, 0.01)], darker(body, 0.85), "door")
    b.polygon(
        [(-0.16, 0.02), (-0.155, 0.16), (-0.085, 0.16), (-0.07, 0.012)], Look((40, 32, 30)), "door"
    )


def _hangar(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a hangar with a round roof and sliding doors, open by some way."""
    b.shadow(1.05, 0.1)
    high, wall = float(rng.uniform(0.46, 0.52)), float(rng.uniform(0.1, 0.16))
    bow = arc(0, wall, 0.49, high - wall, 0, math.pi)
    b.polygon([(-0.49, 0), (0.49, 0), *bow], body, "roof")
    inner = arc(0, wall, 0.45, high - wall - 0.05, 0, math.pi)
    b.polygon([(-0.45, 0), (0.45, 0), *inner], darker(body, 0.8))
    for i in range(-3, 4):
        x = 0.1 * i
        b.box(x - 0.042, wall + 0.185, x + 0.042, wall + 0.235, pane(rng), "window")
    b.box(-0.38, 0, 0.38, 0.27, Look((38, 40, 46)), "door")
    leaf, gap = (
        plain(rng, str(rng.choice(["white", "blue", "green", "orange", "red"]))),
        float(rng.uniform(0.06, 0.26)),
    )
    leaf = bear(rng, leaf.colour, "metal")
    for s in (-1, 1):
        for near, far in ((gap, gap + 0.1), (gap + 0.1, 0.38)):
            left, right = sorted((s * near, s * far))
            b.box(left + 0.004, 0, right - 0.004, 0.265, leaf, "door")


_WALLS = (None, "brick", "wood", "stone")
BUILDINGS = TOWERS | {
    "barn": Thing(
        _barn,
        0.98,
        0.88,
        ("red", "red", "brown", "green", "grey", "blue"),
        ("wood", "wood", None),
        0.6,
        tilt=0.02,
    ),
    "hangar": Thing(
        _hangar,
        1,
        0.52,
        ("grey", "white", "green", "blue"),
        ("metal", "metal", None),
        0.65,
        tilt=0.02,
    ),
    "house": Thing(
        _house,
        1,
        0.92,
        ("white", "yellow", "red", "brown", "grey", "pink", "blue", "orange", "green"),
        _WALLS,
        0.65,
        tilt=0.02,
    ),
    "pyramid": Thing(
        _pyramid,
        1,
        0.66,
        ("yellow", "orange", "brown"),
        ("stone", "stone", "brick"),
        0.7,
        tilt=0.02,
    ),
    "tent": Thing(
        _tent,
        1,
        0.6,
        ("orange", "green", "red", "blue", "yellow", "purple", "brown"),
        ("cloth",),
        0.45,
        tilt=0.03,
    ),
}
