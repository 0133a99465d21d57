"""When two names mean the same concept: spelling, suffixes of categories, plurals, synonyms."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from broden.labels import LabelTable

__all__ = ["Synonyms", "agreement", "bare", "normal", "singular", "spoken", "synonyms_of"]

Synonyms = Mapping[str, frozenset[str]]
"""From the normal form of a name to those of its synonyms."""

_IRREGULAR = {
    **{"people": "person", "men": "man", "women": "woman", "children": "child"},
    **{"feet": "foot", "teeth": "tooth", "geese": "goose", "mice": "mouse"},
    **{"shelves": "shelf", "bookshelves": "bookshelf", "leaves": "leaf", "knives": "knife"},
    **{"wolves": "wolf", "calves": "calf", "loaves": "loaf", "scarves": "scarf", "hooves": "hoof"},
    **{
        "buses": "bus",
        "gases": "gas",
        "lenses": "lens",
        "canvases": "canvas",
        "campuses": "campus",
    },
    **{name: name for name in ("lens", "canvas", "series", "species", "atlas", "christmas")},
}
# Plurals of words in -ie and -oe, which the rules for -y and -o would maim
_KEEP_E = {"movies", "cookies", "brownies", "hoodies", "calories", "shoes", "horseshoes", "canoes"}
_KEEP_E |= {"tiptoes", "mistletoes", "floes"}


def bare(name: str) -> str:
    """Return a name without case, underscores and the suffix ``-s`` or ``-c``, and nothing else.

    The suffixes mark scenes and colours in Broden. The published agreement of NetDissect and
    CLIP-Dissect was counted so.

    Examples
    --------
    >>> bare("Dining_room-s")
    'dining room'
    """
    return " ".join(re.sub(r"-[sc]$", "", name.strip().casefold()).replace("_", " ").split())


def spoken(name: str) -> str:
    """Return a name as one would say it, for a text encoder: `bare`, hyphens as spaces.

    Examples
    --------
    >>> spoken("labyrinth-indoor-s")
    'labyrinth indoor'
    """
    return " ".join(bare(name).replace("-", " ").split())


def singular(word: str) -> str:
    """Return the singular of an English word by simple rules and a short list of exceptions.

    Examples
    --------
    >>> [singular(word) for word in ("benches", "cities", "grass", "horses")]
    ['bench', 'city', 'grass', 'horse']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word not in _KEEP_E and len(word) > 4:
        if word.endswith("ies"):
            return f"{word[:-3]}y"
        if word.endswith(("sses", "shes", "ches", "xes", "oes")):
            return word[:-2]
    return word[:-1]


def normal(name: str) -> str:
    """Return the form in which names are compared: `spoken`, the last word in the singular.

    Examples
    --------
    >>> normal("Swimming_Pools"), normal("swimming-pool-s")
    ('swimming pool', 'swimming pool')
    """
    *words, last = spoken(name).split() or [""]
    return " ".join([*words, singular(last)])


def synonyms_of(labels: LabelTable) -> dict[str, frozenset[str]]:
    """Return the synonyms that a probe set lists, all in normal form.

    Parameters
    ----------
    labels : LabelTable
        Of the probe set. Labels whose names have the same normal form share their synonyms.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name, others in zip(labels.names, labels.synonyms, strict=True):
        found[normal(name)] |= {normal(other) for other in others}
    return {name: frozenset(others - {name}) for name, others in found.items() if others - {name}}


def agreement(
    first: Sequence[str], second: Sequence[str], synonyms: Synonyms | None = None
) -> np.ndarray:
    """Return which names mean the same, as (A, B) bool.

    Two names do if they have the same normal form, or one has that of a synonym of the other. A
    name with commas lists synonyms itself, as ImageNet's classes do.

    Parameters
    ----------
    first, second : sequence of str
        A and B names.
    synonyms : Synonyms, optional
        Of either side's names, from `synonyms_of`.

    Examples
    --------
    >>> agreement(["crawfish", "cars"], ["crayfish, crawfish, crawdad", "Car"]).tolist()
    [[True, False], [False, True]]
    """
    synonyms = synonyms or {}
    return _reached(first, second, synonyms) | _reached(second, first, synonyms).T


def _reached(first: Sequence[str], second: Sequence[str], synonyms: Synonyms) -> np.ndarray:
    """Return where a form of the first name or a synonym of it is a form of the second."""
    places = defaultdict(list)
    for place, name in enumerate(second):
        for form in _forms(name):
            places[form].append(place)
    matrix = np.zeros((len(first), len(second)), bool)
    for row, name in zip(matrix, first, strict=True):
        forms = _forms(name)
        for form in forms.union(*(synonyms.get(form, ()) for form in forms)):
            row[places.get(form, [])] = True
    return matrix


def _forms(name: str) -> set[str]:
    return {normal(part) for part in name.split(",")} - {""}
