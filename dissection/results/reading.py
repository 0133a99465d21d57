"""Read the labels of a network's units from every file that holds them, into one form.

These are our run directories, the tables in them, and what NetDissect and CLIP-Dissect publish.
Units count from 0 in all that is read.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissection.config import MIN_IOU, UNIONS
from dissection.results import caveats, schema
from dissection.results.folder import RunFolder, is_complete
from dissection.results.labelling import NO_LAYER, Labelling
from dissection.results.names import File, Given, Told, distinctly_named, given, told
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


def read_all(results: Sequence[str | Path]) -> list[Labelling]:
    """Read several results; tables of other layers of the same network become one labelling.

    Parameters
    ----------
    results : sequence of str or Path
        As `read` takes; what the files are called is judged together.

    Raises
    ------
    ValueError, FileNotFoundError
        As `read`.
    """
    found: list[Labelling] = []
    for new in _read(results):
        place = next((i for i, old in enumerate(found) if _continues(old, new)), None)
        if place is None:
            found.append(new)
        else:
            old = found[place]
            units = pd.concat([old.units, new.units], ignore_index=True)
            # a category that one of the files does not know
            labels = [n for n in units if n.endswith("-label") or n in schema.OTHER_LABELS]
            units = units.fillna(dict.fromkeys(labels, ""))
            found[place] = replace(old, units=units, guessed=(*old.guessed, *new.guessed))
    return distinctly_named(found)


def _continues(old: Labelling, new: Labelling) -> bool:
    """Tell whether two tables without a run card are parts of one."""
    return (
        not (old.digest or new.digest)
        and (old.method, old.network) == (new.method, new.network)
        and not set(old.layers) & set(new.layers)
    )


def read(result: str | Path) -> list[Labelling]:
    """Read the labels of units: of a run both methods' where it has both, else one.

    Parameters
    ----------
    result : str or Path
        A run directory, or a CSV file of one of `schema.FORMS`. What the columns of published
        files do not tell is in their names, see `names.told`, or is given as ``NAME=FILE`` or
        ``NAME:LAYER=FILE``. A CSV file of ours in its run directory is read with its card.

    Raises
    ------
    FileNotFoundError
        If there is no such file or directory.
    ValueError
        If it is not a complete run, or a table of another form or with impossible values.
    """
    return _read([result])


def _read(results: Sequence[str | Path]) -> list[Labelling]:
    """Read results and call them what is said of them, or what their names tell."""
    found = [(one, part) for one in map(given, results) for part in _parts(one.path)]
    loose = [i for i, (one, part) in enumerate(found) if not part.network and not one.layer]
    names = dict(zip(loose, told([_file(found[i][1]) for i in loose]), strict=True))
    return [_called(part, one, names.get(i)) for i, (one, part) in enumerate(found)]


def _file(part: Labelling) -> File:
    """Return what the names of a labelling are told by."""
    ours = schema.METHODS[part.method].tables[0]
    path = part.source / ours if part.source.is_dir() else part.source
    return File(path, part.method, tuple(name for name in part.layers if name != NO_LAYER))


def _called(part: Labelling, one: Given, name: Told | None) -> Labelling:
    """Return a labelling under the names that were given or told.

    Raises
    ------
    ValueError
        If a layer was given to what has several, or to a run, whose arrays go by its layers.
    """
    if one.layer and (part.settings or len(part.layers) > 1):
        raise ValueError(
            f"{one.path} tells its layers itself ({', '.join(part.layers)[:200]}); "
            f"give it as {one.network}={one.path}"
        )
    if name is None and not one.network:
        return part
    network = one.network or part.network or (name.network if name else "")
    named = replace(part, name=network, network=network, named=bool(one.network))
    layer = one.layer
    if name is not None and not layer:
        guessed = (part.source.name,) if name.guessed else ()
        named = replace(named, guessed=guessed)
        layer = name.layer if part.layers == [NO_LAYER] else None
    return replace(named, units=part.units.assign(layer=layer)) if layer else named


def _parts(path: Path) -> list[Labelling]:
    """Read what a run or a table says, of a network without a name where no card has one."""
    if path.is_dir():
        card = RunFolder(path).completed()
        return [_carded(part, card) for part in of_run(path, card["settings"])]
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a run directory or a CSV file")
    columns, card = list(rows(path, most=0).columns), _card_of(path)
    settings = card.get("settings", {})
    method = _method(set(columns))
    if method is not None:
        part = _units(method, path, settings)
    elif set(columns).issuperset(schema.TALLY_COLUMNS):
        part = _tally(path, settings)
    else:
        part = _names_alone(path, columns, settings)
    return [_carded(part, card)]


def _carded(part: Labelling, card: dict) -> Labelling:
    """Return a labelling with what a run card says beside the settings."""
    return replace(part, caveats=caveats.of_card(card), counts=card.get("counts", {}))


def _method(columns: set[str]) -> str | None:
    """Return the labeler of ours that writes a table with these columns, if one does."""
    known = schema.METHODS.items()
    return next((name for name, written in known if columns.issuperset(written.columns)), None)


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
    """Return the card of the complete run in a directory; empty if there is no such run."""
    try:
        card = RunFolder(folder).card()
    except ValueError:
        return {}
    return card if card and is_complete(card) else {}


def _card_of(path: Path) -> dict:
    """Return the card of the complete run that a table belongs to, if to any."""
    return _card(path.parent.parent if path.parent.name == schema.TALLY else path.parent)


def _units(method: str, path: Path, settings: dict) -> Labelling:
    """Read the table that a labeler of ours wrote."""
    written, table = schema.METHODS[method], rows(path)
    missing = [name for name in written.columns if name not in table]
    if missing:
        raise ValueError(f"{path} lacks the column {missing[0]}; known are {schema.FORMS}")
    return _of_table(method, table, path, settings)


def _names_alone(path: Path, columns: Sequence[str], settings: dict) -> Labelling:
    """Read a table of ours that lacks the layer, which its name may tell, or the scores.

    Raises
    ------
    ValueError
        If it lacks more.
    """
    for method, label in (("iou", "label"), ("clip", "description"), ("clip", "label")):
        written = schema.METHODS[method]
        # without either, nothing tells which units are detectors
        either = {written.score, "detector"} if method == "iou" else {label}
        rest = set(written.columns) - {"layer", written.label, written.score, "detector"}
        if not (rest | {label}).issubset(columns) or not either & set(columns):
            continue
        if method == "clip" and label == "label" and "category" in columns:
            continue
        table = rows(path).rename(columns={label: written.label})
        return _of_table(method, table, path, settings)
    shown = ", ".join(columns[:8])
    raise ValueError(f"{path} has the columns {shown[:200]!r}; known are {schema.FORMS}")


def _of_table(method: str, table: pd.DataFrame, path: Path, settings: dict) -> Labelling:
    """Return what a table with the columns of ours says, but perhaps layer and scores."""
    written = schema.METHODS[method]
    scored, detects = written.score in table, "detector" in written.columns
    table = table if "layer" in table else table.assign(layer=NO_LAYER)
    table = table if scored else table.assign(**{written.score: "0"})
    min_iou = settings.get("min_iou", MIN_IOU) if detects else MIN_IOU
    columns: dict[str, Any] = common(table, written.label, written.score, path)
    columns["detector"] = False
    if detects:
        said = "detector" in table
        columns["detector"] = truth(table["detector"], path) if said else columns["score"] > min_iou
    columns |= _by_category(table, path) | _validity(table, path)
    units = checked(pd.DataFrame(columns), path, settings.get("layers"))
    units = units if scored else units.assign(score=np.nan)
    union = settings.get("union", UNIONS[0])
    scores = stored_scores(path.parent, method, union) if settings else None
    return _labelling(method, units, path, settings, min_iou=min_iou, scores=scores)


def _tally(path: Path, settings: dict) -> Labelling:
    """Read a NetDissect table: ours in the tally folder of a run, or a published one."""
    try:
        table = read_tally(path)
    except ValueError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        raise ValueError(f"{where}{error}") from error
    inside = (n for n in settings.get("layers", ()) if Path(schema.tally_file(n)).stem == path.stem)
    columns = table[["unit", "label", "category"]].assign(score=numbers(table, "score", path))
    columns.insert(0, "layer", next(inside, table.get("layer", NO_LAYER)))
    min_iou = settings.get("min_iou", MIN_IOU)
    columns["detector"] = columns["score"] > min_iou
    columns = columns.assign(**_by_category(table, path))
    units = checked(columns, path, settings.get("layers"))
    return _labelling("iou", units, path, settings, min_iou=min_iou)


def _by_category(table: pd.DataFrame, path: Path) -> dict[str, pd.Series]:
    """Return the best label of every category and its IoU."""
    columns = {}
    for category in tally_categories(table):
        label = schema.of_category(category, "label")
        columns[label] = table[label]
        iou = schema.of_category(category, "iou")
        columns[schema.of_category(category, "score")] = numbers(table, iou, path)
    return columns


def _validity(table: pd.DataFrame, path: Path) -> dict[str, pd.Series]:
    """Return those columns that tell how far a label can be believed, as far as they are there."""
    names = [name for name in schema.VALIDITY_COLUMNS if name in table]
    text = schema.OTHER_LABELS
    return {name: table[name] if name in text else numbers(table, name, path) for name in names}


def _labelling(
    method: str, units: pd.DataFrame, path: Path, settings: dict, **more: Any
) -> Labelling:
    model = settings.get("model", {})
    network = model.get("name", "")
    source = path.parent if settings and path.name == schema.METHODS[method].tables[0] else path
    return Labelling(
        network, method, network, model.get("digest"), units, source, settings=settings, **more
    )
