"""A canvas on which a shape is drawn once, and that drawing is both its picture and its labels.

Every shape takes a number and fills its pixels of a supersampled map with it; later shapes cover
earlier ones. The picture and the label planes are read off that one map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from broden.mini.drawing import patterns
from broden.mini.drawing.noise import OFFSETS

#: Sides, in pixels, of the image, of the label grid and of the supersampled map.
SIDE, GRID, FULL = 224, 112, 448
_SCALE, _BLOCK = FULL // SIDE, FULL // GRID

RGB = tuple[int, int, int]
Point = tuple[float, float]


class Look(NamedTuple):
    """How a surface looks.

    colour : sRGB; pattern : name of the material or texture it bears, which also labels it;
    accent : the pattern's other colour; pitch : its period in pixels of the image; angle : of the
    pattern, in radians; contrast : share of the accent in the pattern, 0 to 1.
    """

    colour: RGB
    pattern: str | None = None
    accent: RGB = (255, 255, 255)
    pitch: float = 8.0
    angle: float = 0.0
    contrast: float = 0.7


class _Shape(NamedTuple):
    """What was drawn under one number: its look, labels, box on the map and where noise begins."""

    look: Look
    object: str | None
    part: str | None
    box: tuple[int, int, int, int]
    offset: tuple[int, int]
    light: tuple[float, float]


class Canvas:
    """An empty image of one colour on which brushes draw.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides the light, and where patterns begin.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._map = Image.new("I", (FULL, FULL), 0)
        self._draw = ImageDraw.Draw(self._map)
        self._shapes: list[_Shape] = []
        self._shadows: list[tuple[int, tuple[int, int, int, int]]] = []
        self._light = (rng.uniform(-0.3, 0.3), rng.uniform(0.0, 0.3))
        self.shape(Look((128, 128, 128)), None, None, [(0, 0), (FULL, FULL)])
        self._draw.rectangle((0, 0, FULL, FULL), fill=0)

    def shape(
        self,
        look: Look,
        thing: str | None,
        part: str | None,
        points: Sequence[Point],
        shade: float = 1.0,
    ) -> int:
        """Take a number for a shape that lies within the hull of `points`; return it.

        `shade` scales how much the light changes across the shape.
        """
        xs, ys = zip(*points, strict=True)
        left, right = max(0, math.floor(min(xs)) - 1), min(FULL, math.ceil(max(xs)) + 2)
        top, bottom = max(0, math.floor(min(ys)) - 1), min(FULL, math.ceil(max(ys)) + 2)
        offset = tuple(self._rng.integers(0, OFFSETS, 2).tolist())
        light = (self._light[0] * shade, self._light[1] * shade)
        box = (left, top, right, bottom)
        self._shapes.append(_Shape(look, thing, part, box, offset, light))
        return len(self._shapes) - 1

    def polygon(self, number: int, points: Sequence[Point]) -> None:
        """Fill a polygon, in pixels of the supersampled map, with a shape's number."""
        self._draw.polygon([*points], fill=number)

    def shadow(self, box: tuple[float, float, float, float]) -> None:
        """Darken the ellipse in a box on everything drawn so far, and on nothing drawn later."""
        left, top, right, bottom = (round(v) for v in box)
        self._shadows.append((len(self._shapes), (left, top, right, bottom)))

    def picture(self) -> np.ndarray:
        """Return the antialiased picture, float32 (SIDE, SIDE, 3) in 0..255."""
        # as indices are: else every look-up converts them
        numbers = np.asarray(self._map).astype(np.intp)
        colours = np.array([shape.look.colour for shape in self._shapes], np.float32)
        # a plane for each channel: loops over three numbers take several times as long
        rgb = np.take(colours.T, numbers, axis=1)
        for number, shape in enumerate(self._shapes):
            if shape.look.pattern is not None:
                self._bear(rgb, numbers, number, shape, shape.look.pattern)
        rgb *= self._shading(numbers)
        np.clip(rgb, 0, 255, out=rgb)
        halves = rgb[:, 0::2] + rgb[:, 1::2]
        return ((halves[..., 0::2] + halves[..., 1::2]) * np.float32(0.25)).transpose(1, 2, 0)

    def _bear(
        self, rgb: np.ndarray, numbers: np.ndarray, number: int, shape: _Shape, pattern: str
    ) -> None:
        """Draw a shape's pattern where it can be seen."""
        left, top, right, bottom = shape.box
        rows, columns = slice(top, bottom), slice(left, right)
        mask = numbers[rows, columns] == number
        if not mask.any():
            return
        look = shape.look
        pitch = look.pitch * _SCALE
        mix = patterns.evaluate(pattern, rows, columns, pitch, look.angle, shape.offset)
        mix *= mask
        window = rgb[:, rows, columns]
        # fancy indexing over the mask takes ten times as long
        for channel, colour, accent in zip(window, look.colour, look.accent, strict=True):
            channel += mix * np.float32((accent - colour) * look.contrast)

    def _shading(self, numbers: np.ndarray) -> np.ndarray:
        """Return the light on each pixel: a ramp across each shape, and the shadows."""
        level, slope_x, slope_y = [], [], []
        for shape in self._shapes:
            left, top, right, bottom = shape.box
            x, y = shape.light[0] / max(right - left, 1), shape.light[1] / max(bottom - top, 1)
            slope_x.append(x)
            slope_y.append(-y)
            level.append(1 - x * (left + right) / 2 + y * (top + bottom) / 2)
        along = np.arange(FULL, dtype=np.float32)
        light = np.take(np.array(slope_x, np.float32), numbers) * along
        light += np.take(np.array(slope_y, np.float32), numbers) * along[:, None]
        light += np.take(np.array(level, np.float32), numbers)
        for before, (left, top, right, bottom) in self._shadows:
            rows = slice(max(top, 0), min(bottom, FULL))
            columns = slice(max(left, 0), min(right, FULL))
            down = (along[rows] - (top + bottom) / 2) / max((bottom - top) / 2, 1)
            over = (along[columns] - (left + right) / 2) / max((right - left) / 2, 1)
            depth = np.clip(1 - (down * down)[:, None] - over * over, 0, 0.5)
            light[rows, columns] *= 1 - depth * (numbers[rows, columns] < before)
        return light

    def planes(
        self,
        objects: Mapping[str, int],
        parts: Mapping[str, int],
        materials: Mapping[str, int],
        textures: Mapping[str, int],
    ) -> np.ndarray:
        """Return the label planes: for each cell, the label of most of its supersampled pixels.

        A tie goes to the lowest number; 0 is unlabelled.

        Parameters
        ----------
        objects, parts, materials, textures : mapping
            The number of each name. A pattern that neither of the last two has is unlabelled.

        Returns
        -------
        ndarray
            uint16 (4, GRID, GRID).

        Raises
        ------
        KeyError
            When something was drawn as an object or part that has no number.
        """
        rows = [
            (
                0 if shape.object is None else objects[shape.object],
                0 if shape.part is None else parts[shape.part],
                materials.get(shape.look.pattern or "", 0),
                textures.get(shape.look.pattern or "", 0),
            )
            for shape in self._shapes
        ]
        return majority(np.array(rows, np.uint16), np.asarray(self._map))


def majority(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the label of most pixels in each block of the map; the lowest on a tie.

    Parameters
    ----------
    labels : ndarray
        uint16 (M, P), the labels of each shape number on each of P planes.
    numbers : ndarray
        int (FULL, FULL), shape numbers.

    Returns
    -------
    ndarray
        uint16 (P, GRID, GRID).
    """
    rows = [numbers[i::_BLOCK, j::_BLOCK].ravel() for i in range(_BLOCK) for j in range(_BLOCK)]
    blocks = np.stack(rows)
    out = labels[blocks[0]].T.copy()
    # most blocks lie within one shape; only the others need a vote
    mixed = np.flatnonzero(blocks.max(0) != blocks.min(0))
    for plane, lookup in zip(out, labels.T, strict=True):
        votes = np.sort(lookup[blocks[:, mixed].T], axis=1)
        counts = np.zeros(votes.shape, np.uint8)
        for vote in votes.T:
            counts += votes == vote[:, None]
        plane[mixed] = votes[np.arange(len(votes)), counts.argmax(1)]
    return out.reshape(-1, GRID, GRID)
