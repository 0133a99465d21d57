"""The brush with which things are drawn: shapes in a thing's own frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

from broden.mini.drawing.canvas import FULL, SIDE, Canvas, Look, Point

_SCALE = FULL // SIDE
_CIRCLE = [(math.cos(math.tau * i / 36), math.sin(math.tau * i / 36)) for i in range(36)]


class Brush:
    """Draws in the frame of one thing: origin at the middle of its foot, x right, y up.

    Parameters
    ----------
    canvas : Canvas
        What is drawn on.
    thing : str or None
        The object every shape belongs to.
    x, y : float
        Where the origin lies, in pixels of the image from its top left corner.
    size : float
        Length of the frame's unit, in pixels of the image.
    turn : float
        Angle by which the frame is turned counter-clockwise, in radians.
    flip : bool
        Whether left and right are exchanged.
    """

    def __init__(
        self,
        canvas: Canvas,
        thing: str | None,
        x: float,
        y: float,
        size: float,
        turn: float = 0.0,
        flip: bool = False,
    ) -> None:
        self.canvas, self.thing, self.size = canvas, thing, size
        self._x, self._y, self._unit = x * _SCALE, y * _SCALE, size * _SCALE
        self._turn, self._side = turn, -1.0 if flip else 1.0
        self._cos, self._sin = math.cos(turn), math.sin(turn)

    def at(
        self, x: float, y: float, size: float = 1.0, turn: float = 0.0, flip: bool = False
    ) -> Brush:
        """Return a brush for the same thing whose frame is placed within this one.

        `size` is in units of this frame; `turn` is added to this frame's.
        """
        left, top = self._place((x, y))
        turn = self._turn + turn * self._side
        mirrored = flip != (self._side < 0)
        place = left / _SCALE, top / _SCALE, self.size * size
        return Brush(self.canvas, self.thing, *place, turn, mirrored)

    def polygon(
        self, points: Sequence[Point], look: Look, part: str | None = None, shade: float = 1.0
    ) -> None:
        """Fill a polygon; `shade` scales how much the light changes across it."""
        placed = [self._place(point) for point in points]
        self.canvas.polygon(self.canvas.shape(look, self.thing, part, placed, shade), placed)

    def box(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        look: Look,
        part: str | None = None,
        shade: float = 1.0,
    ) -> None:
        """Fill a rectangle."""
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        self.polygon(corners, look, part, shade)

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        look: Look,
        part: str | None = None,
        ry: float | None = None,
        shade: float = 1.0,
    ) -> None:
        """Fill an ellipse about (x, y); a circle unless `ry` is given."""
        ry = rx if ry is None else ry
        self.polygon([(x + rx * c, y + ry * s) for c, s in _CIRCLE], look, part, shade)

    def line(
        self,
        points: Sequence[Point],
        width: float,
        look: Look,
        part: str | None = None,
        shade: float = 1.0,
    ) -> None:
        """Draw a line through points with round ends and joints, as one shape."""
        placed = [self._place(point) for point in points]
        r = width * self._unit / 2
        hull = [(x + d, y + d) for x, y in placed for d in (-r, r)]
        number = self.canvas.shape(look, self.thing, part, hull, shade)
        for x, y in placed:
            self.canvas.polygon(number, [(x + r * c, y + r * s) for c, s in _CIRCLE])
        for (ax, ay), (bx, by) in zip(placed, placed[1:], strict=False):
            length = math.hypot(bx - ax, by - ay) or 1.0
            nx, ny = (ay - by) / length * r, (bx - ax) / length * r
            corners = [
                (ax + nx, ay + ny),
                (bx + nx, by + ny),
                (bx - nx, by - ny),
                (ax - nx, ay - ny),
            ]
            self.canvas.polygon(number, corners)

    def shadow(self, width: float, height: float = 0.12) -> None:
        """Darken what lies about the foot of the thing; draw it before the thing itself."""
        r, h = width * self._unit / 2, height * self._unit / 2
        self.canvas.shadow((self._x - r, self._y - h, self._x + r, self._y + h))

    def _place(self, point: Point) -> Point:
        """Return where a point of the frame lies on the supersampled map."""
        x, y = point[0] * self._side, point[1]
        across, up = x * self._cos - y * self._sin, x * self._sin + y * self._cos
        return self._x + self._unit * across, self._y - self._unit * up
