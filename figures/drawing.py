"""A drawing: what a figure shows, in words and as a table, and how it is drawn; and its files."""

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox

from broden.system.files import atomic, file_name, inside, sweep
from dissection.results.storage import write_table
from figures.palette import SOFT
from figures.pictures import PICTURE_DPI
from figures.style import DPI, styled

__all__ = ["FORMATS", "Drawing", "encoded", "files", "render", "save"]

FORMATS = ("png", "svg", "pdf")

# What would otherwise tell when and by which version a file was made
_METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# Inches: a character of title and of caption, a line of the caption, the margin below the axes
_TITLE_EM, _CAPTION_EM, _CAPTION_LINE, _MARGIN = 0.098, 0.05, 0.135, 0.12

# Points of the caption's letters; where title and caption begin, as a share of the width
_CAPTION_SIZE, _LEFT = 6.5, 0.012

# Of places in a figure, as shares of it
_DIGITS = 12


class Drawing(NamedTuple):
    """One figure before it is drawn."""

    name: str
    """Of its files, without ending; what no file name may hold is replaced."""
    kind: str
    """Name of the module that draws it."""
    title: str
    """What it claims or shows."""
    caption: str
    """How many units, which layers, thresholds and rules."""
    table: pd.DataFrame
    """Exactly what it shows."""
    size: tuple[float, float]
    """Width and height of the axes' area in inches, without title and caption."""
    draw: Callable[[FigureBase], object]
    """Draws into a part of a figure between title and caption, with constrained layout."""


def render(drawing: Drawing, words: bool = True) -> Figure:
    """Return the drawn figure; call it and use the result within `style.styled`.

    Parameters
    ----------
    drawing : Drawing
        What to draw.
    words : bool
        Whether title and caption are drawn too.
    """
    width, height = drawing.size
    title = textwrap.wrap(drawing.title, int(width / _TITLE_EM))
    caption = _wrapped(drawing.caption, width)
    head = 0.2 * len(title) + 0.1
    foot = _CAPTION_LINE * len(caption) + _MARGIN
    figure = Figure((width, height + head + foot if words else height), layout="constrained")
    FigureCanvasAgg(figure)
    parts: Sequence[SubFigure] = ()
    if words:
        heights = (head, height, foot)
        parts = cast(Sequence[SubFigure], figure.subfigures(3, 1, height_ratios=heights))
        top, middle, bottom = parts
        drawing.draw(middle)
        top.text(_LEFT, 1 - 0.06 / head, "\n".join(title), va="top", fontsize=10, fontweight="bold")
        bottom.text(_LEFT, 0.05 / foot, "\n".join(caption), va="bottom", fontsize=_CAPTION_SIZE,
                    color=SOFT, linespacing=1.25)  # fmt: skip
    else:
        drawing.draw(figure)
    # laid out once for all formats
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")
    _round_layout(figure, parts)
    return figure


def _wrapped(caption: str, width: float) -> list[str]:
    """Return the lines of a caption below a figure of so many inches."""
    characters, room = int(width / _CAPTION_EM), width * (1 - _LEFT)
    lines = textwrap.wrap(caption, characters)
    # names may be of wide letters
    while characters > 20 and max(map(_inches, lines), default=0) > room:
        characters -= 1
        lines = textwrap.wrap(caption, characters)
    return lines


def _inches(line: str) -> float:
    font = FontProperties(size=_CAPTION_SIZE)
    return RendererAgg(1, 1, 100).get_text_width_height_descent(line, font, False)[0] / 100


def _round_layout(figure: Figure, parts: Sequence[SubFigure]) -> None:
    """Drop the last digits of all places, which the solver of the layout leaves to chance."""
    for part in parts:
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(_DIGITS))
    for axes in figure.axes:
        place = axes.get_position(original=True)
        axes.set_position(Bbox(place.get_points().round(_DIGITS)), which="original")


def files(drawing: Drawing, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Return the files of a figure: the CSV, then a file for each format.

    Raises
    ------
    ValueError
        If one is a link, through which what lies elsewhere would be written.
    """
    name = file_name(drawing.name)
    return [inside(folder, f"{name}.{ending}") for ending in ("csv", *formats)]


def save(
    drawing: Drawing,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    dpi: int = DPI,
    spreadsheet: bool = False,
) -> list[Path]:
    """Write a figure in each format, and the CSV of exactly what it shows.

    The same input gives the same bytes.

    Parameters
    ----------
    drawing : Drawing
        What to draw.
    folder : Path
        Made if it is missing.
    formats : sequence of str
        Some of `FORMATS`.
    dpi : int
        Dots an inch of a PNG.
    spreadsheet : bool
        As `write_table` takes it.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If a file is a link.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, *pictures = paths = files(drawing, folder, formats)
    sweep(folder, {path.name for path in paths}.__contains__)
    write_table(table, drawing.table, spreadsheet, float_format="%.6g")
    with styled():
        figure = render(drawing)
        for form, path in zip(formats, pictures, strict=True):
            with atomic(path) as handle:
                handle.write(encoded(figure, form, dpi))
    return paths


def encoded(figure: Figure, form: str, dpi: int = DPI) -> bytes:
    """Return the bytes of a figure in a format."""
    memory = io.BytesIO()
    for image in figure.findobj(AxesImage):
        # the pixels of a picture are kept as they are, unless a PNG has fewer
        image.set_interpolation("antialiased" if form == "png" and dpi < PICTURE_DPI else "none")
    before = figure.dpi
    figure.set_dpi(dpi)
    # the canvas itself: savefig draws everything once more before, for a layout that render made
    if form == "png":
        # Pillow's own level 6 takes twice the time to save a tenth of the bytes
        fast = {"compress_level": 3}
        FigureCanvasAgg(figure).print_png(memory, metadata=_METADATA[form], pil_kwargs=fast)
    elif form == "svg":
        FigureCanvasSVG(figure).print_svg(memory, metadata=_METADATA[form])
    else:
        FigureCanvasPdf(figure).print_pdf(memory, metadata=_METADATA[form])
    figure.set_dpi(before)
    return memory.getvalue()
