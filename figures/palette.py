"""One palette: colour is a category, fill is a network, paleness is what falls below the threshold.

The colours of the categories differ in lightness, so that they can be told apart in greyscale and
by colour-blind readers; the tests measure it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "BY_CHANCE",
    "CATEGORIES",
    "CHANCE",
    "INK",
    "LIMIT",
    "NEUTRAL",
    "SOFT",
    "colour",
    "fill",
    "ordered",
    "pale",
]

CATEGORIES = {
    "object": "#1c3f72",
    "part": "#9b2f5f",
    "scene": "#0a8a66",
    "material": "#dd7a35",
    "texture": "#6cbbe8",
    "color": "#f5df66",
}
"""Of the six of Broden, in the order in which figures show them; darkest first."""

SOFT = "#555b61"
"""Captions, and what stands where there is nothing to draw."""

LIMIT = "#b3261e"
"""The line of a threshold."""

CHANCE = "#c9ced3"
"""What chance gives, as a bar or an area."""

BY_CHANCE = "#c2660a"
"""What chance gives, as marks on what is pale itself."""

NEUTRAL = "#5d6875"
"""Where there is no category, as of CLIP's descriptions."""

INK = "#22262b"
"""Text and lines."""

_PALE = 0.35
"""How much is left of a colour that is pale."""

_HATCHES = ("", "////", "....", "xxxx", "----", "++++", "oooo", "\\\\\\\\", "||||", "****")
_OTHER = ("#8c6bb1", "#8a8d3a", "#c0504d", "#4bacc6")


def colour(category: str | None, categories: Sequence[str] = ()) -> str:
    """Return the colour of a category.

    Parameters
    ----------
    category : str or None
        Anything else than a name stands for none.
    categories : sequence of str
        All that a figure shows; those that are not Broden's get colours by their place.

    Raises
    ------
    ValueError
        If the category is neither Broden's nor one of these.
    """
    if not isinstance(category, str) or not category:
        return NEUTRAL
    if category in CATEGORIES:
        return CATEGORIES[category]
    others = [name for name in categories if name not in CATEGORIES]
    return _OTHER[others.index(category) % len(_OTHER)]


def ordered(categories: Iterable[str]) -> list[str]:
    """Return categories in the order of the palette, others behind, each once.

    Examples
    --------
    >>> ordered(["color", "mood", "object", "color"])
    ['object', 'color', 'mood']
    """
    names = list(dict.fromkeys(categories))
    return [*(c for c in CATEGORIES if c in names), *(c for c in names if c not in CATEGORIES)]


def pale(tint: str) -> str:
    """Return a colour moved towards white, for units that are no detectors.

    A colour rather than an opacity, which not every format draws alike.

    Examples
    --------
    >>> pale("#000000")
    '#a6a6a6'
    """
    parts = (int(tint[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * _PALE):02x}" for part in parts)


def fill(network: int, tint: str) -> dict[str, Any]:
    """Return how a bar of the network with this number is filled, as arguments of ``barh``.

    The first is solid; the others are white, hatched in the colour.
    """
    hatch = _HATCHES[network % len(_HATCHES)]
    if not hatch:
        return {"facecolor": tint, "edgecolor": tint, "linewidth": 0.6}
    return {"facecolor": "white", "edgecolor": tint, "hatch": hatch, "linewidth": 0.6}
