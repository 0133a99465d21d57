"""A finished run, as one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from broden.system.hdf5 import RefusedError, array, opened, texts
from dissection.results import schema
from dissection.results.folder import RunFolder
from dissection.results.tables import check_units, read_table, read_tally


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
        IoU of every category; where the run tells how far its labels can be believed also
        `schema.VALIDITY_COLUMNS`. None where only CLIP labelled.
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
            If there is no complete run in the directory, or its card or a table is damaged.
        """
        folder = RunFolder(path)
        card = folder.completed()
        tables = {}
        for labeler in folder.labelers(card):
            written = schema.METHODS[labeler]
            for name in written.tables:
                wanted = written.columns if name == written.tables[0] else ("layer",)
                tables[name] = _table(folder.path / name, wanted)
                if name == written.tables[0]:
                    check_units(tables[name], folder.path / name, card["settings"]["layers"])
        units, concepts = tables.get(schema.UNITS), tables.get(schema.CONCEPTS)
        descriptions = tables.get(schema.DESCRIPTIONS)
        return cls(folder.path, card, units, concepts, descriptions, message)

    def __repr__(self) -> str:
        units = sum(map(self._units, self.layers))
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
            ``all``, ``top/image`` or ``top/value``; of a run with validity also ``validity/``,
            ``sensitivity/`` and ``rotated/`` with what `schema` lists. Columns are label numbers,
            0 the unlabelled.

        Raises
        ------
        ValueError
            If there is no such array, or the file is damaged.
        """
        if self.units is None:
            raise ValueError(f"{self.path} was not labelled by IoU; see similarity()")
        self._check_layer(layer)
        with opened(self.path / schema.SCORES, schema.ARRAYS) as file:
            found = file.get(schema.member(layer, name))
            if not isinstance(found, h5py.Dataset):
                raise RefusedError(
                    f"layer {layer} has no array {name!r}; such as threshold, iou/category, "
                    "top/image"
                )
            axis = schema.UNIT_AXIS.get(name, 0)
            shape: list[int | None] = [None] * max(found.ndim, 0 if axis is None else axis + 1)
            if axis is not None:
                shape[axis] = self._units(layer)
            return array(file, schema.member(layer, name), "fiu", shape)

    def similarity(self, layer: str) -> pd.DataFrame:
        """Return how similar each unit of a layer is to each concept: a row a unit.

        Raises
        ------
        ValueError
            If there is no such layer, CLIP did not label, or the file is damaged.
        """
        if self.descriptions is None:
            raise ValueError(f"{self.path} was not labelled by CLIP; see scores()")
        self._check_layer(layer)
        with opened(self.path / schema.CLIP, schema.ARRAYS) as file:
            concepts = texts(file, schema.CLIP_CONCEPTS)
            shape = self._units(layer), len(concepts)
            values = array(file, schema.member(layer, schema.SIMILARITY), "f", shape)
            return pd.DataFrame(values, columns=np.array(concepts, object))

    def _check_layer(self, layer: str) -> None:
        if layer not in self.layers:
            raise ValueError(f"no layer {layer!r}; one of {', '.join(self.layers)}")

    def _units(self, layer: str) -> int:
        """Return how many units a layer has by the tables."""
        table = self.units if self.units is not None else self.descriptions
        return 0 if table is None else int((table["layer"] == layer).sum())


def _table(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """Read a table of a run that has the columns it should have."""
    table = read_table(path)
    for name in wanted:
        if name not in table:
            raise ValueError(f"{path} lacks the column {name}; run it again")
    return table
