"""Networks side by side: how many concepts each has, which, and which only one of them has.

Labels are compared as they are written; networks labelled from different concept lists differ for
that alone. Nothing here compares methods; see `dissection.crosscheck`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dissection.results import Labelling
from dissection.shards import atomic
from dissection.verdict import aligned

__all__ = ["Comparison", "compare", "detectors", "summary", "write"]

OVERALL = "all layers"
COMMON = "common layers"
"""Those that every network has, where some network has others too."""
ALL = "all"
MORE_THAN = 3
"""Concepts carried by more units than this have a table of their own, as the report's."""
EXAMPLES = 6
METHODS = {"iou": "IoU", "clip": "CLIP"}


class Comparison(NamedTuple):
    """Tables of two or more networks labelled by one method."""

    method: str
    networks: tuple[str, ...]
    more_than: int
    distinct: pd.DataFrame
    """network, layer, units, concepts: how many different labels."""
    concepts: pd.DataFrame
    """layer, concept, and for each network the number of units that carry it."""
    only: pd.DataFrame
    """layer, network, concept, units: of concepts that no other network has in that layer, in the
    common layers or, where all have the same layers, in all."""
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
        Two or more, by the same method, with different names. Beside each layer the tables have
        `OVERALL`, all layers that each network has; where these are not the same also `COMMON`.
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
    units = _with_overall(labellings)
    networks = tuple(labelling.name for labelling in labellings)
    method = methods.pop()
    concepts = _concepts(units, networks)
    return Comparison(
        method,
        networks,
        more_than,
        _distinct(units),
        concepts,
        _only(concepts, networks),
        pd.concat([detectors(part) for part in labellings], ignore_index=True)
        if method == "iou"
        else None,
    )


def _with_overall(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the units of all networks, and again under `OVERALL` and `COMMON`."""
    units = pd.concat([part.units.assign(network=part.name) for part in labellings])
    units = units[["network", "layer", "label"]]
    common = set.intersection(*(set(part.layers) for part in labellings))
    parts = [units, units.assign(layer=OVERALL)]
    if common and common != set(units["layer"]):
        parts.insert(1, units[units["layer"].isin(common)].assign(layer=COMMON))
    return pd.concat(parts, ignore_index=True)


def _distinct(units: pd.DataFrame) -> pd.DataFrame:
    groups = units.groupby(["network", "layer"], sort=False)["label"]
    table = groups.agg(units="size", concepts="nunique").reset_index()
    order = {name: place for place, name in enumerate(dict.fromkeys(units["network"]))}
    return table.sort_values(
        "network", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )


def _concepts(units: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    order = {name: place for place, name in enumerate(dict.fromkeys(units["layer"]))}
    order |= {COMMON: len(order), OVERALL: len(order) + 1}
    counts = units.groupby(["layer", "label", "network"]).size().unstack(fill_value=0)
    counts = counts[list(networks)].rename_axis(columns=None).reset_index()
    counts = counts.rename(columns={"label": "concept"})
    keys = counts.assign(place=counts["layer"].map(order), most=-counts[list(networks)].max(axis=1))
    keys = keys.sort_values(["place", "most", "concept"], kind="stable")
    return counts.loc[keys.index].reset_index(drop=True)


def _only(concepts: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    """Return the concepts of one network alone, in layers that at least two networks have."""
    counts = concepts[list(networks)]
    has = (counts > 0).groupby(concepts["layer"]).transform("any").sum(axis=1) > 1
    alone = has & ((counts > 0).sum(axis=1) == 1)
    if COMMON in set(concepts["layer"]):
        alone &= concepts["layer"] != OVERALL
    table = pd.DataFrame(
        {
            "layer": concepts["layer"],
            "network": counts.idxmax(axis=1),
            "concept": concepts["concept"],
            "units": counts.max(axis=1),
        }
    )
    return table[alone].reset_index(drop=True)


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


def write(found: Comparison, folder: str | Path) -> list[str]:
    """Write each table as <method>-<table>.csv and return the names of the files.

    Raises
    ------
    OSError
        If one cannot be written.
    """
    tables = {
        "distinct": found.distinct,
        "concepts": found.concepts,
        f"concepts-more-than-{found.more_than}": found.frequent,
        "only": found.only,
    }
    if found.detectors is not None:
        tables["detectors"] = found.detectors
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with atomic(Path(folder) / f"{found.method}-{name}.csv") as handle:
            table.to_csv(handle, index=False, lineterminator="\n")
    return [f"{found.method}-{name}.csv" for name in tables]


def summary(found: Comparison) -> str:
    """Return the counts side by side, and the concepts only one network has, as text."""
    lines = [f"{METHODS[found.method]} labels of {' and '.join(found.networks)}"]
    lines += ["", "different concepts (of units):", *aligned(_side_by_side(found))]
    lines += ["", f"concepts carried by more than {found.more_than} units of a network, by layer:"]
    lines += aligned(_frequent(found))
    lines += ["", "concepts that only one network has, in layers of several, and the commonest:"]
    lines += aligned(_alone(found))
    if found.detectors is not None:
        lines += ["", "detectors: unique by the best label / by the paper's rule:"]
        lines += aligned(_detector_rows(found))
    return "\n".join(lines)


def _layers(found: Comparison) -> list[str]:
    return list(dict.fromkeys(found.concepts["layer"]))


def _side_by_side(found: Comparison) -> list[list[str]]:
    cells = {
        (row.network, row.layer): f"{row.concepts} ({row.units})"
        for row in found.distinct.itertuples()
    }
    rows = [["layer", *found.networks]]
    for layer in _layers(found):
        rows.append([layer, *(cells.get((name, layer), "-") for name in found.networks)])
    return rows


def _frequent(found: Comparison) -> list[list[str]]:
    rows = [["layer", *found.networks]]
    for layer in _layers(found):
        here = found.frequent[found.frequent["layer"] == layer]
        row = [layer]
        for name in found.networks:
            most = here[here[name] > found.more_than].sort_values(
                name, ascending=False, kind="stable"
            )
            shown = zip(most["concept"].head(EXAMPLES), most[name].head(EXAMPLES), strict=True)
            row.append(f"{len(most)}: {_examples(shown)}" if len(most) else "-")
        rows.append(row)
    return rows


def _alone(found: Comparison) -> list[list[str]]:
    rows = [["layer", "network", "concepts", "commonest (units)"]]
    for (layer, network), part in found.only.groupby(["layer", "network"], sort=False):
        shown = zip(part["concept"].head(EXAMPLES), part["units"].head(EXAMPLES), strict=True)
        rows.append([layer, network, str(len(part)), _examples(shown)])
    return rows


def _examples(shown) -> str:
    return ", ".join(f"{concept} ({units})" for concept, units in shown)


def _detector_rows(found: Comparison) -> list[list[str]]:
    table = found.detectors
    categories = list(dict.fromkeys(table["category"]))
    categories = [*(name for name in categories if name != ALL), ALL]
    rows = [["network", "layer", *categories]]
    for (network, layer), part in table.groupby(["network", "layer"], sort=False):
        cells = {
            row.category: f"{row.detectors}: {row.unique_best} / {row.unique_paper}"
            for row in part.itertuples()
        }
        rows.append([network, layer, *(cells.get(name, "-") for name in categories)])
    return rows
