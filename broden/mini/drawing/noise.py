"""Noise and other irregular pictures that patterns are made of, computed once a process.

They are kept as bytes: what differs between machines in the last bit of a root or an angle is
rounded away.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image, ImageDraw

_BANK = 960
#: A window of the bank begins below this in both directions, so that 448 pixels fit.
OFFSETS = _BANK - 448


def wave(x: np.ndarray) -> np.ndarray:
    """Return the triangle wave of period 1: 0 at whole numbers, 1 halfway."""
    return 1 - np.abs((x - np.floor(x)) * 2 - 1)


# Sizes of the features of each kind of noise, down and across, in pixels of the canvas.
_GRAINS = {"wide": (48, 48), "medium": (14, 14), "fine": (5, 5), "grain": (2, 2)}
_GRAINS |= {"along": (5, 60), "upright": (24, 4), "blades": (9, 3)}


@functools.cache
def bank() -> dict[str, np.ndarray]:
    """Return the noise pictures, uint8 (960, 960) each; the same on every call and machine."""
    rng = np.random.default_rng(20170719)
    bank = {}
    for name, (down, across) in _GRAINS.items():
        seeds = rng.integers(0, 256, (_BANK // down + 3, _BANK // across + 3), np.uint8)
        enlarged = Image.fromarray(seeds).resize((_BANK, _BANK), Image.Resampling.BICUBIC)
        bank[name] = np.asarray(enlarged)
    bank["cells"] = _cells(rng)
    bank["bubbles"] = _bubbles(rng)
    bank["spirals"] = _spirals()
    bank["facets"] = _facets(rng)
    bank["webs"] = _webs(rng)
    bank["flakes"] = _flakes(rng)
    return bank


def _cells(rng: np.random.Generator, size: int = 40) -> np.ndarray:
    """Return the distance to the border of irregular cells (second less first nearest point)."""
    count = _BANK // size
    points = (np.mgrid[:count, :count] + rng.random((2, count, count))) * size
    y, x = np.mgrid[:_BANK, :_BANK]
    nearest = np.full((2, _BANK, _BANK), np.inf)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = (y // size + down) % count, (x // size + across) % count
            dy, dx = np.abs(points[0, r, c] - y), np.abs(points[1, r, c] - x)
            dy, dx = np.minimum(dy, _BANK - dy), np.minimum(dx, _BANK - dx)
            distance = np.sqrt(dy * dy + dx * dx)
            nearest[1] = np.minimum(nearest[1], np.maximum(nearest[0], distance))
            nearest[0] = np.minimum(nearest[0], distance)
    return np.clip((nearest[1] - nearest[0]) / size * 255, 0, 255).astype(np.uint8)


def _bubbles(rng: np.random.Generator) -> np.ndarray:
    """Return overlapping discs with bright rims and a highlight."""
    picture = Image.new("L", (_BANK, _BANK), 30)
    draw = ImageDraw.Draw(picture)
    for _ in range(1400):
        x, y = rng.integers(0, _BANK, 2).tolist()
        r = int(rng.integers(8, 30))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=235)
        draw.ellipse((x - r + 3, y - r + 3, x + r - 3, y + r - 3), fill=90)
        draw.ellipse((x - r // 2, y - r // 2, x, y), fill=200)
    return np.asarray(picture)


def _spirals(size: int = 120) -> np.ndarray:
    """Return one spiral a cell, turning one way and the other."""
    y, x = np.mgrid[:_BANK, :_BANK]
    dy, dx = y % size - size / 2 + 0.5, x % size - size / 2 + 0.5
    turn = np.where((y // size + x // size) % 2, 1.0, -1.0)
    phase = turn * np.arctan2(dy, dx) / (2 * math.pi) + np.sqrt(dy * dy + dx * dx) / 20
    return np.rint(np.clip((wave(phase) - 0.5) * 3 + 0.5, 0, 1) * 255).astype(np.uint8)


def _facets(rng: np.random.Generator, size: int = 40) -> np.ndarray:
    """Return irregular cells, each lit from a side of its own like the faces of a crystal."""
    count = _BANK // size
    points = (np.mgrid[:count, :count] + rng.random((2, count, count))) * size
    level, slopes = rng.uniform(0.1, 0.9, (count, count)), rng.uniform(-1, 1, (2, count, count))
    y, x = np.mgrid[:_BANK, :_BANK]
    nearest, lit = np.full((_BANK, _BANK), np.inf), np.zeros((_BANK, _BANK))
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = (y // size + down) % count, (x // size + across) % count
            dy = (y - points[0, r, c] + _BANK / 2) % _BANK - _BANK / 2
            dx = (x - points[1, r, c] + _BANK / 2) % _BANK - _BANK / 2
            distance = dy * dy + dx * dx
            face = level[r, c] + (dy * slopes[0, r, c] + dx * slopes[1, r, c]) * (0.3 / size)
            lit = np.where(distance < nearest, face, lit)
            nearest = np.minimum(nearest, distance)
    return np.rint(np.clip(lit, 0, 1) * 255).astype(np.uint8)


def _webs(rng: np.random.Generator, size: int = 96) -> np.ndarray:
    """Return cobwebs: threads from the middle of each, and rounds between them."""
    picture = Image.new("L", (_BANK, _BANK), 0)
    draw = ImageDraw.Draw(picture)
    for top in range(0, _BANK, size):
        for left in range(0, _BANK, size):
            cx, cy = (np.array([left, top]) + size / 2 + rng.uniform(-9, 9, 2)).tolist()
            angles = np.arange(10) * (math.tau / 10) + rng.uniform(-0.15, 0.15, 10)
            for i, (a, c) in enumerate(zip(angles, np.roll(angles, -1), strict=True)):
                far = size * 0.75
                end = (round(cx + far * math.cos(a)), round(cy + far * math.sin(a)))
                draw.line([(round(cx), round(cy)), end], fill=230, width=3)
                for r in np.arange(9, size * 0.62, 10) + (i % 2) * 2:
                    ends = [
                        (round(cx + r * math.cos(t)), round(cy + r * math.sin(t))) for t in (a, c)
                    ]
                    draw.line(ends, fill=230, width=2)
    return np.asarray(picture)


def _flakes(rng: np.random.Generator) -> np.ndarray:
    """Return short dashes that lie in all directions."""
    picture = Image.new("L", (_BANK, _BANK), 0)
    draw = ImageDraw.Draw(picture)
    for _ in range(3000):
        x, y = rng.integers(0, _BANK, 2).tolist()
        angle = float(rng.uniform(0, math.pi))
        dx, dy = round(7 * math.cos(angle)), round(7 * math.sin(angle))
        draw.line([(x - dx, y - dy), (x + dx, y + dy)], fill=int(rng.integers(170, 256)), width=5)
    return np.asarray(picture)
