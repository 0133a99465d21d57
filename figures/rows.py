"""What a sheet shows of a unit: words, scores and pictures, a row a unit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.results.labelling import Labelling
from dissection.results.scores import Tops
from dissection.results.validity import Without
from figures.inputs import Inputs, Unit
from figures.palette import ordered
from figures.pictures import SIDE, outlined
from figures.verdict import name_of, verdict, verdict_by_clip

__all__ = ["HALF", "Images", "Row", "row_of", "table"]

HALF = SIDE // 2 - 2
"""Pixels of the longer side of a small picture: two with their gaps are as wide as a large one."""

_WITHOUT = 10
"""Images without its label of a unit, half as large, which fit below its top images."""


class Images(NamedTuple):
    """Some images of a unit, those first to which it answers most."""

    numbers: list[int]
    values: list[float]
    pictures: list[np.ndarray]
    """As they are shown."""
    active: list[float]
    """Share of each that is active, NaN without masks."""


class Row(NamedTuple):
    """One unit on a sheet."""

    unit: Unit
    label: str
    title: str
    """What it is called: its label, or two."""
    lines: tuple[str, ...]
    """What is said of it below its title."""
    verdict: str
    """How far its label can be believed, empty where nothing tells."""
    scores: dict[str, tuple[str, float]]
    """Best label of each category and its IoU; empty without labels by IoU."""
    top: Images
    without: Images | None = None
    """Those of the images without its label; None where nothing tells."""


def row_of(
    inputs: Inputs,
    labelling: Labelling,
    unit: Unit,
    top: Tops,
    images: int,
    without: Without | None = None,
) -> Row:
    """Return what a sheet shows of a unit.

    Parameters
    ----------
    inputs : Inputs
        With photographs of the labelling.
    labelling : Labelling
        Of the unit's network.
    unit : Unit
        Which.
    top : Tops
        Of its layer.
    images : int
        How many of its top images at most.
    without : Without, optional
        Of its layer.

    Raises
    ------
    ValueError
        If there is no such unit.
    """
    found = labelling.layer(unit.layer)
    found = found[found["unit"] == unit.unit]
    if found.empty:
        last = labelling.layer(unit.layer)["unit"].max()
        raise ValueError(f"there is no {unit}; its layer has units 0 to {last}")
    one = found.iloc[0]
    by_iou = labelling.method == "iou"
    scores = {
        c: (one[f"{c}-label"], float(one[f"{c}-score"])) for c in ordered(labelling.categories)
    }
    return Row(
        unit,
        one["label"],
        name_of(one) if by_iou else one["label"],
        _lines(inputs, labelling, unit, one),
        verdict(one) if by_iou else verdict_by_clip(one),
        scores,
        _top(inputs, labelling, unit.unit, top, images),
        None if without is None else _without(inputs, labelling, unit.unit, without),
    )


def _top(inputs: Inputs, labelling: Labelling, unit: int, top: Tops, most: int) -> Images:
    photograph = inputs.photographs[labelling.source]
    numbers = top.image[unit][:most].tolist()
    masks = [top.mask(unit, place) for place in range(len(numbers))]
    return Images(
        numbers,
        top.value[unit][:most].tolist(),
        [outlined(photograph(i), mask) for i, mask in zip(numbers, masks, strict=True)],
        [float("nan") if mask is None else float(mask.mean()) for mask in masks],
    )


def _without(inputs: Inputs, labelling: Labelling, unit: int, without: Without) -> Images | None:
    photograph = inputs.photographs[labelling.source]
    known = without.image[unit] >= 0
    numbers = without.image[unit][known][:_WITHOUT].tolist()
    if not numbers:
        return None
    return Images(
        numbers,
        without.value[unit][known][:_WITHOUT].tolist(),
        [outlined(photograph(number), None, HALF) for number in numbers],
        [float("nan")] * len(numbers),
    )


def _lines(inputs: Inputs, labelling: Labelling, unit: Unit, one: pd.Series) -> tuple[str, ...]:
    where = f"{unit.layer}, unit {unit.unit}"
    if labelling.method == "clip":
        return (where, f"similarity {one['score']:.2f}")
    # the verdict tells the IoU too
    score = "" if verdict(one) else f", IoU {one['score']:.3f}"
    lines = [where, f"{one['category']}{score}"]
    said = _described(inputs, labelling, unit)
    if said is not None:
        lines.append(f"CLIP: {said}")
    return tuple(lines)


def _described(inputs: Inputs, labelling: Labelling, unit: Unit) -> str | None:
    """Return what CLIP calls a unit, where it labelled the same network."""
    for clip in inputs.by("clip"):
        if clip.same_network(labelling) and unit.layer in clip.layers:
            units = clip.layer(unit.layer)
            found = units[units["unit"] == unit.unit]["label"]
            return found.iloc[0] if len(found) else None
    return None


def table(shown: Sequence[Row]) -> pd.DataFrame:
    """Return a row an image: of which unit, what is said of it, and how the unit answers.

    Returns
    -------
    DataFrame
        network, layer, unit, label, said, <category>-label and <category>-iou of each category,
        place (from 1), image, value, active (share of the image); where images without the label
        are shown also without: whether an image is one of those.
    """
    parts = []
    for row in shown:
        said = "; ".join(filter(None, [*row.lines, row.verdict]))
        unit = {**row.unit._asdict(), "label": row.label, "said": said}
        for category, (label, score) in row.scores.items():
            unit |= {f"{category}-label": label, f"{category}-iou": score}
        for images in filter(None, (row.top, row.without)):
            for place, image in enumerate(images.numbers):
                here = {"place": place + 1, "image": image, "value": images.values[place]}
                here |= {"active": images.active[place], "without": images is row.without}
                parts.append(unit | here)
    found = pd.DataFrame(parts)
    return found if any(row.without for row in shown) else found.drop(columns="without")
