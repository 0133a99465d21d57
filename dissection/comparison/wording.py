"""Words for the tables of a comparison: each function makes one sentence or a few of one table."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from broden.labels import spoken
from dissection.comparison.side_by_side import ALL, COMMON
from dissection.results.labelling import METHOD_NAMES, OVERALL, Labelling

__all__ = [
    "COUNT",
    "COUNTS",
    "Count",
    "agreed",
    "alone",
    "by_layer",
    "depth",
    "in_common",
    "more",
    "other_counts",
    "overall",
]

NAMED, LONGEST = 6, 48
"""Names or layers that a sentence lists, and characters of each; the table has the rest."""


class Count(NamedTuple):
    """One way of counting concepts."""

    one: str
    many: str
    meaning: str

    def of(self, number: int) -> str:
        """Return a number with what is counted.

        Examples
        --------
        >>> COUNTS["unique_best"].of(1), COUNTS["unique_best"].of(1204)
        ('1 unique detector', '1,204 unique detectors')
        """
        return f"{number:,} {self.one if number == 1 else self.many}"


COUNTS = {
    "unique_best": Count(
        "unique detector", "unique detectors", "different labels that are the best of a unit"
    ),
    "detectors": Count("detector", "detectors", "units whose best label is above the least IoU"),
    "concepts": Count("label", "labels", "different best labels of all units"),
    "unique_paper": Count(
        "unique detector by the paper's rule",
        "unique detectors by the paper's rule",
        "different labels above the least IoU in each category, summed over categories and layers",
    ),
}
"""By the column that has it."""

COUNT = {"iou": "unique_best", "clip": "concepts"}
"""The count that sentences mean where they say no other, by method."""


def overall(parts: Sequence[Labelling], counts: pd.DataFrame, count: Count) -> str:
    """Say how many concepts each network has over its layers, the one with most first."""
    column = COUNT[parts[0].method]
    found = counts[counts["layer"] == OVERALL].set_index("network")
    most = sorted(parts, key=lambda part: -found.loc[part.name, column])
    said = [
        f"{_short(one.name)} has {count.of(int(found.loc[one.name, column]))} "
        f"(of {found.loc[one.name, 'units']:,} units)"
        for one in most
    ]
    method = METHOD_NAMES[parts[0].method]
    above = dict.fromkeys(f"{part.min_iou:g}" for part in parts)
    rule = f" with an IoU above {' or '.join(above)}" if parts[0].method == "iou" else ""
    return f"By {method}, {_listed(said, 'networks')}: {count.meaning}{rule}, over {_where(parts)}."


def _where(parts: Sequence[Labelling]) -> str:
    """Say over which layers the units were taken together."""
    layers = {tuple(part.layers) for part in parts}
    if len(layers) > 1:
        return "all layers of each"
    (names,) = layers
    return "its one layer" if len(names) == 1 else f"{len(names)} layers"


def by_layer(parts: Sequence[Labelling], counts: pd.DataFrame, count: Count) -> list[str]:
    """Say how many each network with several layers has in each."""
    column = COUNT[parts[0].method]
    said = []
    for part in parts:
        found = counts[counts["network"] == part.name].set_index("layer")[column]
        if len(part.layers) > 1:
            each = [f"{found[layer]:,} in {_short(layer)}" for layer in part.layers]
            said.append(f"{_short(part.name)} by layer: {_listed(each, 'layers')}")
    return [f"{'; '.join(said[:NAMED])} ({count.many})."] if said else []


def other_counts(
    parts: Sequence[Labelling], counts: pd.DataFrame, by_category: pd.DataFrame
) -> str:
    """Say what the counts besides `COUNT` give."""
    found = counts[counts["layer"] == OVERALL].set_index("network")
    every = by_category[by_category["category"] == ALL]
    paper = every.groupby("network")["unique_paper"].sum()
    said = []
    for name in (part.name for part in parts):
        numbers = found.loc[name, "detectors"], found.loc[name, "concepts"], paper[name]
        each = zip(("detectors", "concepts", "unique_paper"), numbers, strict=True)
        said.append(f"{_short(name)} has {_and([COUNTS[c].of(int(n)) for c, n in each])}")
    rest = len(said) - NAMED
    tail = f"; and {rest:,} more networks" if rest > 0 else ""
    return f"By the other counts, {'; '.join(said[:NAMED])}{tail}."


def in_common(parts: Sequence[Labelling], table: pd.DataFrame) -> list[str]:
    """Return how many concepts networks share, and which most units carry."""
    whole = table[table["layer"] == OVERALL]
    if whole.empty:
        return [f"No concept is shared by {'both' if len(parts) == 2 else 'two'} networks."]
    everywhere = whole[whole["networks"] == len(parts)]
    names = [part.name for part in parts]
    if len(parts) == 2:
        text = f"{_and([_short(name) for name in names])} share {_concepts(len(everywhere))}"
    else:
        text = (
            f"{_concepts(len(everywhere))} of all {len(parts)} networks, and "
            f"{len(whole) - len(everywhere):,} more of two or more of them, are shared"
        )
    shown = everywhere if len(everywhere) else whole
    units = "detectors" if parts[0].method == "iou" else "units"
    each = [
        f"{_concept(row['concept'], row['category'])} ({_numbers([row[name] for name in names])})"
        for _, row in shown.head(NAMED).iterrows()
    ]
    said = [f"{text}; the commonest, by {units}: {_and(each)}."]
    by_layer = table[~table["layer"].isin([OVERALL, COMMON])]
    layers = by_layer.groupby("layer", sort=False).size()
    if len(layers) > 1:
        each = [f"{number:,} in {_short(layer)}" for layer, number in layers.items()]
        said.append(f"Shared within one layer: {_listed(each, 'layers')}.")
    return said


def _numbers(units: Sequence[int]) -> str:
    if len(units) > 3:
        return f"{min(units):,} to {max(units):,}"
    return _and([f"{number:,}" for number in units])


def depth(parts: Sequence[Labelling], table: pd.DataFrame) -> list[str]:
    """Return what changes between the first and the last layer of each network."""
    said = []
    for part in parts[:NAMED]:
        if len(part.layers) < 2:
            continue
        first, last = part.layers[0], part.layers[-1]
        mine = table[table["network"] == part.name]
        before, after = (
            mine[mine["layer"] == layer].set_index("category") for layer in (first, last)
        )
        n = [int(one.loc[ALL, "unique_best"]) for one in (before, after)]
        text = (
            f"From {_short(first)} to {_short(last)}, {_short(part.name)} goes from "
            f"{n[0]:,} to {COUNTS['unique_best'].of(n[1])}"
        )
        said.append("; ".join([text, *_categories(before, after)]) + ".")
    return said


def _categories(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return the categories whose share of the detectors rises and falls most."""
    counts = [one["detectors"] for one in (before, after)]
    if not all(one[ALL] for one in counts):
        return []
    shares = [one.drop(ALL) / one[ALL] for one in counts]
    change = (shares[1] - shares[0]).sort_values(kind="stable")
    picked = {"rises": change.index[-1], "falls": change.index[0]}
    return [
        f"the share of {name} among detectors {way} from {shares[0][name]:.0%} "
        f"({counts[0][name]:,} of {counts[0][ALL]:,}) to {shares[1][name]:.0%} "
        f"({counts[1][name]:,} of {counts[1][ALL]:,})"
        for way, name in picked.items()
        if (change[name] > 0) == (way == "rises") and change[name] != 0
    ]


def alone(parts: Sequence[Labelling], table: pd.DataFrame) -> list[str]:
    """Return how many concepts each network has alone, and which most units carry."""
    layers = [name for part in parts for name in part.layers]
    if len(set(layers)) == len(layers):
        return ["The networks have no layer in common in which to look for what only one has."]
    if table.empty:
        return ["No network has a concept that the others lack in a layer of several."]
    # the most comprehensive of what can be compared
    layer = table["layer"].iloc[-1]
    here = table[table["layer"] == layer]
    said = []
    for part in parts[:NAMED]:
        mine = here[here["network"] == part.name]
        each = [f"{_concept(r.concept, r.category)} ({r.units:,})" for r in mine.itertuples()]
        which = f": {_listed(each, '')}" if each else ""
        where = "" if layer == OVERALL else f" in {_short(layer)}"
        said.append(f"Only {_short(part.name)} has {_concepts(len(mine))}{where}{which}.")
    return said


def more(parts: Sequence[Labelling], counts: pd.DataFrame, apart: pd.DataFrame) -> list[str]:
    """Return which network has more, with interval and twins where runs stored them."""
    names = {part.name for part in parts}
    found = apart[
        (apart["count"] == "unique detectors")
        & (apart["network"] != apart["other_network"])
        & apart["network"].isin(names)
    ]
    if len(found):
        return [f"{text[0].upper()}{text[1:]}." for text in found["sentence"].head(NAMED)]
    whole = counts[counts["layer"] == OVERALL].set_index("network")["unique_best"]
    whole = whole.sort_values(ascending=False, kind="stable")
    first, second = whole.index[:2]
    more = int(whole.iloc[0] - whole.iloc[1])
    said = f"as many as {_short(second)}"
    if more:
        said = f"{more:,} more than {_short(second)}"
    return [
        f"{_short(first)} has {COUNTS['unique_best'].of(int(whole.iloc[0]))}, {said}; whether "
        "other images would change that is not known: the runs stored no counts by groups of "
        "images in a layer of both."
    ]


def agreed(name: str, table: pd.DataFrame) -> list[str]:
    """Say whether the labelers give the same names more often than shuffled units."""
    rows = table[(table["group"] == "all") & (table["measure"] == "exact")]
    if (rows["layer"] == OVERALL).any():
        rows = rows[rows["layer"] == OVERALL]
    if rows.empty or np.isnan(rows.iloc[0]["value"]):
        return []
    row = rows.iloc[0]
    verdict = "within what chance gives"
    if not row["low"] <= row["value"] <= row["high"]:
        verdict = "more than chance" if row["value"] > row["high"] else "less than chance"
    text = (
        f"IoU and CLIP give {row['value']:.1%} of {int(row['units']):,} units of {_short(name)} "
        f"the same name, {verdict}: shuffled units {row['chance']:.1%}, 95% of shuffles "
        f"{row['low']:.1%} to {row['high']:.1%}."
    )
    return [text]


def _concepts(number: int) -> str:
    return f"{number:,} concept{'' if number == 1 else 's'}"


def _concept(name: str, category: object) -> str:
    return _short(spoken(name, category if isinstance(category, str) else None))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _and(names: Sequence[str]) -> str:
    """Return names joined by commas and a last "and"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _listed(names: Sequence[str], what: str) -> str:
    """Return names as `_and`; of many the first ones and how many more of what there are."""
    if len(names) <= NAMED:
        return _and(names)
    return _and([*names[: NAMED - 1], f"{len(names) - NAMED + 1:,} more {what}".rstrip()])
