"""How all figures look: one set of matplotlib's parameters, set for the time of a drawing only."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from figures.palette import INK

__all__ = ["DPI", "styled"]

DPI = 300

_PARAMETERS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": "#e3e6e8",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.0,
    "hatch.linewidth": 0.7,
    "lines.linewidth": 1.3,
    "savefig.dpi": DPI,
    # a label is text: a dollar sign in it starts no formula
    "text.parse_math": False,
    "text.usetex": False,
    # the same drawing gives the same bytes
    "svg.hashsalt": "network-dissection",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the project; outside of it matplotlib is as it was."""
    with mpl.rc_context(), warnings.catch_warnings():
        # a name may be in any script; what the font lacks is a box, and in the CSV as it is
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_PARAMETERS)
        yield
