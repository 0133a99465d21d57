"""What lies behind the things of a scene: sky and ground, wall and floor, or nothing known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from broden.mini import vocabulary
from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import SIDE, Canvas, Look
from broden.mini.drawing.looks import BASIC, bear, blend, cloth, plain, tint
from broden.mini.scenes import Scene

_WHITE, _GREY = (255, 255, 255), (128, 128, 128)


def surface(rng: np.random.Generator, material: str | None, colour: str, pale: float) -> Look:
    """Return a large surface, its colour moved towards white by `pale`, or to grey if negative."""
    rgb = blend(tint(rng, colour), _WHITE if pale > 0 else _GREY, abs(pale))
    return Look(rgb) if material is None else bear(rng, rgb, material)


def paint(canvas: Canvas, rng: np.random.Generator, scene: Scene) -> float:
    """Paint a scene without its things; return the height of the horizon in pixels from above."""
    return _room(canvas, rng, scene) if scene.wall else _outdoors(canvas, rng, scene)


def abstract(canvas: Canvas, rng: np.random.Generator) -> float:
    """Paint a backdrop that belongs to no scene; return a horizon."""
    colour = str(rng.choice([*BASIC]))
    kind = rng.random()
    if kind < 0.4:
        look = surface(rng, None, colour, float(rng.uniform(0, 0.6)))
    elif kind < 0.75:
        look = surface(
            rng, str(rng.choice(vocabulary.MATERIALS)), colour, float(rng.uniform(0, 0.5))
        )
    else:
        look = cloth(rng, colour, textured=0.8)
    Brush(canvas, None, SIDE / 2, SIDE, SIDE).box(-0.5, 0, 0.5, 1, look)
    return float(rng.uniform(0.4, 0.7)) * SIDE


def _stretch(canvas: Canvas, thing: str | None, top: float, bottom: float, look: Look) -> None:
    """Fill the image from one height to another, in pixels from above."""
    brush = Brush(canvas, thing, SIDE / 2, SIDE, SIDE)
    brush.box(-0.5, 1 - bottom / SIDE, 0.5, 1 - top / SIDE, look)


def _room(canvas: Canvas, rng: np.random.Generator, scene: Scene) -> float:
    floor, wall = scene.stuff
    horizon = float(rng.uniform(0.55, 0.75)) * SIDE
    material, colour = scene.wall[rng.integers(len(scene.wall))]
    _stretch(
        canvas, wall, 0, horizon, surface(rng, material, colour, float(rng.uniform(0.1, 0.45)))
    )
    if wall == "wall":
        _furnish(canvas, rng, horizon)
    material, colour = scene.ground[rng.integers(len(scene.ground))]
    _stretch(
        canvas, floor, horizon, SIDE, surface(rng, material, colour, float(rng.uniform(0, 0.4)))
    )
    if floor == "floor" and rng.random() < 0.4:
        _rug(canvas, rng, horizon)
    return horizon


def _furnish(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """Put what a room's wall may have: a skirting board, a window with curtains."""
    skirting = surface(rng, "wood", str(rng.choice(["white", "brown"])), 0.2)
    _stretch(canvas, "wall", horizon - 5, horizon, skirting)
    if rng.random() < 0.45:
        x = float(rng.uniform(0.15, 0.85)) * SIDE
        b = Brush(canvas, "wall", x, 0.52 * horizon, 0.3 * SIDE)
        b.box(-0.42, -0.05, 0.42, 0.9, surface(rng, "wood", "white", 0.3), "window")
        for left in (-0.36, 0.03):
            b.box(left, 0.02, left + 0.33, 0.84, bear(rng, (150, 195, 225), "glass"), "window")
        if rng.random() < 0.7:
            curtain, c = cloth(rng), Brush(canvas, "curtain", x, 0.52 * horizon, 0.3 * SIDE)
            for left, right in ((-0.58, -0.3), (0.3, 0.58)):
                c.box(left, -0.2, right, 0.95, curtain)


def _rug(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    y = (horizon + 0.6 * SIDE) / 1.6 + 0.15 * SIDE
    b = Brush(
        canvas, "rug", float(rng.uniform(0.3, 0.7)) * SIDE, y, float(rng.uniform(0.5, 0.9)) * SIDE
    )
    b.polygon([(-0.5, -0.1), (0.5, -0.1), (0.4, 0.08), (-0.4, 0.08)], cloth(rng, textured=0.75))


def _outdoors(canvas: Canvas, rng: np.random.Generator, scene: Scene) -> float:
    ground, sky = scene.stuff
    horizon = float(rng.uniform(0.35, 0.6)) * SIDE
    _sky(canvas, rng, sky, horizon)
    FAR[str(rng.choice(scene.far))](canvas, rng, horizon)
    material, colour = scene.ground[rng.integers(len(scene.ground))]
    pale = float(rng.uniform(-0.15, 0.35)) if material != "snow" else 0.3
    _stretch(canvas, ground, horizon, SIDE, surface(rng, material, colour, pale))
    if ground == "road" and rng.random() < 0.7:
        _markings(canvas, rng, horizon)
    return horizon


def _sky(canvas: Canvas, rng: np.random.Generator, name: str, horizon: float) -> None:
    colour = str(rng.choice(["blue", "blue", "blue", "grey", "orange", "pink", "purple"]))
    look = surface(rng, None, colour, float(rng.uniform(0.25, 0.55)))
    _stretch(canvas, name, 0, horizon + 2, look)
    if rng.random() < 0.2:
        x, y = rng.uniform(0.1, 0.9) * SIDE, rng.uniform(0.1, 0.6) * horizon
        Brush(canvas, "sun", x, y, SIDE).disc(0, 0, 0.06, plain(rng, "yellow"))
    for _ in range(int(rng.integers(0, 4))):
        x, y, size = (
            rng.uniform(0, 1) * SIDE,
            rng.uniform(0.1, 0.7) * horizon,
            rng.uniform(0.15, 0.35),
        )
        b, white = Brush(canvas, "cloud", x, y, size * SIDE), surface(rng, None, "white", 0.3)
        for dx, dy, r in ((-0.25, 0, 0.2), (0, 0.06, 0.26), (0.27, 0, 0.18)):
            b.disc(dx, dy, r, white, ry=0.7 * r, shade=0.4)


def _markings(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """Paint the dashes of a lane that runs to the horizon or along it."""
    white, b = surface(rng, None, "white", 0), Brush(canvas, "road", 0, 0, SIDE)
    y = -(horizon + float(rng.uniform(0.4, 0.8)) * (SIDE - horizon)) / SIDE
    for x in np.arange(-0.1, 1.1, 0.22).tolist():
        b.polygon([(x, y), (x + 0.11, y), (x + 0.12, y - 0.018), (x - 0.01, y - 0.018)], white)


def _ridge(
    canvas: Canvas, rng: np.random.Generator, thing: str, horizon: float, height: float, look: Look
) -> list[tuple[float, float]]:
    """Draw a rugged outline along the horizon; return its summits, in units of the image's side."""
    count = int(rng.integers(4, 8))
    xs = np.sort(rng.uniform(-0.1, 1.1, count)).tolist()
    summits = [(x, height * float(rng.uniform(0.5, 1))) for x in xs]
    line = [(-0.3, 0.0)]
    for (x, h), (after, _) in zip(summits, [*summits[1:], (1.3, 0.0)], strict=True):
        line += [(x, h), ((x + after) / 2, h * float(rng.uniform(0.3, 0.7)))]
    Brush(canvas, thing, 0, horizon + 2, SIDE).polygon([*line, (1.3, 0.0)], look)
    return summits


def _hills(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    b = Brush(canvas, "hill", 0, horizon + 2, SIDE)
    for _ in range(3):
        look = surface(rng, "grass", "green", float(rng.uniform(-0.2, 0.35)))
        x, w, h = rng.uniform(0, 1), rng.uniform(0.3, 0.6), rng.uniform(0.05, 0.16)
        steps = [math.pi * i / 16 for i in range(17)]
        b.polygon([(x + w * math.cos(a), h * math.sin(a)) for a in steps], look)


def _peaks(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    colour = str(rng.choice(["grey", "blue", "brown", "purple"]))
    look = surface(rng, "stone", colour, float(rng.uniform(-0.1, 0.4)))
    height = float(rng.uniform(0.22, 0.36))
    summits = _ridge(canvas, rng, "mountain", horizon, height, look)
    b, snow = Brush(canvas, "mountain", 0, horizon + 2, SIDE), bear(rng, (238, 242, 250), "snow")
    for x, h in summits:
        if h > 0.6 * height:
            d = 0.22 * h
            cap = [
                (x, h),
                (x + 0.5 * d, h - 0.8 * d),
                (x, h - 0.55 * d),
                (x - 0.5 * d, h - 0.8 * d),
            ]
            b.polygon(cap, snow, "peak")


def _dunes(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    look = surface(rng, "sand", str(rng.choice(["orange", "yellow"])), 0.25)
    _ridge(canvas, rng, "dune", horizon, float(rng.uniform(0.06, 0.14)), look)


def _woods(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    b = Brush(canvas, "woods", 0, horizon + 2, SIDE)
    for x in np.arange(-0.05, 1.1, 0.16).tolist():
        look = surface(rng, "foliage", "green", float(rng.uniform(-0.45, 0.1)))
        b.disc(x, 0.05, 0.13, look, ry=float(rng.uniform(0.12, 0.3)))


def _hedge(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    look = surface(rng, "foliage", "green", float(rng.uniform(-0.3, 0.1)))
    _stretch(canvas, "hedge", horizon - float(rng.uniform(0.06, 0.14)) * SIDE, horizon + 1, look)


def _sea(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    look = surface(rng, "water", str(rng.choice(["blue", "blue", "green"])), 0.1)
    _stretch(canvas, "sea", horizon - float(rng.uniform(0.08, 0.2)) * SIDE, horizon + 2, look)


def _skyline(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    x = -0.05
    while x < 1:
        w, h = float(rng.uniform(0.1, 0.22)), float(rng.uniform(0.12, 0.4))
        b = Brush(canvas, "building", (x + w / 2) * SIDE, horizon + 2, SIDE)
        material = str(rng.choice(["brick", "concrete", "glass"]))
        colour = {"brick": "red", "concrete": "grey", "glass": "blue"}[material]
        b.box(-w / 2, 0, w / 2, h, surface(rng, material, colour, float(rng.uniform(0, 0.4))))
        pane = surface(rng, None, str(rng.choice(["yellow", "blue", "black"])), 0.3)
        for y in np.arange(0.03, h - 0.05, 0.075).tolist():
            for dx in (-0.26, 0.1):
                b.box(dx * w, y, (dx + 0.2) * w, y + 0.04, pane, "window")
        x += w


FAR: dict[str, Callable[[Canvas, np.random.Generator, float], None]] = {
    "dunes": _dunes,
    "hedge": _hedge,
    "hills": _hills,
    "nothing": lambda canvas, rng, horizon: None,
    "peaks": _peaks,
    "sea": _sea,
    "skyline": _skyline,
    "woods": _woods,
}
