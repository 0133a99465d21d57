"""The figures of a calibration as one picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from broden.system.files import atomic

__all__ = ["draw"]

WANTED_COVERAGE = (0.93, 0.97)
_PANELS = (("right", "the name is the population's"), ("coverage", "the interval holds"))


def draw(sizes: Mapping[str, Mapping[str, Mapping]], layer: str, path: Path) -> None:
    """Draw how often name and interval were right, by class of stability and size of a draw.

    Parameters
    ----------
    sizes : mapping
        Of calibration.json.
    layer : str
        Whose figures are shown, one of each size.
    path : Path
        A png, svg or pdf; written complete or not at all.
    """
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    width = 0.8 / len(sizes)
    for axis, (member, title) in zip(axes, _PANELS, strict=True):
        for place, (size, by_layer) in enumerate(sizes.items()):
            named = by_layer[layer]["named"]
            at = [n + (place - (len(sizes) - 1) / 2) * width for n in range(len(named))]
            # a class that no unit is of has no share
            shares = [row[member] or 0 for row in named]
            axis.bar(at, shares, width, label=f"{size} images")
            for x, share, row in zip(at, shares, named, strict=True):
                axis.text(x, share, row["units"], ha="center", va="bottom", fontsize=7)
        axis.set_xticks(range(len(named)), [f"{row['from']:g} to {row['to']:g}" for row in named])
        axis.set(title=title, xlabel="stability", ylim=(0, 1.08))
        axis.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes[1].axhspan(*WANTED_COVERAGE, color="0.7", alpha=0.6, zorder=0)
    axes[0].set_ylabel("units (number above)")
    axes[0].legend(fontsize=8)
    with atomic(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=120)
