"""Unit sheets: what a unit is called, and the images it answers to with its active region."""

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.config import MIN_IOU
from dissection.results.labelling import Labelling
from dissection.results.scores import Tops
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, Unit, key
from figures.options import Options
from figures.palette import SOFT, colour
from figures.pictures import GAP, PICTURE_DPI, SIDE, square
from figures.rows import HALF, Row, row_of, table

__all__ = ["ACROSS", "draw", "drawings", "paint", "size"]

ACROSS = 7
"""Images of a unit in a row of a sheet."""

_ACROSS_ALONE = 5

# In widths of a picture: the words before the pictures, what is behind them, labels of the bars
_WORDS, _BARS, _LABELS = 1.6, 2.2, 1.08
# Characters of a line of words, and lines of a verdict
_LINE, _LINES = 30, 4
# Inches of a picture with the gap around it
_SIDE = (SIDE + GAP) / PICTURE_DPI


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
    starts = np.cumsum([0, *(_height(row, across) for row in shown)])
    pictures = np.vstack([strip for row in shown for strip in _strips(row, across)])
    axes.imshow(
        pictures, extent=(_WORDS, _WORDS + across, starts[-1], 0), interpolation="antialiased"
    )
    for row, line, end in zip(shown, starts[:-1], starts[1:], strict=True):
        _write(axes, row, line)
        if row.without:
            text = f"fires without {panels.shortened(row.label, 18)}"
            axes.text(_WORDS - 0.06, end - 0.25, text, fontsize=6.2, ha="right", va="center",
                      style="italic", color=SOFT)  # fmt: skip
        if row.scores:
            _draw_scores(axes, row.scores, highest, _WORDS + across + 0.12, line)
    axes.set_xlim(0, _WORDS + across + (_BARS if bars else 0))
    axes.set_ylim(starts[-1], 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return axes


def _height(row: Row, across: int) -> float:
    """Return how many pictures high a unit is; those without its label are half as high."""
    return max(1, -(-len(row.top.pictures) // across)) + (0.5 if row.without else 0)


def _strips(row: Row, across: int) -> Iterator[np.ndarray]:
    yield _strip(row.top.pictures, across)
    if row.without:
        yield _strip(row.without.pictures, 2 * across, HALF)


def _strip(pictures: list[np.ndarray], across: int, side: int = SIDE) -> np.ndarray:
    """Return the pictures of a unit in lines of `across`, the last filled up with white."""
    lines = max(1, -(-len(pictures) // across))
    full = [square(picture, side) for picture in pictures]
    full += [square(np.empty((0, 0, 3), np.uint8), side)] * (lines * across - len(full))
    return np.vstack([np.hstack(full[i : i + across]) for i in range(0, len(full), across)])


def _write(axes: Axes, row: Row, line: float) -> None:
    axes.text(0.02, line + 0.2, panels.shortened(row.title, 22), fontweight="bold", fontsize=8,
              va="center")  # fmt: skip
    lines = [panels.shortened(text, _LINE) for text in row.lines]
    first, step = 0.42, 0.19
    if row.verdict:
        lines += _wrapped(row.verdict)
        first, step = 0.37, min(0.13, 0.6 / max(len(lines) - 1, 1))
    for number, text in enumerate(lines):
        axes.text(0.02, line + first + step * number, text, fontsize=6.2, va="center",
                  color="#3c4248")  # fmt: skip


def _wrapped(sentence: str) -> list[str]:
    """Return a sentence in lines; no short part between commas is divided."""
    parts = sentence.split(", ")
    kept = [part.replace(" ", "\N{NO-BREAK SPACE}") if len(part) < 20 else part for part in parts]
    return textwrap.wrap(", ".join(kept), _LINE, max_lines=_LINES, placeholder="…")


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
    lines = sum(_height(row, across) for row in shown)
    bars = _BARS if any(row.scores for row in shown) else 0
    return _SIDE * (_WORDS + across + bars), _SIDE * lines + 0.05


def paint(figure: FigureBase, shown: Sequence[Row], across: int = ACROSS) -> None:
    """Draw units over the whole of a figure."""
    draw(figure.subplots(), shown, across)


def _best_units(inputs: Inputs, labelling: Labelling, units: Sequence[Unit], top: Tops) -> Drawing:
    layer = units[0].layer
    without = inputs.without_label(labelling, layer)
    shown = [row_of(inputs, labelling, unit, top, ACROSS, without) for unit in units]
    best = "IoU" if labelling.method == "iou" else "similarity"
    return Drawing(
        f"sheet-{key(labelling, layer, '-')}",
        "sheet",
        f"{key(labelling, layer)}: the units with the best {best}, one for each label",
        _caption(labelling, shown, top),
        table(shown),
        size(shown),
        lambda figure: paint(figure, shown),
    )


def _one_unit(inputs: Inputs, labelling: Labelling, unit: Unit, top: Tops) -> Drawing:
    without, across = inputs.without_label(labelling, unit.layer), _ACROSS_ALONE
    shown = [row_of(inputs, labelling, unit, top, 2 * across, without)]
    return Drawing(
        f"unit-{key(labelling, unit.layer, '-')}-{unit.unit}",
        "sheet",
        f"{key(labelling, unit.layer)} unit {unit.unit}: {shown[0].title}",
        _caption(labelling, shown, top),
        table(shown),
        size(shown, across),
        lambda figure: paint(figure, shown, across),
    )


def _caption(labelling: Labelling, shown: Sequence[Row], top: Tops) -> str:
    by_iou, layer = labelling.method == "iou", shown[0].unit.layer
    parts = [
        f"{len(shown)} of {len(labelling.layer(layer)):,} units of {layer}.",
        "The images on which "
        + ("the maximum of its map" if by_iou else "its activation")
        + " is highest, the highest first.",
    ]
    if top.packed is not None:
        parts.append("The region above the unit's threshold is outlined, the rest dimmed.")
    if by_iou and labelling.categories:
        parts.append("Bars: IoU of the best label of each category.")
    if any(row.without for row in shown):
        parts.append("Small: the images without the label to which the unit answers most.")
    if any(row.verdict for row in shown):
        parts.append(captions.VERDICT if by_iou else captions.VERDICT_BY_CLIP)
    parts.append(captions.detector_rule([labelling]) if by_iou else captions.why([labelling]))
    return " ".join(parts)
