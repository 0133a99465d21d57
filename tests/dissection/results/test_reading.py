"""Every form of result is read into the same table, and anything else is refused in one line."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from dissection.results.dissection import Dissection
from dissection.results.reading import read, read_all
from dissection.results.tables import read_tally
from tests.dissection import labelled


def test_tally_counts_from_one_and_is_sorted_by_unit(tmp_path):
    path = labelled.tally(tmp_path / "netdissect-net_a-layer4.csv", ["x", "y"], [0.01, 0.3])
    (found,) = read(path)
    assert (found.method, found.network, found.layers) == ("iou", "net_a", ["layer4"])
    assert found.units["unit"].tolist() == [0, 1]
    assert found.units["label"].tolist() == ["x", "y"]
    assert found.units["detector"].tolist() == [False, True]
    assert found.categories == ["object", "scene"]
    assert found.units["object-score"].tolist() == [0.01, 0.3]


@pytest.mark.parametrize(
    ("name", "network", "layer"),
    [
        ("netdissect-resnet18_places365-layer4.csv", "resnet18_places365", "layer4"),
        ("netdissect_lite-efficientnet_lite0-blocks.4.csv", "efficientnet_lite0", "blocks.4"),
        ("netdissect-ResNet-152-model-res5c.csv", "ResNet-152-model", "res5c"),
        ("caffe_reference_places365.csv", "caffe_reference_places365", "-"),
    ],
)
def test_network_and_layer_of_a_tally_are_in_its_name(tmp_path, name, network, layer):
    (found,) = read(labelled.tally(tmp_path / name, ["x"], [0.1]))
    assert (found.network, found.layers) == (network, [layer])


def test_descriptions_keep_commas_and_words_that_look_like_nothing(tmp_path):
    path = tmp_path / "clip_dissect-net.csv"
    words = ["crayfish, crawfish", "null", "NA", "1984"]
    (found,) = read(labelled.descriptions(path, {"layer1": words, "layer2": ["a"]}))
    assert found.layer("layer1")["label"].tolist() == words
    assert found.layers == ["layer1", "layer2"]
    assert found.network == "net"
    assert found.units["category"].isna().all()


def test_files_of_one_network_are_merged(tmp_path):
    paths = [
        labelled.descriptions(tmp_path / f"clip_dissect-net-{layer}.csv", {layer: ["a", "b"]})
        for layer in ("layer2", "layer3")
    ]
    other = labelled.descriptions(tmp_path / "clip_dissect-other.csv", {"layer2": ["a"]})
    found = read_all([*paths, other])
    assert [(part.name, part.layers) for part in found] == [
        ("net", ["layer2", "layer3"]),
        ("other", ["layer2"]),
    ]


def test_the_same_layer_twice_is_two_labellings_with_two_names(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    paths = [
        labelled.descriptions(tmp_path / folder / "clip_dissect-net.csv", {"fc": ["x"]})
        for folder in ("a", "b")
    ]
    assert len({part.name for part in read_all(paths)}) == 2


def test_a_run_of_both_methods_is_two_labellings_of_one_network(tmp_path):
    iou, clip = read(labelled.run(tmp_path / "run"))
    assert (iou.method, clip.method) == ("iou", "clip")
    assert iou.same_network(clip)
    assert iou.min_iou == 0.1
    assert iou.scores.concepts == ("bed", "bedroom-s", "red-c", "car", "dog")
    assert iou.scores.layer("fc").shape == (8, 5)
    best = np.array(iou.scores.concepts)[iou.scores.layer("fc").argmax(1)]
    assert iou.units["label"].tolist() == best.tolist()
    best = np.array(clip.scores.concepts)[clip.scores.layer("fc").argmax(1)]
    assert clip.units["label"].tolist() == best.tolist()


def test_a_table_in_its_run_knows_the_card_and_one_alone_does_not(tmp_path):
    folder = labelled.run(tmp_path / "run")
    (inside,) = read(folder / "descriptions.csv")
    assert (inside.digest, inside.network) == ("d1", "net")
    assert inside.scores is not None
    (tmp_path / "alone").mkdir()
    (folder / "units.csv").rename(tmp_path / "alone" / "units.csv")
    (alone,) = read(tmp_path / "alone" / "units.csv")
    assert (alone.digest, alone.network, alone.scores) == (None, "alone", None)


def test_a_tally_in_its_run_knows_its_layer(tmp_path):
    folder = labelled.card(tmp_path / "run", layers={"a/b": {}})
    (folder / "tally").mkdir()
    (found,) = read(labelled.tally(folder / "tally" / "a_b.csv", ["x"], [0.1]))
    assert (found.layers, found.digest) == (["a/b"], "d1")


def test_networks_are_the_same_by_digest_before_name(tmp_path):
    one, other, twin = (
        read(labelled.run(tmp_path / name, digest=digest, name=called))[0]
        for name, digest, called in (("a", "1", "x"), ("b", "2", "x"), ("c", "1", "y"))
    )
    assert not one.same_network(other)
    assert one.same_network(twin)


def _csv(text):
    def write(folder):
        path = folder / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def _tally_with(column, cell):
    """Return what writes a tally with something else in a cell."""

    def write(folder):
        path = labelled.tally(folder / "tally.csv", ["x"], [0.1])
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.loc[0, column] = cell
        table.to_csv(path, index=False)
        return path

    return write


IOU = "layer,unit,label,category,iou,detector\n"
CLIP = "layer,unit,description,similarity\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_csv("a,b\n1,2\n"), "has the columns 'a, b'; known are units.csv .* tallies"),
        (_csv(""), "not a CSV table"),
        (_csv(b"\xff\xfe\x00\x01"), "not a CSV table"),
        (_csv(CLIP), "no rows"),
        (_csv(CLIP + "fc,0,a,1\nfc,0,b,1\n"), "unit 0 of layer fc twice"),
        (_csv(CLIP + "fc,x,a,1\n"), "column unit holds no number"),
        (_csv(CLIP + "fc,0.5,a,1\n"), "units must count from 0"),
        (_csv(CLIP + "fc,-1,a,1\n"), "units must count from 0"),
        (_csv(CLIP + "fc,0, ,1\n"), "label ' ' of unit 0 is no name"),
        (_csv(CLIP + "fc,0,a\x1b[2J,1\n"), "of unit 0 is no name"),
        (_csv(CLIP + "fc,0,a,high\n"), "column similarity holds no number"),
        (_csv("layer,unit,label,category,iou,detector\nfc,0,a,b,1,maybe\n"), "True or False"),
        (_csv(CLIP + "fc,0,a,1\nfc,1\n"), "row 2 has 2 cells and not 4"),
        (_csv(CLIP + "fc,0,a,1\nfc,1,b,1,9\n"), "row 2 has 5 cells and not 4"),
        (_csv(CLIP + 'fc,0,a,1\nfc,1,"b'), "not a CSV table .after row 1: unexpected end"),
        (_csv(CLIP + "fc,0,a\0b,1\n"), "row 1 holds a NUL character"),
        (_csv(CLIP.encode() + b"fc,0,\xff,1\n"), "can't decode byte 0xff"),
        (_csv("layer,unit,unit,description,similarity\n"), "column 'unit' is there twice"),
        (_csv(CLIP + "fc,0,a,1\nfc,1,b,\n"), "column similarity holds no number, row 2 holds ''"),
        (_csv(CLIP + "fc,0,a,nan\n"), "row 1, column similarity is nan, expected a finite"),
        (_csv(CLIP + "fc,0,a,inf\n"), "row 1, column similarity is inf, expected a finite"),
        (_csv(CLIP + f"fc,{'9' * 40},a,1\n"), "row 1, column unit is 1e.40; units must count"),
        (_csv(CLIP + f"fc,{'9' * 5000},a,1\n"), "row 1, column unit is 9+, expected a finite"),
        (_csv(CLIP + "fc,nan,a,1\n"), "row 1, column unit is nan, expected a finite"),
        (_csv(CLIP + " ,0,a,1\n"), "row 1, column layer is blank"),
        (_csv(CLIP + '"' + "a" * 200_000 + '",0,a,1\n'), "field larger than field limit"),
        (_csv(IOU + "fc,0,a,b,1.5,True\n"), "row 1, column iou is 1.5, expected a number from 0"),
        (_csv(IOU + "fc,0,a,b,-0.1,True\n"), "row 1, column iou is -0.1, expected a number"),
        (_csv(IOU + "fc,0,a,b,nan,True\n"), "row 1, column iou is nan, expected a number from"),
        (_tally_with("score", "2"), "row 1, column score is 2, expected a number from 0 to 1"),
        (_tally_with("score", "high"), "column score holds no number, row 1 holds 'high'"),
        (_tally_with("object-iou", "inf"), "row 1, column object-iou is inf, expected a number"),
        (_tally_with("object-truth", "x"), "column object-truth holds no number, row 1 holds 'x'"),
        (_tally_with("object-truth", "-1"), "row 1, column object-truth is -1, expected a count"),
        (
            _tally_with("object-activation", "1e300"),
            "object-activation is 1e.300, expected a count",
        ),
        (_tally_with("unit", "one"), "column unit holds no number, row 1 holds 'one'"),
        (_csv("unit,category,label,score\n1,a,b,0.1\n"), "not a NetDissect tally: it lacks"),
        (lambda folder: labelled.tally(folder / "t.csv", ["x"], [0.1], first=0), "from 1 in"),
        (lambda folder: folder, "holds no complete run"),
        (
            lambda folder: labelled.card(folder / "run"),
            "lacks units.csv, concepts.csv, descriptions.csv",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; give a run directory or a CSV"):
        read(tmp_path / "none.csv")


def test_an_incomplete_run_is_refused(tmp_path):
    folder = labelled.run(tmp_path / "run")
    card = json.loads((folder / "run.json").read_text()) | {"status": "running"}
    (folder / "run.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="no complete run"):
        read(folder)


def test_scores_of_a_layer_that_the_file_lacks(tmp_path):
    iou, _ = read(labelled.run(tmp_path / "run"))
    with pytest.raises(ValueError, match="has no iou/all of layer conv1"):
        iou.scores.layer("conv1")


def test_order_of_rows_in_the_file_does_not_matter(tmp_path):
    path = labelled.descriptions(tmp_path / "clip_dissect-n.csv", {"b": ["x", "y"], "a": ["z"]})
    (before,) = read(path)
    table = pd.read_csv(path)
    table.iloc[[1, 0, 2]].to_csv(path, index=False)
    (after,) = read(path)
    pd.testing.assert_frame_equal(before.units, after.units)
    assert after.layers == ["b", "a"]


def test_a_run_has_the_units_that_its_card_says(tmp_path):
    folder = labelled.run(tmp_path / "run")
    labelled.card(folder, union="all", layers={"fc": {"units": 8}})
    assert len(read(folder)) == 2
    path = folder / "descriptions.csv"
    text = path.read_text()
    path.write_text("\n".join(text.split("\n")[:-2]) + "\n")
    with pytest.raises(ValueError, match="has 7 units of layer fc, the last 6, but its run card"):
        read(folder)
    path.write_text(text.replace("fc,7,", "fc,70,"))
    for reader in (read, Dissection.read):
        with pytest.raises(ValueError, match="8 units of layer fc, the last 70, but its run card"):
            reader(folder)


@pytest.mark.parametrize("name", ["units.csv", "concepts.csv", "descriptions.csv"])
def test_a_table_that_was_cut_is_refused_by_whoever_reads_it(tmp_path, name):
    folder = labelled.run(tmp_path / "run")
    path = folder / name
    path.write_text(path.read_text().rstrip()[:-6].rpartition(",")[0])
    with pytest.raises(ValueError, match="cells and not") as caught:
        Dissection.read(folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_plain_file_is_refused_before_it_is_opened(tmp_path, make):
    folder = labelled.run(tmp_path / "run")
    (folder / "concepts.csv").unlink()
    make(folder / "concepts.csv")
    with pytest.raises(ValueError, match="lacks concepts.csv"):
        Dissection.read(folder)
    make(tmp_path / "tally.csv")
    with pytest.raises(ValueError, match=r"tally.csv is a .*, expected a CSV table"):
        read_tally(tmp_path / "tally.csv")


@pytest.mark.parametrize(
    ("text", "method", "labels", "layers"),
    [
        ("layer,unit,description\nfc,0,a\nfc,1,b\n", "clip", ["a", "b"], ["fc"]),
        (",layer,unit,description\n0,fc,0,a\n1,fc,1,b\n", "clip", ["a", "b"], ["fc"]),
        ("layer,unit,label\nfc,0,a\n", "clip", ["a"], ["fc"]),
        ("unit,description\n0,a\n", "clip", ["a"], ["layer2"]),
        ("unit,description,similarity\n0,a,0.5\n", "clip", ["a"], ["layer2"]),
        ("layer,unit,label,category,detector\nfc,0,a,object,True\n", "iou", ["a"], ["fc"]),
        ("unit,label,category,iou\n0,a,object,0.5\n", "iou", ["a"], ["layer2"]),
    ],
)
def test_labels_without_scores_or_layer_are_enough(tmp_path, text, method, labels, layers):
    path = tmp_path / "net_layer2.csv"
    path.write_text(text)
    (found,) = read(path)
    assert (found.method, found.layers) == (method, layers)
    assert found.units["label"].tolist() == labels
    scored = "similarity" in text or "iou" in text
    assert found.units["score"].notna().all() == scored
    assert found.units["detector"].tolist() == [method == "iou"] * len(labels)


def test_a_tally_may_have_a_column_of_layers(tmp_path):
    path = labelled.tally(tmp_path / "net.csv", ["x", "y"], [0.1, 0.2])
    pd.read_csv(path, keep_default_na=False).assign(layer=["b", "a"]).to_csv(path)
    assert read(path)[0].layers == ["b", "a"]
