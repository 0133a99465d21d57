"""Populations of images, and what runs on some of their images say of the same units."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _arranged import Arranged
from _calibration import Drawn

from broden.probe import LabelledProbe
from broden.system.hdf5 import array, opened
from dissection.api import dissect
from dissection.config import Execution, IouConfig
from dissection.networks.loading import Network
from dissection.results import schema
from dissection.results.dissection import Dissection


class Study(NamedTuple):
    """What is dissected again and again."""

    network: Network
    layers: list[str]
    probe: LabelledProbe
    """The population."""
    shown: type[Arranged]
    """How some of its images are shown."""
    folder: Path
    """Of the runs; those that are complete are not made again."""
    execution: Execution
    shifts: int | None = None
    planted: np.ndarray | None = None
    """(U,) bool, which units see their concept, where that is known."""

    def run(self, images: np.ndarray, name: str, config: IouConfig) -> Dissection:
        """Dissect on some of the images."""
        content = f"{self.probe.digest}{images.tolist()}".encode()
        probe = self.shown(self.probe, images, hashlib.sha256(content).hexdigest())
        return dissect(
            self.network,
            self.layers,
            probe,
            out=self.folder / name,
            config=config,
            execution=self.execution,
        )

    def population(self) -> dict[str, np.ndarray]:
        """Return the IoU of each label on all images, (U, L) float64 of each layer."""
        result = self.run(np.arange(len(self.probe)), "population", IouConfig(validity="none"))
        return {layer: _scores(result, layer) for layer in self.layers}

    def drawn(self, size: int, draw: int, seed: int) -> Dissection:
        """Dissect on images drawn without replacement.

        Parameters
        ----------
        size : int
            How many, fewer than there are.
        draw, seed : int
            Number of the draw, and of all of them.
        """
        rng = np.random.default_rng((seed, size, draw))
        images = np.sort(rng.permutation(len(self.probe))[:size])
        config = IouConfig(shifts=self.shifts, rotations=0)
        return self.run(images, f"{size}-{draw}", config)


def draws(
    study: Study, sizes: Sequence[int], times: int, seed: int
) -> Iterator[tuple[int, dict[str, Drawn]]]:
    """Yield the size of each draw, and what it says of each layer beside the population.

    Parameters
    ----------
    study : Study
        What is drawn from.
    sizes : sequence of int
        Images a draw.
    times : int
        Draws of each size.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        If a size is that of the population or above.
    """
    for size in sizes:
        if size >= len(study.probe):
            raise ValueError(
                f"draws of {size} images need a population of more, got {len(study.probe)}; "
                "give smaller --sizes or a larger set"
            )
    truth = study.population()
    for size in sizes:
        for draw in range(times):
            result = study.drawn(size, draw, seed)
            share = size / len(study.probe)
            yield (
                size,
                {
                    layer: seen(result, layer, truth[layer], share, study.planted)
                    for layer in study.layers
                },
            )


def seen(
    result: Dissection, layer: str, truth: np.ndarray, share: float, planted: np.ndarray | None
) -> Drawn:
    """Return what a run says of a layer beside what is so.

    Parameters
    ----------
    result : Dissection
        With validity figures.
    layer : str
        Dotted name.
    truth : ndarray
        (U, L) IoU on the population.
    share, planted
        See `Drawn`.

    Raises
    ------
    ValueError
        If the run lacks them.
    """
    units = result.units
    if units is None or "iou_low" not in units:
        raise ValueError(f"{result.path} has no validity figures; delete it and run again")
    units = units[units["layer"] == layer].sort_values("unit")
    # the best label, the lowest number on ties, as the table has it
    label = _scores(result, layer).argmax(1)
    columns = {
        field: units[name].to_numpy(float)
        for field, name in {
            "iou": "iou",
            "low": "iou_low",
            "high": "iou_high",
            "stability": "stability",
            "q": "q",
        }.items()
    }
    with opened(result.path / schema.SCORES, schema.ARRAYS) as file:
        null = array(file, schema.member(layer, schema.NULL), "f", (None, len(units)))
    true_iou = truth[np.arange(len(truth)), label]
    return Drawn(
        label,
        **columns,
        null=null,
        true_label=truth.argmax(1),
        true_iou=true_iou,
        share=share,
        planted=planted,
    )


def _scores(result: Dissection, layer: str) -> np.ndarray:
    """Return the IoU of each label, (U, L); none of the unlabelled."""
    scores = result.scores(layer, schema.of_rule(schema.IOU, result.card["settings"]["union"]))
    # what is no label wins nothing
    return np.concatenate([np.full((len(scores), 1), -1.0), scores[:, 1:]], axis=1)
