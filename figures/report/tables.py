"""The summary of a page: its tables, the run cards and the definitions, as rows of text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.comparison.side_by_side import ALL, detectors, distinct, only
from dissection.crosscheck.findings import Findings
from dissection.results.folder import RunFolder
from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.validity import expected, rotated
from figures import captions
from figures.inputs import Inputs
from figures.kinds.agreement import SHARES
from figures.palette import ordered

__all__ = ["Table", "cards", "statements", "tables"]

_EXAMPLES = 8


class Table(NamedTuple):
    """A table of a page."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]


def statements(inputs: Inputs) -> list[str]:
    """Return in sentences how many units each network has and what they detect."""
    said = []
    for part in inputs.by("iou"):
        units = part.units
        found = units[units["detector"]]
        text = (
            f"{part.name}: {len(found)} of {len(units)} units are detectors{_by_chance(part)}, of "
            f"{found['label'].nunique()} different concepts"
        )
        common = found["label"].value_counts(sort=True).head(3)
        if len(common):
            text += ", most often " + ", ".join(f"{name} ({n})" for name, n in common.items())
        said.append(f"{text}.")
    for part in inputs.by("clip"):
        count = part.units["label"].nunique()
        said.append(f"{part.name}: CLIP calls {len(part.units)} units by {count} different names.")
    for check in inputs.checks:
        table = check.agreement
        row = table[(table["measure"] == "exact") & (table["group"] == "all")].iloc[-1]
        said.append(
            f"{check.network}: IoU and CLIP call {row['value']:.1%} of the units the same; "
            f"shuffled units {row['low']:.1%} to {row['high']:.1%}."
        )
    return said


def _by_chance(part: Labelling) -> str:
    """Return how many detectors chance gives in all layers, where the run tells it of each."""
    given = [expected(part, layer) for layer in part.layers]
    means = [one.mean for one in given if one is not None]
    return f" ({sum(means):.0f} expected by chance)" if len(means) == len(given) else ""


def tables(inputs: Inputs) -> Iterator[Table]:
    """Yield the summary tables that can be made."""
    by_iou, by_clip = inputs.by("iou"), inputs.by("clip")
    if by_iou:
        yield _detectors(by_iou)
    for labellings, name in ((by_iou, "IoU"), (by_clip, "CLIP")):
        if labellings:
            yield _distinct(labellings, name)
        if len(labellings) > 1 and len(only(labellings)):
            yield _only(labellings, name)
    if inputs.checks:
        yield _agreement(inputs.checks)


def cards(inputs: Inputs) -> Iterator[Table]:
    """Yield what each run was made with, and below it what its numbers mean."""
    for source in dict.fromkeys(part.source for part in inputs.labellings):
        card = RunFolder(source).card() if source.is_dir() else None
        name = next(part.name for part in inputs.labellings if part.source == source)
        if card is None:
            rows = [["file", source.name], ["settings", "none: the file has no run card"]]
            yield Table(name, "", ["", ""], rows)
            continue
        rows = [[key, value] for key, value in _flat(card.get("settings", {}))]
        versions = card.get("host", {}).get("versions", {})
        rows += [[key, str(value)] for key, value in versions.items()]
        yield Table(f"{name}: settings", "", ["", ""], rows)
        rows = [[key, value] for key, value in card.get("definitions", {}).items()]
        yield Table(f"{name}: what the numbers mean", "", ["", ""], rows)


def _flat(settings: dict, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key} ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{above}{key}", shown


def _named(layer: str) -> str:
    return "" if layer == NO_LAYER else layer


def _detectors(labellings: Sequence[Labelling]) -> Table:
    table = pd.concat([detectors(part) for part in labellings])
    categories = ordered(c for c in table["category"] if c != ALL)
    told = any(_believed(part, layer) != _UNTOLD for part in labellings for layer in part.layers)
    rows = []
    for part in labellings:
        for layer in part.layers:
            here = table[(table["network"] == part.name) & (table["layer"] == layer)]
            here = here.set_index("category")
            total, units = here.loc[ALL], len(part.layer(layer))
            share = f"{total['detectors']} ({total['detectors'] / units:.0%})"
            row = [part.name, _named(layer), units, share]
            row += _believed(part, layer) if told else ()
            row += [total["unique_best"], total["unique_paper"] if part.categories else ""]
            row += [_cell(here.loc[c]) if c in here.index else "" for c in categories]
            rows.append([str(cell) for cell in row])
    columns = ["network", "layer", "units", "detectors", *(_BELIEVED if told else ())]
    columns += ["unique (best)", "unique (paper)"]
    return Table(
        "Detectors",
        "Units whose best IoU is above the threshold. By category: detectors (their different "
        "labels). best: different labels of detectors; paper: different labels within each "
        "category that pass, summed over categories." + (f" {_BELIEVED_NOTE}" if told else ""),
        [*columns, *categories],
        rows,
    )


_BELIEVED = ("expected by chance", "significant", "rotated basis")
_BELIEVED_NOTE = (
    "expected by chance: detectors when the maps lie over other images with labels of the same "
    "categories, mean ± sd; significant: detectors that are also above chance at a false discovery "
    "rate of 5% (of all units that are); rotated basis: detectors / unique (best) of random "
    "directions of the layer instead of its units, the mean of several."
)
_UNTOLD = [""] * len(_BELIEVED)


def _believed(part: Labelling, layer: str) -> list[str]:
    """Return the cells of `_BELIEVED`, empty where the run does not tell."""
    counts, given = part.counts.get(layer, {}), expected(part, layer)
    both, above = counts.get("significant_detectors"), counts.get("significant")
    turned = [one[1:] for one in rotated(part, layer)]
    means = np.mean(turned, axis=0) if turned else ()
    return [
        "" if given is None else captions.mean_and_sd(given),
        "" if both is None else f"{both}" + ("" if above is None else f" ({above})"),
        " / ".join(f"{mean:.4g}" for mean in means),
    ]


def _cell(row: pd.Series) -> str:
    return f"{row['detectors']} ({row['unique_best']})" if row["detectors"] else ""


def _distinct(labellings: Sequence[Labelling], name: str) -> Table:
    table = distinct(labellings).astype({"network": object})
    rows = [[str(v) for v in row] for row in table.itertuples(index=False)]
    words = {"concepts": "different concepts", "unique_best": "of detectors"}
    columns = [words.get(c, c) for c in table.columns]
    pairs = [(row[0], row[1]) for row in rows]
    rows = [[row[0], _named(row[1]), *row[2:]] for row in rows]
    note = "How many different concepts the units have, detectors or not."
    if name == "CLIP":
        note = "How many different names the units have."
        counts = {(p.name, layer): one for p in labellings for layer, one in p.counts.items()}
        found = [counts.get(pair, {}).get("descriptions_significant", "") for pair in pairs]
        if any(cell != "" for cell in found):
            note += (
                " significant: units whose name is above chance at a false discovery rate of 5%."
            )
            columns.append("significant")
            rows = [[*row, str(cell)] for row, cell in zip(rows, found, strict=True)]
    return Table(f"Different concepts ({name})", note, columns, rows)


def _only(labellings: Sequence[Labelling], name: str) -> Table:
    rows = []
    for (layer, network), part in only(labellings).groupby(["layer", "network"], sort=False):
        shown = part.head(_EXAMPLES)
        text = ", ".join(
            f"{c} ({n})" for c, n in zip(shown["concept"], shown["units"], strict=True)
        )
        more = f" and {len(part) - _EXAMPLES} more" if len(part) > _EXAMPLES else ""
        rows.append([network, _named(layer), str(len(part)), text + more])
    who = "detectors" if name == "IoU" else "units"
    return Table(
        f"Only here ({name})",
        f"Concepts that {who} of no other network have in that layer, and how many {who} have "
        "them.",
        ["network", "layer", "concepts", "the commonest"],
        rows,
    )


def _agreement(checks: Sequence[Findings]) -> Table:
    table = pd.concat([c.agreement.assign(network=c.network) for c in checks])
    table = table[table["group"] == "all"]
    cosines = [name for name in table["measure"].unique() if name.startswith("cosine_")]
    measures = [*(name for name in SHARES if name in set(table["measure"])), *cosines]
    rows = []
    for (network, layer), part in table.groupby(["network", "layer"], sort=False):
        cells = part.set_index("measure")
        shown = [_against(cells.loc[m], m) if m in cells.index else "" for m in measures]
        rows.append([network, _named(layer), f"{part['units'].iloc[0]:.0f}", *shown])
    return Table(
        "Do IoU and CLIP agree?",
        "In brackets the 95% interval that shuffled units give: what lies within it is chance.",
        ["network", "layer", "units", *(SHARES.get(m, m.replace("_", " ")) for m in measures)],
        rows,
    )


def _against(row: pd.Series, measure: str) -> str:
    if np.isnan(row["value"]):
        return ""
    form = "{:.2f}" if measure.startswith("cosine_") else "{:.0%}"
    value, low, high = (form.format(row[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
