"""What one method says of the units of one network, from whatever file it was read."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dissection.config import MIN_IOU
from dissection.results import schema
from dissection.results.scores import Scores
from dissection.results.tables import tally_categories

METHOD_NAMES = {name: written.title for name, written in schema.METHODS.items()}
"""What the methods are called in tables and figures."""

OVERALL = "all layers"
"""What tables by layer call all of a network together."""

NO_LAYER = "-"
"""Layer of a table of which neither a column nor its name tells one."""


@dataclass(frozen=True, eq=False)
class Labelling:
    """What one method says of the units of one network.

    Attributes
    ----------
    name : str
        For tables; several of one comparison have different names.
    method : str
        ``iou`` or ``clip``.
    network : str
        Name of the network, by the run card or else the file name.
    digest : str or None
        Of the network, where a run card tells it.
    units : DataFrame
        One row a unit, layer by layer: layer, unit (from 0), label, category (None for clip),
        score (IoU or similarity), detector (False for clip) and, of iou, label and score of
        every category (``<category>-label``, ``<category>-score``). Where the run tells how far
        its labels can be believed also `schema.VALIDITY_COLUMNS`, numbers NaN where there are none.
    source : Path
        What was read.
    min_iou : float
        A detector's IoU exceeds it.
    scores : Scores or None
        Whole score vectors, where the run has them.
    settings : dict
        Of the run card; empty where there is none.
    counts : dict
        Of the run card, by layer; empty where there is none.
    caveats : tuple of str
        What the run card warns of.
    named : bool
        Whether the network was named by whoever gave the file.
    guessed : tuple of str
        Names of the files whose layers only the names of other files tell.
    """

    name: str
    method: str
    network: str
    digest: str | None
    units: pd.DataFrame
    source: Path
    min_iou: float = MIN_IOU
    scores: Scores | None = None
    settings: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    named: bool = False
    guessed: tuple[str, ...] = ()

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in order."""
        return list(dict.fromkeys(self.units["layer"]))

    @property
    def categories(self) -> list[str]:
        """Names of the categories whose best labels are known; none for clip."""
        return tally_categories(self.units)

    def layer(self, name: str) -> pd.DataFrame:
        """Return the rows of a layer, in the order of its units."""
        return self.units[self.units["layer"] == name].reset_index(drop=True)

    def same_network(self, other: "Labelling") -> bool:
        """Tell whether two labellings are of one network: by digest where both have one."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return self.network == other.network
