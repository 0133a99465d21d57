"""The label table: names, categories and pixel masses of the concepts of a probe set."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from broden.system.names import spaced

#: Name of number 0 (unlabelled) and of numbers that label.csv leaves out.
UNLABELLED = "-"


def spoken(name: str, category: str | None) -> str:
    """Return a label as people read it: the suffix that marks its category written out.

    Parameters
    ----------
    name : str
        As tables have it.
    category : str or None
        Of the label; a name of any other than scene and color has no such suffix.

    Examples
    --------
    >>> spoken("sea-s", "scene"), spoken("red-c", "color"), spoken("x-s", None)
    ('sea (scene)', 'red (colour)', 'x-s')
    """
    suffix, word = {"scene": ("-s", "scene"), "color": ("-c", "colour")}.get(
        category or "", ("", "")
    )
    if not suffix or not name.endswith(suffix):
        return name
    return f"{name.removesuffix(suffix)} ({word})"


def primary_categories(coverage: np.ndarray) -> np.ndarray:
    """Return the category in which each label has most coverage; a tie goes to the later one.

    Parameters
    ----------
    coverage : ndarray
        float (L, K), images' worth of pixels of each label in each category.

    Returns
    -------
    ndarray
        int64 (L), indices into the categories.

    Examples
    --------
    >>> primary_categories(np.array([[2.0, 1.0], [3.0, 3.0]])).tolist()
    [0, 1]
    """
    last = coverage.shape[1] - 1
    return (last - np.argmax(coverage[:, ::-1], axis=1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LabelTable:
    """What is known of each label number; every array is indexed by the number itself.

    Attributes
    ----------
    categories : tuple of str
        The K categories in the order of category.csv.
    names : tuple of str
        L names; number 0 and gaps are ``-``.
    synonyms : tuple of tuple of str
        L tuples of other names.
    known : ndarray
        bool (L), true for the numbers label.csv has; never for 0.
    primary : ndarray
        int64 (L), index of the category with most coverage (tie: the later).
    frequency, coverage : ndarray
        int64 and float64 (L, K) as in c_<category>.csv: images, and images' worth of pixels.
    pixels : ndarray
        int64 (L), pixels of the label grid each label covers in the set; a pixel counts once
        however many channels carry the label, a whole-image number covers the grid.
    """

    categories: tuple[str, ...]
    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    known: np.ndarray
    primary: np.ndarray
    frequency: np.ndarray
    coverage: np.ndarray
    pixels: np.ndarray

    @classmethod
    def from_rows(
        cls,
        categories: Sequence[str],
        numbers: Sequence[int] | np.ndarray,
        names: Sequence[str],
        synonyms: Sequence[Sequence[str]],
        frequency: np.ndarray,
        coverage: np.ndarray,
        pixels: np.ndarray | None = None,
    ) -> LabelTable:
        """Build the table from R rows of known labels; `frequency`, `coverage` are (R, K)."""
        number = np.asarray(numbers, np.int64)
        length = int(number.max()) + 1
        all_names: list[str] = [UNLABELLED] * length
        all_synonyms: list[tuple[str, ...]] = [()] * length
        for place, name, others in zip(number.tolist(), names, synonyms, strict=True):
            all_names[place], all_synonyms[place] = name, tuple(others)
        all_coverage = _spread(coverage, number, length, np.float64)
        mass = np.zeros(len(number), np.int64) if pixels is None else pixels
        return cls(
            categories=tuple(categories),
            names=tuple(all_names),
            synonyms=tuple(all_synonyms),
            known=_spread(np.ones(len(number), bool), number, length, bool),
            primary=primary_categories(all_coverage),
            frequency=_spread(frequency, number, length, np.int64),
            coverage=all_coverage,
            pixels=_spread(mass, number, length, np.int64),
        )

    def __len__(self) -> int:
        return len(self.names)

    def category(self, number: int) -> str:
        """Return the name of a label's primary category."""
        return self.categories[self.primary[number]]

    def display(self, number: int) -> str:
        """Return a label's name without the suffix that marks its category (``-s``, ``-c``)."""
        name, category = self.names[number], self.category(number)
        suffix = f"-{category[0]}"
        return name.removesuffix(suffix).rstrip() or name

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return the labels called `name`, compared without regard to case.

        A full name wins; else every label with that display name or synonym is returned.

        Raises
        ------
        ValueError
            When nothing is called so; the text lists the nearest names.
        """
        wanted = spaced(name).casefold()
        known = np.flatnonzero(self.known).tolist()
        exact = tuple(n for n in known if self.names[n].casefold() == wanted)
        if exact:
            return exact
        others = {n: {s.casefold() for s in (self.display(n), *self.synonyms[n])} for n in known}
        found = tuple(n for n in known if wanted in others[n])
        if found:
            return found
        words = sorted({self.names[n] for n in known}.union(*others.values()))
        near = difflib.get_close_matches(wanted, words, n=5, cutoff=0.5)
        hint = f"nearest are {', '.join(near)}" if near else "see info --labels for all names"
        raise ValueError(f"no label is called {name!r}; {hint}")


def _spread(rows: np.ndarray, numbers: np.ndarray, length: int, dtype: type) -> np.ndarray:
    """Return an array indexed by label number from one with a row for each known label."""
    out = np.zeros((length, *np.shape(rows)[1:]), dtype)
    out[numbers] = rows
    return out
