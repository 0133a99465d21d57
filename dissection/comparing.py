"""Compare results: the labels of two methods with each other, networks with each other.

Labellings by IoU and by CLIP of one network are cross-checked; several networks labelled by one
method are set side by side; of a network alone its own concepts are counted.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from broden.mini import located
from broden.reader import ProbeSet
from broden.system.files import file_name, inside, sweep
from dissection.comparison import findings as comparison
from dissection.comparison import published_counts
from dissection.comparison.differences import differences, text
from dissection.comparison.sentences import Sentence, sentences
from dissection.comparison.side_by_side import MORE_THAN, Comparison, distinct
from dissection.comparison.side_by_side import compare as side_by_side
from dissection.config import LABELERS
from dissection.crosscheck import findings as crosschecks
from dissection.crosscheck.check import Crosscheck, crosscheck, matched, pairs
from dissection.crosscheck.meaning import SENTENCES, Embed, clip_space, sentence_space
from dissection.crosscheck.naming import Synonyms, synonyms_of
from dissection.crosscheck.summary import summary as crosscheck_summary
from dissection.results import caveats
from dissection.results.dissection import Dissection, paths_of
from dissection.results.formats import check as check_formats
from dissection.results.labelling import Labelling
from dissection.results.reading import read_all

__all__ = ["DEFAULT_ENCODER", "NO_ENCODER", "Compared", "compare"]

DEFAULT_ENCODER, NO_ENCODER = "mini", "none"


class Compared(NamedTuple):
    """What results say when they are laid side by side."""

    comparisons: dict[str, Comparison]
    """By method, where it labelled several networks."""
    crosschecks: list[Crosscheck]
    """Of each network that two methods labelled."""
    alone: list[Labelling]
    """Of the methods that labelled one network."""
    notes: list[str]
    """What could not be done and why, and what was guessed of names, a line each."""
    caveats: list[str]
    """What to know before the numbers: in what the runs differ, and what each warns of."""
    differences: pd.DataFrame
    """By how many detectors networks and layers differ, see `comparison.differences`; no row where
    no run stored its counts by groups of images."""
    sentences: list[Sentence]
    """What was found in words, as the report says it too."""
    published: pd.DataFrame | None = None
    """The counts beside published ones, see `comparison.published_counts.beside`."""

    @property
    def distinct(self) -> pd.DataFrame:
        """How many different concepts each network has, by method and layer."""
        tables = {name: one.distinct for name, one in self.comparisons.items()}
        tables |= {one.method: distinct([one]) for one in self.alone}
        parts = [table.assign(method=name) for name, table in tables.items()]
        return pd.concat(parts, ignore_index=True)

    def write(
        self, folder: str | Path, *, spreadsheet: bool = False, formats: Collection[str] = ()
    ) -> None:
        """Write all tables into a directory, each complete or not at all.

        Several cross-checks have a folder each.

        Parameters
        ----------
        folder : str or Path
            Made if it is missing.
        spreadsheet : bool
            Whether text is kept from opening as a formula, see `storage.for_spreadsheet`.
        formats : collection of str
            Some of `dissection.results.formats.FORMATS`, in which the tables of networks are
            written too.

        Raises
        ------
        OSError
            If a file cannot be written.
        ValueError
            If what would be written is a link, or there is no such format.
        ImportError
            If a package that a format needs is not installed.
        """
        check_formats(formats)
        folder = Path(folder)
        sweep(folder, lambda name: name.endswith((".csv", ".json", ".tex", ".md", ".parquet")))
        for number, found in enumerate(self.crosschecks, 1):
            alone = len(self.crosschecks) == 1
            name = file_name(f"crosscheck-{number}-{found.iou.name}")
            crosschecks.write(found, folder if alone else inside(folder, name), spreadsheet)
        for one in self.comparisons.values():
            comparison.write(one, folder, spreadsheet, formats)
        for labelling in self.alone:
            comparison.write_counts(labelling, folder, spreadsheet, formats)
        if len(self.differences):
            comparison.write_differences(self.differences, folder, spreadsheet, formats)
        if self.published is not None:
            comparison.write_published(self.published, folder, spreadsheet, formats)

    def summary(self) -> str:
        """Return what was found, as text, behind what to know before it."""
        return "\n\n".join(
            [
                *(["\n".join(f"warning: {text}" for text in self.caveats)] if self.caveats else []),
                "\n".join(one.text for one in self.sentences),
                *([crosscheck_summary(self.crosschecks)] if self.crosschecks else []),
                *map(comparison.summary, self.comparisons.values()),
                *map(comparison.counts, self.alone),
                *([text(self.differences)] if len(self.differences) else []),
                *([published_counts.text(self.published)] if self.published is not None else []),
            ]
        )


def compare(
    results: Sequence[str | Path | Dissection],
    *,
    more_than: int = MORE_THAN,
    encoder: str | None = None,
    probe: str | Path | None = None,
    permutations: int = 1000,
    seed: int = 0,
    published: str | None = None,
) -> Compared:
    """Compare runs, their tables, or published NetDissect and CLIP-Dissect files.

    Parameters
    ----------
    results : sequence of str, Path or Dissection
        What was found, one or more; of a str the names may be said too, ``NAME=FILE`` or
        ``NAME:LAYER=FILE``.
    more_than : int
        Concepts carried by more than this many units have a table of their own.
    encoder : str, optional
        CLIP whose text space compares meanings, see `dissection.clip.encoder.load`; ``none`` for
        no such comparison. The small one of this package, where it is installed, if not given.
    probe : str or Path, optional
        A probe file, or ``mini``, whose synonyms count as the same name.
    permutations : int
        Shuffles of the units that tell what chance gives.
    seed : int
        Of the shuffles.
    published : str, optional
        One of `comparison.published_counts.PUBLISHED`, beside whose counts those of the networks
        of the same names are set.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If something is no result, or nothing in it can be compared.
    ImportError, RuntimeError
        If the encoder that was asked for cannot be had.
    """
    labellings = read_all(paths_of(results))
    by_method = {name: [p for p in labellings if p.method == name] for name in LABELERS}
    notes = caveats.of_names(labellings)
    beside = None if published is None else published_counts.beside(by_method["iou"], published)
    found = []
    if two := _pairs(by_method["iou"], by_method["clip"], notes):
        embedders = _embedders(encoder, notes)
        synonyms = _synonyms(probe)
        for iou, clip in two:
            result = crosscheck(
                iou,
                clip,
                embedders=embedders,
                synonyms=synonyms,
                permutations=permutations,
                seed=seed,
            )
            notes += result.notes
            found.append(result)
    comparisons = {
        name: side_by_side(parts, more_than) for name, parts in by_method.items() if len(parts) > 1
    }
    alone = [parts[0] for parts in by_method.values() if len(parts) == 1]
    before, apart = caveats.of_all(labellings), differences(by_method["iou"])
    agreements = {one.iou.name: one.agreement for one in found}
    said = sentences(labellings, agreements, apart)
    return Compared(comparisons, found, alone, notes, before, apart, said, beside)


def _pairs(
    ours: list[Labelling], theirs: list[Labelling], notes: list[str]
) -> list[tuple[Labelling, Labelling]]:
    """Return the labellings by IoU and by CLIP that belong together."""
    found = pairs(ours, theirs)
    if not found and ours and theirs:
        # says why, unless the inputs are a comparison of networks all the same
        try:
            matched(ours[0], theirs[0])
        except ValueError as error:
            if max(len(ours), len(theirs)) == 1:
                raise
            notes.append(f"no cross-check: {error}")
    for pair in found:
        matched(*pair)
    return found


def _embedders(name: str | None, notes: list[str]) -> dict[str, Embed]:
    """Return the spaces of meaning that are installed; note which are not."""
    if name == NO_ENCODER:
        return {}
    wanted = name or DEFAULT_ENCODER
    makers: list[tuple[str, Callable[[], Embed], bool]] = [
        (f"clip:{Path(wanted).name}", lambda: clip_space(wanted), name is not None),
        (SENTENCES, sentence_space, False),
    ]
    spaces = {}
    for space, make, needed in makers:
        try:
            spaces[space] = make()
        except (ImportError, FileNotFoundError) as error:
            if needed:
                raise
            notes.append(f"no cosines of {space}: {error}")
    return spaces


def _synonyms(probe: str | Path | None) -> Synonyms:
    if probe is None:
        return {}
    with ProbeSet(located(probe, progress=True)) as opened:
        return synonyms_of(opened.labels)
