"""The summary that a run ends with."""

from dissection.api import Dissection

EXAMPLES = 3


def summary(result: Dissection) -> str:
    """Return a table with a line a layer: how many units detect something, and the best of them.

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
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    title = (
        f"{settings['model']['name']} ({settings['model']['weights']}) on "
        f"{settings['probe']['images']} images of {settings['probe']['name']}"
    )
    rule = (
        f"detector: IoU > {settings['min_iou']:g}, union {settings['union']}, "
        f"quantile {settings['quantile']:g}; unique (best): different labels of detectors, "
        "unique (paper): summed over categories"
    )
    return "\n".join([title, *lines, rule, f"results: {result.path}"])


def _examples(result: Dissection, layer: str) -> str:
    """Return the labels, IoU and numbers of a layer's best units, each label once."""
    units = result.units[(result.units["layer"] == layer) & result.units["detector"]]
    best = units.sort_values("iou", ascending=False, kind="stable").drop_duplicates("label")
    shown = [
        f"{row.label} {row.iou:.2f} (unit {row.unit})" for row in best.head(EXAMPLES).itertuples()
    ]
    return ", ".join(shown) or "-"
