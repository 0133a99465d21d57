"""Where IoU and CLIP disagree most: units that both are sure of, with their images."""

from collections.abc import Iterator

import pandas as pd

from dissection.crosscheck.findings import Findings
from dissection.results.labelling import Labelling
from dissection.results.scores import Tops
from figures import captions
from figures.drawing import Drawing
from figures.inputs import Inputs, Unit
from figures.kinds import agreement, sheet
from figures.options import Options
from figures.rows import Row, row_of
from figures.rows import table as images_of

__all__ = ["drawings", "rows"]


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield a sheet for each network that both methods labelled and whose photographs are there."""
    if not inputs.checks:
        yield "disagreements: needs labels of one network by IoU and by CLIP"
    for check in inputs.checks:
        labelling = next(p for p in inputs.by("iou") if p.name == check.network)
        table = rows(check, options.sheets)
        found = {layer: inputs.tops(labelling, layer) for layer in table["layer"].unique()}
        tops = {layer: top for layer, top in found.items() if top is not None}
        if len(tops) < len(found):
            yield f"disagreements: no photographs or top images of {check.network}"
        elif table.empty:
            yield f"disagreements: no unit of {check.network} that both are confident of"
        else:
            shown = [_row(inputs, labelling, one, tops[one.layer]) for one in table.itertuples()]
            yield _drawing(check, table, shown, agreement.definitions(inputs, check))


def rows(check: Findings, most: int) -> pd.DataFrame:
    """Return the strongest disagreements, each label by IoU once.

    Returns
    -------
    DataFrame
        The first rows of crosscheck.csv that are confident and disagree: layer, unit, iou_label,
        clip_label, iou, similarity, confidence and, where there is a space of meaning, cosine.
    """
    units = check.units
    chosen = units[units["confident"] & ~units["exact"]].drop_duplicates("iou_label").head(most)
    columns = ["layer", "unit", "iou_label", "clip_label", "iou", "similarity", "confidence"]
    cosines = [name for name in units if name.startswith("cosine_")]
    return chosen[[*columns, *cosines]].reset_index(drop=True)


def _row(inputs: Inputs, labelling: Labelling, one, top: Tops) -> Row:
    """Return the row of a sheet for a row of `rows`: both labels, then where and how sure."""
    unit = Unit(labelling.name, one.layer, one.unit)
    row = row_of(inputs, labelling, unit, top, sheet.ACROSS)
    lines = [f"CLIP: {one.clip_label}", f"{one.layer}, unit {one.unit}"]
    # the verdict tells it too
    lines += [] if row.verdict else [f"IoU {one.iou:.3f}"]
    return row._replace(title=f"IoU: {one.iou_label}", lines=tuple(lines))


def _merged(shown: list[Row], table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the sheet with what the cross-check says of each unit."""
    images = images_of(shown).drop(columns="label")
    return images.merge(table, on=["layer", "unit"], how="left", validate="many_to_one")


def _drawing(check: Findings, table: pd.DataFrame, shown: list[Row], rule: str) -> Drawing:
    total = int((check.units["confident"] & ~check.units["exact"]).sum())
    return Drawing(
        f"disagreements-{check.network}",
        "disagreements",
        f"{check.network}: the strongest disagreements of IoU and CLIP",
        f"{len(shown)} of {total} units that both labelers are confident of (detectors of which "
        "neither score is in the lower half of its layer) and call differently, by rising cosine "
        "of the two labels; each label by IoU once. Outlined: the region above the threshold. "
        f"{captions.VERDICT + ' ' if any(row.verdict for row in shown) else ''}{rule}",
        _merged(shown, table),
        sheet.size(shown),
        lambda figure: sheet.paint(figure, shown),
    )
