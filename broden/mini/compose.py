"""Composition of an image: which things stand where, before what, and what a caption says of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broden.mini import captions, vocabulary
from broden.mini.drawing import backdrops, camera, clutter, looks
from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import SIDE, Canvas
from broden.mini.drawing.looks import bear, cloth, tint
from broden.mini.scenes import SCENES
from broden.mini.things.catalogue import THINGS
from broden.mini.things.thing import Placed, Thing

#: Kinds of image, and how often each is drawn: places with their things, one thing before anything,
#: one texture and nothing else.
KINDS = ("scene", "object", "texture")
_SHARES = (0.5, 0.3, 0.2)
_FOREIGN, _FOREIGN_HARD = 0.2, 0.4


class Composition(NamedTuple):
    """An image as it was composed.

    rgb : uint8 (SIDE, SIDE, 3); canvas : what it was drawn on, from which label planes are read;
    kind : one of `KINDS`; scene, thing, texture : what it shows, of the one that its kind names;
    caption : a sentence about it.
    """

    rgb: np.ndarray
    canvas: Canvas
    kind: str
    scene: str | None
    thing: str | None
    texture: str | None
    caption: str


def compose(seed: int, index: int, kind: str | None = None, hard: bool = False) -> Composition:
    """Draw one image; equal arguments give equal pixels, on any machine.

    Parameters
    ----------
    seed, index : int
        Name the image.
    kind : str, optional
        One of `KINDS`; drawn by its share of a probe set unless given.
    hard : bool
        Whether most scenes have the backdrop of another, so that only their things tell them.

    Raises
    ------
    ValueError
        When `kind` is unknown or a number is negative.
    """
    rng = np.random.default_rng((seed, index))
    drawn = str(rng.choice(KINDS, p=_SHARES))
    kind = kind or drawn
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    canvas = Canvas(rng)
    if kind == "scene":
        name = str(rng.choice([*SCENES]))
        several = _scene(canvas, rng, name, _FOREIGN_HARD if hard else _FOREIGN)
        caption = captions.scene(rng, name, several)
    elif kind == "object":
        placed = _portrait(canvas, rng)
        name, caption = placed.name, captions.thing(rng, placed)
    else:
        name, ground, accent = _texture(canvas, rng)
        caption = captions.texture(rng, name, ground, accent)
    rgb = camera.shoot(canvas.picture(), rng)
    place, thing, texture = (name if kind == k else None for k in KINDS)
    return Composition(rgb, canvas, kind, place, thing, texture, caption)


def put(
    canvas: Canvas,
    rng: np.random.Generator,
    name: str,
    x: float,
    y: float,
    size: float,
    tilt: float = 1.0,
) -> Placed:
    """Draw a thing of `size` pixels with its foot at (x, y), in pixels, in a look of its own."""
    thing = THINGS[name]
    colour = str(rng.choice(thing.colours))
    pattern = thing.patterns[rng.integers(len(thing.patterns))]
    if pattern is None:
        look = looks.plain(rng, colour)
    elif pattern == "cloth":
        look = cloth(rng, colour)
    else:
        look = bear(rng, tint(rng, colour), pattern)
    turn = float(rng.uniform(-1, 1)) * thing.tilt * tilt
    thing.draw(Brush(canvas, name, x, y, size, turn, bool(rng.random() < 0.5)), rng, look)
    return Placed(name, colour, look.pattern)


def _scene(canvas: Canvas, rng: np.random.Generator, name: str, foreign: float) -> list[Placed]:
    """Draw a place: two to four of the things that tell it, and now and then a passer-by."""
    scene = SCENES[name]
    if rng.random() < foreign:
        other = SCENES[str(rng.choice([s for s in SCENES if s != name]))]
        horizon = backdrops.paint(canvas, rng, other)
    else:
        horizon = backdrops.paint(canvas, rng, scene)
    count = int(rng.integers(2, 5))
    telling = rng.permutation(scene.things)[:count].tolist()
    if count > len(telling) or rng.random() < 0.3:
        telling.append(telling[0])
    passers = [p for p in vocabulary.PASSERS if rng.random() < 0.12]
    slots = rng.permutation(len(telling) + len(passers)).tolist()
    depths = np.sort(rng.uniform(0, 1, len(slots))).tolist()
    names = [*rng.permutation([*telling, *passers]).tolist()]
    width = SIDE / len(names)
    placed = []
    for thing, slot, depth in zip(names, slots, depths, strict=True):
        x = (slot + float(rng.uniform(0.25, 0.75))) * width
        placed.append(_stand(canvas, rng, thing, x, depth, horizon))
    return [p for p in placed if p.name in telling]


def _stand(
    canvas: Canvas, rng: np.random.Generator, name: str, x: float, depth: float, horizon: float
) -> Placed:
    """Put a thing where its kind goes: the ground, where near means large, wall, air or table."""
    thing = THINGS[name]
    scale = (0.7 + 0.5 * depth) * float(rng.uniform(0.85, 1.15))
    size = thing.size * scale * SIDE
    y = horizon + (0.12 + 0.8 * depth) * (SIDE - horizon)
    if thing.stance == "table":
        table = THINGS["table"]
        width = max(table.size * scale * SIDE, 1.5 * size)
        put(canvas, rng, "table", x, y, width)
        y -= table.height * width * 0.97
    elif thing.stance == "wall":
        y = max(horizon * float(rng.uniform(0.6, 0.85)), 0.8 * size * thing.height)
    elif thing.stance == "air" and rng.random() < 0.6:
        y = horizon * float(rng.uniform(0.4, 0.9))
    return put(canvas, rng, name, x, y, size)


def _portrait(canvas: Canvas, rng: np.random.Generator) -> Placed:
    """Draw one main thing, large, before any backdrop, among clutter."""
    name = str(rng.choice(vocabulary.MAIN))
    thing = THINGS[name]
    if rng.random() < 0.65:
        scene = SCENES[str(rng.choice([*SCENES]))]
        horizon = backdrops.paint(canvas, rng, scene)
    else:
        horizon = backdrops.abstract(canvas, rng)
    others = [n for n in vocabulary.SMALL if n != name]
    for _ in range(int(rng.integers(0, 3))):
        depth, x = float(rng.uniform(0, 0.5)), float(rng.uniform(0, SIDE))
        _stand(canvas, rng, str(rng.choice(others)), x, depth, horizon)
    clutter.scatter(canvas, rng, int(rng.integers(0, 3)))
    size = float(rng.uniform(0.42, 0.85)) * SIDE
    x, y = _frame(rng, thing, size, horizon)
    placed = put(canvas, rng, name, x, y, size, tilt=2.0)
    if rng.random() < 0.25:
        clutter.occlude(canvas, rng)
    return placed


def _frame(
    rng: np.random.Generator, thing: Thing, size: float, horizon: float
) -> tuple[float, float]:
    """Return a foot for a thing such that nearly all of it is in the frame.

    What stands on the ground has its foot below the horizon.
    """
    w, h, slack = thing.width * size, thing.height * size, 0.06 * SIDE
    x = rng.uniform(min(w / 2 - slack, SIDE / 2), max(SIDE - w / 2 + slack, SIDE / 2))
    highest = max(h, horizon + 8) if thing.stance == "ground" else h
    y = rng.uniform(min(highest, SIDE - 4), max(SIDE - 4, highest))
    return float(x), float(y)


def _texture(canvas: Canvas, rng: np.random.Generator) -> tuple[str, str, str]:
    """Fill the image with one texture; return its name and the names of its colours."""
    name = str(rng.choice(vocabulary.TEXTURES))
    ground, accent = rng.choice([*looks.BASIC], 2, replace=False).tolist()
    look = looks.textured(rng, name, tint(rng, ground), tint(rng, accent), (7, 22))
    Brush(canvas, None, SIDE / 2, SIDE, SIDE).box(-0.5, 0, 0.5, 1, look)
    return name, ground, accent
