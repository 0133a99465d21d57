"""Draw from Python: the figures of the command, as matplotlib figures."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from dissection.results.dissection import Dissection, paths_of
from dissection.results.photographs import source
from figures.catalogue import FIGURES, drawings
from figures.drawing import FORMATS, Drawing, render, save
from figures.inputs import Inputs, read
from figures.options import Options
from figures.style import DPI, styled

__all__ = ["Drawable", "draw", "drawable"]


class Drawable(NamedTuple):
    """What can be drawn from some results."""

    inputs: Inputs
    drawings: list[Drawing]
    left_out: list[str]
    """What cannot and why, a line each."""


def drawable(
    results: Sequence[str | Path | Dissection],
    kinds: Collection[str] | None = None,
    options: Options | None = None,
    probe: str | Path | None = None,
) -> Drawable:
    """Return what can be drawn from results, before it is drawn.

    Parameters
    ----------
    results, kinds, options, probe
        As in `draw`.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As `draw`.
    """
    given = None if probe is None else Path(probe)
    inputs = read(paths_of(results), lambda labelling: source(labelling, given))
    kinds = FIGURES if kinds is None else kinds
    found = list(drawings(inputs, options or Options(), kinds))
    made = [one for one in found if not isinstance(one, str)]
    return Drawable(inputs, made, [one for one in found if isinstance(one, str)])


def draw(
    results: Sequence[str | Path | Dissection],
    kinds: Collection[str] | None = None,
    *,
    options: Options | None = None,
    probe: str | Path | None = None,
    out: str | Path | None = None,
    formats: Sequence[str] = FORMATS,
    dpi: int = DPI,
    spreadsheet: bool = False,
) -> dict[str, Figure]:
    """Draw the figures of a report.

    Parameters
    ----------
    results : sequence of str, Path or Dissection
        Run directories, their tables, or published files; those by one method are set side by side.
        Of a str the names may be said too, ``NAME=FILE`` or ``NAME:LAYER=FILE``.
    kinds : collection of str, optional
        Some of `figures.catalogue.FIGURES`; all that can be drawn if not given.
    options : Options, optional
        What is shown of more than fits.
    probe : str or Path, optional
        The probe set with the photographs, or ``mini``; by default where each run found it.
    out : str or Path, optional
        A folder to save them in too, each with the CSV of exactly what it shows.
    formats, dpi
        Of what is saved: some of png, svg and pdf, and the dots an inch of a PNG.
    spreadsheet : bool
        Whether text in the CSV files is kept from opening as a formula.

    Returns
    -------
    dict of str to Figure
        By name; what cannot be drawn of these results is left out.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If something is no result, or there is no such kind of figure.
    OSError
        If a file cannot be written.
    """
    made = drawable(results, kinds, options, probe).drawings
    if out is not None:
        for drawing in made:
            save(drawing, Path(out), formats, dpi, spreadsheet)
    with styled():
        return {drawing.name: render(drawing) for drawing in made}
