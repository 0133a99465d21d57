"""The exact thresholds of all ranks together, and which images must run again to have them."""

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from dissection.activations.forward import Advance, Passed, run_images
from dissection.activations.quantile import tail_size
from dissection.execution.job import Job

__all__ = ["run_until_exact"]

log = logging.getLogger(__name__)


def run_until_exact(job: Job, advance: Advance) -> Passed:
    """Run this rank's images through the network and return what is left, with exact thresholds.

    A bound that was presumed too high, see `activations.quantile`, shows in a threshold below it.
    The K-th largest of the values kept is then still no higher than that of all; whatever kept less
    than this runs again.

    Parameters
    ----------
    job : Job
        What goes through what. Every rank must be here.
    advance : callable
        See `forward.run_images`.

    Raises
    ------
    ValueError, OSError
        See `forward.run_images`.
    """
    passed = run_images(job.plan, job.store, job.shards(), advance)
    with job.timed("thresholds"):
        levels = _levels(job, passed)
        found = {name: several[0] for name, several in levels.items()}
        again = any(job.ranks.all(_too_high(found, _bounds(passed))))
    if not again:
        return passed._replace(thresholds=levels)
    stale = [n for n in job.shards() if _too_high(found, _kept_above(job, n, found))]
    log.info("a bound was presumed too high: %d images run again", job.plan.images(stale))
    for number in stale:
        job.store.discard(number)
    restored, finished = passed.restored, job.plan.images(stale)
    passed = run_images(job.plan, job.store, job.shards(), advance, found)
    with job.timed("thresholds"):
        # no threshold is below the one found first, and what exceeds that has been kept
        exact = {n: torch.maximum(found[n], one) for n, one in _levels(job, passed).items()}
    return passed._replace(thresholds=exact, restored=max(0, restored - finished))


def _levels(job: Job, passed: Passed) -> dict[str, Tensor]:
    """Return the thresholds of each layer by every quantile, the largest first, (T, U).

    Those of twins are by the largest alone.
    """
    images, own = len(job.plan.probe), {info.name: info for info in job.plan.layers}
    found = {}
    for name, collector in passed.collectors.items():
        if collector.tail is None:
            continue
        ranks = [collector.tail.size]
        if name in own:
            cells = images * math.prod(own[name].grid or ())
            further = sorted(job.plan.levels[:-1], reverse=True)
            ranks += [tail_size(quantile, cells) for quantile in further]
        found[name] = collector.tail.thresholds(job.ranks.total, ranks)
    return found


def _bounds(passed: Passed) -> dict[str, Tensor]:
    return {n: one.tail.bound for n, one in passed.collectors.items() if one.tail is not None}


def _kept_above(job: Job, number: int, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return above which bounds a shard kept cells."""
    shard = job.store.read(number, dict.fromkeys(found, ("bound",)))
    return {
        name: torch.from_numpy(cells.bound.copy()).to(found[name].device)
        for name, cells in shard.layers.items()
    }


def _too_high(found: Mapping[str, Tensor], bounds: Mapping[str, Tensor]) -> bool:
    return any(bool((bounds[name] > threshold).any()) for name, threshold in found.items())
