"""Unit sheets: the region outlined is where the unit is active, on the images of its top list."""

import h5py
import numpy as np
import pytest

from dissection.results.scores import tops
from figures.inputs import Unit
from figures.kinds import disagreements, sheet
from figures.options import Options
from figures.pictures import outlined, square


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
    assert (drawing.table.groupby("unit").size() == sheet.ACROSS).all()


def test_a_named_unit_has_a_sheet_with_its_top_images(inputs, runs):
    unit = Unit("mini_objects", "layer3", 5)
    found = list(sheet.drawings(inputs, Options(sheets=0, units=(unit,))))
    assert [one.name for one in found] == ["unit-mini_objects-layer3-5"]
    table, top = found[0].table, tops(runs[1], "layer3")
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
