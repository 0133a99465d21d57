"""By how many detectors networks and layers differ, and how far other images would change that.

Only runs that stored their counts by groups of images can tell: of an older run, of one without
validity figures and of a published table there is nothing here.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from dissection.results import caveats
from dissection.results.candidates import Candidates, candidates, label_pixels, twin
from dissection.results.labelling import Labelling
from dissection.statistics.bootstrap import TIMES, resampled_iou, resamples
from dissection.statistics.counted import Counted, count, range_of, resampled

__all__ = ["COLUMNS", "Recounted", "differences", "recounted", "text"]

COLUMNS = (
    *("network", "layer", "other_network", "other_layer", "count", "difference", "low", "high"),
    *("twins", "paired", "sentence"),
)
"""Of the table of differences."""

COUNTS = ("detectors", "unique detectors")


class Recounted(NamedTuple):
    """A layer of a network, its detectors counted on the images of the run and on resamples."""

    network: str
    layer: str
    units: int
    found: tuple[int, int]
    """Detectors and unique detectors of the run."""
    resampled: Counted
    twins: tuple[float, float] | None
    """Both of a rotated basis, the mean over its seeds; None without one."""
    draw: int
    """Seed of the resamples: the same where the images are the same."""


def recounted(labellings: Sequence[Labelling]) -> list[Recounted]:
    """Return every layer whose counts by groups of images are stored.

    Parameters
    ----------
    labellings : sequence of Labelling
        Of several networks, or one. Those of the same probe set share their resamples, so that
        their differences are paired; those of others are resampled with another seed.

    Raises
    ------
    ValueError
        If an array file is damaged.
    """
    found = []
    draws: dict[tuple[str, int], int] = {}
    for place, part in enumerate(labellings):
        # a table alone has no arrays, and those beside it may be another's
        pixels = label_pixels(part.source) if part.source.is_dir() else None
        if part.method != "iou" or pixels is None:
            continue
        images = caveats.digest(caveats.probe_of(part)) or f"unknown {place}"
        draw = draws.setdefault((images, len(pixels)), len(draws))
        weights = resamples(len(pixels), TIMES, draw)
        for layer in part.layers:
            stored = candidates(part.source, layer, len(part.layer(layer)))
            if stored is not None:
                found.append(_recounted(part, layer, stored, pixels, weights, draw))
    return found


def _recounted(
    part: Labelling,
    layer: str,
    stored: Candidates,
    pixels: np.ndarray,
    weights: np.ndarray,
    draw: int,
) -> Recounted:
    """Return the counts of a layer from those of its groups of images."""
    units = part.layer(layer)
    detectors = units[units["detector"]]
    iou = resampled_iou(stored.intersection, stored.area, pixels[:, stored.label], weights)
    again = resampled(iou, stored.label, part.min_iou)
    rotated = twin(part.source, layer, len(units))
    twins = None
    if rotated is not None:
        counted = count(rotated.iou, rotated.label, part.min_iou)
        twins = float(counted.detectors.mean()), float(counted.unique.mean())
    both = len(detectors), detectors["label"].nunique()
    return Recounted(part.name, layer, len(units), both, again, twins, draw)


def differences(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return by how many detectors networks differ in each layer, and each layer from the next.

    Parameters
    ----------
    labellings : sequence of Labelling
        See `recounted`.

    Returns
    -------
    DataFrame
        A row for each pair of networks and layer of both, and for each network and two layers that
        follow each other; of detectors and of unique detectors. network, layer, other_network,
        other_layer, the one with more first; count (one of `COUNTS`); difference; low and high,
        which 95% of 200 resamples of the groups of images lie between; twins, the same
        difference of the rotated bases (NaN without any); paired, whether both were counted on the
        same resamples; sentence, all this in words.

    Raises
    ------
    ValueError
        If an array file is damaged.
    """
    rows = [
        _row(*pair, which) for pair in _pairs(recounted(labellings)) for which in range(len(COUNTS))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pairs(layers: Sequence[Recounted]) -> Iterator[tuple[Recounted, Recounted]]:
    """Yield networks in the same layer, then layers of the same network."""
    for name in dict.fromkeys(one.layer for one in layers):
        yield from combinations([one for one in layers if one.layer == name], 2)
    for name in dict.fromkeys(one.network for one in layers):
        # from the later layer, for what a reader asks is what depth adds
        for before, after in pairwise(one for one in layers if one.network == name):
            yield after, before


def _row(one: Recounted, other: Recounted, which: int) -> tuple:
    """Return a row of `differences`."""
    if one.found[which] < other.found[which]:
        one, other = other, one
    low, high = range_of(one.resampled[which] - other.resampled[which])
    twins = np.nan
    if one.twins is not None and other.twins is not None:
        twins = one.twins[which] - other.twins[which]
    difference = one.found[which] - other.found[which]
    paired = one.draw == other.draw
    sentence = "; ".join(
        [_more(one, other, which), *_spread(low, high, paired), *_of_twins(twins, difference)]
    )
    names = one.network, one.layer, other.network, other.layer, COUNTS[which]
    return *names, difference, low, high, twins, paired, sentence


def _more(one: Recounted, other: Recounted, which: int) -> str:
    """Return who has how many more."""
    more = one.found[which] - other.found[which]
    what = COUNTS[which] if more != 1 else COUNTS[which].removesuffix("s")
    units = f" (of {one.units} and {other.units} units)" if one.units != other.units else ""
    if one.network == other.network:
        if not more:
            return f"{one.network} has as many {what} in {one.layer} as in {other.layer}{units}"
        return f"{one.network} has {more} more {what} in {one.layer} than in {other.layer}{units}"
    if not more:
        return f"{one.network} has as many {what} as {other.network} in {one.layer}{units}"
    return f"{one.network} has {more} more {what} than {other.network} in {one.layer}{units}"


def _spread(low: int, high: int, paired: bool) -> list[str]:
    """Return what other images would make of it."""
    how = "" if paired else ", independently as the probe sets differ"
    said = [f"resampled images{how}: {low} to {high}"]
    return [*said, "these images do not tell them apart"] if low <= 0 <= high else said


def _of_twins(twins: float, difference: int) -> list[str]:
    """Return what the rotated bases differ by."""
    if np.isnan(twins):
        return []
    way = " the other way" if twins < 0 < difference else ""
    return [f"rotated twins differ by {round(abs(twins), 1):g}{way}"]


def text(table: pd.DataFrame) -> str:
    """Return the sentences of a table of differences, and what their ranges are worth."""
    return "\n".join(
        [
            f"differences, with the range of 95% of {TIMES} resamples of the images:",
            *table["sentence"],
            "(of unique detectors a range is a spread, no interval that holds the true number in "
            "95% of cases)",
        ]
    )
