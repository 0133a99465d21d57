"""What figures are drawn from: the tables of runs and published files, and what belongs to them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from dissection.crosscheck import check as crosscheck
from dissection.crosscheck import findings as verdict
from dissection.crosscheck.caveats import differences
from dissection.results import caveats
from dissection.results.cards.card_schema import need_drawn
from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.photographs import Photograph
from dissection.results.reading import read_all
from dissection.results.scores import Tops, tops
from dissection.results.validity import Without, without_label
from figures.palette import ordered

__all__ = ["Inputs", "Photograph", "Unit", "categories", "key", "read"]

_Images = TypeVar("_Images")


class Unit(NamedTuple):
    """One unit of one network."""

    network: str
    layer: str
    unit: int

    def __str__(self) -> str:
        return f"{self.network} {self.layer} unit {self.unit}"


class Inputs(NamedTuple):
    """All that was given."""

    labellings: tuple[Labelling, ...]
    checks: tuple[verdict.Findings, ...]
    """Of networks labelled by both methods."""
    photographs: dict[Path, Photograph]
    """Of the run directories whose probe set is at hand."""
    notes: tuple[str, ...]
    """What could not be had, and what was guessed of names, a line each."""
    caveats: tuple[str, ...] = ()
    """What to know before the numbers: in what the runs differ, and what each warns of."""

    def by(self, method: str) -> list[Labelling]:
        """Return the labellings by a method."""
        return [part for part in self.labellings if part.method == method]

    def by_category(self) -> list[Labelling]:
        """Return the labellings by IoU that tell the best label of every category."""
        return [part for part in self.by("iou") if part.categories]

    def missing_for(self, figure: str, *, categories: bool = False) -> Iterator[str]:
        """Yield why a figure that needs labels by IoU cannot be drawn, or not of all networks."""
        if not self.by("iou"):
            yield f"{figure}: needs labels by IoU"
        for part in self.by("iou"):
            if categories and not part.categories:
                yield f"{figure} of {part.name}: {part.source} lacks the best label by category"

    def scoreless(self, method: str) -> list[Labelling]:
        """Return the labellings by a method whose file has no scores."""
        return [part for part in self.by(method) if part.units["score"].isna().all()]

    def tops(self, labelling: Labelling, layer: str) -> Tops | None:
        """Return the top images of a layer, where they were stored and can be shown."""
        return self._images(tops, labelling, layer)

    def without_label(self, labelling: Labelling, layer: str) -> Without | None:
        """Return the top images without the label of each unit of a layer, likewise."""
        return self._images(without_label, labelling, layer) if labelling.method == "iou" else None

    def _images(
        self, reader: Callable[..., _Images], labelling: Labelling, layer: str
    ) -> _Images | None:
        if labelling.source not in self.photographs:
            return None
        units = int(labelling.layer(layer)["unit"].max()) + 1
        images = labelling.settings["probe"]["images"]
        return reader(labelling.source, layer, units, images)


def categories(labellings: Sequence[Labelling]) -> list[str]:
    """Return all categories of labellings, in the order of the palette."""
    found = [name for part in labellings for name in part.categories]
    return ordered([*found, *(c for part in labellings for c in part.units["category"] if c)])


def key(labelling: Labelling, layer: str, between: str = " ") -> str:
    """Return what a layer of a network is called on a page."""
    return labelling.name if layer == NO_LAYER else f"{labelling.name}{between}{layer}"


def read(
    paths: Sequence[str | Path], photographs: Callable[[Labelling], Photograph | str | None]
) -> Inputs:
    """Read results, cross-checks and where their photographs are.

    Parameters
    ----------
    paths : sequence of str or Path
        What `dissection.results.reading.read` takes.
    photographs : callable
        From a labelling to its photographs, or why there are none, or None where there is nothing
        to say.

    Raises
    ------
    ValueError, FileNotFoundError
        If something is no result, or cannot be read.
    """
    labellings = tuple(read_all(paths))
    for part in labellings:
        need_drawn(part.settings, f"the run card of {part.source}")
    found: dict[Path, Photograph] = {}
    notes: dict[Path, str] = {}
    for part in labellings:
        if part.source in found or part.source in notes:
            continue
        answer = photographs(part)
        if isinstance(answer, str):
            notes[part.source] = answer
        elif answer is not None:
            found[part.source] = answer
    checks, missing, differing = _checks(labellings)
    said = dict.fromkeys([*caveats.of_all(labellings), *differing])
    left = (*caveats.of_names(labellings), *notes.values(), *missing)
    return Inputs(labellings, checks, found, left, tuple(said))


def _checks(
    labellings: Sequence[Labelling],
) -> tuple[tuple[verdict.Findings, ...], list[str], list[str]]:
    """Return the cross-checks of runs of both methods, others made from the tables alone.

    And why others cannot be made, and in what the runs of one differ.
    """
    by_iou, by_clip = ([p for p in labellings if p.method == name] for name in ("iou", "clip"))
    found: list[verdict.Findings] = []
    missing: list[str] = []
    differing: list[str] = []
    for iou, clip in itertools.product(by_iou, by_clip):
        if iou.name != clip.name or not set(iou.layers) & set(clip.layers):
            continue
        ours = verdict.read(iou.source, iou.name) if iou.source == clip.source else None
        if ours is not None:
            _check_units(ours, iou)
        try:
            found.append(ours or verdict.findings(crosscheck.crosscheck(iou, clip)))
            differing += differences(iou, clip)
        except ValueError as error:
            missing.append(f"no cross-check of {iou.name}: {error}")
    return tuple(found), missing, differing


def _check_units(found: verdict.Findings, iou: Labelling) -> None:
    """Refuse a cross-check of other units than those that were labelled."""
    keys = ["layer", "unit"]
    joined = found.units[keys].merge(iou.units[keys], how="left", on=keys, indicator=True)
    other = joined[joined["_merge"] == "left_only"]
    if len(other):
        row = other.iloc[0]
        raise ValueError(
            f"{iou.source}: the cross-check has unit {row.unit} of layer {row.layer}, which the "
            "tables lack; run it again"
        )
