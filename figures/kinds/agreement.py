"""Whether IoU and CLIP agree, beside what shuffled units give, and how sure both are."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.crosscheck.check import OVERALL
from dissection.crosscheck.findings import Findings
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import CHANCE as PALE
from figures.palette import INK, LIMIT

__all__ = ["definitions", "draw", "draw_scatter", "drawings", "rows"]

SHARES = {
    "exact": "same name",
    "iou_label_in_clip_top5": "IoU's among CLIP's best 5",
    "clip_label_in_iou_top5": "CLIP's among IoU's best 5",
    "same_category": "same category",
}
"""Measures that are shares of units, and what they are called on an axis."""

CHANCE = (
    "Bar: the 95% interval when the labels by CLIP are shuffled among the units of a layer; dot: "
    "the true pairing."
)


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield two figures for each network that both methods labelled."""
    if not inputs.checks:
        yield "agreement: needs labels of one network by IoU and by CLIP"
    for check in inputs.checks:
        rule = definitions(inputs, check)
        yield _agreement(check, rule)
        without = [name for name in ("iou", "similarity") if check.units[name].isna().all()]
        if without:
            yield f"scatter of {check.network}: the file of one labeling has no {without[0]}"
        else:
            yield _scatter(check, rule)


def definitions(inputs: Inputs, check: Findings) -> str:
    """Return by which rules both labelings of a network were made."""
    iou, clip = (
        [part for part in inputs.by(method) if part.name == check.network]
        for method in ("iou", "clip")
    )
    rule, why = captions.detector_rule(iou), captions.why(clip)
    probe = captions.probe(iou)
    # said once where both have the same
    return f"{rule.removesuffix(probe)}{why}" if why.endswith(probe) else f"{rule} {why}"


def rows(check: Findings) -> pd.DataFrame:
    """Return the measures that are shares or cosines, over all units.

    Returns
    -------
    DataFrame
        network, layer, measure, units, value, chance, low, high, p.
    """
    table = check.agreement[check.agreement["group"] == "all"]
    shown = table["measure"].isin(SHARES) | table["measure"].str.startswith("cosine_")
    known = table.groupby("measure")["value"].transform("count") > 0
    table = table[shown & known]
    if table["layer"].nunique() == 2:
        table = table[table["layer"] != OVERALL]
    columns = ["layer", "measure", "units", "value", "chance", "low", "high", "p"]
    table = table[columns].reset_index(drop=True)
    table.insert(0, "network", check.network)
    return table


def draw(axes: Axes, table: pd.DataFrame) -> Axes:
    """Draw one layer: the value of each measure over the interval of chance.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `rows`.
    """
    names = [_said(name) for name in table["measure"]]
    for y, row in enumerate(table.itertuples()):
        if np.isnan(row.value):
            continue
        axes.barh(y, row.high - row.low, 0.5, left=row.low, color=PALE)
        outside = not row.low <= row.value <= row.high
        axes.plot(row.value, y, "o", color=INK, markersize=5,
                  markerfacecolor=INK if outside else "white")  # fmt: skip
        cosine = row.measure.startswith("cosine_")
        text = f"{row.value:.2f}" if cosine else f"{row.value:.0%}"
        axes.annotate(text, (row.value, y), (0, 5), textcoords="offset points", ha="center",
                      fontsize=5.5)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return axes


def draw_scatter(axes: Axes, units: pd.DataFrame) -> Axes:
    """Draw one layer: a mark a unit, its IoU against its CLIP similarity.

    Parameters
    ----------
    axes : Axes
        Where.
    units : DataFrame
        iou, similarity, exact and confident of the units.
    """
    kinds = (
        (~units["exact"] & ~units["confident"], ".", "#b9c0c7", "disagree"),
        (~units["exact"] & units["confident"], "x", LIMIT, "disagree, both confident"),
        (units["exact"], "o", INK, "same name"),
    )
    for chosen, mark, tint, text in kinds:
        part = units[chosen]
        axes.plot(part["iou"], part["similarity"], mark, color=tint, markersize=4,
                  label=f"{text} ({len(part)})")  # fmt: skip
    axes.set_xlabel("IoU of the label by IoU")
    axes.set_ylabel("CLIP similarity of the label by CLIP")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.17), handletextpad=0.2, fontsize=6)
    axes.grid()
    return axes


def _layers(check: Findings) -> list[str]:
    """Return the layers in their order, without what stands for all of them."""
    known = set(check.units["layer"])
    return [name for name in dict.fromkeys(check.agreement["layer"]) if name in known]


def _said(measure: str) -> str:
    if measure.startswith("cosine_"):
        return f"cosine ({panels.shortened(measure.removeprefix('cosine_'), 18)})"
    return SHARES[measure]


def _agreement(check: Findings, rule: str) -> Drawing:
    table = rows(check)
    layers = list(dict.fromkeys(table["layer"]))
    across = min(4, len(layers))
    measures = table["measure"].nunique()

    def paint(figure: FigureBase) -> None:
        grid = panels.columns(figure, len(layers), across, sharey=True, sharex=True)
        for axes, layer in zip(grid, layers, strict=True):
            part = table[table["layer"] == layer]
            axes.set_title(f"{layer} ({part['units'].iloc[0]:.0f} units)")
            draw(axes, part)
        # of all layers the same
        reach = table[["value", "low", "high"]]
        axes.set_xlim(min(0.0, reach.min().min()) - 0.03, reach.max().max() * 1.1 + 0.01)

    return Drawing(
        f"agreement-{check.network}",
        "agreement",
        f"{check.network}: how often IoU and CLIP agree",
        f"n = {len(check.units):,} units of {', '.join(_layers(check))}. Share of "
        "units (same category: of those with a name by CLIP that is the probe set's), and mean "
        f"cosine of the two labels in a space of meaning. {CHANCE} Filled: outside it. {rule}",
        table,
        (1.7 + 1.75 * across, -(-len(layers) // across) * (0.3 * measures + 0.75)),
        paint,
    )


def _scatter(check: Findings, rule: str) -> Drawing:
    columns = ["layer", "unit", "iou_label", "clip_label", "iou", "similarity", "exact"]
    table = check.units[[*columns, "confident"]]
    layers = [
        name for name in dict.fromkeys(check.agreement["layer"]) if name in set(table["layer"])
    ]
    across = min(3, len(layers))

    def paint(figure: FigureBase) -> None:
        for axes, layer in zip(panels.columns(figure, len(layers)), layers, strict=True):
            part = table[table["layer"] == layer]
            axes.set_title(f"{layer} ({len(part)} units)")
            draw_scatter(axes, part)

    return Drawing(
        f"scatter-{check.network}",
        "agreement",
        f"{check.network}: units that both labelers are sure of, and whether they agree",
        f"n = {len(table):,} units of {', '.join(layers)}. Confident: detectors of which neither "
        "score is in the lower half of its layer. Similarities compare within a layer only. "
        f"{rule}",
        table,
        (2.9 * across, -(-len(layers) // across) * 3.1),
        paint,
    )
