"""What a comparison of networks found, or one network has: CSV tables and a summary."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from broden.system.files import inside
from broden.system.text import aligned
from dissection.comparison.side_by_side import ALL, OVERALL, Comparison, detectors, distinct
from dissection.results.formats import write_also
from dissection.results.labelling import METHOD_NAMES, Labelling
from dissection.results.storage import write_table

__all__ = ["counts", "summary", "write", "write_counts", "write_differences", "write_published"]

EXAMPLES = 6


def write(
    found: Comparison, folder: str | Path, spreadsheet: bool = False, formats: Collection[str] = ()
) -> list[str]:
    """Write each table as <method>-<table>.csv and return the names of the files.

    Parameters
    ----------
    found : Comparison
        What to write.
    folder : str or Path
        Made if it is missing.
    spreadsheet : bool
        As `storage.write_table` takes it.
    formats : collection of str
        Some of `formats.FORMATS`, in which each table is written too.

    Raises
    ------
    OSError
        If one cannot be written.
    """
    tables = {
        "distinct": found.distinct,
        "concepts": found.concepts,
        f"concepts-more-than-{found.more_than}": found.frequent,
        "only": found.only,
        "shared": found.shared,
    }
    if found.detectors is not None:
        tables["detectors"] = found.detectors
    return _write(tables, found.method, folder, spreadsheet, formats)


def write_counts(
    labelling: Labelling,
    folder: str | Path,
    spreadsheet: bool = False,
    formats: Collection[str] = (),
) -> list[str]:
    """Write <method>-distinct.csv and, of iou, iou-detectors.csv; return the names of the files.

    Parameters
    ----------
    labelling : Labelling
        Of the network.
    folder, spreadsheet, formats
        As `write`.

    Raises
    ------
    OSError
        If one cannot be written.
    """
    tables = {"distinct": distinct([labelling])}
    if labelling.method == "iou":
        tables["detectors"] = detectors(labelling)
    return _write(tables, labelling.method, folder, spreadsheet, formats)


def write_differences(
    table: pd.DataFrame,
    folder: str | Path,
    spreadsheet: bool = False,
    formats: Collection[str] = (),
) -> list[str]:
    """Write iou-differences.csv and return its name, in a list.

    Parameters
    ----------
    table : DataFrame
        From `dissection.comparison.differences.differences`.
    folder, spreadsheet, formats
        As `write`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    return _write({"differences": table}, "iou", folder, spreadsheet, formats)


def write_published(
    table: pd.DataFrame,
    folder: str | Path,
    spreadsheet: bool = False,
    formats: Collection[str] = (),
) -> list[str]:
    """Write iou-published.csv and return its name, in a list.

    Parameters
    ----------
    table : DataFrame
        From `dissection.comparison.published_counts.beside`.
    folder, spreadsheet, formats
        As `write`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    return _write({"published": table}, "iou", folder, spreadsheet, formats)


def _write(
    tables: Mapping[str, pd.DataFrame],
    method: str,
    folder: str | Path,
    spreadsheet: bool,
    formats: Collection[str],
) -> list[str]:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        path = inside(Path(folder), f"{method}-{name}.csv")
        write_table(path, table, spreadsheet)
        write_also(path, table, formats)
    return [f"{method}-{name}.csv" for name in tables]


def counts(labelling: Labelling) -> str:
    """Return how many concepts and detectors one network has, by layer and category, as text."""
    table = distinct([labelling])
    if table["layer"].nunique() == 2:
        table = table[table["layer"] != OVERALL]
    of = ", those of detectors (of detectors)" if labelling.method == "iou" else ""
    rows = [
        ["layer", "concepts"],
        *([row.layer, _distinct_cell(row)] for row in table.itertuples()),
    ]
    title = f"{METHOD_NAMES[labelling.method]} labels of {labelling.name}"
    lines = [f"{title}: different concepts (of units){of}:", *aligned(rows)]
    if labelling.method == "iou":
        found = aligned(_detector_rows(detectors(labelling)))
        lines += ["", "detectors: unique by the best label / by the paper's rule:", *found]
    return "\n".join(lines)


def summary(found: Comparison) -> str:
    """Return the counts side by side, and the concepts only one network has, as text."""
    lines = [f"{METHOD_NAMES[found.method]} labels of {' and '.join(found.networks)}"]
    of = ", those of detectors (of detectors)" if found.method == "iou" else ""
    lines += ["", f"different concepts (of units){of}:", *aligned(_distinct_rows(found))]
    lines += ["", f"concepts carried by more than {found.more_than} units of a network, by layer:"]
    lines += aligned(_frequent(found))
    of = "detectors of only one network have" if found.method == "iou" else "only one network has"
    lines += ["", f"concepts that {of}, in layers of several, and the commonest:"]
    lines += aligned(_alone(found))
    if found.detectors is not None:
        lines += ["", "detectors: unique by the best label / by the paper's rule:"]
        lines += aligned(_detector_rows(found.detectors))
    return "\n".join(lines)


def _layers(found: Comparison) -> list[str]:
    return list(dict.fromkeys(found.concepts["layer"]))


def _distinct_rows(found: Comparison) -> list[list[str]]:
    cells = {(row.network, row.layer): _distinct_cell(row) for row in found.distinct.itertuples()}
    rows = [["layer", *found.networks]]
    for layer in _layers(found):
        rows.append([layer, *(cells.get((name, layer), "-") for name in found.networks)])
    return rows


def _distinct_cell(row) -> str:
    detected = f", {row.unique_best} ({row.detectors})" if hasattr(row, "detectors") else ""
    return f"{row.concepts} ({row.units}){detected}"


def _frequent(found: Comparison) -> list[list[str]]:
    rows = [["layer", *found.networks]]
    for layer in _layers(found):
        here = found.frequent[found.frequent["layer"] == layer]
        row = [layer]
        for name in found.networks:
            most = here[here[name] > found.more_than].sort_values(
                name, ascending=False, kind="stable"
            )
            shown = zip(most["concept"].head(EXAMPLES), most[name].head(EXAMPLES), strict=True)
            row.append(f"{len(most)}: {_examples(shown)}" if len(most) else "-")
        rows.append(row)
    return rows


def _alone(found: Comparison) -> list[list[str]]:
    rows = [["layer", "network", "concepts", "commonest (units)"]]
    for (layer, network), part in found.only.groupby(["layer", "network"], sort=False):
        shown = zip(part["concept"].head(EXAMPLES), part["units"].head(EXAMPLES), strict=True)
        rows.append([layer, network, str(len(part)), _examples(shown)])
    return rows


def _examples(shown: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{concept} ({units})" for concept, units in shown)


def _detector_rows(table: pd.DataFrame) -> list[list[str]]:
    categories = list(dict.fromkeys(table["category"]))
    categories = [*(name for name in categories if name != ALL), ALL]
    rows = [["network", "layer", *categories]]
    for (network, layer), part in table.groupby(["network", "layer"], sort=False):
        cells = {
            row.category: f"{row.detectors}: {row.unique_best} / {row.unique_paper}"
            for row in part.itertuples()
        }
        rows.append([network, layer, *(cells.get(name, "-") for name in categories)])
    return rows
