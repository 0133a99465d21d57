"""What a comparison found, in sentences: made here once, for terminal, report and notebook.

Every number stands in a table of the same comparison, and every sentence names that table. One
count is used throughout, `wording.COUNT`; the others have a sentence of their own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from dissection.comparison import wording
from dissection.comparison.differences import differences
from dissection.comparison.side_by_side import (
    detectors,
    distinct,
    only,
    shared,
)
from dissection.results import schema
from dissection.results.labelling import METHOD_NAMES, Labelling

__all__ = ["TOPICS", "Sentence", "sentences"]

TOPICS = ("count", "layers", "other counts", "shared", "depth", "only", "more", "agreement")
"""What sentences are about, in the order in which they come."""


class Sentence(NamedTuple):
    """A sentence and where its numbers stand."""

    topic: str
    """One of `TOPICS`."""
    method: str
    """``iou`` or ``clip``; ``both`` of agreement."""
    text: str
    table: str
    """File that a comparison writes, which has these numbers and those not said."""


def sentences(
    labellings: Sequence[Labelling],
    agreements: Mapping[str, pd.DataFrame] | None = None,
    apart: pd.DataFrame | None = None,
) -> list[Sentence]:
    """Say what networks have learned, by each method that labelled them.

    Parameters
    ----------
    labellings : sequence of Labelling
        Of one network or several, by one method or both.
    agreements : mapping of str to DataFrame, optional
        Of each network that both methods labelled, by name, the agreement of its cross-check.
    apart : DataFrame, optional
        From `differences` of the same labellings, where it is at hand; made if not given.

    Returns
    -------
    list of Sentence
        By method, and within it in the order of `TOPICS`; agreement last.

    Raises
    ------
    ValueError
        If an array file is damaged.
    """
    said = []
    for method in METHOD_NAMES:
        parts = [one for one in labellings if one.method == method]
        if parts:
            said += _of_method(method, parts, apart)
    for name, table in (agreements or {}).items():
        said += [
            Sentence("agreement", "both", text, schema.CROSSCHECK)
            for text in wording.agreed(name, table)
        ]
    return said


def _of_method(
    method: str, parts: Sequence[Labelling], apart: pd.DataFrame | None
) -> list[Sentence]:
    counts, count = distinct(parts), wording.COUNTS[wording.COUNT[method]]
    said = [("count", wording.overall(parts, counts, count), "distinct")]
    said += [("layers", text, "distinct") for text in wording.by_layer(parts, counts, count)]
    by_category = None
    if method == "iou":
        by_category = pd.concat([detectors(part) for part in parts], ignore_index=True)
        said.append(("other counts", wording.other_counts(parts, counts, by_category), "detectors"))
    if len(parts) > 1:
        said += [("shared", text, "shared") for text in wording.in_common(parts, shared(parts))]
    if by_category is not None:
        said += [("depth", text, "detectors") for text in wording.depth(parts, by_category)]
    if len(parts) > 1:
        said += [("only", text, "only") for text in wording.alone(parts, only(parts))]
        if method == "iou":
            found = differences(parts) if apart is None else apart
            said += [("more", text, "differences") for text in wording.more(parts, counts, found)]
    return [Sentence(topic, method, text, f"{method}-{table}.csv") for topic, text, table in said]
