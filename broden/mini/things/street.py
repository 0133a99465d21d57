"""What stands in streets, parks, harbours and airfields."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look
from broden.mini.drawing.looks import bear, darker, plain, tint
from broden.mini.drawing.solids import arc
from broden.mini.things.fittings import blunt, pane, steel
from broden.mini.things.thing import Thing


def _post(b: Brush, body: Look, high: float, width: float = 0.045) -> None:
    """Draw an upright pole on its base."""
    b.polygon(
        [(-0.8 * width, 0), (0.8 * width, 0), (0.45 * width, high), (-0.45 * width, high)],
        body,
        "pole",
    )
    foot = [(-1.7 * width, 0), (1.7 * width, 0), (0.9 * width, 0.09), (-0.9 * width, 0.09)]
    b.polygon(blunt(foot, 0.02), darker(body, 0.8), "base")


def _streetlight(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a street light: a lantern on a post, or one or two lamps on arms."""
    b.shadow(0.35, 0.08)
    glow = bear(rng, (252, 232, 140), "glass")
    if rng.random() < 0.5:
        _post(b, body, 0.74)
        b.box(-0.05, 0.68, 0.05, 0.71, body, "pole")
        b.polygon([(-0.07, 0.74), (0.07, 0.74), (0.12, 0.91), (-0.12, 0.91)], glow, "lantern")
        for x in (-1, 0, 1):
            b.line([(0.065 * x, 0.74), (0.115 * x, 0.91)], 0.014, body, "lantern")
        b.polygon([(-0.15, 0.9), (0.15, 0.9), (0.05, 0.97), (-0.05, 0.97)], body, "roof")
        b.disc(0, 0.975, 0.025, body, "roof")
        b.box(-0.085, 0.725, 0.085, 0.75, body, "lantern")
        return
    _post(b, body, 0.86)
    for side in (1, -1)[: int(rng.integers(1, 3))]:
        arm = arc(0.11 * side, 0.85, 0.11, 0.11, math.pi if side > 0 else 0, math.pi / 2, 6)
        b.line([*arm, (0.2 * side, 0.95)], 0.035, body, "arm")
        head = b.at(0.22 * side, 0.95, flip=side < 0)
        head.polygon(
            blunt([(-0.06, -0.035), (0.13, -0.035), (0.1, 0.03), (-0.06, 0.035)], 0.03),
            darker(body, 0.85),
            "lantern",
        )
        head.polygon(arc(0.04, -0.03, 0.075, 0.045, math.pi, math.tau), glow, "lantern")


def _traffic_light(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a traffic light, one of its three lights lit."""
    b.shadow(0.35, 0.08)
    _post(b, steel(rng, int(rng.integers(80, 150))), 0.5, 0.055)
    low, wide = float(rng.uniform(0.4, 0.45)), 0.125
    back = [
        (-wide - 0.025, low - 0.025),
        (wide + 0.025, low - 0.025),
        (wide + 0.025, 1.0),
        (-wide - 0.025, 1.0),
    ]
    b.polygon(blunt(back, 0.05), darker(body, 0.75))
    box = [(-wide, low), (wide, low), (wide, 0.975), (-wide, 0.975)]
    b.polygon(blunt(box, 0.04), body, "housing")
    step, lit = (0.975 - low) / 3, int(rng.integers(0, 3))
    for i, (name, rgb) in enumerate(
        (("green", (60, 225, 105)), ("yellow", (255, 205, 50)), ("red", (250, 50, 42)))
    ):
        y = low + step * (i + 0.5)
        b.disc(0, y, 0.083, Look((30, 30, 34)), "light")
        look = Look(rgb) if i == lit else darker(plain(rng, name), 0.45)
        b.disc(0, y, 0.07, look, "light", shade=0.5)
        if i == lit:
            b.disc(-0.02, y + 0.022, 0.022, Look((255, 245, 225)), "light")
        visor = [
            *arc(0, y, 0.1, 0.105, 0.1, math.pi - 0.1),
            *arc(0, y, 0.083, 0.075, math.pi - 0.3, 0.3),
        ]
        b.polygon(visor, Look((30, 30, 34)))


def _windsock(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a windsock on its pole, filled by more wind or less."""
    b.at(-0.3, 0).shadow(0.3, 0.08)
    _post(b.at(-0.3, 0), plain(rng, str(rng.choice(["white", "grey", "red"]))), 0.98, 0.036)
    b.disc(-0.3, 0.98, 0.028, plain(rng, "red"), "pole")
    turn, bands = float(rng.uniform(-0.75, -0.1)), 5
    sock = b.at(-0.28, 0.84, turn=turn)
    sag = float(rng.uniform(0.0, 0.25))
    pale = bear(rng, tint(rng, "white", 8), "fabric")
    for i in range(bands):
        x, z = 0.02 + 0.145 * i, 0.02 + 0.145 * (i + 1)
        top, low = -sag * x * x, -sag * z * z
        r, s = 0.135 - 0.12 * x, 0.135 - 0.12 * z
        band = [(x, top - r), *arc(z, low, 0.03, s, -math.pi / 2, math.pi / 2, 6), (x, top + r)]
        sock.polygon(band, body if i % 2 == 0 else pale, "sock", shade=0.5)
    sock.disc(0.02, 0, 0.035, steel(rng, 140), None, ry=0.142)
    sock.disc(0.024, 0, 0.022, darker(body, 0.45), None, ry=0.12)


def _fence(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a fence of pickets, or of rails between posts."""
    b.shadow(1.05, 0.07)
    rail = darker(body, 0.78)
    if rng.random() < 0.6:
        for y in (0.11, 0.31):
            b.box(-0.5, y, 0.5, y + 0.055, rail, "rail")
        count, high, tip = (
            int(rng.integers(6, 9)),
            float(rng.uniform(0.4, 0.46)),
            rng.random() < 0.6,
        )
        for i in range(count):
            x, w = -0.5 + (i + 0.5) / count, 0.36 / count
            head = [(x, high + 0.06)] if tip else arc(x, high, w, 0.05, 0, math.pi, 8)
            b.polygon(
                [(x - w, 0), (x + w, 0), (x + w, high), *head, (x - w, high)],
                darker(body, float(rng.uniform(0.92, 1.06))),
                "picket",
            )
        return
    for y in (0.08, 0.21, 0.34):
        b.box(-0.5, y, 0.5, y + 0.08, darker(body, float(rng.uniform(0.86, 1))), "rail")
    for x in (-0.44, -0.015, 0.41):
        b.polygon(
            blunt([(x - 0.01, 0), (x + 0.075, 0), (x + 0.075, 0.5), (x - 0.01, 0.5)], 0.03),
            rail,
            "post",
        )


def _bench(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a park bench seen from a little above."""
    b.shadow(1.0, 0.12)
    iron = plain(rng, str(rng.choice(["black", "black", "grey"])))
    high, slats = float(rng.uniform(0.52, 0.57)), int(rng.integers(2, 4))
    for x in (-0.34, 0.34):
        b.line([(x, 0.09), (x, high - 0.02)], 0.035, darker(iron, 0.8), "leg")
    step = (high - 0.345) / slats
    for i in range(slats):
        y = 0.345 + i * step
        slat = [(-0.42, y), (0.42, y), (0.42, y + 0.8 * step), (-0.42, y + 0.8 * step)]
        b.polygon(blunt(slat, 0.02), body, "back")
    pale = darker(body, 1.15)
    for i, (low, top) in enumerate(((0.265, 0.3), (0.22, 0.256), (0.168, 0.21))):
        x = 0.43 + 0.02 * i
        b.polygon([(-x - 0.015, low), (x + 0.015, low), (x, top), (-x, top)], pale, "seat")
    b.box(-0.487, 0.13, 0.487, 0.168, darker(body, 0.62), "seat")
    for s in (-1, 1):
        b.line([(0.42 * s, 0.13), (0.43 * s, 0.025)], 0.05, iron, "leg")
        b.line([(0.4 * s, 0.4), (0.46 * s, 0.36), (0.475 * s, 0.15)], 0.036, iron, "arm")


def _crane(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a harbour crane on its portal, its arm up and a load on its hook."""
    b = b.at(-0.04, 0)
    b.shadow(0.7, 0.08)
    dark, rise = darker(body, 0.7), float(rng.uniform(0.42, 0.62))
    for x in (-0.36, 0.02):
        b.line([(x + 0.04, 0.3), (x, 0.02)], 0.05, dark, "leg")
    b.line([(-0.36, 0.13), (0.02, 0.13)], 0.03, dark, "leg")
    b.box(-0.4, 0.26, 0.12, 0.32, body, "leg")
    for x, y in ((-0.4, 0.0), (0.06, 0.0)):
        b.line([(x + 0.02, 0.28), (x, y + 0.02)], 0.055, body, "leg")
    reach = (-0.12 + 0.62 * math.cos(rise), 0.45 + 0.72 * math.sin(rise) + 0.08)
    _jib(b, rng, body, reach)
    b.box(-0.2, 0.31, -0.04, 0.36, dark)
    b.polygon(
        blunt([(-0.44, 0.36), (-0.06, 0.36), (-0.06, 0.54), (-0.44, 0.54)], 0.03), body, "cab"
    )
    b.box(-0.47, 0.37, -0.36, 0.5, bear(rng, (120, 120, 122), "concrete"))
    b.polygon(
        blunt([(-0.08, 0.35), (0.07, 0.35), (0.07, 0.46), (0.04, 0.53), (-0.08, 0.53)], 0.02),
        darker(body, 0.9),
        "cab",
    )
    b.polygon([(-0.04, 0.41), (0.055, 0.41), (0.03, 0.51), (-0.04, 0.51)], pane(rng), "window")


def _jib(b: Brush, rng: np.random.Generator, body: Look, reach: tuple[float, float]) -> None:
    """Draw the arm of a crane as a lattice, its ropes, hook and load."""
    x, y = reach
    rope = steel(rng, 60)
    b.line([(-0.3, 0.52), (-0.24, 0.74), (-0.14, 0.52)], 0.035, darker(body, 0.8), "arm")
    b.line([(-0.24, 0.74), (x, y)], 0.012, rope)
    low, high = (-0.08, 0.44), (-0.14, 0.54)
    zigzag = []
    for i in range(11):
        t, (sx, sy) = i / 10, (low, high)[i % 2]
        zigzag.append((sx + (x - sx) * t, sy + (y - sy) * t))
    b.line(zigzag, 0.02, darker(body, 0.85), "arm")
    b.line([low, (x, y), high], 0.034, body, "arm")
    drop = float(rng.uniform(0.25, 0.45)) * y
    b.line([(x, y), (x, drop + 0.2)], 0.014, rope)
    if rng.random() < 0.7:
        b.line([(x - 0.09, drop + 0.1), (x, drop + 0.2), (x + 0.09, drop + 0.1)], 0.012, rope, None)
        load = bear(rng, tint(rng, str(rng.choice(["red", "blue", "green", "orange"]))), "metal")
        b.box(x - 0.12, drop - 0.04, x + 0.12, drop + 0.1, load, "container")
    b.line(
        arc(x, drop + 0.17, 0.028, 0.032, math.pi / 2, -math.pi, 8),
        0.024,
        plain(rng, "black"),
    )


STREET = {
    "bench": Thing(
        _bench,
        1,
        0.57,
        ("brown", "brown", "green", "red", "white", "grey"),
        ("wood", "wood", None),
        0.4,
    ),
    "crane": Thing(
        _crane, 1, 1, ("yellow", "orange", "red", "blue", "green"), (None, "metal"), 0.8, tilt=0.02
    ),
    "fence": Thing(
        _fence,
        1,
        0.5,
        ("white", "brown", "brown", "grey", "green"),
        ("wood", "wood", None),
        0.45,
        tilt=0.03,
    ),
    "streetlight": Thing(
        _streetlight, 0.7, 1, ("black", "grey", "green", "blue"), (None, "metal"), 0.75, tilt=0.03
    ),
    "traffic light": Thing(
        _traffic_light,
        0.3,
        1,
        ("yellow", "black", "grey", "green"),
        (None, "metal"),
        0.55,
        tilt=0.03,
    ),
    "windsock": Thing(
        _windsock, 0.74, 1, ("orange", "red", "yellow", "blue"), ("fabric",), 0.5, tilt=0.03
    ),
}
