"""Every unit of every layer, as the page's unit browser reads them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dissection.crosscheck.findings import levels
from dissection.results.labelling import Labelling
from dissection.results.scores import Tops, top_concepts
from figures.inputs import Inputs
from figures.palette import colour, ordered
from figures.report.thumbnails import Thumbnails, runs
from figures.verdict import verdict, verdict_by_clip

__all__ = ["FIELDS", "IMAGES", "units"]

IMAGES = 10
"""Top images of a unit."""

FIELDS = (
    *("network", "layer", "unit", "label", "category", "iou", "detector", "verdict"),
    *("description", "similarity", "worth", "agrees", "cosine", "within", "concepts", "tops"),
)
"""Of a row of the browser. verdict, worth: how far label and description can be believed, in words;
agrees: 2 same name, 1 one label among the other's best five, 0 neither; within: label and IoU by
category; concepts: the best by CLIP with similarity; tops: image and mask."""


def units(inputs: Inputs, thumbnails: Thumbnails) -> dict[str, Any]:
    """Return networks, layers, categories and a row of `FIELDS` a unit, as JSON knows them.

    Parameters
    ----------
    inputs : Inputs
        What the page is made from.
    thumbnails : Thumbnails
        Takes the photographs that are shown.
    """
    networks = list(dict.fromkeys(part.name for part in inputs.labellings))
    layers = list(dict.fromkeys(name for part in inputs.labellings for name in part.layers))
    categories = ordered(c for part in inputs.by("iou") for c in part.categories)
    rows: list[list[Any]] = []
    grids = {}
    for network in networks:
        sides = [_side(inputs, method, network) for method in ("iou", "clip")]
        for layer in (name for name in layers if any(s and name in s.layers for s in sides)):
            shown = _shown(inputs, sides, layer)
            if shown is not None and shown[1].packed is not None:
                grids[network] = shown[1].grid
            rows += _layer(inputs, sides, (network, layer), shown, thumbnails)
    return {
        "fields": FIELDS,
        "networks": networks,
        "layers": layers,
        "categories": {name: colour(name, categories) for name in categories},
        "grids": grids,
        "units": rows,
    }


def _side(inputs: Inputs, method: str, network: str) -> Labelling | None:
    return next((part for part in inputs.by(method) if part.name == network), None)


def _shown(
    inputs: Inputs, sides: Sequence[Labelling | None], layer: str
) -> tuple[Labelling, Tops] | None:
    """Return the first side whose top images can be shown, and these."""
    known = [side for side in sides if side is not None and layer in side.layers]
    found = ((side, inputs.tops(side, layer)) for side in known)
    return next(((side, top) for side, top in found if top is not None), None)


def _layer(
    inputs: Inputs,
    sides: Sequence[Labelling | None],
    place: tuple[str, str],
    shown: tuple[Labelling, Tops] | None,
    thumbnails: Thumbnails,
) -> Iterator[list[Any]]:
    """Yield a row a unit of a layer."""
    iou, clip = (_by_unit(side, place[1]) for side in sides)
    check = _checked(inputs, *place)
    described = max(clip.index, default=-1) + 1
    concepts = [] if sides[1] is None else top_concepts(sides[1].source, place[1], described)
    categories = sides[0].categories if sides[0] is not None else []
    for unit in sorted({*iou.index, *clip.index}):
        ours, theirs = (side.loc[unit] if unit in side.index else None for side in (iou, clip))
        agrees, cosine = check.get(unit, (None, None))
        yield [
            *place,
            int(unit),
            None if ours is None else ours["label"],
            None if ours is None else ours["category"],
            None if ours is None else _number(ours["score"]),
            None if ours is None else bool(ours["detector"]),
            "" if ours is None else verdict(ours),
            None if theirs is None else theirs["label"],
            None if theirs is None else _number(theirs["score"]),
            "" if theirs is None else verdict_by_clip(theirs),
            agrees,
            cosine,
            [] if ours is None else _within(ours, categories),
            [(name, _number(value)) for name, value in concepts[unit]] if concepts else [],
            [] if shown is None else _pictures(inputs, *shown, int(unit), thumbnails),
        ]


def _by_unit(side: Labelling | None, layer: str) -> pd.DataFrame:
    if side is None or layer not in side.layers:
        return pd.DataFrame()
    return side.layer(layer).set_index("unit")


def _within(one: pd.Series, categories: Sequence[str]) -> list[tuple[str, str, float | None]]:
    return [
        (category, one[f"{category}-label"], _number(one[f"{category}-score"]))
        for category in ordered(categories)
        if one[f"{category}-label"]
    ]


def _checked(inputs: Inputs, network: str, layer: str) -> dict[int, tuple[int, float | None]]:
    """Return whether and how far the two labels of each unit agree."""
    check = next((c for c in inputs.checks if c.network == network), None)
    if check is None:
        return {}
    table = check.units[check.units["layer"] == layer]
    cosines = [name for name in table if name.startswith("cosine_")]
    cosine = table[cosines[0]] if cosines else pd.Series(np.nan, table.index)
    return {
        int(unit): (level, _number(value))
        for unit, level, value in zip(table["unit"], levels(table), cosine, strict=True)
    }


def _pictures(
    inputs: Inputs, side: Labelling, top: Tops, unit: int, thumbnails: Thumbnails
) -> list[tuple[int, str]]:
    """Return the places of a unit's top images, each with where the unit is active on it."""
    photograph, probe = inputs.photographs[side.source], side.settings["probe"]["digest"]
    found = []
    for place, number in enumerate(top.image[unit][:IMAGES].tolist()):
        mask = top.mask(unit, place)
        image = thumbnails.add(probe, number, photograph)
        found.append((image, "" if mask is None else runs(mask)))
    return found


def _number(value: float) -> float | None:
    """Return a number as JSON can hold it, to four digits; None if it is none."""
    return float(f"{value:.4g}") if np.isfinite(value) else None
