"""The cross-check: whether IoU and CLIP give the same units the same labels, beyond chance.

Joins two labellings unit by unit and measures their agreement against shuffled units. The measures
are in `agreement`, the arithmetic of chance in `dissection.statistics.chance`, what is written in
`findings` and what is printed in `summary`.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dissection.crosscheck import agreement, naming
from dissection.crosscheck.caveats import notes
from dissection.crosscheck.meaning import Embed
from dissection.results import schema
from dissection.results.labelling import OVERALL, Labelling
from dissection.statistics.chance import NOTHING, Sums, added, against_chance, shuffles, sums

__all__ = ["OVERALL", "Crosscheck", "crosscheck", "matched", "pairs"]

GROUPS = ("all", "detectors")
CONFIDENT = 0.5
"""Lowest confidence of a confident unit."""
_FILES = (schema.SCORES, schema.CLIP)


class Crosscheck(NamedTuple):
    """What the comparison of two labellings found."""

    iou: Labelling
    clip: Labelling
    units: pd.DataFrame
    """One row a unit, disagreements of confident units first."""
    agreement: pd.DataFrame
    """One row a layer, group of units and measure; columns as in `chance.Chance`."""
    definitions: dict[str, str]
    """Of each measure."""
    left_out: dict[str, str]
    """Why other measures could not be taken."""
    settings: dict[str, Any]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the two labellings, from `caveats`."""
        return self.settings["notes"]


def pairs(
    by_iou: Iterable[Labelling], by_clip: Iterable[Labelling]
) -> list[tuple[Labelling, Labelling]]:
    """Return the labellings by IoU and by CLIP of one network that have layers in common."""
    return [
        (iou, clip)
        for iou, clip in itertools.product(by_iou, by_clip)
        if iou.same_network(clip) and set(iou.layers) & set(clip.layers)
    ]


def matched(iou: Labelling, clip: Labelling) -> list[str]:
    """Return the layers in which two labellings can be compared.

    Raises
    ------
    ValueError
        If they are of different networks, or have no layer or not the same units in common.
    """
    if not iou.same_network(clip):
        raise ValueError(
            f"{iou.source} is of the network {_identity(iou)} and {clip.source} of "
            f"{_identity(clip)}; a cross-check needs both labelings of one network"
        )
    layers = [layer for layer in iou.layers if layer in clip.layers]
    if not layers:
        raise ValueError(
            f"no layer is in both {iou.source} ({', '.join(iou.layers)}) and {clip.source} "
            f"({', '.join(clip.layers)}); run both methods with the same --layers"
        )
    for layer in layers:
        units, others = (side.layer(layer)["unit"] for side in (iou, clip))
        if not np.array_equal(units, others):
            raise ValueError(
                f"layer {layer} has {len(units)} units in {iou.source} and {len(others)} in "
                f"{clip.source}, or other numbers; are both of {iou.network}?"
            )
    return layers


def _identity(labelling: Labelling) -> str:
    digest = f" (digest {labelling.digest[:12]})" if labelling.digest else ""
    return f"{labelling.network}{digest}"


def crosscheck(
    iou: Labelling,
    clip: Labelling,
    *,
    embedders: Mapping[str, Embed] | None = None,
    synonyms: naming.Synonyms | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> Crosscheck:
    """Compare what IoU and CLIP say of the same units, each measure against shuffled units.

    Parameters
    ----------
    iou, clip : Labelling
        Of one network, with layers in common.
    embedders : mapping of str to Embed, optional
        Spaces of meaning by name, see `dissection.crosscheck.meaning`.
    synonyms : Synonyms, optional
        Of the probe set's labels, from `naming.synonyms_of`.
    permutations : int
        Shuffles P; memory grows with P times the units of a layer.
    seed : int
        Of the shuffles.

    Raises
    ------
    ValueError
        If the labellings do not match (`matched`), or there is nothing to shuffle.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    layers = matched(iou, clip)
    embedders = dict(embedders or {})
    sides = _Sides(iou, clip, embedders, synonyms or {}, _categories_of_labels(iou))
    results = [
        _check(sides, name, permutations, np.random.default_rng([seed, place]))
        for place, name in enumerate(layers)
    ]
    definitions = agreement.definitions(embedders)
    # one that a layer lacks, as where no name by CLIP has a category, is undefined there
    taken = {name for result in results for name in result.found["all"]}
    measures = [name for name in definitions if name in taken]
    reasons = {k: v for result in results for k, v in result.left_out.items() if k not in taken}
    return Crosscheck(
        iou,
        clip,
        _sorted(pd.concat([result.table for result in results], ignore_index=True)),
        _agreement(dict(zip(layers, results, strict=True)), measures),
        {name: definitions[name] for name in measures},
        reasons,
        {
            "permutations": permutations,
            "seed": seed,
            "synonyms": len(synonyms or {}),
            "notes": notes(iou, clip),
        },
    )


class _Sides(NamedTuple):
    """What is compared, and with what."""

    iou: Labelling
    clip: Labelling
    embedders: dict[str, Embed]
    synonyms: naming.Synonyms
    categories: dict[str, set[str]]


class _Checked(NamedTuple):
    """What was found in one layer."""

    table: pd.DataFrame
    found: dict[str, dict[str, Sums]]
    """Of each group of units and measure."""
    left_out: dict[str, str]


def _check(sides: _Sides, name: str, permutations: int, rng: np.random.Generator) -> _Checked:
    iou, clip = sides.iou.layer(name), sides.clip.layer(name)
    detector = iou["detector"].to_numpy(bool)
    groups = {"all": np.ones_like(detector), "detectors": detector}
    orders = {g: shuffles(int(c.sum()), permutations, rng) for g, c in groups.items()}
    table, left_out = _unit_rows(iou, clip), {}
    found: dict[str, dict[str, Sums]] = {group: {} for group in groups}
    for measure, matrix in _measures(sides, name, iou, clip):
        if isinstance(matrix, str):
            left_out[measure] = matrix
            continue
        table[measure] = np.diagonal(matrix)
        for group, chosen in groups.items():
            found[group][measure] = sums(matrix, chosen, orders[group])
    return _Checked(table, found, left_out)


def _unit_rows(iou: pd.DataFrame, clip: pd.DataFrame) -> pd.DataFrame:
    shares = [side["score"].rank(method="max", pct=True).fillna(0) for side in (iou, clip)]
    confidence = np.minimum(*shares)
    columns = {
        "iou_label": iou["label"],
        "clip_label": clip["label"],
        "iou": iou["score"],
        "similarity": clip["score"],
        "category": iou["category"],
        "detector": iou["detector"],
        "confidence": confidence,
        "confident": iou["detector"] & (confidence >= CONFIDENT),
    }
    return iou[["layer", "unit"]].assign(**columns)


def _measures(
    sides: _Sides, name: str, iou: pd.DataFrame, clip: pd.DataFrame
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yield the name of each measure and its matrix, or why there is none."""
    ours, theirs = iou["label"].tolist(), clip["label"].tolist()
    yield "exact_bare", agreement.exact_bare(ours, theirs)
    yield "exact", agreement.exact(ours, theirs, sides.synonyms)
    known = agreement.same_category(iou["category"].tolist(), theirs, sides.categories)
    none = "no label by CLIP is one of the probe set's labels"
    yield "same_category", none if np.isnan(known).all() else known
    for space, embed in sides.embedders.items():
        yield f"cosine_{space}", agreement.cosine(ours, theirs, embed)
    first, second = (_scored(side, name) for side in (sides.iou, sides.clip))
    needed = "whole score vectors are needed"
    if first is None:
        yield "clip_label_in_iou_top5", f"{needed} ({_FILES[0]} of a run)"
    else:
        matrix = agreement.in_top(theirs, first.values, first.concepts, sides.synonyms)
        yield "clip_label_in_iou_top5", matrix.T
    if second is None:
        yield "iou_label_in_clip_top5", f"{needed} ({_FILES[1]} of a run)"
    else:
        matrix = agreement.in_top(ours, second.values, second.concepts, sides.synonyms)
        yield "iou_label_in_clip_top5", matrix
    if first is None or second is None:
        for measure in (*agreement.RANKS, "spearman"):
            yield measure, f"{needed} ({' and '.join(_FILES)})"
    else:
        yield from _on_shared_vocabulary(first, second, ours, theirs)


class _Scored(NamedTuple):
    """All scores of a layer by one labeler."""

    values: np.ndarray
    """(U, M)."""
    concepts: tuple[str, ...]


def _on_shared_vocabulary(
    first: _Scored, second: _Scored, ours: list[str], theirs: list[str]
) -> Iterator[tuple[str, np.ndarray | str]]:
    both = agreement.shared(first.values, first.concepts, second.values, second.concepts)
    if both is None:
        reason = "CLIP's concepts are not all labels of the probe set; use --concepts broden"
        yield from ((name, reason) for name in (*agreement.RANKS, "spearman"))
        return
    yield agreement.RANKS[0], agreement.rank(both.place(ours), both.second)
    yield agreement.RANKS[1], agreement.rank(both.place(theirs), both.first).T
    yield "spearman", agreement.spearman(both.first, both.second)


def _scored(side: Labelling, name: str) -> _Scored | None:
    if side.scores is None:
        return None
    found = side.scores.layer(name, len(side.layer(name)))
    return _Scored(found, side.scores.concepts)


def _categories_of_labels(iou: Labelling) -> dict[str, set[str]]:
    """Return the categories of the probe set's labels, of all that the labelling tells of."""
    pairs = list(zip(iou.units["label"], iou.units["category"], strict=True))
    if iou.scores is not None:
        pairs += zip(iou.scores.concepts, iou.scores.categories or (), strict=True)
    for category in iou.categories:
        pairs += [(label, category) for label in iou.units[f"{category}-label"].unique()]
    found: dict[str, set[str]] = {}
    for label, category in pairs:
        found.setdefault(naming.bare(label), set()).add(category)
    return found


def _agreement(results: dict[str, _Checked], measures: list[str]) -> pd.DataFrame:
    rows = []
    for layer in (*results, OVERALL):
        parts = [results[layer]] if layer in results else list(results.values())
        for group in GROUPS:
            for measure in measures:
                found = [part.found[group] for part in parts if measure in part.found[group]]
                total = added([sums_of[measure] for sums_of in found]) if found else NOTHING
                numbers = against_chance(total, measure not in agreement.RANKS)._asdict()
                rows.append({"layer": layer, "group": group, "measure": measure, **numbers})
    return pd.DataFrame(rows)


def _sorted(units: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order that `findings.ORDER` tells."""
    first = np.where(units["exact"], 2, np.where(units["confident"], 0, 1))
    cosines = [name for name in units if name.startswith("cosine_")][:1]
    keys = units.assign(first=first, doubt=-units["confidence"])
    keys = keys.sort_values(["first", *cosines, "doubt"], kind="stable")
    return units.loc[keys.index].reset_index(drop=True)
