"""Unit sheets: the region outlined is where the unit is active, on the images of its top list."""

from itertools import pairwise

import h5py
import numpy as np
import pytest
from matplotlib.text import Text

from dissection.results.scores import tops
from figures.drawing import render
from figures.inputs import Unit
from figures.kinds import disagreements, sheet
from figures.options import Options
from figures.pictures import PICTURE_DPI, outlined, square
from figures.rows import HALF, row_of
from figures.style import styled
from figures.verdict import name_of, verdict


def test_what_is_active_keeps_its_pixels_and_the_rest_is_dimmed(photograph):
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    picture = outlined(photograph, mask, side=64)
    plain = outlined(photograph, None, side=64)
    assert picture.shape == plain.shape == (48, 64, 3)
    inside = (slice(14, 34), slice(18, 46))
    np.testing.assert_array_equal(picture[inside], plain[inside])
    assert (picture[:8] < plain[:8]).all()
    outline = (picture == [255, 230, 0]).all(2)
    assert outline.sum() == 2 * (24 + 32)
    rows, columns = np.nonzero(outline)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (11, 36, 15, 48)


def test_an_image_without_active_pixels_is_dimmed_without_outline(photograph):
    picture = outlined(photograph, np.zeros((8, 8), bool), side=64)
    assert not (picture == [255, 230, 0]).all(2).any()


def test_pictures_keep_their_proportions_in_a_square(photograph):
    full = square(outlined(photograph, None, side=64), side=64, gap=4)
    assert full.shape == (68, 68, 3)
    assert (full[:10] == 255).all()
    assert (full[10:58, 2:66] != 255).any()


def test_masks_are_those_of_the_run(runs):
    top = tops(runs[0], "layer4")
    with h5py.File(runs[0] / "scores.h5") as file:
        packed = file["layers/layer4/top/mask"][()]
    assert top.grid == (112, 112)
    for unit in (0, 17):
        bits = np.unpackbits(packed[unit, 1])[: 112 * 112]
        assert top.mask(unit, 1).ravel().tolist() == bits.astype(bool).tolist()


def test_the_best_units_are_shown_each_label_once(inputs):
    drawing = next(d for d in sheet.drawings(inputs, Options(sheets=3)) if "layer4" in d.name)
    iou = inputs.by("iou")[0].layer("layer4")
    best = iou[iou["detector"]].sort_values("score", ascending=False, kind="stable")
    expected = best.drop_duplicates("label").head(3)
    shown = drawing.table.drop_duplicates("unit")
    assert shown["unit"].tolist() == expected["unit"].tolist()
    assert shown["label"].tolist() == expected["label"].tolist()
    top = drawing.table[~drawing.table["without"]]
    assert (top.groupby("unit").size() == sheet.ACROSS).all()


def test_a_named_unit_has_a_sheet_with_its_top_images(inputs, runs):
    unit = Unit("mini_objects", "layer3", 5)
    found = list(sheet.drawings(inputs, Options(sheets=0, units=(unit,))))
    assert [one.name for one in found] == ["unit-mini_objects-layer3-5"]
    table, top = found[0].table, tops(runs[1], "layer3")
    table = table[~table["without"]]
    assert table["image"].tolist() == top.image[5].tolist()
    active = [top.mask(5, place).mean() for place in range(10)]
    np.testing.assert_allclose(table["active"], active)


def test_a_unit_that_does_not_exist_is_refused(inputs):
    unit = Unit("mini_objects", "layer3", 999)
    with pytest.raises(ValueError, match="there is no mini_objects layer3 unit 999.*0 to 127"):
        list(sheet.drawings(inputs, Options(units=(unit,))))
    unit = Unit("mini_objects", "layer9", 0)
    with pytest.raises(ValueError, match="mini_objects has no layer 'layer9'; it has layer3"):
        list(sheet.drawings(inputs, Options(units=(unit,))))


def test_disagreements_are_the_first_of_the_cross_check(inputs):
    found = next(iter(disagreements.drawings(inputs, Options(sheets=4))))
    check = inputs.checks[0].units
    sure = check[check["confident"] & ~check["exact"]].drop_duplicates("iou_label")
    shown = found.table.drop_duplicates(["layer", "unit"])
    assert shown["iou_label"].tolist() == sure["iou_label"].head(4).tolist()
    assert shown["clip_label"].tolist() == sure["clip_label"].head(4).tolist()


def test_without_photographs_a_line_says_so(inputs):
    bare = inputs._replace(photographs={})
    for module in (sheet, disagreements):
        found = list(module.drawings(bare, Options()))
        assert found
        assert all("no photographs or top images of mini_" in one for one in found)


def test_images_without_the_label_stand_below_the_top_images(sure):
    unit = Unit("net", "l4", 7)
    (drawing,) = sheet.drawings(sure, Options(sheets=0, units=(unit,)))
    folder = sure.by("iou")[0].source
    with h5py.File(folder / "scores.h5") as file:
        here = file["layers/l4"]
        top, without = here["top/image"][7], here["validity/without_image"][7]
        value = here["validity/without_value"][7]
    table = drawing.table
    assert table[~table["without"]]["image"].tolist() == top.tolist()
    assert table[table["without"]]["image"].tolist() == without[without >= 0].tolist()
    np.testing.assert_allclose(table[table["without"]]["value"], value[without >= 0])
    assert "the images without the label" in drawing.caption


def test_pictures_without_the_label_are_plain_and_half_as_large(sure):
    part = sure.by("iou")[0]
    top, without = sure.tops(part, "l4"), sure.without_label(part, "l4")
    row = row_of(sure, part, Unit("net", "l4", 7), top, sheet.ACROSS, without)
    number = row.without.numbers[0]
    plain = outlined(sure.photographs[part.source](number), None, side=HALF)
    np.testing.assert_array_equal(row.without.pictures[0], plain)
    large, small = sheet._strips(row, sheet.ACROSS)
    assert large.shape == (154, 7 * 154, 3)
    assert small.shape == (77, 7 * 154, 3)
    assert sheet.size([row])[1] == pytest.approx(1.5 * 154 / PICTURE_DPI + 0.05)


def test_a_unit_of_which_all_images_hold_the_label_has_no_such_line(sure):
    part = sure.by("iou")[0]
    without = sure.without_label(part, "l4")
    none = without._replace(image=np.full_like(without.image, -1))
    unit, top = Unit("net", "l4", 0), sure.tops(part, "l4")
    assert row_of(sure, part, unit, top, 7, none).without is None
    few = without._replace(image=np.where(np.arange(10) < 3, without.image, -1))
    assert len(row_of(sure, part, unit, top, 7, few).without.pictures) == 3


def test_a_sheet_says_how_far_each_label_can_be_believed(sure):
    units = sure.by("iou")[0].layer("l4")
    drawing = next(d for d in sheet.drawings(sure, Options(sheets=4)) if d.name.endswith("l4"))
    for row in drawing.table.drop_duplicates("unit").itertuples():
        one = units.iloc[row.unit]
        assert row.label == one["label"]
        assert row.said.endswith(verdict(one))
    with styled():
        texts = [t.get_text() for t in render(drawing).findobj(Text)]
    written = " ".join(texts).replace("\N{NO-BREAK SPACE}", " ")
    for unit in drawing.table["unit"].unique():
        assert verdict(units.iloc[unit]) in written
        assert name_of(units.iloc[unit]) in texts
    assert sum(text.startswith("fires without ") for text in texts) == 4


def test_lines_of_a_unit_do_not_overlap_and_end_within_its_pictures(sure):
    for drawing in sheet.drawings(sure, Options(sheets=8)):
        with styled():
            figure = render(drawing)
        (axes,) = (a for a in figure.axes if a.images)
        renderer = figure.canvas.get_renderer()
        boxes = [t.get_window_extent(renderer) for t in axes.texts if t.get_position()[0] == 0.02]
        ends = sorted((box.y0, box.y1) for box in boxes)
        assert all(low - high > -2.5 for (_, high), (low, _) in pairwise(ends))
        assert max(box.x1 for box in boxes) < axes.transData.transform((1.6, 0))[0] + 6


def test_a_run_that_tells_nothing_has_sheets_as_before(unsure):
    drawing = next(d for d in sheet.drawings(unsure, Options(sheets=3)) if d.name.endswith("l4"))
    assert "without" not in drawing.table
    assert "chance" not in drawing.caption
    assert drawing.table["said"].str.contains("IoU 0").all()
    assert drawing.size[1] == pytest.approx(3 * 154 / PICTURE_DPI + 0.05)
