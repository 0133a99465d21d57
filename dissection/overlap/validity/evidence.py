"""What a label is judged by, counted beside it: other images, other thresholds, heat."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from broden.probe import LabelledProbe
from dissection.activations.shards import Shard, Wanted
from dissection.execution.ranks import Ranks
from dissection.networks.layouts import LayerInfo
from dissection.overlap.coding import LabelSets
from dissection.overlap.stencils import Level, Runs
from dissection.overlap.tally import Hits, Labels, counter
from dissection.overlap.validity import heat
from dissection.overlap.validity.levels import Overlaps, add, no_overlaps, overlapped
from dissection.statistics import jackknife, pairing

__all__ = ["Evidence", "EvidencePart", "Lines", "Pairing", "pairing_of"]

LEVEL_SHARE = 10
"""One in so many shifts is counted at every quantile, at least one; the others at the run's own."""


class Pairing(NamedTuple):
    """Which images are of one kind, and which are laid over which."""

    partner: np.ndarray
    """(R, N) int64 the image whose labels an image is laid over on each shift."""
    group: np.ndarray
    """(N,) int64, see `jackknife.groups_of`."""
    stratum: np.ndarray
    """(N,) int64, see `pairing.strata_of`."""
    alone: int
    """Images that are paired with themselves."""


def pairing_of(probe: LabelledProbe, order: np.ndarray, shifts: int) -> Pairing:
    """Return the pairs of a probe set.

    Parameters
    ----------
    probe : LabelledProbe
        Of N images.
    order : ndarray
        (N,) int64 in which they run; partners are near each other in it, so that few labels are
        read twice.
    shifts : int
        R.
    """
    stratum = pairing.strata_of(probe.presence)
    partner = pairing.pairs(stratum, order, shifts)
    groups = jackknife.groups_of(len(probe))
    return Pairing(partner, groups, stratum, pairing.alone(stratum))


class LayerEvidence(NamedTuple):
    """Sums over images of one layer."""

    overlaps: Overlaps
    """With the first partners' labels at every quantile, with the others' at the run's own."""
    steps: Tensor
    """(S, U, H·W + 1) int32, see `heat.steps_of`."""


class Block(NamedTuple):
    """What a shard's images are laid over."""

    images: np.ndarray
    own: list[LabelSets]
    stratum: Tensor
    """(n,) int64."""
    maxima: dict[str, np.ndarray]
    """(n, U) float32 of each layer."""


class Lines(NamedTuple):
    """Where maps exceed the lowest of several thresholds, and there each higher one."""

    runs: Runs
    levels: Sequence[Level]
    own: int
    """Which of the thresholds is the run's."""


class EvidencePart(NamedTuple):
    """What a shard adds to the evidence of one layer."""

    overlaps: Overlaps
    begin: list[Tensor]
    end: list[Tensor]


class Maxima:
    """The maximum of every map, by image.

    Parameters
    ----------
    images : int
        N.
    units : dict of str to int
        U of each layer.
    """

    def __init__(self, images: int, units: Mapping[str, int]) -> None:
        self._values = {
            name: np.zeros((images, count), np.float32) for name, count in units.items()
        }
        self._seen: list[np.ndarray] = []

    def add(self, images: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        """Take the maxima of some images, (n, U) of each layer."""
        for name, maximum in values.items():
            self._values[name][images] = maximum
        self._seen.append(images)

    def gathered(self, ranks: Ranks, layer: str) -> np.ndarray:
        """Return (N, U) of all ranks on the one that leads; every rank must be here."""
        values = self._values[layer]
        if ranks.world > 1:
            seen = np.concatenate([np.zeros(0, np.int64), *self._seen])
            for images, found in ranks.gather((seen, values[seen])):
                values[images] = found
        return values


class Evidence:
    """Sums over images of all layers.

    Parameters
    ----------
    probe : LabelledProbe
        Labels of the images.
    pairs : Pairing
        Of these images.
    layers : sequence of LayerInfo
        With grids.
    levels : int
        T.
    device : torch.device
        Where the counts are taken.

    Attributes
    ----------
    pairs : Pairing
        As given.
    maxima : Maxima
        Of the images that were added.
    layers : dict of str to LayerEvidence
        Of each layer, over the shards that were added.
    labels : ndarray
        (S, L, H·W) int32, see `heat.add_labels`.
    touching : ndarray
        (L, L) int64, above 0 where a pixel of an image that was added carries both labels.
    strata : ndarray
        (S,) int64 images of each stratum that is kept apart, of the whole set.
    """

    def __init__(
        self,
        probe: LabelledProbe,
        pairs: Pairing,
        layers: Sequence[LayerInfo],
        levels: int,
        device: torch.device,
    ) -> None:
        self.pairs = pairs
        self._pixels, self._device = int(np.prod(probe.grid)), device
        names, units = len(probe.labels), {info.name: info.units for info in layers}
        self.maxima = Maxima(len(probe), units)
        shifts = len(pairs.partner)
        at_levels = -(-shifts // LEVEL_SHARE)
        self._partners = 1 + at_levels, shifts - at_levels
        self._shape = (levels, names, len(probe.categories))
        rows = names + sum(units.values())
        self._stratum = heat.kept_apart(pairs.stratum, rows, self._pixels)
        self.strata = np.bincount(self._stratum)
        kept = len(self.strata)
        self.labels = np.zeros((kept, names, self._pixels), np.int32)
        self.touching = np.zeros((names, names), np.int64)
        self.layers = {
            name: LayerEvidence(
                self._nothing(count),
                torch.zeros((kept, count, self._pixels + 1), dtype=torch.int32, device=device),
            )
            for name, count in units.items()
        }

    def _nothing(self, units: int) -> Overlaps:
        levels, labels, categories = self._shape
        dtype = counter(len(self._stratum), self._pixels)
        return no_overlaps(self._partners, levels, units, labels, categories, self._device, dtype)

    @property
    def wanted(self) -> Wanted:
        """The maxima of every layer."""
        return dict.fromkeys(self.layers, ("maximum",))

    def block(self, shard: Shard, sets: Mapping[int, LabelSets]) -> Block:
        """Return what the evidence needs of a shard, and the labels of its images."""
        images = shard.images
        own = [sets[image] for image in images.tolist()]
        stratum = torch.from_numpy(self._stratum[images]).to(self._device)
        maxima = {name: shard.layers[name].maximum for name in self.layers}
        return Block(images, own, stratum, maxima)

    def part(self, units: int) -> EvidencePart:
        """Return what a shard adds before any of its images were counted."""
        return EvidencePart(self._nothing(units), [], [])

    def count(
        self,
        part: EvidencePart,
        runs: Runs,
        lines: Lines,
        image: Tensor,
        block: Block,
        labels: Labels,
    ) -> Hits:
        """Count some images of a shard, and return what their maps overlap of their own labels.

        Parameters
        ----------
        part : EvidencePart
            Added to in place.
        runs : Runs
            Above the run's own threshold.
        lines : Lines
            Above all thresholds.
        image : Tensor
            (n,) int64 places in the block.
        block, labels
            What the shard shows.
        """
        units = part.overlaps.shifted.shape[1]
        first = block.stratum.index_select(0, image) * units
        begin, end = heat.steps_of(runs, first, units, self._pixels)
        part.begin.append(begin)
        part.end.append(end)
        return overlapped(*lines, image, labels, part.overlaps)

    def add(self, parts: Mapping[str, EvidencePart], block: Block) -> None:
        """Add what a shard has."""
        self.maxima.add(block.images, block.maxima)
        heat.add_labels(self.labels, self._stratum[block.images], block.own)
        for one in block.own:
            together = (one.member[:, :, None] & one.member[:, None, :]).any(0)
            self.touching[np.ix_(one.label, one.label)] |= together
        for name, part in parts.items():
            total = self.layers[name]
            add(total.overlaps, part.overlaps)
            for begin, end in zip(part.begin, part.end, strict=True):
                heat.add_units(total.steps, begin, end)
