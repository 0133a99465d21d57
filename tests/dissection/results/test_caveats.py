import numpy as np
import pandas as pd
import pytest

from dissection.results.caveats import few_images, of_results
from dissection.results.labelling import Labelling
from dissection.results.storage import for_spreadsheet, write_table

SETTINGS = {
    "probe": {"name": "p", "images": 1000, "digest": "a" * 64},
    "quantile": 0.005,
    "union": "category",
    "min_iou": 0.04,
    "precision": "fp32",
}


def labelling(name, path, method="iou", **settings):
    units = pd.DataFrame({"layer": ["l"], "unit": [0], "label": ["cat"], "score": [0.1]})
    return Labelling(name, method, name, None, units, path / name, settings=SETTINGS | settings)


@pytest.mark.parametrize(("images", "said"), [(1, True), (99, True), (100, False), (5000, False)])
def test_few_images_are_said(images, said):
    assert bool(few_images(images)) == said


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"probe": SETTINGS["probe"] | {"digest": "b" * 64}}, "different probe sets: A p"),
        ({"probe": SETTINGS["probe"] | {"images": 600}}, "numbers of images: A 1000, B 600"),
        ({"quantile": 0.01}, "different quantiles: A 0.005, B 0.01"),
        ({"union": "all"}, "different union rules: A category, B all"),
        ({"min_iou": 0.1}, "different thresholds of a detector"),
        ({"precision": "bf16"}, "different precisions: A fp32, B bf16"),
    ],
)
def test_runs_that_differ_in_more_than_the_network_are_told(tmp_path, change, what):
    (said,) = of_results([labelling("A", tmp_path), labelling("B", tmp_path, **change)])
    assert said.startswith("different ")
    assert what in said


def test_runs_alike_and_tables_without_a_card_have_nothing_to_tell(tmp_path):
    bare = labelling("C", tmp_path)
    bare.settings.clear()
    assert of_results([labelling("A", tmp_path), labelling("B", tmp_path), bare]) == []
    other = labelling("B", tmp_path, "clip", precision="bf16")
    assert of_results([labelling("A", tmp_path), other]) == []


def test_one_image_is_said_of_the_run_that_has_it(tmp_path):
    few = labelling("B", tmp_path, probe=SETTINGS["probe"] | {"images": 1})
    said = of_results([labelling("A", tmp_path), few])
    assert said[0].startswith("B: 1 image only")
    assert len(said) == 2


@pytest.mark.parametrize("cell", ["=1+1", "+x", "-x", "@x", "\t=x", "\r\n@x", " =x"])
def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(cell, tmp_path):
    table = pd.DataFrame({"label": [cell, "cat"], cell: [-0.5, np.nan]})
    made = for_spreadsheet(table)
    assert made.iloc[:, 0].tolist() == [f"'{cell}", "cat"]
    assert made.columns.tolist() == ["label", f"'{cell}"]
    assert made.iloc[0, 1] == -0.5
    write_table(tmp_path / "a.csv", table)
    assert "'" not in (tmp_path / "a.csv").read_text()
    write_table(tmp_path / "a.csv", table, spreadsheet=True)
    assert f"'{cell}".encode() in (tmp_path / "a.csv").read_bytes().replace(b'"', b"")
