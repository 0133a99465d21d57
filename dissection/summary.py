"""The summary that a run ends with."""

from collections.abc import Sequence

import pandas as pd

from dissection.api import Dissection

EXAMPLES = 3


def summary(result: Dissection) -> str:
    """Return two tables with a line a layer: detectors and the best of them, and their categories.

    Parameters
    ----------
    result : Dissection
        A complete run.
    """
    settings = result.card["settings"]
    rows = [("layer", "units", "detectors", "unique (best)", "unique (paper)", "best units")]
    for layer, counts in result.card["counts"].items():
        share = 100 * counts["detectors"] / counts["units"]
        rows.append(
            (
                layer,
                str(counts["units"]),
                f"{counts['detectors']} ({share:.0f}%)",
                str(counts["unique_best"]),
                str(counts["unique_paper"]),
                _examples(result, layer),
            )
        )
    title = (
        f"{settings['model']['name']} ({settings['model']['weights']}) on "
        f"{settings['probe']['images']} images of {settings['probe']['name']}"
    )
    rule = (
        f"detector: IoU > {settings['min_iou']:g}, union {settings['union']}, "
        f"quantile {settings['quantile']:g}; unique (best): different labels of detectors, "
        "unique (paper): summed over categories"
    )
    tables = [*_lines(rows), "", "detectors (unique) by category:", *_lines(_categories(result))]
    return "\n".join([title, *tables, rule, f"results: {result.path}"])


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _categories(result: Dissection) -> list[list[str]]:
    """Return how many detectors each layer has in each category, and of how many labels."""
    categories = [c.removesuffix("-label") for c in result.units if c.endswith("-label")]
    rows = [["layer", *categories]]
    detectors = result.units[result.units["detector"]]
    for layer in result.card["counts"]:
        here = detectors[detectors["layer"] == layer]
        rows.append([layer, *(_count(here[here["category"] == c]) for c in categories)])
    return rows


def _count(units: pd.DataFrame) -> str:
    return f"{len(units)} ({units['label'].nunique()})" if len(units) else "-"


def _examples(result: Dissection, layer: str) -> str:
    """Return the labels, IoU and numbers of a layer's best units, each label once."""
    units = result.units[(result.units["layer"] == layer) & result.units["detector"]]
    best = units.sort_values("iou", ascending=False, kind="stable").drop_duplicates("label")
    shown = [
        f"{row.label} {row.iou:.2f} (unit {row.unit})" for row in best.head(EXAMPLES).itertuples()
    ]
    return ", ".join(shown) or "-"
