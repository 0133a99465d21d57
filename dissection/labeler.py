"""What a method of labelling units is, to everything that runs one.

A `Labeler` says which layers it can label and what it wants of them; while the shards are read once
it adds up what it needs (`LabelFold`); what it found then is an `Outcome`. `dissection.overlap` and
`dissection.clip` are two; `dissection.labelers` knows which there are.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch

from dissection.activations.forward import Passed
from dissection.execution.job import Job
from dissection.execution.passes import Fold
from dissection.networks.layouts import LayerInfo

__all__ = ["LabelFold", "Labeler", "Outcome"]


class Outcome(NamedTuple):
    """What a labeler found, and how it is written."""

    counts: Mapping[str, Mapping[str, object]]
    """Of each layer, for the run card."""
    definitions: Mapping[str, str]
    """In words what its numbers mean."""
    write: Callable[[Path], None]
    """Writes its files into the run directory, each complete or not at all."""
    texts: Mapping[str, Callable[[Sequence[str]], np.ndarray]] = {}
    """Spaces in which names can be compared: from n texts to (n, D) vectors of length 1."""


class LabelFold(Fold, Protocol):
    """What a labeler adds up over the shards."""

    def outcome(self) -> Outcome | None:
        """Label the units of every layer; called by every rank, None but on the one that leads."""


class Labeler(Protocol):
    """A method of labelling units, with all that determines its labels."""

    @property
    def name(self) -> str:
        """One of `config.LABELERS`."""

    @property
    def precision(self) -> str:
        """Of the forward pass, one of `config.PRECISIONS`."""

    @property
    def levels(self) -> tuple[float, ...]:
        """Shares of activations above thresholds, ascending; none where only pooled are needed."""

    @property
    def rotations(self) -> int:
        """How many random bases of each layer it asks for."""

    @property
    def means(self) -> bool:
        """Whether it asks for the mean of each map."""

    def layers(self, infos: Sequence[LayerInfo]) -> list[LayerInfo]:
        """Return the layers as it takes them.

        Raises
        ------
        ValueError
            If it cannot label one of them; names it and what to do.
        """

    def prepare(self, device: torch.device) -> None:
        """Load what takes long to load, once all else is known to be right."""

    def settings(self) -> dict[str, object]:
        """Return all that determines the labels besides network, layers and images, as JSON."""

    def fold(self, job: Job, passed: Passed) -> LabelFold:
        """Return what is to be added up, when all images have been through; on every rank."""
