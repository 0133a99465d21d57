"""How two labelers' labels of one layer agree: each measure a matrix of units by units.

Entry (u, v) compares the first labeler's label of unit u with the second's of unit v, so the
diagonal is agreement and the rest tells what chance gives (`dissection.statistics.chance`). Pure
functions.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.crosscheck import naming
from dissection.crosscheck.meaning import Embed

__all__ = [
    "RANKS",
    "TOP",
    "Vocabulary",
    "cosine",
    "definitions",
    "exact",
    "exact_bare",
    "in_top",
    "rank",
    "same_category",
    "shared",
    "spearman",
]

TOP = 5
"""Concepts in a top list."""

RANKS = ("rank_of_iou_label", "rank_of_clip_label")
"""Measures that are the better the lower they are."""

_DEFINITIONS = {
    "exact_bare": "share of units whose labels are the same but for case, underscores and the "
    "suffixes -s and -c",
    "exact": "share of units whose labels are the same also but for hyphens, plurals and synonyms: "
    "a description's own, separated by commas, and those the probe set lists where given",
    "iou_label_in_clip_top5": "share of units whose label by IoU is one of the five best by CLIP, "
    "names compared as in exact",
    "clip_label_in_iou_top5": "share of units whose label by CLIP is one of the five best by IoU",
    "same_category": "share of units whose label by CLIP has the category of their label by IoU, "
    "over the units whose label by CLIP is one of the probe set's",
    "rank_of_iou_label": "mean rank of the label by IoU among CLIP's concepts, 1 is the best",
    "rank_of_clip_label": "mean rank of the label by CLIP among the same concepts ordered by IoU",
    "spearman": "mean over units of the rank correlation of all concepts' scores",
}
_COSINE = "mean cosine of the two labels in the space of meaning {}"


def definitions(spaces: Iterable[str] = ()) -> dict[str, str]:
    """Return in words what each measure is, those in spaces of meaning included.

    Parameters
    ----------
    spaces : iterable of str
        Names of the spaces; their measures are called ``cosine_<space>``.
    """
    return _DEFINITIONS | {f"cosine_{space}": _COSINE.format(space) for space in spaces}


def exact_bare(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Return where names are the same but for `naming.bare`, as (U, U) bool.

    Parameters
    ----------
    first, second : sequence of str
        The labels of U units by either labeler.
    """
    code, _ = pd.factorize(np.array([naming.bare(name) for name in (*first, *second)], object))
    return code[: len(first), None] == code[len(first) :]


def exact(
    first: Sequence[str], second: Sequence[str], synonyms: naming.Synonyms | None = None
) -> np.ndarray:
    """Return where names mean the same by `naming.agreement`, as (U, U) bool."""
    names, row = _distinct(first)
    others, column = _distinct(second)
    return naming.agreement(names, others, synonyms)[np.ix_(row, column)]


def in_top(
    labels: Sequence[str],
    scores: np.ndarray,
    concepts: Sequence[str],
    synonyms: naming.Synonyms | None = None,
) -> np.ndarray:
    """Return where a label is among the best `TOP` concepts of a unit, as (U, U) bool.

    Parameters
    ----------
    labels : sequence of str
        Of U units, by one labeler.
    scores : ndarray
        (U, M) by the other.
    concepts : sequence of str
        M names.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    used, place = np.unique(best, return_inverse=True)
    names, row = _distinct(labels)
    same = naming.agreement(names, [concepts[i] for i in used], synonyms)[row]
    return np.logical_or.reduce([same[:, column] for column in place.reshape(best.shape).T])


def same_category(
    categories: Sequence[str], labels: Sequence[str], known: Mapping[str, Collection[str]]
) -> np.ndarray:
    """Return where a label has a category, as (U, U): 1, 0, or NaN if its categories are unknown.

    Parameters
    ----------
    categories : sequence of str
        Of the U units' labels by the first labeler.
    labels : sequence of str
        Of the U units, by the second.
    known : mapping
        From a name as `naming.bare` gives it to the categories that label it.
    """
    names, column = _distinct(categories)
    others = [known.get(naming.bare(label), ()) for label in labels]
    table = np.array([[name in other if other else np.nan for name in names] for other in others])
    return table.astype(float)[:, column].T


def cosine(first: Sequence[str], second: Sequence[str], embed: Embed) -> np.ndarray:
    """Return the cosines of labels in a space of meaning, as (U, U) float in [-1, 1]."""
    names, row = _distinct(first)
    others, column = _distinct(second)
    vectors = np.asarray(embed([*names, *others]))
    return (vectors[: len(names)] @ vectors[len(names) :].T)[np.ix_(row, column)]


class Vocabulary(NamedTuple):
    """Concepts that both labelers score, with both scores of U units."""

    concepts: tuple[str, ...]
    """M names as `naming.bare` gives them."""
    first: np.ndarray
    """(U, M) ranks by the first labeler, 1 the best; mean rank where scores are equal."""
    second: np.ndarray
    """(U, M) ranks by the second."""

    def place(self, labels: Sequence[str]) -> np.ndarray:
        """Return where labels are among the concepts, (U,) int64; -1 where they are not."""
        places = {name: place for place, name in enumerate(self.concepts)}
        return np.array([places.get(naming.bare(label), -1) for label in labels], np.int64)


def shared(
    first: np.ndarray,
    first_concepts: Sequence[str],
    second: np.ndarray,
    second_concepts: Sequence[str],
) -> Vocabulary | None:
    """Return both rankings of the second labeler's concepts, or None if the first lacks one.

    Concepts of one labeler that differ only in their suffix (the object and the scene of the same
    name) are one here, with the best of their scores.

    Parameters
    ----------
    first, second : ndarray
        (U, L) and (U, M') scores, higher is better.
    first_concepts, second_concepts : sequence of str
        Their names.
    """
    names = [[naming.bare(name) for name in part] for part in (first_concepts, second_concepts)]
    concepts = sorted(set(names[1]))
    if len(concepts) < 2 or not set(concepts) <= set(names[0]):
        return None
    ranks = [
        pd.DataFrame(_best(scores, of, concepts)).rank(axis=1, ascending=False).to_numpy()
        for scores, of in zip((first, second), names, strict=True)
    ]
    return Vocabulary(tuple(concepts), *ranks)


def _best(scores: np.ndarray, names: Sequence[str], concepts: Sequence[str]) -> np.ndarray:
    """Return the highest score (U, M) of each concept over the columns of that name."""
    place = {name: column for column, name in enumerate(concepts)}
    of = np.array([place.get(name, -1) for name in names])
    order = np.argsort(of, kind="stable")
    order = order[of[order] >= 0]
    starts = np.searchsorted(of[order], np.arange(len(concepts)))
    return np.maximum.reduceat(scores[:, order], starts, axis=1)


def rank(place: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the rank of the label of unit u in the other's ordering for unit v, (U, U) float.

    Parameters
    ----------
    place : ndarray
        (U,) from `Vocabulary.place`; NaN is returned for -1.
    ranks : ndarray
        (U, M) of the other labeler.
    """
    found = ranks[:, np.maximum(place, 0)].T
    return np.where(place[:, None] >= 0, found, np.nan)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of all pairs of units, (U, U) float in [-1, 1].

    It is Pearson's correlation of the ranks, ties having their mean rank (Spearman 1904); NaN where
    a unit scores all concepts the same.

    Parameters
    ----------
    first, second : ndarray
        (U, M) ranks.

    Examples
    --------
    >>> spearman(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])).round(2).tolist()
    [[0.5]]
    """
    parts = []
    for ranks in (first, second):
        centred = ranks - ranks.mean(1, keepdims=True)
        length = np.sqrt((centred**2).sum(1, keepdims=True))
        parts.append(centred / np.where(length > 0, length, np.nan))
    return parts[0] @ parts[1].T


def _distinct(names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    code, found = pd.factorize(np.array(names, object))
    return found.tolist(), code
