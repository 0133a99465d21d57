"""Unit sheets: what a unit is called, and the images it answers to with its active region."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.config import MIN_IOU
from dissection.results.labelling import Labelling
from dissection.results.scores import Tops
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, Unit, key
from figures.options import Options
from figures.palette import colour, ordered
from figures.pictures import GAP, PICTURE_DPI, SIDE, outlined, square

__all__ = ["Row", "draw", "drawings", "paint", "row_of", "rows", "size"]

ACROSS = 7
"""Images of a unit in a row of a sheet."""

_ACROSS_ALONE = 5

# In widths of a picture: the words before the pictures, what is behind them, labels of the bars
_WORDS, _BARS, _LABELS = 1.6, 2.2, 1.08
# Inches of a picture with the gap around it
_SIDE = (SIDE + GAP) / PICTURE_DPI


class Row(NamedTuple):
    """One unit on a sheet."""

    unit: Unit
    title: str
    lines: tuple[str, ...]
    """What is said of it below its title."""
    scores: dict[str, tuple[str, float]]
    """Best label of each category and its IoU; empty without labels by IoU."""
    pictures: list[np.ndarray]
    """Its top images as they are shown."""
    images: list[int]
    values: list[float]
    active: list[float]
    """Share of each image that is active, NaN without masks."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the sheets of the best units of each layer, and those of the units asked for."""
    for labelling in _main(inputs):
        found = {layer: inputs.tops(labelling, layer) for layer in labelling.layers}
        layers = {name: top for name, top in found.items() if top is not None}
        missing = [name for name in found if name not in layers]
        if missing:
            yield f"sheet: no photographs or top images of {labelling.name} {', '.join(missing)}"
        for layer, top in layers.items():
            best = _best(labelling, layer, options.sheets)
            if best:
                yield _best_units(inputs, labelling, best, top)
            elif options.sheets:
                yield f"sheet: {labelling.name} {layer} has no detectors"
        for unit in options.units:
            if unit.network != labelling.name:
                continue
            if unit.layer not in found:
                raise ValueError(
                    f"{unit.network} has no layer {unit.layer!r}; it has {', '.join(found)}"
                )
            if unit.layer in layers:
                yield _one_unit(inputs, labelling, unit, layers[unit.layer])


def _main(inputs: Inputs) -> list[Labelling]:
    """Return one labelling a network: by IoU where there is one."""
    by_iou = inputs.by("iou")
    rest = [c for c in inputs.by("clip") if not any(c.source == part.source for part in by_iou)]
    return [*by_iou, *rest]


def _best(labelling: Labelling, layer: str, most: int) -> list[Unit]:
    """Return the units of a layer with the best scores, each label once."""
    units = labelling.layer(layer)
    if labelling.method == "iou":
        units = units[units["detector"]]
    units = units.sort_values("score", ascending=False, kind="stable").drop_duplicates("label")
    return [Unit(labelling.name, layer, number) for number in units["unit"].head(most)]


def row_of(
    inputs: Inputs, labelling: Labelling, unit: Unit, top: Tops, images: int = ACROSS
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
    scores = {
        c: (one[f"{c}-label"], float(one[f"{c}-score"])) for c in ordered(labelling.categories)
    }
    photograph = inputs.photographs[labelling.source]
    numbers = top.image[unit.unit][:images].tolist()
    masks = [top.mask(unit.unit, place) for place in range(len(numbers))]
    return Row(
        unit,
        one["label"],
        _lines(inputs, labelling, unit, one),
        scores,
        [outlined(photograph(i), mask) for i, mask in zip(numbers, masks, strict=True)],
        numbers,
        top.value[unit.unit][:images].tolist(),
        [float("nan") if mask is None else float(mask.mean()) for mask in masks],
    )


def _lines(inputs: Inputs, labelling: Labelling, unit: Unit, one: pd.Series) -> tuple[str, ...]:
    where = f"{unit.layer}, unit {unit.unit}"
    if labelling.method == "clip":
        return (where, f"similarity {one['score']:.2f}")
    lines = [where, f"{one['category']}, IoU {one['score']:.3f}"]
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


def rows(shown: Sequence[Row]) -> pd.DataFrame:
    """Return a row an image: of which unit, what is said of it, and how the unit answers.

    Returns
    -------
    DataFrame
        network, layer, unit, label, said, <category>-label and <category>-iou of each category,
        place (from 1), image, value, active (share of the image).
    """
    parts = []
    for row in shown:
        unit = {**row.unit._asdict(), "label": row.title, "said": "; ".join(row.lines)}
        for category, (label, score) in row.scores.items():
            unit |= {f"{category}-label": label, f"{category}-iou": score}
        for place, image in enumerate(row.images):
            here = {"place": place + 1, "image": image, "value": row.values[place]}
            parts.append(unit | here | {"active": row.active[place]})
    return pd.DataFrame(parts)


def draw(axes: Axes, shown: Sequence[Row], across: int = ACROSS) -> Axes:
    """Draw units below each other: words, pictures, and the IoU of every category.

    Parameters
    ----------
    axes : Axes
        Where; a picture is one unit wide and high.
    shown : sequence of Row
        The units.
    across : int
        Pictures in a line; of more there are further lines.
    """
    highest = max([MIN_IOU, *(v for row in shown for _, v in row.scores.values())])
    bars = any(row.scores for row in shown)
    heights = [max(1, -(-len(row.pictures) // across)) for row in shown]
    starts = np.cumsum([0, *heights])
    pictures = np.vstack([_strip(row.pictures, across) for row in shown])
    axes.imshow(
        pictures, extent=(_WORDS, _WORDS + across, starts[-1], 0), interpolation="antialiased"
    )
    for row, line in zip(shown, starts[:-1], strict=True):
        _write(axes, row, line)
        if row.scores:
            _draw_scores(axes, row.scores, highest, _WORDS + across + 0.12, line)
    axes.set_xlim(0, _WORDS + across + (_BARS if bars else 0))
    axes.set_ylim(starts[-1], 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return axes


def _strip(pictures: list[np.ndarray], across: int) -> np.ndarray:
    """Return the pictures of a unit in lines of `across`, the last filled up with white."""
    lines = max(1, -(-len(pictures) // across))
    full = [square(picture) for picture in pictures]
    full += [square(np.empty((0, 0, 3), np.uint8))] * (lines * across - len(full))
    return np.vstack([np.hstack(full[i : i + across]) for i in range(0, len(full), across)])


def _write(axes: Axes, row: Row, line: float) -> None:
    axes.text(0.02, line + 0.2, panels.shortened(row.title, 22), fontweight="bold", fontsize=8,
              va="center")  # fmt: skip
    for number, text in enumerate(row.lines):
        axes.text(0.02, line + 0.42 + 0.19 * number, panels.shortened(text, 30), fontsize=6.2,
                  va="center", color="#3c4248")  # fmt: skip


def _draw_scores(
    axes: Axes, scores: dict[str, tuple[str, float]], highest: float, x: float, line: float
) -> None:
    step = min(0.16, 0.9 / len(scores))
    bar = _BARS - _LABELS - 0.4
    for place, (category, (label, score)) in enumerate(scores.items()):
        y = line + 0.1 + step * (place + 0.5)
        wide = bar * max(score, 0.0) / highest
        axes.text(x + _LABELS - 0.05, y, panels.shortened(f"{category} {label}", 23), fontsize=5,
                  ha="right", va="center")  # fmt: skip
        axes.barh(y, wide, step * 0.7, left=x + _LABELS, color=colour(category, list(scores)))
        axes.text(x + _LABELS + 0.03 + wide, y, f"{score:.2f}", fontsize=4.6, va="center")


def size(shown: Sequence[Row], across: int = ACROSS) -> tuple[float, float]:
    """Return the width and height in inches that units take."""
    lines = sum(max(1, -(-len(row.pictures) // across)) for row in shown)
    bars = _BARS if any(row.scores for row in shown) else 0
    return _SIDE * (_WORDS + across + bars), _SIDE * lines + 0.05


def paint(figure: FigureBase, shown: Sequence[Row], across: int = ACROSS) -> None:
    """Draw units over the whole of a figure."""
    draw(figure.subplots(), shown, across)


def _best_units(inputs: Inputs, labelling: Labelling, units: Sequence[Unit], top: Tops) -> Drawing:
    shown = [row_of(inputs, labelling, unit, top) for unit in units]
    best = "IoU" if labelling.method == "iou" else "similarity"
    layer = units[0].layer
    return Drawing(
        f"sheet-{key(labelling, layer, '-')}",
        "sheet",
        f"{key(labelling, layer)}: the units with the best {best}, one for each label",
        _caption(labelling, units, top),
        rows(shown),
        size(shown),
        lambda figure: paint(figure, shown),
    )


def _one_unit(inputs: Inputs, labelling: Labelling, unit: Unit, top: Tops) -> Drawing:
    shown, across = [row_of(inputs, labelling, unit, top, 2 * _ACROSS_ALONE)], _ACROSS_ALONE
    return Drawing(
        f"unit-{key(labelling, unit.layer, '-')}-{unit.unit}",
        "sheet",
        f"{key(labelling, unit.layer)} unit {unit.unit}: {shown[0].title}",
        _caption(labelling, [unit], top),
        rows(shown),
        size(shown, across),
        lambda figure: paint(figure, shown, across),
    )


def _caption(labelling: Labelling, units: Sequence[Unit], top: Tops) -> str:
    by_iou, layer = labelling.method == "iou", units[0].layer
    parts = [
        f"{len(units)} of {len(labelling.layer(layer)):,} units of {layer}.",
        "The images on which "
        + ("the maximum of its map" if by_iou else "its activation")
        + " is highest, the highest first.",
    ]
    if top.packed is not None:
        parts.append("The region above the unit's threshold is outlined, the rest dimmed.")
    if by_iou and labelling.categories:
        parts.append("Bars: IoU of the best label of each category.")
    parts.append(captions.detector_rule([labelling]) if by_iou else captions.why([labelling]))
    return " ".join(parts)
