"""The labeler by overlap: from thresholds and counts to the concept of every unit."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from broden.probe import LabelledProbe, Probe, labelled
from dissection.activations.forward import Passed
from dissection.activations.top import Top, merge_top
from dissection.config import UNIONS, IouConfig
from dissection.execution.job import Job
from dissection.labeler import Outcome
from dissection.networks.layouts import LayerInfo
from dissection.networks.suitability import require_grid
from dissection.overlap.assign import best, detectors
from dissection.overlap.counting import Counting
from dissection.overlap.iou import iou
from dissection.overlap.results import (
    BestArrays,
    CountArrays,
    LayerResult,
    iou_counts,
    iou_definitions,
)
from dissection.overlap.storing import write
from dissection.overlap.tally import Counts

__all__ = ["OverlapLabeler"]


class OverlapLabeler:
    """Call units by the concepts whose pixels they overlap: Network Dissection.

    Parameters
    ----------
    config : IouConfig
        Quantile, union rule and what a detector is.
    probe : Probe
        What the network is shown.

    Raises
    ------
    ValueError
        If the images have no labels.
    """

    name = "iou"
    means = False

    def __init__(self, config: IouConfig, probe: Probe) -> None:
        self._config, self._probe = config, labelled(probe)
        self.precision = config.precision
        self.quantile = config.quantile

    def layers(self, infos: Sequence[LayerInfo]) -> list[LayerInfo]:
        """Return the layers, which must have maps."""
        require_grid(infos)
        return list(infos)

    def prepare(self, device: torch.device) -> None:
        """Do nothing: there is nothing to load."""

    def settings(self) -> dict[str, object]:
        """Return all that determines the labels, as JSON knows it."""
        return self._config.as_dict()

    def fold(self, job: Job, passed: Passed) -> "OverlapFold":
        """Return the counts to be added up above the exact thresholds; on every rank."""
        tops = {name: merge_top(job.ranks.all(top)) for name, top in passed.tops.items()}
        return OverlapFold(job, self._config, self._probe, passed.thresholds, tops)


class OverlapFold(Counting):
    """Counts of this rank's shards, and what they say once all ranks' are summed."""

    def __init__(
        self,
        job: Job,
        config: IouConfig,
        probe: LabelledProbe,
        thresholds: dict[str, Tensor],
        tops: dict[str, Top],
    ) -> None:
        super().__init__(probe, job.plan.layers, thresholds, tops)
        self._job, self._config = job, config
        self._thresholds, self._tops = thresholds, tops

    def outcome(self) -> Outcome | None:
        """Label the units of every layer, see `labeler.LabelFold`."""
        results = [self._result(info) for info in self._job.plan.layers]
        masks = self._job.ranks.gather(self.masks)
        if not self._job.ranks.leads:
            return None
        # each image is of one rank, the others' masks of it are 0
        together = {name: _either([one[name] for one in masks]) for name in self.masks}
        return Outcome(
            {r.info.name: iou_counts(r, self._probe.categories) for r in results},
            iou_definitions(self._config, self._probe.grid),
            partial(write, results, together, self._probe, self._config),
        )

    def _result(self, info: LayerInfo) -> LayerResult:
        """Sum over ranks and turn counts into labels."""
        threshold, top = self._thresholds[info.name], self._tops[info.name]
        counts = Counts(*map(self._job.ranks.total, self.counts[info.name]))
        labels = self._probe.labels
        pixels, primary, known = (
            torch.as_tensor(part, device=threshold.device)
            for part in (labels.pixels, labels.primary, labels.known)
        )
        by_rule = {rule: iou(counts, pixels, primary, rule) for rule in UNIONS}
        chosen = best(by_rule[self._config.union], known, primary, len(labels.categories))
        return LayerResult(
            info,
            threshold.cpu().numpy(),
            CountArrays(*(part.cpu().numpy() for part in counts)),
            {rule: values.cpu().numpy() for rule, values in by_rule.items()},
            BestArrays(*(part.cpu().numpy() for part in chosen)),
            detectors(chosen, self._config.min_iou),
            top.image,
            top.value,
        )


def _either(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bits that are set in any of several arrays."""
    return np.bitwise_or.reduce(parts) if len(parts) > 1 else parts[0]
