"""Write the page: tables, figures and the unit browser in one file that needs no network."""

import base64
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from broden.system.files import atomic, inside, sweep
from figures.drawing import Drawing, encoded, render
from figures.inputs import Inputs
from figures.report import browser, tables
from figures.report.thumbnails import Thumbnails
from figures.style import styled

__all__ = ["Shown", "shown", "write"]

PAGE = "index.html"

PICTURES = ("sheet", "disagreements")
"""Kinds of figures that are photographs rather than lines."""

_DPI, _QUALITY = 125, 70


class Shown(NamedTuple):
    """A figure on the page."""

    kind: str
    title: str
    caption: str
    source: str
    width: int
    """Pixels of the page."""


def write(inputs: Inputs, figures: Iterable[Drawing | Shown], folder: Path) -> Path:
    """Write index.html into a folder and return its path.

    Parameters
    ----------
    inputs : Inputs
        What the page is about.
    figures : iterable of Drawing or Shown
        Its figures, some or all of them drawn already.
    folder : Path
        Made if it is missing. Where thumbnails are too many for the page, they lie there too.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        If what would be written is a link.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = inside(folder, PAGE)
    sweep(folder, PAGE.__eq__)
    thumbnails = Thumbnails()
    units = browser.units(inputs, thumbnails)
    units |= {"images": thumbnails.sources(folder), "sizes": thumbnails.sizes}
    loader = PackageLoader("figures.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = (loader.get_source(environment, name)[0] for name in ("page.css", "page.js"))
    networks = units["networks"]
    text = environment.get_template("page.html").render(
        title=" and ".join(networks) if len(networks) < 4 else f"{len(networks)} networks",
        caveats=inputs.caveats,
        statements=tables.statements(inputs),
        tables=list(tables.tables(inputs)),
        cards=list(tables.cards(inputs)),
        figures=[one if isinstance(one, Shown) else shown(one) for one in figures],
        notes=inputs.notes,
        units=units,
        data=_data(units),
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    with atomic(path) as handle:
        handle.write(text.encode())
    return path


def _data(units: dict[str, Any]) -> str:
    """Return JSON that is safe inside a script element, whatever labels say."""
    text = json.dumps(units, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shown(drawing: Drawing) -> Shown:
    """Return a figure as an image within the page, lines as SVG, photographs as WebP."""
    with styled():
        figure = render(drawing, words=False)
        if drawing.kind in PICTURES:
            figure.set_dpi(_DPI)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
            memory = io.BytesIO()
            picture.save(memory, "WEBP", quality=_QUALITY)
            data, form = memory.getvalue(), "webp"
        else:
            data, form = encoded(figure, "svg"), "svg+xml"
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    width = round(drawing.size[0] * 96)
    return Shown(drawing.kind, drawing.title, drawing.caption, source, width)
