"""The summary that a run ends with."""

from collections.abc import Mapping

import pandas as pd

from broden.system.text import aligned
from dissection.crosscheck.findings import Findings, read
from dissection.results import caveats
from dissection.results.cards.card_schema import SUMMARISED
from dissection.results.caveats import chance_alone
from dissection.results.dissection import Dissection
from dissection.results.folder import RunFolder

EXAMPLES = 3


def summary(result: Dissection) -> str:
    """Return tables with a line a layer: what its units detect, and what CLIP calls them.

    What the run card warns of stands before them.

    Parameters
    ----------
    result : Dissection
        A complete run.
    """
    folder = RunFolder(result.path)
    for labeler in folder.labelers(result.card):
        folder.need(result.card, *SUMMARISED[labeler])
    settings = result.card["settings"]
    lines = [
        f"{settings['model']['name']} ({settings['model']['weights']}) on "
        f"{settings['probe']['images']} images of {settings['probe']['name']}",
        *(f"warning: {text}" for text in caveats.of_card(result.card)),
    ]
    if result.units is not None:
        lines += _overlap(result, result.units)
    if result.units is not None and result.descriptions is not None:
        lines.append("")
    if result.descriptions is not None:
        lines += _descriptions(result, result.descriptions)
    check = read(result.path, settings["model"]["name"])
    if check is not None:
        lines += ["", _agreement(check)]
    return "\n".join([*lines, f"results: {result.path}"])


def _overlap(result: Dissection, units: pd.DataFrame) -> list[str]:
    """Return how many units detect something, the best of them, and their categories."""
    settings = result.card["settings"]
    layers = result.card["counts"].items()
    believed = all("expected_by_chance" in counts for _, counts in layers)
    names = ("by chance", "significant", "rotated basis (unique)") if believed else ()
    rows = [("layer", "units", "detectors", "unique (best)", "unique (paper)", *names, "best")]
    for layer, counts in layers:
        share = 100 * counts["detectors"] / counts["units"]
        rows.append(
            (
                layer,
                str(counts["units"]),
                f"{counts['detectors']} ({share:.0f}%)",
                str(counts["unique_best"]),
                str(counts["unique_paper"]),
                *(_believed(counts) if believed else ()),
                _best(units[units["detector"]], layer, "label", "iou"),
            )
        )
    rule = (
        f"detector: IoU > {settings['min_iou']:g}, union {settings['union']}, "
        f"quantile {settings['quantile']:g}; unique (best): different labels of detectors, "
        "unique (paper): summed over categories"
    )
    if believed:
        rule += (
            "; by chance: detectors with the labels of other images; significant: detectors with "
            "q <= 0.05; rotated basis: the same layer in random directions"
        )
    categories = ["detectors (unique) by category:", *aligned(_categories(result, units))]
    doubts = chance_alone(result.card) if believed else []
    return [*aligned(rows), *doubts, "", *categories, rule]


def _believed(counts: dict) -> tuple[str, str, str]:
    """Return detectors by chance, the significant ones, and those of the rotated basis."""
    expected = counts["expected_by_chance"]
    chance = "-" if expected["mean"] is None else _short(expected["mean"])
    if expected["sd"] is not None:
        chance += f" ± {_short(expected['sd'])}"
    rotated = counts["rotated"]
    if not rotated:
        return chance, str(counts["significant_detectors"]), "-"
    found, unique = (
        sum(one[name] for one in rotated) / len(rotated) for name in ("detectors", "unique_best")
    )
    return chance, str(counts["significant_detectors"]), f"{found:.0f} ({unique:.0f})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _descriptions(result: Dissection, descriptions: pd.DataFrame) -> list[str]:
    """Return how many concepts each layer's units are called by, and the most similar."""
    clip, every = result.card["settings"]["clip"], result.card["counts"]
    judged = all("descriptions_significant" in counts for counts in every.values())
    more = ("significant",) if judged else ()
    rows = [("layer", "units", "descriptions", *more, "most similar units")]
    for layer, counts in every.items():
        numbers = ["units", "descriptions", *(f"descriptions_{name}" for name in more)]
        best = _best(descriptions, layer, "description", "similarity")
        rows.append((layer, *(str(counts[name]) for name in numbers), best))
    rule = (
        f"CLIP-Dissect: encoder {clip['encoder']['name']}, {clip['concepts']['count']} concepts of "
        f"{clip['concepts']['source']}, {clip['similarity']}{_scale(clip)}, "
        f"pooling {clip['pooling']}; descriptions: how many different ones"
    )
    tied = [f"{n} of {layer}" for layer, one in every.items() if (n := one.get("saturated"))]
    if tied:
        rule += f"; units that tie at the highest similarity: {', '.join(tied)}"
    if judged:
        rule += "; significant: units whose description has q <= 0.05"
    return [*aligned(rows), rule]


def _scale(clip: Mapping[str, object]) -> str:
    """Return the options of the similarity, where a run has them."""
    if "sharpness" not in clip:
        return ""
    return f" (sharpness {clip['sharpness']:g}, top {clip['top_k']} images)"


def _agreement(check: Findings) -> str:
    """Return how often both call a unit the same, and how often chance would."""
    table = check.agreement
    table = table[(table["measure"] == "exact") & (table["group"] == "all")]
    parts = [
        f"{row.layer} {row.value:.1%} (chance {row.low:.1%} to {row.high:.1%})"
        for row in table.itertuples()
    ]
    return f"units that both call the same: {', '.join(parts)}; more in crosscheck.json"


def _categories(result: Dissection, units: pd.DataFrame) -> list[list[str]]:
    """Return how many detectors each layer has in each category, and of how many labels."""
    categories = [c.removesuffix("-label") for c in units if c.endswith("-label")]
    rows = [["layer", *categories]]
    detectors = units[units["detector"]]
    for layer in result.card["counts"]:
        here = detectors[detectors["layer"] == layer]
        rows.append([layer, *(_count(here[here["category"] == c]) for c in categories)])
    return rows


def _count(units: pd.DataFrame) -> str:
    return f"{len(units)} ({units['label'].nunique()})" if len(units) else "-"


def _best(units: pd.DataFrame, layer: str, label: str, score: str) -> str:
    """Return the labels, scores and numbers of a layer's best units, each label once."""
    units = units[units["layer"] == layer]
    best = units.sort_values(score, ascending=False, kind="stable").drop_duplicates(label)
    rows = best.head(EXAMPLES)[[label, score, "unit"]].itertuples(index=False)
    return ", ".join(f"{name} {value:.2f} (unit {unit})" for name, value, unit in rows) or "-"
