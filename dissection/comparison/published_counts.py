"""Counts of concepts that others published, beside those of the same networks here.

``cvpr2017``: the 27 networks that were released with Bau, Zhou, Khosla, Oliva and Torralba,
*Network Dissection: Quantifying Interpretability of Deep Visual Representations*, CVPR 2017,
counted from the release's own table
(github.com/CSAILVision/NetDissect, plot/semantics_cvpr_release.mat) by the paper's rule:
labels above an IoU of 0.04 in each category, summed over categories.
"""

import re
from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

from broden.system.text import nearest
from dissection.comparison.side_by_side import ALL, detectors
from dissection.results.labelling import NO_LAYER, Labelling

__all__ = ["PUBLISHED", "beside", "published", "text"]

PUBLISHED = ("cvpr2017",)
"""The tables there are."""

KINDS = {"detectors": "detectors_paper", "unique": "unique_paper"}
"""Counts of the published tables, and the column of `side_by_side.detectors` that is the same."""

ALIASES = {
    "resnet152modelimagenet": "resnet152torchimagenet",
    "resnet152modelplaces365": "resnet152torchplaces365",
}
"""Networks whose released tallies are called otherwise than in the table."""


def published(name: str = "cvpr2017") -> pd.DataFrame:
    """Return the counts of a published table.

    Parameters
    ----------
    name : str
        One of `PUBLISHED`.

    Returns
    -------
    DataFrame
        network, layer, units, category (and ``all``), detectors, unique.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    if name not in PUBLISHED:
        raise ValueError(f"no published counts are called {name!r}; there are {_and(PUBLISHED)}")
    with (files("dissection.comparison") / "published" / f"{name}.csv").open() as handle:
        wide = pd.read_csv(handle)
    keys = ["network", "layer", "units"]
    table = pd.wide_to_long(wide, list(KINDS), keys, "category", sep="_", suffix=r"\w+")
    table = table.reset_index()
    table["order"] = table["network"].map({n: i for i, n in enumerate(wide["network"])})
    table = table.sort_values("order", kind="stable", ignore_index=True)
    return table[[*keys, "category", *KINDS]]


def beside(labellings: Sequence[Labelling], name: str = "cvpr2017") -> pd.DataFrame:
    """Return the counts of networks beside the published ones of the same name.

    Letters and digits of names are compared, and whether these are capital does not count.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU, of which at least one has the name of a published network.
    name : str
        One of `PUBLISHED`.

    Returns
    -------
    DataFrame
        network, layer, published_network, published_layer, category (and ``all``), count (one of
        `KINDS`), ours, published, difference (ours less the published).

    Raises
    ------
    ValueError
        If there is no such table, no network of it, or the layer cannot be told.
    """
    table = published(name)
    known = {_plain(network): network for network in table["network"]}
    rows: list[tuple] = []
    for part in labellings:
        found = known.get(ALIASES.get(_plain(part.name), _plain(part.name)))
        if found is not None:
            rows += _rows(part, table[table["network"] == found])
    if not rows:
        names = [part.name for part in labellings]
        close = nearest(names[0], list(known.values())) if names else ""
        raise ValueError(
            f"{_and(names) or 'nothing by IoU'} is none of the {len(known)} networks of {name}"
            f"{close}; say which with NAME=RUN, NAME one of {_and(list(known.values()))}"
        )
    columns = ["network", "layer", "published_network", "published_layer"]
    columns += ["category", "count", "ours", "published", "difference"]
    return pd.DataFrame(rows, columns=columns)


def _rows(part: Labelling, table: pd.DataFrame) -> list[tuple]:
    """Return the rows of a network in the layer that was published."""
    theirs = table.iloc[0]
    layer = part.layers[0] if len(part.layers) == 1 else str(theirs["layer"])
    if layer not in part.layers:
        raise ValueError(
            f"{part.source} has the layers {_and(part.layers)}, and published is {layer} of "
            f"{theirs['network']}; give the one table, {part.name}:{layer}=FILE"
        )
    counted = detectors(part)
    ours = counted[counted["layer"] == layer].set_index("category")
    rows = []
    for one in table.to_dict("records"):
        for count, column in KINDS.items():
            category = one["category"]
            # a probe set without the category has none of its labels
            mine = int(ours.loc[category, column]) if category in ours.index else 0
            names = part.name, layer, one["network"], one["layer"], category, count
            rows.append((*names, mine, one[count], mine - one[count]))
    return rows


def text(table: pd.DataFrame, name: str = "cvpr2017") -> str:
    """Return a sentence a network: its unique detectors, the published ones and where they differ.

    Parameters
    ----------
    table : DataFrame
        From `beside`.
    name : str
        Of the published table.
    """
    said = []
    unique = table[table["count"] == "unique"]
    for (network, layer), part in unique.groupby(["network", "layer"], sort=False):
        rows = part.set_index("category")
        whole, rest = rows.loc[ALL], rows.drop(index=ALL)
        apart = [
            f"{category} {row['difference']:+d} ({row['ours']} and {row['published']})"
            for category, row in rest[rest["difference"] != 0].iterrows()
        ]
        where = "" if layer == NO_LAYER else f" in {layer}"
        said.append(
            f"{network} has {whole['ours']} unique detectors by the paper's rule{where}, {name} "
            f"{whole['published']} of {whole['published_network']} in {whole['published_layer']}: "
            f"{'by category, ' + _and(apart) if apart else 'the same in every category'}."
        )
    return "\n".join(said)


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
