"""Furniture, with what is fixed in kitchens and bathrooms."""

from __future__ import annotations

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import bear, cloth, darker, plain, tint
from broden.mini.drawing.solids import cuboid, rounded, steel
from broden.mini.things.fixtures import FIXTURES
from broden.mini.things.thing import Thing

_WOODS = ("brown", "orange", "white", "grey", "black")
_FABRICS = ("red", "blue", "green", "yellow", "purple", "pink", "orange", "grey", "brown", "white")


def _wood(rng: np.random.Generator) -> Look:
    return bear(rng, tint(rng, "brown"), "wood")


def _slanted(x: float, bottom: float, top: float, depth: Point) -> list[Point]:
    """Return an upright panel that runs from the front of a thing to its far side."""
    dx, dy = depth
    return [(x, bottom), (x, top), (x + dx, top + dy), (x + dx, bottom + dy)]


def _bed(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bed from above its side, its head to the left."""
    b.shadow(1.05, 0.2)
    frame, linen = _wood(rng), plain(rng, "white")
    depth = (dx, dy) = float(rng.uniform(0.17, 0.22)), float(rng.uniform(0.12, 0.16))
    foot, top = 0.5 - dx, float(rng.uniform(0.25, 0.3))
    for x, y in ((-0.45 + dx, dy), (0.47, dy), (-0.47, 0.0), (foot - 0.03, 0.0)):
        b.box(x - 0.03, y, x + 0.03, y + 0.2, darker(frame, 0.8), "leg")
    b.polygon(_slanted(-0.5, 0.06, top + 0.24, depth), darker(frame, 0.8), "headboard")
    b.polygon(_slanted(-0.475, 0.06, top + 0.24, depth), frame, "headboard")
    cuboid(b, (-0.47, 0.13, foot, top), depth, linen)
    for near, far in ((0.56, 0.92), (0.08, 0.44)):
        ends = [(-0.38 + dx * share, top + dy * share + 0.035) for share in (near, far)]
        b.line([(x + 0.015, y - 0.02) for x, y in ends], 0.115, darker(linen, 0.78), "pillow")
        b.line(ends, 0.105, linen, "pillow")
    start = float(rng.uniform(-0.24, -0.1))
    cuboid(b, (start, 0.11, foot + 0.005, top + 0.025), depth, body, "blanket")
    folded = [(start, top + 0.03), (start + 0.07, top + 0.03), (start + 0.07 + dx, top + dy + 0.03)]
    b.polygon([*folded, (start + dx, top + dy + 0.03)], darker(linen, 0.93), "blanket")
    b.box(start, 0.11, start + 0.07, top + 0.03, darker(linen, 0.86), "blanket")
    b.box(-0.5, 0.06, foot, 0.13, frame)
    b.polygon(_slanted(foot, 0.06, top - 0.08, depth), darker(frame, 0.7))


def _chair(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a chair that faces right, from above its side."""
    b.shadow(0.75, 0.2)
    depth = (dx, dy) = float(rng.uniform(0.14, 0.2)), float(rng.uniform(0.08, 0.12))
    seat, right = float(rng.uniform(0.38, 0.46)), 0.32 - dx
    legs = darker(body, 0.75)
    for x, y in ((-0.27 + dx, dy), (right - 0.03 + dx, dy)):
        b.box(x - 0.03, y, x + 0.03, seat + dy, darker(legs, 0.8), "leg")
    top, lean = float(rng.uniform(0.9, 0.95)) - dy, float(rng.uniform(0, 0.06))
    _chair_back(b, rng, seat, top + 0.05, depth, lean, body)
    cuboid(b, (-0.32, seat - 0.07, right, seat), depth, body, "seat")
    if rng.random() < 0.5:
        pad = [
            (-0.28, seat + 0.01),
            (right - 0.02, seat + 0.01),
            (right + dx - 0.03, seat + dy),
            (dx - 0.28, seat + dy),
        ]
        b.polygon(pad, cloth(rng), "seat")
    for x in (-0.285, right - 0.035):
        b.box(x - 0.035, 0, x + 0.035, seat - 0.06, legs, "leg")
    b.line([(-0.285, 0.16), (right - 0.035, 0.16)], 0.03, legs)


def _chair_back(
    b: Brush,
    rng: np.random.Generator,
    seat: float,
    top: float,
    depth: Point,
    lean: float,
    body: Look,
) -> None:
    dx, dy = depth
    far = [(-0.29 + dx, seat + dy), (-0.3 + dx - lean, top + dy)]
    near = [(-0.29, seat - 0.05), (-0.3 - lean, top)]
    if rng.random() < 0.5:
        b.polygon(
            [(-0.29, seat + 0.06), near[1], far[1], (far[0][0], seat + 0.06 + dy)], body, "back"
        )
    else:
        for level in (0.35, 0.65, 0.93):
            x, y = -0.29 - lean * level, seat + (top - seat) * level
            b.line([(x, y), (x + dx, y + dy)], 0.09, body, "back")
    b.line(far, 0.06, darker(body, 0.8), "back")
    b.line(near, 0.07, darker(body, 0.9), "back")


def _table(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a table from the front, a little from above."""
    b.shadow(0.95, 0.16)
    spread, edge = float(rng.uniform(0.36, 0.44)), float(rng.uniform(0.04, 0.06))
    if rng.random() < 0.25:
        b.line([(-0.2, 0.02), (0, 0.08), (0.2, 0.02)], 0.06, darker(body, 0.7), "leg")
        b.box(-0.055, 0.04, 0.055, 0.42, darker(body, 0.8), "leg")
        b.disc(0, 0.47 - edge, 0.5, darker(body, 0.75), "top", 0.07)
        b.disc(0, 0.47, 0.5, body, "top", 0.07)
        return
    for x in (-spread + 0.08, spread - 0.08):
        b.box(x - 0.025, 0.08, x + 0.025, 0.42, darker(body, 0.6), "leg")
    b.box(-spread, 0.33, spread, 0.41, darker(body, 0.65))
    for side in (-1, 1):
        x = side * spread
        b.polygon(
            [(x - 0.045, 0.4), (x + 0.045, 0.4), (x + 0.03, 0), (x - 0.03, 0)],
            darker(body, 0.8),
            "leg",
        )
    b.polygon([(-0.5, 0.43), (0.5, 0.43), (0.42, 0.53), (-0.42, 0.53)], body, "top")
    b.box(-0.5, 0.43 - edge, 0.5, 0.43, darker(body, 0.85), "top")
    if rng.random() < 0.3:
        linen = cloth(rng)
        b.polygon([(-0.22, 0.43), (0.22, 0.43), (0.19, 0.53), (-0.19, 0.53)], linen)
        b.polygon(
            [(-0.22, 0.43), (0.22, 0.43), (0.22, 0.3), (0, 0.24), (-0.22, 0.3)], darker(linen, 0.85)
        )


def _desk(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a desk from the front, its drawers to the right."""
    b.shadow(1.05, 0.14)
    b.box(-0.4, 0.2, 0.3, 0.52, darker(body, 0.55))
    b.box(-0.46, 0, -0.37, 0.52, darker(body, 0.8), "leg")
    b.box(0.36, 0, 0.45, 0.1, darker(body, 0.6), "leg")
    b.box(0.08, 0, 0.17, 0.1, darker(body, 0.6), "leg")
    b.box(0.06, 0.05, 0.47, 0.52, darker(body, 0.7))
    count, knob = int(rng.integers(2, 4)), steel(rng)
    step = 0.46 / count
    for i in range(count):
        y = 0.06 + i * step
        b.box(0.085, y + 0.015, 0.445, y + step - 0.015, darker(body, 1.08), "drawer")
        b.line([(0.21, y + step * 0.55), (0.32, y + step * 0.55)], 0.035, knob, "handle")
    b.polygon([(-0.5, 0.53), (0.5, 0.53), (0.44, 0.63), (-0.44, 0.63)], darker(body, 1.1), "top")
    b.box(-0.5, 0.48, 0.5, 0.53, darker(body, 0.9), "top")


def _sofa(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a sofa from the front."""
    b.shadow(1.1, 0.14)
    back, arm = float(rng.uniform(0.46, 0.54)), float(rng.uniform(0.28, 0.34))
    wide, legs = float(rng.uniform(0.12, 0.16)), _wood(rng)
    for x in (-0.42, 0.42):
        b.polygon([(x - 0.04, 0.1), (x + 0.04, 0.1), (x + 0.025, 0), (x - 0.025, 0)], legs, "leg")
    count = int(rng.integers(2, 4))
    step = (1 - 1.7 * wide) / count
    b.box(-0.45, 0.06, 0.45, 0.3, darker(body, 0.6))
    for i in range(count):
        left = -0.5 + 0.85 * wide + i * step
        b.polygon(rounded(left, 0.2, left + step - 0.006, back, 0.07), darker(body, 0.86), "back")
    for i in range(count):
        left = -0.5 + 0.85 * wide + i * step
        b.polygon(
            rounded(left, 0.15, left + step - 0.006, 0.27, 0.04), darker(body, 1.12), "cushion"
        )
    b.box(-0.44, 0.06, 0.44, 0.15, darker(body, 0.75))
    if rng.random() < 0.5:
        throw = b.at(float(rng.uniform(-0.25, 0.2)), 0.26, 1.0, float(rng.uniform(-0.3, 0.3)))
        throw.polygon(rounded(-0.09, 0, 0.09, 0.17, 0.04), cloth(rng), "cushion")
    for left in (-0.5, 0.5 - wide):
        b.polygon(rounded(left, 0.06, left + wide, arm, wide / 2), body, "arm")


def _wardrobe(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a wardrobe with two doors."""
    b.shadow(0.8, 0.12)
    low = float(rng.choice([0.08, 0.26]))
    knob = steel(rng) if rng.random() < 0.5 else plain(rng, "yellow")
    cuboid(b, (-0.33, 0.05, 0.27, 0.94), (0.06, 0.03), darker(body, 0.8))
    b.box(-0.35, 0, 0.29, 0.07, darker(body, 0.65), "base")
    cuboid(b, (-0.35, 0.91, 0.29, 0.95), (0.06, 0.03), darker(body, 0.9))
    mirror = bear(rng, (176, 204, 216), "glass") if rng.random() < 0.35 else darker(body, 0.9)
    for left, right, hold in ((-0.315, -0.04, -0.065), (-0.02, 0.255, 0.005)):
        b.box(left, low + 0.01, right, 0.895, body, "door")
        for bottom, top in ((low + 0.05, 0.5), (0.54, 0.86)):
            panel = mirror if bottom > 0.5 else darker(body, 0.9)
            b.box(left + 0.045, bottom, right - 0.045, top, panel, "door")
        b.line([(hold, 0.45), (hold, 0.58)], 0.035, knob, "handle")
    if low > 0.2:
        b.box(-0.315, 0.085, 0.255, low - 0.01, body, "drawer")
        b.line([(-0.1, 0.17), (0.04, 0.17)], 0.035, knob, "handle")


def _bookshelf(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bookshelf full of books."""
    b.shadow(0.8, 0.12)
    cuboid(b, (-0.34, 0, 0.3, 0.96), (0.05, 0.03), body, "shelf")
    count = int(rng.integers(3, 5))
    step = 0.92 / count
    for i in range(count):
        bottom = 0.04 + i * step
        b.box(-0.3, bottom, 0.26, bottom + step - 0.04, darker(body, 0.4))
        x = -0.295
        while x < 0.2:
            wide, tall = (
                float(rng.uniform(0.05, 0.095)),
                float(rng.uniform(0.6, 0.92)) * (step - 0.04),
            )
            if rng.random() < 0.88:
                colour = str(rng.choice(_FABRICS))
                b.box(
                    x, bottom, min(x + wide, 0.258), bottom + tall, plain(rng, colour), "book", 0.4
                )
            x += wide + 0.004


def _deckchair(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a deckchair that faces right, from above its side."""
    b.shadow(0.95, 0.16)
    frame, (dx, dy) = _wood(rng), (float(rng.uniform(0.2, 0.26)), 0.08)
    top, front = (-0.46, float(rng.uniform(0.72, 0.8))), (0.24, float(rng.uniform(0.28, 0.34)))
    foot, rear = (0.2, 0.02), (-0.36, 0.02)
    for x, y in ((dx, dy), (0, 0)):
        lit = frame if x == 0 else darker(frame, 0.75)
        b.line([(top[0] + x, top[1] + y), (foot[0] + x, foot[1] + y)], 0.055, lit, "leg")
        b.line([(front[0] + x, front[1] + y), (rear[0] + x, rear[1] + y)], 0.055, lit, "leg")
        if x:
            hip, knee = (-0.13, 0.24), (0.02, 0.2)
            _sling(b, [top, (-0.32, 0.5), hip], (dx, dy), body, "back")
            _sling(b, [hip, knee, front], (dx, dy), darker(body, 1.1), "seat")
    b.line([top, (top[0] + dx, top[1] + dy)], 0.06, frame)
    b.line([front, (front[0] + dx, front[1] + dy)], 0.06, frame)


def _sling(b: Brush, near: list[Point], depth: Point, look: Look, part: str) -> None:
    """Draw a strip of cloth along points of its near edge."""
    far = [(x + depth[0], y + depth[1]) for x, y in reversed(near)]
    b.polygon([*near, *far], look, part)


_TIMBER, _CLOTH = (None, "wood", "wood"), ("cloth",)
FURNITURE = {
    "bed": Thing(_bed, 1, 0.64, _FABRICS, _CLOTH, 0.6),
    "bookshelf": Thing(_bookshelf, 0.7, 1, _WOODS, _TIMBER, 0.6),
    "chair": Thing(_chair, 0.72, 1, (*_WOODS, "red", "blue", "green"), _TIMBER, 0.4),
    "deckchair": Thing(_deckchair, 1, 0.88, _FABRICS, ("striped", "striped", "cloth"), 0.36),
    "desk": Thing(_desk, 1, 0.63, _WOODS, _TIMBER, 0.5),
    "sofa": Thing(_sofa, 1, 0.52, _FABRICS, _CLOTH, 0.58),
    "table": Thing(_table, 1, 0.5, (*_WOODS, "red", "blue"), _TIMBER, 0.45),
    "wardrobe": Thing(_wardrobe, 0.72, 1, _WOODS, _TIMBER, 0.62),
} | FIXTURES
