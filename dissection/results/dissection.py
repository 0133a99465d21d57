"""A finished run, as one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from dissection.results import schema
from dissection.results.folder import RunFolder
from dissection.results.tables import read_table, read_tally


def paths_of(results: "Sequence[str | Path | Dissection]") -> list[str | Path]:
    """Return where results are, runs that are open among them.

    Raises
    ------
    TypeError
        If one result is given where several may be.
    ValueError
        If there is none.
    """
    if isinstance(results, str | Path | Dissection):
        raise TypeError(f"results must be a list of runs or tables, got one: {results}")
    if not results:
        raise ValueError("no results are named; give at least one run or table")
    return [one.path if isinstance(one, Dissection) else one for one in results]


@dataclass(frozen=True)
class Dissection:
    """The results of a run.

    Attributes
    ----------
    path : Path
        The run directory.
    card : dict
        The run card: settings, definitions, counts, host and times.
    units : DataFrame or None
        One row a unit: layer, unit, label, category, iou, detector, threshold, and the label and
        IoU of every category. None where only CLIP labelled.
    concepts : DataFrame or None
        One row a layer and label: how many units carry it. None likewise.
    descriptions : DataFrame or None
        One row a unit: layer, unit, description, similarity. None where only IoU labelled.
    message : str
        How the run went, in a sentence.
    """

    path: Path
    card: dict
    units: pd.DataFrame | None
    concepts: pd.DataFrame | None
    descriptions: pd.DataFrame | None = None
    message: str = ""

    @classmethod
    def read(cls, path: str | Path, message: str = "") -> "Dissection":
        """Read the results of a complete run.

        Raises
        ------
        ValueError
            If there is no complete run in the directory.
        """
        folder = RunFolder(path)
        card = folder.completed()
        tables = {
            name: read_table(folder.path / name)
            for labeler in folder.labelers(card)
            for name in schema.METHODS[labeler].tables
        }
        units, concepts = tables.get(schema.UNITS), tables.get(schema.CONCEPTS)
        descriptions = tables.get(schema.DESCRIPTIONS)
        return cls(folder.path, card, units, concepts, descriptions, message)

    def __repr__(self) -> str:
        units = sum(counts["units"] for counts in self.card["counts"].values())
        return f"<dissection of {', '.join(self.layers)}: {units} units, {self.path}>"

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return list(self.card["settings"]["layers"])

    def tally(self, layer: str) -> pd.DataFrame:
        """Return a layer's table with the columns of the published results, units from 0."""
        return read_tally(self.path / schema.tally_file(layer))

    def scores(self, layer: str, name: str) -> np.ndarray:
        """Return a layer's array of scores.h5.

        Parameters
        ----------
        layer : str
            One of `layers`.
        name : str
            ``threshold``, ``intersection``, ``iou/`` or ``area/`` with ``category``, ``mask`` or
            ``all``, ``top/image`` or ``top/value``. Columns are label numbers, 0 the unlabelled.

        Raises
        ------
        ValueError
            If there is no such array.
        """
        if self.units is None:
            raise ValueError(f"{self.path} was not labelled by IoU; see similarity()")
        with h5py.File(self.path / schema.SCORES) as file:
            self._check_layer(file, layer)
            if not isinstance(file.get(schema.member(layer, name)), h5py.Dataset):
                raise ValueError(f"no array {name!r}; such as threshold, iou/category, top/image")
            return file[schema.member(layer, name)][()]

    def similarity(self, layer: str) -> pd.DataFrame:
        """Return how similar each unit of a layer is to each concept: a row a unit.

        Raises
        ------
        ValueError
            If there is no such layer, or CLIP did not label.
        """
        if self.descriptions is None:
            raise ValueError(f"{self.path} was not labelled by CLIP; see scores()")
        with h5py.File(self.path / schema.CLIP) as file:
            self._check_layer(file, layer)
            values = file[schema.member(layer, schema.SIMILARITY)][()]
            return pd.DataFrame(values, columns=file[schema.CLIP_CONCEPTS].asstr()[()])

    def _check_layer(self, file: h5py.File, layer: str) -> None:
        if schema.layers(layer) not in file:
            raise ValueError(f"no layer {layer!r}; one of {', '.join(self.layers)}")
