"""Pictures of materials and textures: how far each pixel is from one colour to the other.

Every pattern is a function of position alone: sums, products and comparisons of float32 and a bank
of noise held as bytes, so that any machine draws the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from broden.mini.drawing.noise import OFFSETS, bank, wave


class Field(NamedTuple):
    """Where a pattern is evaluated.

    u, v : float32 (h, w), coordinates turned by the pattern's angle, in periods; noise : returns a
    named picture of the bank, float32 (h, w) in [0, 1], cut at this place.
    """

    u: np.ndarray
    v: np.ndarray
    noise: Callable[[str], np.ndarray]


def evaluate(
    name: str, rows: slice, columns: slice, pitch: float, angle: float, offset: tuple[int, int]
) -> np.ndarray:
    """Return a pattern over a window of the supersampled canvas.

    Parameters
    ----------
    name : str
        A key of `PATTERNS`.
    rows, columns : slice
        The window, in pixels of the canvas, at most 448 each way.
    pitch : float
        The period, in pixels of the canvas.
    angle : float
        Of the pattern against the image, in radians.
    offset : tuple of int
        Where the noise begins, each from 0 to `OFFSETS`.

    Returns
    -------
    ndarray
        float32 (h, w) in [0, 1]: 0 is the surface's colour, 1 its accent.
    """
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    x = np.arange(columns.start, columns.stop, dtype=np.float32)
    c, s = np.float32(math.cos(angle) / pitch), np.float32(math.sin(angle) / pitch)
    phase = np.float32(offset[0] / OFFSETS), np.float32(offset[1] / OFFSETS)

    def noise(level: str) -> np.ndarray:
        top, left = rows.start + offset[0], columns.start + offset[1]
        window = bank()[level][top : top + len(y), left : left + len(x)]
        return window * np.float32(1 / 255)

    field = Field(x * c + y * s + phase[0], y * c - x * s + phase[1], noise)
    return np.clip(PATTERNS[name](field), 0, 1).astype(np.float32, copy=False)


def _step(x: np.ndarray, softness: float) -> np.ndarray:
    """Return 0 below zero, 1 above, rising over `softness`."""
    return np.clip(x * np.float32(1 / softness) + np.float32(0.5), 0, 1)


def _cell(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions within a staggered grid of cells, each from -0.5 to 0.5."""
    row = np.floor(v)
    shifted = u + np.float32(0.5) * (row - 2 * np.floor(row / 2))
    return shifted - np.floor(shifted) - np.float32(0.5), v - row - np.float32(0.5)


def _brick(f: Field) -> np.ndarray:
    x, y = _cell(f.u / 2, f.v)
    mortar = np.maximum(_step(np.abs(x) - 0.46, 0.05), _step(np.abs(y) - 0.4, 0.1))
    return np.maximum(mortar, 0.35 * f.noise("fine"))


def _wood(f: Field) -> np.ndarray:
    grain = wave(f.v / 2 + f.noise("along") + f.noise("wide") / 2)
    return 0.65 * grain + 0.35 * _step(wave(f.v / 4) - 0.93, 0.08)


def _fabric(f: Field) -> np.ndarray:
    return 0.45 * wave(2 * f.u) * wave(2 * f.v) + 0.55 * f.noise("wide")


def _stone(f: Field) -> np.ndarray:
    return np.maximum(_step(0.12 - f.noise("cells"), 0.1), 0.6 * f.noise("fine"))


def _tile(f: Field) -> np.ndarray:
    lines = np.maximum(_step(wave(f.u / 2) - 0.9, 0.1), _step(wave(f.v / 2) - 0.9, 0.1))
    return np.maximum(lines, 0.25 * f.noise("wide"))


def _water(f: Field) -> np.ndarray:
    ripples = wave(1.3 * f.v + f.noise("wide") + 0.5 * f.noise("along"))
    return _step(ripples - 0.62, 0.5)


def _sand(f: Field) -> np.ndarray:
    return 0.6 * f.noise("grain") + 0.4 * wave(f.v / 3 + f.noise("wide"))


def _glass(f: Field) -> np.ndarray:
    return _step(wave(0.25 * (f.u + f.v)) - 0.6, 0.3)


def _metal(f: Field) -> np.ndarray:
    return 0.7 * wave(0.2 * f.v + 0.3 * f.noise("wide")) + 0.3 * f.noise("along")


def _striped(f: Field) -> np.ndarray:
    return _step(wave(f.u) - 0.5, 0.3)


def _banded(f: Field) -> np.ndarray:
    wavy = f.u / 3 + 0.3 * f.noise("wide")
    return 0.7 * wave(wavy) + 0.3 * _step(wave(2 * wavy + 0.2) - 0.5, 0.25)


def _zigzagged(f: Field) -> np.ndarray:
    return _step(wave(0.8 * f.v + 0.5 * wave(0.6 * f.u)) - 0.5, 0.4)


def _chequered(f: Field) -> np.ndarray:
    a, b = _step(wave(f.u / 2) - 0.5, 0.15), _step(wave(f.v / 2) - 0.5, 0.15)
    return a + b - 2 * a * b


def _grid(f: Field) -> np.ndarray:
    return np.maximum(_step(wave(f.u) - 0.75, 0.25), _step(wave(f.v) - 0.75, 0.25))


def _woven(f: Field) -> np.ndarray:
    over = _step(wave(f.u / 2) - 0.5, 0.1) + _step(wave(f.v / 2) - 0.5, 0.1)
    across = (over > 0.5) & (over < 1.5)
    return np.where(across, 0.9 * wave(f.u + 0.5), 0.9 * wave(f.v + 0.5))


def _crosshatched(f: Field) -> np.ndarray:
    bend = 0.25 * f.noise("wide")
    lines = [_step(wave(1.2 * (a + bend)) - 0.7, 0.4) for a in (f.u, 0.8 * f.u + 0.6 * f.v)]
    return np.maximum(*lines) * (0.6 + 0.4 * f.noise("fine"))


def _dotted(f: Field) -> np.ndarray:
    x, y = _cell(1.1 * f.u + 0.4 * f.noise("wide"), 1.1 * f.v + 0.4 * f.noise("medium"))
    return _step(0.06 - x * x - y * y, 0.05)


def _polka_dotted(f: Field) -> np.ndarray:
    x, y = _cell(f.u / 2, f.v / 2)
    return _step(0.085 - x * x - y * y, 0.03)


def _honeycombed(f: Field) -> np.ndarray:
    """Return the distance to the walls of hexagons, from the nearer of two rectangular grids."""
    root = np.float32(math.sqrt(3))
    a = f.u / 2 - np.floor(f.u / 2) - 0.5, f.v / 2 - root * (np.floor(f.v / 2 / root) + 0.5)
    u, v = f.u / 2 - 0.5, f.v / 2 - root / 2
    b = u - np.floor(u) - 0.5, v - root * (np.floor(v / root) + 0.5)
    nearer = a[0] * a[0] + a[1] * a[1] < b[0] * b[0] + b[1] * b[1]
    x, y = np.abs(np.where(nearer, a[0], b[0])), np.abs(np.where(nearer, a[1], b[1]))
    return _step(np.maximum(x, 0.5 * x + root / 2 * y) - 0.41, 0.1)


def _scaly(f: Field) -> np.ndarray:
    """Return rows of overlapping discs, each darker towards its rim."""
    best = np.zeros(np.broadcast_shapes(f.u.shape, f.v.shape), np.float32)
    row = np.floor(f.v)
    for back in (0, 1):
        shift = np.float32(0.5) * ((row - back) - 2 * np.floor((row - back) / 2))
        x = f.u + shift - np.floor(f.u + shift) - 0.5
        y = (f.v - row + back) / 2
        d = 4 * x * x + 2.2 * y * y
        best = np.where((best == 0) & (d < 1.05), np.maximum(d * d, 0.01), best)
    return np.where(best == 0, 1, best)


def _interlaced(f: Field) -> np.ndarray:
    """Return chains of rings, each over its neighbours."""
    rings = np.zeros(np.broadcast_shapes(f.u.shape, f.v.shape), np.float32)
    for shift in (0.0, 0.5):
        x = f.u / 3 + shift - np.floor(f.u / 3 + shift) - 0.5
        y = f.v / 3 + shift - np.floor(f.v / 3 + shift) - 0.5
        distance = np.sqrt(x * x + y * y)
        rings = np.maximum(rings, _step(0.07 - np.abs(distance - np.float32(0.36)), 0.06))
    return rings


def _knitted(f: Field) -> np.ndarray:
    """Return columns of stitches, each a V."""
    column = wave(f.u / 1.4)
    stitch = _step(wave(f.v + 0.8 * column) - 0.45, 0.5)
    return stitch * _step(column - 0.12, 0.2)


def _pleated(f: Field) -> np.ndarray:
    """Return folds: each rises slowly and falls at once."""
    fold = f.u / 1.6 - np.floor(f.u / 1.6)
    return np.where(fold < 0.85, fold / np.float32(0.85), (1 - fold) / np.float32(0.15))


def _studded(f: Field) -> np.ndarray:
    """Return round knobs in rows, each lit from above on the left."""
    x = f.u / 2 - np.floor(f.u / 2) - np.float32(0.5)
    y = f.v / 2 - np.floor(f.v / 2) - np.float32(0.5)
    knob = _step(0.11 - x * x - y * y, 0.03)
    lit = (x + 0.12) * (x + 0.12) + (y + 0.12) * (y + 0.12)
    return knob * np.clip(1 - 5 * lit, 0.25, 1)


def _waffled(f: Field) -> np.ndarray:
    """Return square hollows between ridges, their floors darker towards a corner."""
    x, y = f.u / 2 - np.floor(f.u / 2), f.v / 2 - np.floor(f.v / 2)
    ridge = np.maximum(_step(np.abs(x - 0.5) - 0.36, 0.1), _step(np.abs(y - 0.5) - 0.36, 0.1))
    return np.maximum(ridge, 0.35 * (x + y))


PATTERNS: dict[str, Callable[[Field], np.ndarray]] = {
    "brick": _brick,
    "concrete": lambda f: 0.6 * f.noise("fine") + 0.4 * f.noise("wide"),
    "fabric": _fabric,
    "foliage": lambda f: _step(f.noise("medium") + 0.6 * f.noise("fine") - 0.8, 0.5),
    "fur": lambda f: 0.8 * f.noise("upright") + 0.2 * f.noise("wide"),
    "glass": _glass,
    "grass": lambda f: 0.7 * f.noise("blades") + 0.3 * f.noise("wide"),
    "metal": _metal,
    "sand": _sand,
    "snow": lambda f: 0.7 * f.noise("wide") + 0.3 * f.noise("grain"),
    "stone": _stone,
    "tile": _tile,
    "water": _water,
    "wood": _wood,
    "banded": _banded,
    "blotchy": lambda f: _step(f.noise("wide") + 0.3 * f.noise("medium") - 0.65, 0.15),
    "bubbly": lambda f: f.noise("bubbles"),
    "chequered": _chequered,
    "cracked": lambda f: _step(0.09 - f.noise("cells"), 0.08),
    "crosshatched": _crosshatched,
    "dotted": _dotted,
    "grid": _grid,
    "honeycombed": _honeycombed,
    "marbled": lambda f: _step(wave(f.v / 3 + 2.4 * f.noise("wide")) - 0.7, 0.6),
    "polka-dotted": _polka_dotted,
    "scaly": _scaly,
    "spiralled": lambda f: f.noise("spirals"),
    "striped": _striped,
    "cobwebbed": lambda f: f.noise("webs"),
    "crystalline": lambda f: f.noise("facets"),
    "interlaced": _interlaced,
    "knitted": _knitted,
    "pleated": _pleated,
    "sprinkled": lambda f: f.noise("flakes"),
    "studded": _studded,
    "waffled": _waffled,
    "woven": _woven,
    "zigzagged": _zigzagged,
}
