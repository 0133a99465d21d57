"""Read the labels of a network's units from every file that holds them, into one form.

These are our run directories, the tables in them, and what NetDissect and CLIP-Dissect publish.
Units count from 0 in all that is read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from broden.system.files import file_name
from dissection.config import MIN_IOU, UNIONS
from dissection.results.folder import RunFolder
from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.names import distinctly_named
from dissection.results.scores import clip_scores, iou_scores
from dissection.results.tables import (
    DESCRIPTIONS,
    FORMS,
    TALLY,
    UNITS,
    checked,
    common,
    numbers,
    read_tally,
    rows,
    tally_categories,
    truth,
)

__all__ = ["FORMS", "of_run", "read", "read_all"]


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
        A run directory, or a CSV file of one of the `FORMS`. Published files are best called
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
    for form, reader in ((UNITS, _iou), (DESCRIPTIONS, _clip), (TALLY, _tally)):
        if columns.issuperset(form):
            return [reader(path, _card_of(path))]
    shown = ", ".join(list(rows(path, most=0).columns)[:8])
    raise ValueError(f"{path} has the columns {shown[:200]!r}; known are {FORMS}")


def _run(path: Path) -> list[Labelling]:
    settings = _card(path)
    if not settings:
        raise ValueError(f"{path} holds no complete run; finish it with scripts/dissect.py")
    found = of_run(path, settings)
    known = {part.method for part in found}
    tables = {"iou": "units.csv", "clip": "descriptions.csv"}
    missing = [
        table
        for method, table in tables.items()
        if settings["method"] in (method, "both") and method not in known
    ]
    if missing:
        names = " and ".join(missing)
        raise ValueError(f"{path} is complete but lacks {names}; delete it and run it again")
    return found


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
    tables = (("units.csv", _iou), ("descriptions.csv", _clip))
    return [reader(path / name, settings) for name, reader in tables if (path / name).is_file()]


def _card(folder: Path) -> dict:
    """Return the settings of the complete run in a directory; none if there is no such run."""
    try:
        card = RunFolder(folder).card()
    except ValueError:
        return {}
    return card.get("settings", {}) if card and card.get("status") == "complete" else {}


def _card_of(path: Path) -> dict:
    """Return the settings of the complete run that a table belongs to, if to any."""
    return _card(path.parent.parent if path.parent.name == "tally" else path.parent)


def _iou(path: Path, card: dict) -> Labelling:
    table = rows(path)
    columns = common(table, "label", "iou", path)
    columns["detector"] = truth(table["detector"], path)
    units = checked(pd.DataFrame(columns | _by_category(table, path)), path)
    file, min_iou = path.with_name("scores.h5"), card.get("min_iou", MIN_IOU)
    scores = iou_scores(file, card.get("union", UNIONS[0])) if card else None
    return _labelling("iou", units, path, card, min_iou=min_iou, scores=scores)


def _clip(path: Path, card: dict) -> Labelling:
    table = rows(path)
    columns = common(table, "description", "similarity", path) | {"detector": False}
    units = checked(pd.DataFrame(columns), path)
    scores = clip_scores(path.with_name("clip.h5")) if card else None
    return _labelling("clip", units, path, card, scores=scores)


def _tally(path: Path, card: dict) -> Labelling:
    """Read a NetDissect table: ours in the tally folder of a run, or a published one."""
    try:
        table = read_tally(path)
    except ValueError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        raise ValueError(f"{where}{error}") from error
    inside = (name for name in card.get("layers", ()) if file_name(name) == path.stem)
    columns = table[["unit", "label", "category"]].assign(score=numbers(table, "score", path))
    columns.insert(0, "layer", next(inside, _from_name(path)[1]))
    min_iou = card.get("min_iou", MIN_IOU)
    columns["detector"] = columns["score"] > min_iou
    columns = columns.assign(**_by_category(table, path))
    return _labelling("iou", checked(columns, path), path, card, min_iou=min_iou)


def _by_category(table: pd.DataFrame, path: Path) -> dict[str, pd.Series]:
    """Return the best label of every category and its IoU."""
    columns = {}
    for category in tally_categories(table):
        columns[f"{category}-label"] = table[f"{category}-label"]
        columns[f"{category}-score"] = numbers(table, f"{category}-iou", path)
    return columns


def _labelling(method: str, units: pd.DataFrame, path: Path, card: dict, **more) -> Labelling:
    model = card.get("model", {})
    network = model.get("name") or _from_name(path, list(dict.fromkeys(units["layer"])))[0]
    source = path.parent if card and path.stem in ("units", "descriptions") else path
    return Labelling(
        network, method, network, model.get("digest"), units, source, settings=card, **more
    )


def _from_name(path: Path, layers: Sequence[str] | None = None) -> tuple[str, str]:
    """Return network and layer that the name of a file tells; `layers` if a column has them."""
    if path.stem in ("units", "descriptions"):
        return path.resolve().parent.name, NO_LAYER
    published = re.fullmatch(r"(?:netdissect|clip_dissect)(?:_[a-z]+)?-(.+)", path.stem)
    if not published:
        return path.stem, NO_LAYER
    network, dash, layer = published[1].rpartition("-")
    if not dash or (layers is not None and layers != [layer]):
        return published[1], NO_LAYER
    return network, layer
