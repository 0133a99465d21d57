"""Vehicles on land, on water and in the air."""

from __future__ import annotations

import math

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look, Point
from broden.mini.drawing.looks import bear, cloth, darker, plain, tint
from broden.mini.things.fittings import blunt, pane, spokes, steel, tyre, wheel
from broden.mini.things.thing import Thing

_PAINT = ("red", "blue", "white", "yellow", "green", "grey", "orange", "black", "purple")


def _car(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a car seen from the side, its front to the right."""
    b.shadow(1.08)
    top, rear = float(rng.uniform(0.39, 0.44)), float(rng.choice([-0.36, -0.48]))
    front, dark = float(rng.uniform(0.26, 0.32)), darker(body, 0.45)
    cabin = [(rear, 0.22), (rear + 0.11, top), (0.08, top), (front, 0.22)]
    b.polygon(blunt(cabin, 0.07), body, "roof")
    _car_windows(b, rng, top, rear, front)
    sides = [(-0.5, 0.07), (0.5, 0.07), (0.5, 0.2), (front, 0.26), (-0.49, 0.27)]
    b.polygon(blunt(sides, 0.06), body, shade=0.7)
    bonnet = [(front - 0.04, 0.17), (0.49, 0.16), (0.49, 0.205), (front - 0.04, 0.255)]
    b.polygon(blunt(bonnet, 0.02), darker(body, 0.86), "bonnet")
    for left, right in ((-0.19, -0.04), (-0.03, 0.15)):
        b.polygon(
            blunt([(left, 0.1), (right, 0.1), (right, 0.25), (left, 0.25)], 0.02),
            darker(body, 0.9),
            "door",
        )
        b.box(left + 0.02, 0.21, left + 0.06, 0.225, dark)
    for left, right in ((-0.51, -0.38), (0.4, 0.51)):
        b.polygon(
            blunt([(left, 0.06), (right, 0.06), (right, 0.11), (left, 0.11)], 0.02),
            steel(rng, 120),
        )
    b.disc(0.465, 0.175, 0.035, plain(rng, "yellow"), ry=0.03)
    b.box(-0.5, 0.17, -0.46, 0.22, plain(rng, "red"))
    rim = steel(rng, 190)
    for x in (-0.29, 0.29):
        b.disc(x, 0.105, 0.115, dark)
        wheel(b, rng, x, 0.098, 0.098, rim)


def _car_windows(b: Brush, rng: np.random.Generator, top: float, rear: float, front: float) -> None:
    glass, high = pane(rng), top - 0.035
    back = [(rear + 0.05, 0.25), (-0.05, 0.25), (-0.05, high), (rear + 0.12, high)]
    b.polygon(blunt(back, 0.025), glass, "window")
    ahead = [(-0.015, 0.25), (front - 0.04, 0.25), (0.07, high), (-0.015, high)]
    b.polygon(blunt(ahead, 0.025), glass, "window")


def _truck(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a lorry with a box, a tarpaulin or a load of sand behind its cab."""
    b.shadow(1.06)
    cab = Look(body.colour) if rng.random() < 0.5 else plain(rng, str(rng.choice(_PAINT)))
    chassis, high = plain(rng, "black"), float(rng.uniform(0.5, 0.58))
    b.box(-0.49, 0.09, 0.48, 0.15, chassis)
    if rng.random() < 0.75:
        box = [(-0.5, 0.14), (0.17, 0.14), (0.17, high), (-0.5, high)]
        b.polygon(blunt(box, 0.02), body, "container")
        b.box(-0.5, 0.14, 0.17, 0.175, darker(body, 0.7), "container")
    else:
        heap = [(-0.46, 0.3), (-0.3, high - 0.12), (-0.12, high - 0.06), (0.12, 0.3)]
        b.polygon(blunt(heap, 0.12), bear(rng, (222, 188, 112), "sand"))
        b.polygon([(-0.47, 0.14), (0.16, 0.14), (0.18, 0.34), (-0.5, 0.34)], body, "container")
        for x in (-0.34, -0.16, 0.02):
            b.box(x, 0.15, x + 0.03, 0.34, darker(body, 0.75), "container")
    top = float(rng.uniform(0.42, 0.47))
    b.polygon(
        blunt([(0.21, 0.1), (0.5, 0.1), (0.5, 0.25), (0.42, top), (0.21, top)], 0.04), cab, "cab"
    )
    glass = [(0.34, 0.27), (0.47, 0.27), (0.405, top - 0.04), (0.34, top - 0.04)]
    b.polygon(
        blunt([(0.23, 0.13), (0.33, 0.13), (0.33, 0.28), (0.23, 0.28)], 0.02),
        darker(cab, 0.85),
        "door",
    )
    b.polygon(blunt(glass, 0.02), pane(rng), "window")
    b.box(0.235, 0.27, 0.325, top - 0.04, pane(rng), "window")
    b.box(0.36, 0.08, 0.51, 0.13, steel(rng, 130))
    b.disc(0.475, 0.175, 0.028, plain(rng, "yellow"))
    rim = steel(rng, 185)
    for x in (-0.38, -0.19, 0.33):
        wheel(b, rng, x, 0.09, 0.09, rim)


def _bicycle(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a bicycle, sometimes with a basket."""
    b.shadow(1.0, 0.08)
    r, high = float(rng.uniform(0.2, 0.22)), float(rng.uniform(0.5, 0.54))
    back, front, pedal = (-0.27, r + 0.01), (0.28, r + 0.01), (-0.03, 0.19)
    seat, head = (-0.13, high), (0.2, high + 0.02)
    for x, y in (back, front):
        spokes(b, rng, x, y, r - 0.01)
    if rng.random() < 0.45:
        _basket(b, rng, head[1])
    low = (-0.03, 0.19) if rng.random() < 0.3 else seat
    tube = (low[0] * 0.75 + seat[0] * 0.25, low[1] * 0.75 + seat[1] * 0.25)
    b.line([back, pedal, seat, back], 0.032, body, "frame")
    b.line([pedal, head, front], 0.04, body, "frame")
    b.line([tube if low != seat else seat, (0.21, high - 0.02)], 0.04, body, "frame")
    b.line([seat, (-0.145, high + 0.06)], 0.026, steel(rng))
    leather = plain(rng, str(rng.choice(["black", "brown"])))
    saddle = [
        (-0.26, high + 0.1),
        (-0.24, high + 0.045),
        (-0.03, high + 0.06),
        (-0.03, high + 0.09),
    ]
    b.polygon(blunt(saddle, 0.04), leather, "saddle")
    b.line([head, (0.185, high + 0.1), (0.25, high + 0.125)], 0.03, steel(rng, 150))
    b.line([(0.185, high + 0.1), (0.12, high + 0.09)], 0.042, leather)
    b.disc(*pedal, 0.05, steel(rng, 110))
    a = float(rng.uniform(0, math.pi))
    dx, dy = 0.085 * math.cos(a), 0.085 * math.sin(a)
    b.line([(pedal[0] - dx, pedal[1] - dy), (pedal[0] + dx, pedal[1] + dy)], 0.02, steel(rng, 90))
    for s in (-1, 1):
        x, y = pedal[0] + s * dx, pedal[1] + s * dy
        b.box(x - 0.04, y - 0.014, x + 0.04, y + 0.014, plain(rng, "black"))


def _basket(b: Brush, rng: np.random.Generator, y: float) -> None:
    wicker = bear(rng, tint(rng, "brown"), "woven")
    basket = [(0.25, y - 0.12), (0.39, y - 0.12), (0.43, y + 0.04), (0.23, y + 0.04)]
    b.polygon(blunt(basket, 0.03), wicker)
    b.line([(0.23, y + 0.04), (0.43, y + 0.04)], 0.02, darker(wicker))


def _airplane(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw an airliner with its wheels out, flying to the right."""
    trim = plain(rng, str(rng.choice(["red", "blue", "orange", "green", "purple"])))
    metal, y = steel(rng, 185), 0.21
    for x in (-0.08, 0.33):
        b.line([(x, 0.04), (x, 0.14)], 0.022, steel(rng, 110))
        wheel(b, rng, x, 0.04, 0.04, metal)
    far = [(0.12, y + 0.06), (-0.03, y + 0.06), (-0.16, y + 0.24), (-0.09, y + 0.24)]
    b.polygon(blunt(far, 0.02), darker(metal, 0.75), "wing")
    fin = [(-0.45, y + 0.04), (-0.24, y + 0.09), (-0.38, 0.5), (-0.49, 0.5)]
    b.polygon(blunt(fin, 0.03), trim, "tail")
    hull = [(-0.5, y + 0.11), (-0.3, y - 0.07), (0.3, y - 0.115), (0.5, y - 0.06)]
    hull += [(0.47, y + 0.06), (0.34, y + 0.115), (-0.4, y + 0.115)]
    b.polygon(blunt(hull, 0.12), body, "fuselage")
    b.polygon([(-0.39, y), (0.455, y), (0.46, y - 0.03), (-0.36, y - 0.03)], trim)
    glass = darker(pane(rng), 0.75)
    cockpit = [(0.35, y + 0.025), (0.45, y + 0.025), (0.4, y + 0.08), (0.35, y + 0.08)]
    b.polygon(blunt(cockpit, 0.02), glass, "window")
    for x in np.linspace(-0.3, 0.25, int(rng.integers(6, 9))).tolist():
        b.polygon(blunt(_box(x, y + 0.02, x + 0.045, y + 0.075), 0.02), glass, "window")
    _airplane_wings(b, rng, trim, metal, y)


def _box(left: float, bottom: float, right: float, top: float) -> list[Point]:
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _airplane_wings(b: Brush, rng: np.random.Generator, trim: Look, metal: Look, y: float) -> None:
    """Draw what is on the near side: the stabiliser, the wing and an engine under it."""
    fin = [(-0.46, y + 0.075), (-0.3, y + 0.075), (-0.43, y - 0.01), (-0.51, y - 0.01)]
    b.polygon(blunt(fin, 0.02), darker(trim, 0.75), "tail")
    x = float(rng.uniform(0.06, 0.1))
    shell = [(x - 0.14, 0.06), (x + 0.07, 0.045), (x + 0.07, 0.155), (x - 0.14, 0.14)]
    b.polygon(blunt(shell, 0.04), darker(trim, 0.9), "engine")
    b.disc(x + 0.06, 0.1, 0.022, plain(rng, "black"), "engine", ry=0.052)
    wing = [(0.2, y - 0.035), (-0.08, y - 0.035), (-0.34, 0.02), (-0.25, 0.02)]
    b.polygon(blunt(wing, 0.03), metal, "wing")


def _boat(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a boat under sail."""
    b.shadow(1.0, 0.08)
    wood, canvas = bear(rng, tint(rng, "brown"), "wood"), cloth(rng, textured=0.4)
    if rng.random() < 0.45:
        canvas = bear(rng, tint(rng, "white", 8), "fabric")
    x, boom = float(rng.uniform(0.0, 0.06)), float(rng.uniform(0.24, 0.28))
    b.line([(x, 0.15), (x, 0.98)], 0.028, wood, "mast")
    flag = plain(rng, str(rng.choice(["red", "blue", "yellow", "green"])))
    b.polygon([(x, 0.99), (x - 0.17, 0.95), (x, 0.9)], flag, "flag")
    reach = float(rng.uniform(0.36, 0.42))
    main = [(x - 0.03, 0.88), (x - 0.13, 0.66), (x - reach, boom + 0.03), (x - 0.03, boom + 0.03)]
    b.polygon(blunt(main, 0.1 if rng.random() < 0.5 else 0.03), canvas, "sail")
    jib = cloth(rng, textured=0.3) if rng.random() < 0.4 else darker(canvas, 0.88)
    fore = [(x + 0.03, 0.8), (x + 0.03, 0.27), (0.46, 0.24), (x + 0.2, 0.5)]
    b.polygon(blunt(fore, 0.04), jib, "sail")
    b.line([(x, boom), (x - reach - 0.02, boom)], 0.024, wood, "mast")
    hull = [(-0.46, 0.19), (-0.4, 0.0), (0.3, 0.0), (0.5, 0.21)]
    if rng.random() < 0.5:
        cabin = [(-0.26, 0.17), (0.14, 0.17), (0.1, 0.25), (-0.24, 0.25)]
        b.polygon(blunt(cabin, 0.02), plain(rng, "white"))
        for left in (-0.2, -0.09, 0.02):
            b.disc(left, 0.215, 0.022, darker(pane(rng), 0.7), "window")
    b.polygon(blunt(hull, 0.06), body, "hull")
    rim = [(-0.465, 0.2), (-0.455, 0.16), (0.465, 0.175), (0.505, 0.215)]
    b.polygon(rim, darker(body, 0.65) if body.pattern else plain(rng, "white"), "hull")


def _tractor(b: Brush, rng: np.random.Generator, body: Look) -> None:
    """Draw a tractor with a cab, its front to the right."""
    b.shadow(1.05)
    top, big = float(rng.uniform(0.74, 0.8)), float(rng.uniform(0.26, 0.29))
    dark = plain(rng, "black")
    b.line([(0.2, 0.4), (0.2, 0.66)], 0.035, steel(rng, 100))
    b.box(-0.3, 0.16, 0.4, 0.3, dark)
    cab = [(-0.38, 0.36), (0.03, 0.36), (-0.01, top - 0.03), (-0.34, top - 0.03)]
    b.polygon(cab, darker(body, 0.75), "cab")
    left, right = (
        [(-0.34, 0.42), (-0.2, 0.42), (-0.2, top - 0.07), (-0.31, top - 0.07)],
        [(-0.17, 0.42), (-0.01, 0.42), (-0.04, top - 0.07), (-0.17, top - 0.07)],
    )
    for points in (left, right):
        b.polygon(points, pane(rng), "window")
    roof = [(-0.42, top - 0.05), (0.05, top - 0.05), (0.02, top + 0.01), (-0.38, top + 0.01)]
    b.polygon(blunt(roof, 0.03), body, "roof")
    hood = [(-0.02, 0.23), (0.46, 0.23), (0.48, 0.4), (0.4, 0.46), (-0.02, 0.48)]
    b.polygon(blunt(hood, 0.05), body, "bonnet")
    for x in (0.26, 0.31, 0.36):
        b.box(x, 0.28, x + 0.025, 0.39, darker(body, 0.45), "bonnet")
    b.disc(0.46, 0.36, 0.03, plain(rng, "yellow"))
    fender = [(-0.46, 0.4), (-0.4, 0.6), (-0.08, 0.6), (0.06, 0.28), (-0.2, 0.3)]
    b.polygon(blunt(fender, 0.12), darker(body, 0.88))
    rim = plain(rng, str(rng.choice(["yellow", "white", "orange"])))
    tyre(b, rng, -0.22, big, rim)
    tyre(b, rng, 0.32, 0.16, rim)


VEHICLES = {
    "airplane": Thing(
        _airplane,
        1,
        0.5,
        ("white", "grey", "blue", "red", "yellow", "orange"),
        (None, "metal"),
        0.6,
    ),
    "bicycle": Thing(
        _bicycle, 1, 0.68, ("red", "blue", "green", "black", "orange", "pink"), (None,), 0.4
    ),
    "boat": Thing(
        _boat, 1, 1, ("red", "blue", "white", "brown", "green", "black"), (None, "wood"), 0.5
    ),
    "car": Thing(_car, 1, 0.44, _PAINT, (None, "metal"), 0.42),
    "tractor": Thing(
        _tractor, 1, 0.8, ("red", "green", "blue", "yellow", "orange"), (None, "metal"), 0.45
    ),
    "truck": Thing(_truck, 1, 0.56, _PAINT, (None, "metal", "cloth"), 0.55),
}
