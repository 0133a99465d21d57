"""Label numbers of the concepts, and the planes and table that carry them."""

from __future__ import annotations

import numpy as np

from broden.labels import LabelTable
from broden.mini import vocabulary
from broden.mini.compose import Composition
from broden.mini.drawing import colours
from broden.mini.drawing.canvas import GRID, SIDE
from broden.mini.scenes import SCENES
from broden.mini.things.catalogue import THINGS

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")
#: Names by category; colours and scenes carry Broden's suffixes.
NAMES: dict[str, tuple[str, ...]] = {
    "color": tuple(f"{name}-c" for name in colours.NAMES),
    "object": tuple(sorted({*THINGS, *vocabulary.STUFF})),
    "part": vocabulary.PARTS,
    "material": vocabulary.MATERIALS,
    "scene": tuple(f"{name}-s" for name in SCENES),
    "texture": vocabulary.TEXTURES,
}
_ALL = [(category, name) for category in CATEGORIES for name in NAMES[category]]
NUMBERS: dict[tuple[str, str], int] = {key: n for n, key in enumerate(_ALL, start=1)}
#: Category of each label number; number 0 is unlabelled.
HOME = np.array([0, *(CATEGORIES.index(category) for category, _ in _ALL)])
_DRAWN = ("object", "part", "material", "texture")
# The number of each term of `colours.terms`, of which the first is none.
_COLOURS = np.array([0, *(NUMBERS["color", name] for name in NAMES["color"])], np.uint16)


def planes(image: Composition, rgb: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the label planes of an image and the category index of each.

    Every image has a plane of colours, in which a pixel of no basic colour is unlabelled; of the
    other categories, an image has those that it holds.

    Parameters
    ----------
    image : Composition
        Its canvas gives all planes but the colours; a whole-image texture has no plane.
    rgb : ndarray
        uint8 (SIDE, SIDE, 3), the picture as it decodes; its colours are the means of 2x2 pixels.

    Returns
    -------
    ndarray
        uint16 (P, GRID, GRID).
    tuple of int
        P category indices.
    """
    tables = [{name: NUMBERS[category, name] for name in NAMES[category]} for category in _DRAWN]
    if image.texture is not None:
        tables[-1] = {}
    drawn = image.canvas.planes(*tables)
    step = SIDE // GRID
    # adding slices is faster than summing over short axes
    parts = [rgb[i::step, j::step] for i in range(step) for j in range(step)]
    sums = np.add.reduce(parts, dtype=np.uint16)
    means = sums // step**2
    colour = _COLOURS[colours.terms(means.astype(np.uint8))]
    held = [
        (CATEGORIES.index(c), plane) for c, plane in zip(_DRAWN, drawn, strict=True) if plane.any()
    ]
    indices = (CATEGORIES.index("color"), *(index for index, _ in held))
    return np.stack([colour, *(plane for _, plane in held)]), indices


def whole(image: Composition) -> tuple[tuple[int, int], ...]:
    """Return the (category index, number) of the scene or texture that is all of an image."""
    if image.scene is not None:
        return ((CATEGORIES.index("scene"), NUMBERS["scene", f"{image.scene}-s"]),)
    if image.texture is not None:
        return ((CATEGORIES.index("texture"), NUMBERS["texture", image.texture]),)
    return ()


def table(frequency: np.ndarray, coverage: np.ndarray) -> LabelTable:
    """Return the table of the labels that occur.

    Parameters
    ----------
    frequency, coverage : ndarray
        int and float (L), images that hold each label number, and images' worth of its pixels.
    """
    numbers = np.flatnonzero(frequency)
    rows = np.arange(len(numbers))
    by_category = np.zeros((2, len(numbers), len(CATEGORIES)))
    by_category[0, rows, HOME[numbers]] = frequency[numbers]
    by_category[1, rows, HOME[numbers]] = coverage[numbers]
    names = [_ALL[n - 1][1] for n in numbers]
    return LabelTable.from_rows(CATEGORIES, numbers, names, [()] * len(names), *by_category)
