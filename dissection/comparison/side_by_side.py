"""Networks side by side: how many concepts each has, which, and which only one of them has.

Labels are compared as they are written; networks labelled from different concept lists differ for
that alone. Nothing here compares methods, see `dissection.crosscheck.check`; what is written
and printed is in `dissection.comparison.findings`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.results.labelling import OVERALL, Labelling

__all__ = [
    "Comparison",
    "carried",
    "compare",
    "detectors",
    "distinct",
    "layer_order",
    "only",
    "shared",
]

COMMON = "common layers"
"""Those that every network has, where these are several and some network has others too."""
ALL = "all"
MORE_THAN = 3
"""Concepts carried by more units than this have a table of their own, as the report's."""


class Comparison(NamedTuple):
    """Tables of two or more networks labelled by one method."""

    method: str
    networks: tuple[str, ...]
    more_than: int
    distinct: pd.DataFrame
    """From `distinct`."""
    concepts: pd.DataFrame
    """layer, concept, and for each network the number of units that carry it."""
    only: pd.DataFrame
    """From `only`."""
    shared: pd.DataFrame
    """From `shared`."""
    detectors: pd.DataFrame | None
    """From `detectors`, for iou."""

    @property
    def frequent(self) -> pd.DataFrame:
        """Rows of `concepts` that more than `more_than` units of some network carry."""
        carried = self.concepts[list(self.networks)].max(axis=1) > self.more_than
        return self.concepts[carried].reset_index(drop=True)


def compare(labellings: Sequence[Labelling], more_than: int = MORE_THAN) -> Comparison:
    """Compare which concepts networks have, layer by layer and over all their layers.

    Parameters
    ----------
    labellings : sequence of Labelling
        Two or more, by the same method, with different names.
    more_than : int
        See `Comparison.frequent`.

    Raises
    ------
    ValueError
        If there are fewer than two, or they are of different methods.
    """
    methods = {labelling.method for labelling in labellings}
    if len(labellings) < 2 or len(methods) > 1:
        raise ValueError(
            f"a comparison needs two or more networks labelled by one method, got "
            f"{len(labellings)} by {' and '.join(sorted(methods)) or 'none'}"
        )
    networks = tuple(labelling.name for labelling in labellings)
    method = methods.pop()
    return Comparison(
        method,
        networks,
        more_than,
        distinct(labellings),
        _side_by_side(carried(labellings), "units", networks),
        only(labellings),
        shared(labellings),
        pd.concat([detectors(part) for part in labellings], ignore_index=True)
        if method == "iou"
        else None,
    )


def carried(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return how many units of each network and layer carry each concept.

    Returns
    -------
    DataFrame
        layer, network, concept, category, units, detectors (0 for clip). Beside each layer there
        is `OVERALL`, all layers that each network has; where these are not the same also `COMMON`.
        The concepts that most units of some network carry come first.
    """
    units = _with_overall(labellings)
    keys = ["layer", "network", "concept"]
    table = units.groupby(keys, sort=False).agg(
        category=("category", "first"), units=("detector", "size"), detectors=("detector", "sum")
    )
    table = table.reset_index()
    most = -table.groupby(["layer", "concept"])["units"].transform("max")
    order = {name: place for place, name in enumerate(layer_order(labellings))}
    table = table.assign(place=table["layer"].map(order), most=most)
    table = table.sort_values(["place", "most", "concept"], kind="stable", ignore_index=True)
    return table.drop(columns=["place", "most"])


def _with_overall(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the units of all networks, and again under `OVERALL` and `COMMON`."""
    units = pd.concat([part.units.assign(network=part.name) for part in labellings])
    units = units[["network", "layer", "label", "category", "detector"]]
    units = units.rename(columns={"label": "concept"})
    common = set.intersection(*(set(part.layers) for part in labellings))
    parts = [units, units.assign(layer=OVERALL)]
    # one common layer has a row of its own already
    if len(common) > 1 and common != set(units["layer"]):
        parts.insert(1, units[units["layer"].isin(common)].assign(layer=COMMON))
    return pd.concat(parts, ignore_index=True)


def layer_order(labellings: Sequence[Labelling]) -> list[str]:
    """Return the layers as they come, and behind them what stands for several."""
    return [*dict.fromkeys(name for part in labellings for name in part.layers), COMMON, OVERALL]


def distinct(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return how many different concepts each network has in each layer and over several.

    Returns
    -------
    DataFrame
        network, layer, units, concepts: how many different labels the units have; of iou also
        detectors and unique_best: how many units are, and how many different labels these have.
    """
    units = _with_overall(labellings)
    by = ["network", "layer"]
    table = units.groupby(by, sort=False)["concept"].agg(units="size", concepts="nunique")
    if labellings[0].method == "iou":
        found = units[units["detector"]].groupby(by)["concept"]
        for column, counts in (("detectors", found.size()), ("unique_best", found.nunique())):
            table[column] = counts.reindex(table.index, fill_value=0)
    table = table.reset_index()
    order = {name: place for place, name in enumerate(dict.fromkeys(units["network"]))}
    return table.sort_values(
        "network", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )


def only(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the concepts of one network alone, in layers that at least two networks have.

    A network has a concept if a unit carries it; by iou if a detector does, for the best of all
    concepts of a unit that detects none is chance.

    Returns
    -------
    DataFrame
        layer, network, concept, category, units: how many (by iou, detectors) carry it. Behind
        the layers come the common layers or, where all have the same layers, all.
    """
    column = "detectors" if labellings[0].method == "iou" else "units"
    table = carried(labellings)
    shared = table.groupby("layer")["network"].nunique() > 1
    table = table[(table[column] > 0) & table["layer"].map(shared)]
    if len({frozenset(part.layers) for part in labellings}) > 1:
        table = table[table["layer"] != OVERALL]
    alone = table.groupby(["layer", "concept"])["network"].transform("size") == 1
    table = table.assign(units=table[column])[alone]
    place = {name: i for i, name in enumerate(dict.fromkeys(table["layer"]))}
    given = {part.name: i for i, part in enumerate(labellings)}
    order = {"place": table["layer"].map(place), "given": table["network"].map(given)}
    table = table.assign(**order, most=-table["units"])
    keys = ["place", "given", "most", "concept"]
    table = table.sort_values(keys, kind="stable", ignore_index=True)
    return table[["layer", "network", "concept", "category", "units"]]


def shared(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the concepts that several networks have, in layers that at least two networks have.

    Returns
    -------
    DataFrame
        layer, concept, category, networks: how many have it (as `only` says), and for each network
        the number of units (by iou, detectors) that carry it. Behind the layers come `COMMON`,
        where it is one, and `OVERALL`, all layers that each network has, whatever they are called.
        Concepts of more networks come first, then those that most units carry in the network with
        the fewest.
    """
    names = [part.name for part in labellings]
    column = "detectors" if labellings[0].method == "iou" else "units"
    long = carried(labellings)
    wide = _side_by_side(long, column, names)
    numbers = wide[names].to_numpy()
    have = (numbers > 0).sum(axis=1)
    keys = ["layer", "concept"]
    categories = long.drop_duplicates(keys)["category"].to_numpy()
    place = {name: number for number, name in enumerate(layer_order(labellings))}
    # the fewest of those that have it
    fewest = np.where(numbers > 0, numbers, numbers.max(initial=0)).min(axis=1)
    order = np.lexsort((-fewest, -have, wide["layer"].map(place).to_numpy()))
    wide.insert(2, "category", categories)
    wide.insert(3, "networks", have)
    return wide.iloc[order[have[order] > 1]].reset_index(drop=True)


def _side_by_side(table: pd.DataFrame, column: str, networks: Sequence[str]) -> pd.DataFrame:
    """Return a row a layer and concept of `carried`, a column a network."""
    keys = ["layer", "concept"]
    wide = table.set_index([*keys, "network"])[column].unstack(fill_value=0)
    wide = wide[list(networks)].rename_axis(columns=None)
    return wide.reindex(table[keys].drop_duplicates()).reset_index()


def detectors(labelling: Labelling) -> pd.DataFrame:
    """Return detectors and unique detectors of each layer and category, by both counting rules.

    Parameters
    ----------
    labelling : Labelling
        By IoU.

    Returns
    -------
    DataFrame
        network, layer, category (and ``all``); ``detectors`` and ``unique_best``: units whose best
        label is of the category and above the minimal IoU, and how many different labels;
        ``detectors_paper`` and ``unique_paper``: units whose best label *within* the category is
        above it, and how many different ones. For ``all``, unique_paper is the sum over categories
        (the published rule), where a unit may count in several, and detectors_paper counts a unit
        once.
    """
    rows = []
    for layer in labelling.layers:
        units = labelling.layer(layer)
        found = units[units["detector"]]
        within = {name: _within(units, name, labelling.min_iou) for name in labelling.categories}
        for category in labelling.categories:
            best, paper = found[found["category"] == category]["label"], within[category]
            rows.append((layer, category, len(best), best.nunique(), len(paper), paper.nunique()))
        anywhere = {unit for paper in within.values() for unit in paper.index}
        unique = sum(paper.nunique() for paper in within.values())
        rows.append((layer, ALL, len(found), found["label"].nunique(), len(anywhere), unique))
    columns = ["layer", "category", "detectors", "unique_best", "detectors_paper", "unique_paper"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "network", labelling.name)
    return table


def _within(units: pd.DataFrame, category: str, min_iou: float) -> pd.Series:
    """Return the labels of a category above the minimal IoU, by the row of the unit."""
    # A published tally names a category without any overlap with the empty label
    above = (units[f"{category}-score"] > min_iou) & (units[f"{category}-label"] != "")
    return units.loc[above, f"{category}-label"]
