"""The sums of all ranks, and what they say of the labels of each layer."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.probe import LabelledProbe
from dissection.config import TOP_IMAGES, IouConfig
from dissection.execution.ranks import Ranks
from dissection.overlap.tally import Counts
from dissection.overlap.validity import heat
from dissection.overlap.validity.evidence import Evidence, Pairing
from dissection.overlap.validity.levels import LevelCounts, above
from dissection.overlap.validity.numbers import (
    Counted,
    Labelled,
    Sensitivity,
    Validity,
    highest,
    null_rule,
    sensitivity,
    validity,
)

__all__ = ["CUTS", "Judge", "Judgement"]

CUTS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2)
"""IoU thresholds at which detectors are counted, beside the run's own."""


class Judgement(NamedTuple):
    """What the labels of a layer are worth."""

    validity: Validity
    sensitivity: Sensitivity
    alone: int
    """Images that were paired with themselves."""


class Judge:
    """Say what labels are worth, from the evidence of all ranks.

    Parameters
    ----------
    probe : LabelledProbe
        Labels of the images.
    config : IouConfig
        Of the run.
    evidence : Evidence
        Of this rank's shards.
    ranks : Ranks
        All of which must be here, and call for the same layers in the same order.

    Attributes
    ----------
    pairs : Pairing
        Of the images.
    labelled : Labelled
        The labels of the set.
    """

    def __init__(
        self,
        probe: LabelledProbe,
        config: IouConfig,
        evidence: Evidence,
        ranks: Ranks,
    ) -> None:
        self._config, self._evidence, self._ranks = config, evidence, ranks
        self._own = config.levels()[::-1].index(config.quantile)
        self.pairs = evidence.pairs
        self._labels = ranks.total(torch.from_numpy(evidence.labels))
        touching = ranks.total(torch.from_numpy(evidence.touching)).numpy() > 0
        self.labelled = _labelled(probe, evidence.pairs, touching)

    def judge(
        self, layer: str, counts: Counts, grouped: Counts, overlapping: Tensor, scores: Tensor
    ) -> Judgement | None:
        """Return what the labels of a layer are worth, on the rank that leads.

        Parameters
        ----------
        layer : str
            Its name.
        counts : Counts
            Of all ranks.
        grouped : Counts
            Of all ranks, with U rows for each group of images.
        overlapping : Tensor
            (U, L) images of all ranks in which unit and label overlap.
        scores : Tensor
            (U, L) float64 IoU by the run's union rule.
        """
        total, one = self._ranks.total, self._evidence.layers[layer]
        others = total(one.overlaps.shifted)
        levels = above(LevelCounts(*map(total, one.overlaps.levels)))
        steps = total(one.steps)
        maximum = self._evidence.maxima.gathered(self._ranks, layer)
        if not self._ranks.leads:
            return None
        labels = self.labelled._replace(
            pixels=self.labelled.pixels.to(scores.device),
            primary=self.labelled.primary.to(scores.device),
            known=self.labelled.known.to(scores.device),
        )
        images = torch.from_numpy(self._evidence.strata)
        counted = Counted(
            counts,
            grouped,
            overlapping.cpu().numpy(),
            torch.cat([levels.intersection[1:, :, self._own], others]),
            heat.expected(steps, self._labels, images),
            maximum,
        )
        config = self._config
        found = validity(counted, labels, scores, config.union, config.min_iou, TOP_IMAGES)
        return Judgement(found, self._sensitivity(levels, found.null, labels), self.pairs.alone)

    def _sensitivity(self, levels: LevelCounts, null: np.ndarray, labels: Labelled) -> Sensitivity:
        """Count detectors at every quantile; levels come with the largest quantile first."""
        config, shifts = self._config, levels.intersection.shape[0]
        quantiles, counts, shifted = config.levels(), [], []
        for place, quantile in zip(reversed(range(len(quantiles))), quantiles, strict=True):
            areas = (levels.all[:, place], levels.category[:, place], levels.mask[:, place])
            of_shift = [Counts(levels.intersection[s, :, place], *areas) for s in range(shifts)]
            counts.append(of_shift[0])
            rule = null_rule(config.union)
            some = [highest(one, labels, rule) for one in of_shift[1:]]
            own = quantile == config.quantile
            shifted.append(null if own else np.array(some).reshape(len(some), null.shape[1]))
        cuts = sorted({*CUTS, config.min_iou})
        return sensitivity(quantiles, cuts, counts, shifted, labels, config.union)


def _labelled(probe: LabelledProbe, pairs: Pairing, touching: np.ndarray) -> Labelled:
    """Return the labels of a probe set as `numbers` wants them."""
    table, groups = probe.labels, int(pairs.group.max()) + 1
    image, label, pixels = probe.contents(0, len(probe))
    grouped = np.zeros((groups, len(table)), np.int64)
    np.add.at(grouped, (pairs.group[image], label), pixels)
    holds = np.zeros((len(table), len(probe)), bool)
    holds[label, image] = True
    pixels_of, primary, known = (
        torch.as_tensor(part) for part in (table.pixels, table.primary, table.known)
    )
    return Labelled(pixels_of, primary, known, len(table.categories), touching, grouped, holds)
