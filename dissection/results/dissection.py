"""A finished run, as one object."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from broden.system.files import file_name
from dissection.results.folder import RunFolder
from dissection.results.tables import read_table, read_tally


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
        card = folder.card()
        if card is None or card.get("status") != "complete":
            raise ValueError(f"{path} holds no complete run; finish it with scripts/dissect.py")
        method, path = card["settings"]["method"], folder.path
        tables = (("units.csv", "clip"), ("concepts.csv", "clip"), ("descriptions.csv", "iou"))
        for name, other in tables:
            if method != other and not (path / name).is_file():
                raise ValueError(f"{path} is complete but lacks {name}; delete it and run it again")
        units, concepts, descriptions = (
            read_table(path / name) if method in (of, "both") else None
            for name, of in (
                ("units.csv", "iou"),
                ("concepts.csv", "iou"),
                ("descriptions.csv", "clip"),
            )
        )
        return cls(path, card, units, concepts, descriptions, message)

    def __repr__(self) -> str:
        units = sum(counts["units"] for counts in self.card["counts"].values())
        return f"<dissection of {', '.join(self.layers)}: {units} units, {self.path}>"

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return list(self.card["settings"]["layers"])

    def tally(self, layer: str) -> pd.DataFrame:
        """Return a layer's table with the columns of the published results, units from 0."""
        return read_tally(self.path / "tally" / f"{file_name(layer)}.csv")

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
        with h5py.File(self.path / "scores.h5") as file:
            if f"layers/{layer}" not in file:
                raise ValueError(f"no layer {layer!r}; one of {', '.join(self.layers)}")
            if not isinstance(file.get(f"layers/{layer}/{name}"), h5py.Dataset):
                raise ValueError(f"no array {name!r}; such as threshold, iou/category, top/image")
            return file[f"layers/{layer}/{name}"][()]

    def similarity(self, layer: str) -> pd.DataFrame:
        """Return how similar each unit of a layer is to each concept: a row a unit.

        Raises
        ------
        ValueError
            If there is no such layer, or CLIP did not label.
        """
        if self.descriptions is None:
            raise ValueError(f"{self.path} was not labelled by CLIP; see scores()")
        with h5py.File(self.path / "clip.h5") as file:
            if f"layers/{layer}" not in file:
                raise ValueError(f"no layer {layer!r}; one of {', '.join(self.layers)}")
            values = file[f"layers/{layer}/similarity"][()]
            return pd.DataFrame(values, columns=file["concepts"].asstr()[()])
