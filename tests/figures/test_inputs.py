"""Mixtures of runs and files: what belongs together, and what does not."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from dissection.results.dissection import Dissection
from dissection.results.reading import read_all
from figures import catalogue
from figures.drawing import Drawing, render
from figures.inputs import categories, read
from figures.kinds import bargraph, concepts, only
from figures.options import Options
from figures.palette import CATEGORIES, colour
from figures.report import browser
from figures.report.page import write
from figures.report.thumbnails import Thumbnails
from figures.style import styled
from tests.figures.drawable import given, labelling


def test_two_runs_of_one_network_keep_their_own_names_by_both_methods(runs, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(runs[0], again)
    found = read_all([runs[0], again])
    assert [(part.name, part.method) for part in found] == [
        ("mini_scenes", "iou"), ("mini_scenes", "clip"), ("again", "iou"), ("again", "clip"),
    ]  # fmt: skip
    inputs = read([runs[0], again], lambda _: None)
    assert [check.network for check in inputs.checks] == [found[0].name, found[2].name]
    rows = browser.units(inputs, Thumbnails())["units"]
    assert len(rows) == 2 * (128 + 256)
    assert write(inputs, [], tmp_path / "report").is_file()


def test_a_run_by_iou_alone_is_not_joined_to_another_runs_descriptions(runs, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(runs[0], alone)
    for name in ("descriptions.csv", "clip.h5", "crosscheck.csv", "crosscheck.json"):
        (alone / name).unlink()
    card = json.loads((alone / "run.json").read_text())
    card["settings"]["method"] = "iou"
    (alone / "run.json").write_text(json.dumps(card))
    inputs = read([alone, runs[0]], lambda _: None)
    assert len(inputs.checks) == 1
    rows = pd.DataFrame(browser.units(inputs, Thumbnails())["units"], columns=browser.FIELDS)
    mine = rows[rows["network"] == "alone"]
    assert len(mine) == 128 + 256
    assert mine["description"].isna().all()
    assert mine["agrees"].isna().all()


def test_a_complete_run_that_lost_a_table_is_refused(runs, tmp_path):
    shutil.copytree(runs[0], tmp_path / "run")
    (tmp_path / "run" / "units.csv").unlink()
    with pytest.raises(ValueError, match="is complete but lacks units.csv; delete it and run it"):
        read_all([tmp_path / "run"])
    with pytest.raises(ValueError, match="is complete but lacks units.csv"):
        Dissection.read(tmp_path / "run")


def test_one_network_by_each_method_in_its_own_file_is_one(tmp_path):
    from tests.dissection import labelled

    iou = labelled.tally(tmp_path / "netdissect-net-fc.csv", ["car"], [0.5])
    clip = labelled.descriptions(tmp_path / "clip_dissect-net.csv", {"fc": ["car"]})
    other = labelled.descriptions(tmp_path / "clip_dissect-other.csv", {"fc": ["car"]})
    assert [part.name for part in read_all([other, iou, clip])] == ["other", "net", "net"]


def test_layers_show_the_photographs_of_the_run_that_has_them(tmp_path):
    """Layer a has a run by IoU on one probe set, layer b one by CLIP on another."""
    iou = labelling("net", {"a": ["o car"]})
    clip = labelling("net", {"b": ["car"]}, method="clip")
    taken, parts, photographs = [], [], {}
    for part, layer in ((iou, "a"), (clip, "b")):
        folder = tmp_path / layer
        folder.mkdir()
        name = "scores.h5" if part.method == "iou" else "clip.h5"
        with h5py.File(folder / name, "w") as file:
            file["concepts"] = ["car"]
            file[f"layers/{layer}/top/image"] = np.array([[3, 4]])
            file[f"layers/{layer}/top/value"] = np.ones((1, 2), np.float32)
            if part.method == "clip":
                file[f"layers/{layer}/top/concept"] = np.array([[0]])
                file[f"layers/{layer}/top/similarity"] = np.array([[0.5]])
        part.settings["probe"] = {"digest": layer, "name": layer, "images": 9}
        parts.append(type(part)(**{**vars(part), "source": folder}))

        def photograph(number, layer=layer):
            taken.append((layer, number))
            return np.zeros((8, 8, 3), np.uint8)

        photographs[folder] = photograph
    inputs = given(*parts)._replace(photographs=photographs)
    found = browser.units(inputs, Thumbnails())
    assert taken == [("a", 3), ("a", 4), ("b", 3), ("b", 4)]
    rows = pd.DataFrame(found["units"], columns=found["fields"])
    assert rows["concepts"].tolist() == [[], [("car", 0.5)]]


@pytest.fixture
def foreign():
    """Return labellings whose categories are not Broden's."""
    found = []
    for name, own in (("one", "action"), ("other", "emotion")):
        part = labelling(name, {"l": [f"o {own}"] * 5})
        table = part.units.assign(category=own, **{f"{own}-label": own, f"{own}-score": 0.2})
        found.append(type(part)(**{**vars(part), "units": table}))
    return found


def test_categories_of_ones_own_have_the_same_colour_everywhere(foreign):
    kinds = categories(foreign)
    assert kinds[-2:] == ["action", "emotion"]
    tints = {name: colour(name, kinds) for name in kinds}
    assert len(set(tints.values())) == len(kinds)
    for module in (concepts, only):
        drawing = next(module.drawings(given(*foreign), Options()))
        with styled():
            figure = render(drawing)
        bars = {
            patch.get_edgecolor()[:3] for axes in figure.axes for patch in axes.patches
        }  # the edge of a bar has its colour, whatever its filling
        legend = {
            text.get_text(): handle.get_facecolor()[:3]
            for box in figure.findobj(lambda a: type(a).__name__ == "Legend")
            for text, handle in zip(box.get_texts(), box.legend_handles, strict=True)
        }
        assert {legend["action"], legend["emotion"]} <= bars


def test_an_unknown_category_is_no_colour():
    with pytest.raises(ValueError, match="mood"):
        colour("mood", list(CATEGORIES))


def test_the_legend_counts_concepts_that_are_not_drawn():
    many = [f"o {i:04d}" for i in range(300)] + ["p leg", "p leg"]
    drawing = next(bargraph.drawings(given(labelling("net", {"l": many})), Options()))
    assert len(drawing.table) == bargraph.MOST
    with styled():
        axes = render(drawing).axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[:3] == ["object: 300 (300)", "part: 1 (2)", "scene: 0 (0)"]


def test_a_table_without_labels_by_category_is_drawn_as_far_as_it_goes(tmp_path):
    path = tmp_path / "units.csv"
    table = {"layer": "fc", "unit": range(3), "label": "car", "category": "object", "iou": 0.5}
    pd.DataFrame(table | {"detector": True}).to_csv(path, index=False)
    inputs = read([path], lambda _: None)
    found = list(catalogue.drawings(inputs, Options()))
    said = [one for one in found if isinstance(one, str)]
    drawn = [one for one in found if isinstance(one, Drawing)]
    assert any("lacks the best label by category" in text for text in said)
    assert {one.kind for one in drawn} == {"concepts", "distinct", "bargraph", "sensitivity"}
    assert write(inputs, drawn, tmp_path / "report").is_file()


def test_labels_without_scores_are_drawn_as_far_as_they_go(tmp_path):
    by_iou, by_clip = tmp_path / "net_fc.csv", tmp_path / "clip" / "net_fc.csv"
    by_clip.parent.mkdir()
    by_iou.write_text("unit,label,category,detector\n0,car,object,True\n1,dog,object,False\n")
    by_clip.write_text("layer,unit,description\nfc,0,car\nfc,1,sea\n")
    inputs = read([by_iou, by_clip], lambda _: None)
    found = list(catalogue.drawings(inputs, Options()))
    said = [one for one in found if isinstance(one, str)]
    drawn = [one for one in found if isinstance(one, Drawing)]
    assert f"sensitivity of net: {by_iou} has no scores" in said
    assert "scatter of net: the file of one labeling has no iou" in said
    assert {one.kind for one in drawn} == {"concepts", "distinct", "bargraph", "agreement"}
    with styled():
        for one in drawn:
            render(one)
    assert write(inputs, drawn, tmp_path / "report").is_file()


def test_runs_that_differ_are_said(tmp_path):
    from tests.dissection import labelled

    for name, union in (("a", "all"), ("b", "mask")):
        labelled.run(tmp_path / name, digest=name, name=name)
        labelled.card(tmp_path / name, name, name=name, min_iou=0.1, union=union, method="clip")
    inputs = read([tmp_path / "a" / "units.csv", tmp_path / "b" / "units.csv"], lambda _: None)
    (text,) = inputs.caveats
    assert text.startswith("different union rules: all of a; mask of b")


def test_layers_of_other_categories_make_one_page(tmp_path):
    from tests.dissection import labelled

    first = labelled.tally(tmp_path / "netdissect-net-l1.csv", ["car"], [0.5])
    second = labelled.tally(tmp_path / "netdissect-net-l2.csv", ["dog"], [0.5])
    table = pd.read_csv(second, keep_default_na=False)
    table.filter(regex="^(?!scene)").to_csv(second, index=False)
    inputs = read([first, second], lambda _: None)
    drawn = [d for d in catalogue.drawings(inputs, Options()) if isinstance(d, Drawing)]
    assert write(inputs, drawn, tmp_path / "report").is_file()


def test_a_network_that_lacks_a_layer_is_said_to_lack_it():
    three = [
        labelling("a", {"l1": ["o x"], "l2": ["o y"]}),
        labelling("b", {"l1": ["o z"], "l2": ["o y"]}),
        labelling("c", {"l1": ["o y"]}),
    ]
    drawing = next(only.drawings(given(*three), Options()))
    assert set(drawing.table["layer"]) == {"l1"}
    three[1] = labelling("b", {"l1": ["o z"], "l2": ["o w"]})
    drawing = next(only.drawings(given(*three), Options()))
    with styled():
        figure = render(drawing)
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes}
    texts = [text.get_text() for text in by_title["c\nl2"].texts]
    assert texts == ["has no such layer"]
