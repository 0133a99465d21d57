"""The labeler by overlap: from thresholds and counts to the concept of every unit."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from broden.probe import LabelledProbe, Probe, labelled
from dissection.activations import forward
from dissection.activations.forward import Passed
from dissection.activations.sampling import shards_of
from dissection.activations.top import Top, merge_top
from dissection.config import UNIONS, IouConfig
from dissection.execution.job import Job
from dissection.labeler import Outcome
from dissection.networks.layouts import LayerInfo
from dissection.networks.suitability import require_grid
from dissection.overlap.assign import Best, best, detectors
from dissection.overlap.counting import Counting, Thresholds
from dissection.overlap.iou import iou
from dissection.overlap.results import (
    BestArrays,
    CountArrays,
    LayerResult,
    iou_counts,
    iou_definitions,
)
from dissection.overlap.storing import write
from dissection.overlap.tally import Counts, together
from dissection.overlap.validity.evidence import Evidence, Pairing, pairing_of
from dissection.overlap.validity.judging import Judge

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
        self._shifts = config.shifts_of(len(probe))
        self.precision = config.precision
        self.levels = config.levels()
        self.rotations = config.rotations if config.believed else 0

    def layers(self, infos: Sequence[LayerInfo]) -> list[LayerInfo]:
        """Return the layers, which must have maps."""
        require_grid(infos)
        return list(infos)

    def prepare(self, device: torch.device) -> None:
        """Do nothing: there is nothing to load."""

    def settings(self) -> dict[str, object]:
        """Return all that determines the labels, as JSON knows it."""
        found = self._config.as_dict()
        return found | {"shifts": self._shifts} if self._config.believed else found

    def fold(self, job: Job, passed: Passed) -> "OverlapFold":
        """Return the counts to be added up above the exact thresholds; on every rank."""
        tops = {name: merge_top(job.ranks.all(top)) for name, top in passed.tops.items()}
        if not self._config.believed:
            return OverlapFold(job, self._config, self._probe, passed, tops)
        # shard by shard, so that partners are in the same or the next; their images ascend, and
        # neighbours of a sorted set are alike
        rng = np.random.default_rng(0)
        shards = shards_of(len(self._probe), forward.SHARD_IMAGES)
        order = np.concatenate([rng.permutation(images) for images in shards])
        pairs = pairing_of(self._probe, order, self._shifts)
        return OverlapFold(job, self._config, self._probe, passed, tops, pairs)


class OverlapFold(Counting):
    """Counts of this rank's shards, and what they say once all ranks' are summed."""

    def __init__(
        self,
        job: Job,
        config: IouConfig,
        probe: LabelledProbe,
        passed: Passed,
        tops: dict[str, Top],
        pairs: Pairing | None = None,
    ) -> None:
        plan, self._twins = job.plan, job.plan.twins()
        thresholds = {name: Thresholds(levels[0]) for name, levels in passed.thresholds.items()}
        place = config.levels()[::-1].index(config.quantile)
        for info in plan.layers:
            several = passed.thresholds[info.name].unbind()
            thresholds[info.name] = Thresholds(several[place], several if pairs else (), place)
        evidence = None
        if pairs is not None:
            levels = len(config.levels())
            evidence = Evidence(probe, pairs, plan.layers, levels, plan.device)
        layers = [*plan.layers, *self._twins.values()]
        group = None if pairs is None else pairs.group
        super().__init__(probe, layers, thresholds, tops, group, evidence)
        self._job, self._config = job, config
        self._thresholds, self._tops = thresholds, tops

    def outcome(self) -> Outcome | None:
        """Label the units of every layer, see `labeler.LabelFold`."""
        judge = None
        if self.evidence is not None:
            judge = Judge(self._probe, self._config, self.evidence, self._job.ranks)
        results = [self._result(info, judge) for info in self._job.plan.layers]
        masks = self._job.ranks.gather(self.masks)
        if not self._job.ranks.leads:
            return None
        # each image is of one rank, the others' masks of it are 0
        together = {name: _either([one[name] for one in masks]) for name in self.masks}
        groups = None if judge is None else (judge.pairs.group, judge.labelled.grouped)
        return Outcome(
            {
                r.info.name: iou_counts(r, self._probe.categories, self._config.min_iou)
                for r in results
            },
            iou_definitions(self._config, self._probe.grid),
            partial(write, results, together, self._probe, self._config, groups),
        )

    def _result(self, info: LayerInfo, judge: Judge | None) -> LayerResult:
        """Sum over ranks and turn counts into labels."""
        threshold, top = self._thresholds[info.name].own, self._tops[info.name]
        counts, grouped, by_rule, chosen = self._labelled(info)
        judgement = None
        if judge is not None:
            overlapping = self._job.ranks.total(self.overlapping[info.name])
            union = by_rule[self._config.union]
            judgement = judge.judge(info.name, counts, grouped, overlapping, union)
        twins = {
            seed: self._labelled(twin)[3]
            for (name, seed), twin in self._twins.items()
            if name == info.name
        }
        return LayerResult(
            info,
            threshold.cpu().numpy(),
            CountArrays(*(part.cpu().numpy() for part in counts)),
            {rule: values.cpu().numpy() for rule, values in by_rule.items()},
            BestArrays(*(part.cpu().numpy() for part in chosen)),
            detectors(chosen, self._config.min_iou),
            top.image,
            top.value,
            judgement,
            {seed: (one, detectors(one, self._config.min_iou)) for seed, one in twins.items()},
        )

    def _labelled(self, info: LayerInfo) -> tuple[Counts, Counts, dict[str, Tensor], Best]:
        """Return the counts of all ranks, also by group, the IoU by every rule, and the labels."""
        grouped = Counts(*map(self._job.ranks.total, self.grouped(info.name)))
        counts, labels = together(grouped, info.units), self._probe.labels
        pixels, primary, known = (
            torch.as_tensor(part, device=counts.all.device)
            for part in (labels.pixels, labels.primary, labels.known)
        )
        by_rule = {rule: iou(counts, pixels, primary, rule) for rule in UNIONS}
        chosen = best(by_rule[self._config.union], known, primary, len(labels.categories))
        return counts, grouped, by_rule, chosen


def _either(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bits that are set in any of several arrays."""
    return np.bitwise_or.reduce(parts) if len(parts) > 1 else parts[0]
