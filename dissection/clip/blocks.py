"""Blocks of concepts, worked on in threads in bounded memory.

Two passes where a measure reads softmax probabilities: blocks of images give the normaliser of
each, then blocks of concepts the result; else the second alone. `dissection.clip.measures` has the
arithmetic, `dissection.clip.scoring` and `dissection.clip.similarity` where scores come from.
"""

import math
import threading
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import torch
from torch import Tensor

from dissection.clip.measures import TILE, Measure
from dissection.execution.threads import each, small_operations

BUDGET = 1 << 26
"""Bytes for the arrays of all blocks under way, beside inputs and result: 64 MiB.

More is slower: larger arrays leave the caches and are returned to the system after every block.
"""

_WIDEST = 128
"""Concepts of a block, at most: the rows of more images fit the caches."""

_LINE = 16
"""Concepts of a cache line, at most; blocks that are whole ones are faster to pick rows from."""

_LN2 = math.log(2)

Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""

Fill = Callable[[slice, Tensor], Tensor]
"""Some of the concepts, and an (n, m) array that may be used -> (n, m) for `Measure.finish`."""


class Scores(NamedTuple):
    """The scores of a measure's n images and M concepts, a part at a time."""

    concepts: int
    """M."""
    dtype: torch.dtype
    """Of the parts."""
    rows: Callable[[slice], Tensor]
    """Some of the n images -> (b, M)."""
    columns: Fill
    """Some of the concepts."""


class _Work(NamedTuple):
    """What both passes need."""

    measure: Measure
    scores: Scores
    share: int
    """Bytes a thread."""
    threads: int
    report: Callable[[int], None]
    """Told the concepts done."""


def stream(
    measure: Measure,
    scores: Scores,
    budget: int = BUDGET,
    keep: int = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Return (U, M) of a measure, a block of concepts after the other in every thread.

    Parameters
    ----------
    measure : Measure
        With the units prepared.
    scores : Scores
        Of its images; not changed here.
    budget : int
        Bytes for the arrays of all blocks under way.
    keep : int
        Bytes of scores that may be kept from the first of two passes.
    progress : callable, optional
        Called with (done, total), in concepts.

    Raises
    ------
    ValueError
        If one concept, or one image where there is a softmax, does not fit the budget.
    """
    concepts, soft = scores.concepts, measure.a is not None
    # an image has its scores, their exponentials and a copy
    least = max(measure.width, 3 * concepts if soft else 0) * scores.dtype.itemsize
    if budget < least:
        raise ValueError(
            f"a budget of {budget} bytes does not hold one concept; it must be at least {least}"
        )
    total, fill = concepts * (2 if soft else 1), scores.columns
    report = progress or (lambda done, total: None)
    with small_operations(measure.images.device) as threads:
        threads = min(threads, budget // least)
        work = _Work(measure, scores, budget // threads, threads, lambda done: report(done, total))
        if soft:
            fill = _probabilities(work, keep)
        return _finished(work, fill, total - concepts)


def _spans(length: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def _finished(work: _Work, fill: Fill, done: int) -> Tensor:
    """Return (U, M); `done` concepts count as done before."""
    measure, scores = work.measure, work.scores
    images, step = len(measure.images), work.share // (measure.width * scores.dtype.itemsize)
    spans = _spans(scores.concepts, min(_WIDEST, step - step % _LINE or step))
    own = threading.local()

    def block(part: slice) -> Tensor:
        with torch.inference_mode():
            if not hasattr(own, "array"):
                # one for all blocks of a thread: the system would clear a new one for each
                size = images * spans[0].stop
                own.array = torch.empty(size, dtype=scores.dtype, device=measure.images.device)
            out = own.array[: images * (part.stop - part.start)].view(images, -1)
            return measure.finish(fill(part, out))

    found = []
    with closing(each(block, spans, work.threads)) as results:
        for part, result in zip(spans, results, strict=True):
            found.append(result)
            work.report(done + part.stop)
    return torch.cat(found, 1)


def _probabilities(work: _Work, keep: int) -> Fill:
    """Return what gives the softmax probabilities of some concepts."""
    measure, scores = work.measure, work.scores
    images, concepts = len(measure.images), scores.concepts
    kept = torch.empty(
        (images, min(concepts, keep // (images * scores.dtype.itemsize))),
        dtype=scores.dtype,
        device=measure.images.device,
    )
    normaliser = _normaliser(work, kept)

    if measure.a is None:
        raise ValueError("a similarity without a softmax has no probabilities")
    shift, scale = (-normaliser[:, None]).div_(_LN2), measure.a / _LN2

    def fill(part: slice, out: Tensor) -> Tensor:
        inside = part.stop <= kept.shape[1]
        raw = kept[:, part] if inside else scores.columns(part, out)
        tile = max(1, TILE // raw.shape[1])
        for some, offset, prob in zip(
            raw.split(tile), shift.split(tile), out.split(tile), strict=True
        ):
            # powers of 2: on a processor they are several times as fast
            torch.add(offset, some, alpha=scale, out=prob).exp2_()
        return out

    return fill


def _normaliser(work: _Work, kept: Tensor) -> Tensor:
    """Return (n,), the logarithm of the sum of exp(a · score) over all concepts.

    The scores of the first concepts are copied to `kept`.
    """
    measure, scores = work.measure, work.scores
    images, concepts = len(measure.images), scores.concepts
    spans = _spans(images, work.share // (3 * concepts * scores.dtype.itemsize))
    tile = max(1, TILE // concepts)

    def block(span: slice) -> Tensor:
        with torch.inference_mode():
            rows = scores.rows(span)
            kept[span] = rows[:, : kept.shape[1]]
            return torch.cat([_logsumexp(part * measure.a) for part in rows.split(tile)])

    found = []
    with closing(each(block, spans, work.threads)) as results:
        for span, result in zip(spans, results, strict=True):
            found.append(result)
            work.report(span.stop * concepts // images)
    return torch.cat(found)


def _logsumexp(rows: Tensor) -> Tensor:
    """Return the logarithm of the sum of exp over each row, which is lost."""
    # in one operation, twice as fast as `logsumexp`
    first = rows[:, 0].clone()
    return first - torch.log_softmax(rows, 1, out=rows)[:, 0]
