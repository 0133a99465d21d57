"""What a thing is: how it is drawn, how large it is, what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from broden.mini.drawing.brush import Brush
from broden.mini.drawing.canvas import Look

Drawing = Callable[[Brush, np.random.Generator, Look], None]


class Thing(NamedTuple):
    """A kind of object.

    draw : draws it in a frame whose unit is its larger extent, given the look of its body; width,
    height : its extents in that unit, the larger being 1; colours : names of basic terms its body
    has; patterns : materials its body bears, None for a plain one, ``cloth`` for fabric or a
    texture; size : its usual size in a scene, as a share of the image's side; stance : ``ground``,
    ``air``, ``wall`` or ``table``; tilt : how far it may lean, in radians.
    """

    draw: Drawing
    width: float
    height: float
    colours: tuple[str, ...]
    patterns: tuple[str | None, ...] = (None,)
    size: float = 0.4
    stance: str = "ground"
    tilt: float = 0.06


class Placed(NamedTuple):
    """A thing as it was drawn: its name, the name of its colour, and what it bears."""

    name: str
    colour: str
    pattern: str | None
