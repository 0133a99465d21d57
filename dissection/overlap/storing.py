"""The files of a dissection by overlap."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from broden.labels import LabelTable
from broden.probe import LabelledProbe
from dissection.config import IouConfig
from dissection.overlap.results import LayerResult, concept_table, tally_table, unit_table
from dissection.overlap.validity import reporting
from dissection.results import schema
from dissection.results.storage import texts, write_table, written_hdf5

__all__ = ["write", "write_scores"]


def write(
    results: Sequence[LayerResult],
    masks: dict[str, np.ndarray],
    probe: LabelledProbe,
    config: IouConfig,
    groups: tuple[np.ndarray, np.ndarray] | None,
    folder: Path,
) -> None:
    """Write units.csv, concepts.csv, tally/ and scores.h5, each complete or not at all.

    Parameters
    ----------
    results : sequence of LayerResult
        The layers, in order.
    masks : dict of str to ndarray
        Of each layer, see `write_scores`.
    probe : LabelledProbe
        Its labels and grid.
    config : IouConfig
        Union rule and what a detector is.
    groups : tuple of ndarray, optional
        See `reporting.write_groups`; None where validity was not counted.
    folder : Path
        The run directory.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    units = unit_table(results, probe.labels, config)
    tables = {schema.UNITS: units, schema.CONCEPTS: concept_table(units)}
    for result in results:
        tables[schema.tally_file(result.info.name)] = tally_table(
            result, probe.labels, config.union
        )
    (folder / schema.TALLY).mkdir(exist_ok=True)
    for name, table in tables.items():
        write_table(folder / name, table)
    write_scores(folder / schema.SCORES, results, probe.labels, masks, probe.grid, groups)


def write_scores(
    path: Path,
    results: Sequence[LayerResult],
    labels: LabelTable,
    masks: dict[str, np.ndarray],
    grid: tuple[int, int],
    groups: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Write every count and score of a run, for whoever computes on; complete or not at all.

    Parameters
    ----------
    path : Path
        The file.
    results : sequence of LayerResult
        The layers.
    labels : LabelTable
        Of the probe set.
    masks : dict of str to ndarray
        Of each layer, the packed masks of its units on their top images, see `counting.Masks`.
    grid : (int, int)
        (H, W) of the masks.
    groups : tuple of ndarray, optional
        See `write`.
    """
    with written_hdf5(path) as file:
        file[schema.CATEGORIES] = texts(labels.categories)
        file[schema.LABEL_NAME] = texts(labels.names)
        of = np.where(labels.known, np.array(labels.categories)[labels.primary], "")
        file[schema.LABEL_CATEGORY] = texts(of)
        file[schema.LABEL_PIXELS] = np.asarray(labels.pixels, np.int64)
        if groups is not None:
            reporting.write_groups(file, *groups)
        for result in results:
            group = file.create_group(schema.layers(result.info.name))
            _write_layer(group, result)
            packed = masks[result.info.name]
            kept = group.create_dataset(schema.TOP_MASK, data=packed, **schema.PACKED)
            kept.attrs[schema.MASK_GRID] = np.array(grid, np.int64)


def _write_layer(group: h5py.Group, result: LayerResult) -> None:
    group[schema.THRESHOLD] = result.threshold
    group[schema.of_rule(schema.AREA, "all")] = result.counts.all
    group[schema.of_rule(schema.AREA, "category")] = result.counts.category
    group[schema.of_rule(schema.AREA, "mask")] = result.counts.mask
    group[schema.TOP_IMAGE] = result.top_image
    group[schema.TOP_VALUE] = result.top_value
    intersection = result.counts.intersection
    group.create_dataset(schema.INTERSECTION, data=intersection, **schema.PACKED)
    for rule, values in result.iou.items():
        group.create_dataset(schema.of_rule(schema.IOU, rule), data=values, **schema.PACKED)
    if result.judgement is not None:
        twins = {
            seed: (one.label.cpu().numpy(), one.iou.cpu().numpy())
            for seed, (one, _) in result.twins.items()
        }
        reporting.write_arrays(group, result.judgement, twins)
