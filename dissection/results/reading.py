"""Read the labels of a network's units from every file that holds them, into one form.

These are our run directories, the tables in them, and what NetDissect and CLIP-Dissect publish.
Units count from 0 in all that is read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dissection.config import MIN_IOU, UNIONS
from dissection.results import schema
from dissection.results.folder import RunFolder, is_complete
from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.names import distinctly_named
from dissection.results.scores import stored_scores
from dissection.results.tables import (
    checked,
    common,
    numbers,
    read_tally,
    rows,
    tally_categories,
    truth,
)

__all__ = ["of_run", "read", "read_all"]

# of a run directory, whose name is then the network's
_OURS = tuple(written.tables[0] for written in schema.METHODS.values())


def read_all(paths: Sequence[str | Path]) -> list[Labelling]:
    """Read several results; tables of other layers of the same network become one labelling.

    Raises
    ------
    ValueError, FileNotFoundError
        As `read`.
    """
    found: list[Labelling] = []
    for new in [labelling for path in paths for labelling in read(path)]:
        place = next((i for i, old in enumerate(found) if _continues(old, new)), None)
        if place is None:
            found.append(new)
        else:
            units = pd.concat([found[place].units, new.units], ignore_index=True)
            # a category that one of the files does not know
            labels = [name for name in units if name.endswith("-label")]
            found[place] = replace(found[place], units=units.fillna(dict.fromkeys(labels, "")))
    return distinctly_named(found)


def _continues(old: Labelling, new: Labelling) -> bool:
    """Tell whether two tables without a run card are parts of one."""
    return (
        not (old.digest or new.digest)
        and (old.method, old.network) == (new.method, new.network)
        and not set(old.layers) & set(new.layers)
    )


def read(path: str | Path) -> list[Labelling]:
    """Read the labels of units: of a run both methods' where it has both, else one.

    Parameters
    ----------
    path : str or Path
        A run directory, or a CSV file of one of `schema.FORMS`. Published files are best called
        ``netdissect-NETWORK-LAYER.csv`` and ``clip_dissect-NETWORK[-LAYER].csv``: their names tell
        what the columns do not. A CSV file of ours in its run directory is read with its card.

    Raises
    ------
    FileNotFoundError
        If there is no such file or directory.
    ValueError
        If it is not a complete run, or a table of another form or with impossible values.
    """
    path = Path(path)
    if path.is_dir():
        return _run(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a run directory or a CSV file")
    columns = set(rows(path, most=0).columns)
    for method, written in schema.METHODS.items():
        if columns.issuperset(written.columns):
            return [_units(method, path, _card_of(path))]
    if columns.issuperset(schema.TALLY_COLUMNS):
        return [_tally(path, _card_of(path))]
    shown = ", ".join(list(rows(path, most=0).columns)[:8])
    raise ValueError(f"{path} has the columns {shown[:200]!r}; known are {schema.FORMS}")


def _run(path: Path) -> list[Labelling]:
    return of_run(path, RunFolder(path).completed()["settings"])


def of_run(path: Path, settings: dict) -> list[Labelling]:
    """Return what the tables in a run directory say, the run complete or about to be.

    Parameters
    ----------
    path : Path
        The run directory.
    settings : dict
        Of the run card.

    Raises
    ------
    ValueError
        As `read`.
    """
    tables = {method: path / written.tables[0] for method, written in schema.METHODS.items()}
    return [_units(name, table, settings) for name, table in tables.items() if table.is_file()]


def _card(folder: Path) -> dict:
    """Return the settings of the complete run in a directory; none if there is no such run."""
    try:
        card = RunFolder(folder).card()
    except ValueError:
        return {}
    return card.get("settings", {}) if card and is_complete(card) else {}


def _card_of(path: Path) -> dict:
    """Return the settings of the complete run that a table belongs to, if to any."""
    return _card(path.parent.parent if path.parent.name == schema.TALLY else path.parent)


def _units(method: str, path: Path, card: dict) -> Labelling:
    """Read the table that a labeler of ours wrote."""
    written, table = schema.METHODS[method], rows(path)
    missing = [name for name in written.columns if name not in table]
    if missing:
        raise ValueError(f"{path} lacks the column {missing[0]}; known are {schema.FORMS}")
    columns = common(table, written.label, written.score, path)
    detects = "detector" in written.columns
    columns["detector"] = truth(table["detector"], path) if detects else False
    columns |= _by_category(table, path)
    units = checked(pd.DataFrame(columns), path, card.get("layers"))
    union = card.get("union", UNIONS[0])
    scores = stored_scores(path.parent, method, union) if card else None
    min_iou = card.get("min_iou", MIN_IOU) if detects else MIN_IOU
    return _labelling(method, units, path, card, min_iou=min_iou, scores=scores)


def _tally(path: Path, card: dict) -> Labelling:
    """Read a NetDissect table: ours in the tally folder of a run, or a published one."""
    try:
        table = read_tally(path)
    except ValueError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        raise ValueError(f"{where}{error}") from error
    inside = (n for n in card.get("layers", ()) if Path(schema.tally_file(n)).stem == path.stem)
    columns = table[["unit", "label", "category"]].assign(score=numbers(table, "score", path))
    columns.insert(0, "layer", next(inside, _from_name(path)[1]))
    min_iou = card.get("min_iou", MIN_IOU)
    columns["detector"] = columns["score"] > min_iou
    columns = columns.assign(**_by_category(table, path))
    return _labelling(
        "iou", checked(columns, path, card.get("layers")), path, card, min_iou=min_iou
    )


def _by_category(table: pd.DataFrame, path: Path) -> dict[str, pd.Series]:
    """Return the best label of every category and its IoU."""
    columns = {}
    for category in tally_categories(table):
        label = schema.of_category(category, "label")
        columns[label] = table[label]
        iou = schema.of_category(category, "iou")
        columns[schema.of_category(category, "score")] = numbers(table, iou, path)
    return columns


def _labelling(method: str, units: pd.DataFrame, path: Path, card: dict, **more) -> Labelling:
    model = card.get("model", {})
    network = model.get("name") or _from_name(path, list(dict.fromkeys(units["layer"])))[0]
    source = path.parent if card and path.name in _OURS else path
    return Labelling(
        network, method, network, model.get("digest"), units, source, settings=card, **more
    )


def _from_name(path: Path, layers: Sequence[str] | None = None) -> tuple[str, str]:
    """Return network and layer that the name of a file tells; `layers` if a column has them."""
    if path.name in _OURS:
        return path.resolve().parent.name, NO_LAYER
    published = re.fullmatch(r"(?:netdissect|clip_dissect)(?:_[a-z]+)?-(.+)", path.stem)
    if not published:
        return path.stem, NO_LAYER
    network, dash, layer = published[1].rpartition("-")
    if not dash or (layers is not None and layers != [layer]):
        return published[1], NO_LAYER
    return network, layer
