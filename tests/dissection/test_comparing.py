"""What `dissection.compare` returns is what the command writes."""

import pandas as pd
import pytest

import dissection
import figures
from dissection.commands import compare as command
from tests.dissection import labelled


@pytest.fixture
def runs(tmp_path):
    first = labelled.run(tmp_path / "first", digest="d1", name="one")
    return [first, labelled.run(tmp_path / "second", digest="d2", name="two")]


def test_two_runs_of_both_methods(runs):
    found = dissection.compare(runs, encoder="none", permutations=20)
    assert list(found.comparisons) == ["iou", "clip"]
    assert [one.iou.name for one in found.crosschecks] == ["one", "two"]
    assert not found.alone
    counted = found.distinct
    assert set(counted["method"]) == {"iou", "clip"}
    assert set(counted["network"]) == {"one", "two"}
    units = pd.read_csv(runs[0] / "units.csv")
    mine = counted[(counted["method"] == "iou") & (counted["network"] == "one")]
    assert mine["concepts"].iloc[0] == units["label"].nunique()


def test_a_run_alone_is_counted(tmp_path):
    table = labelled.descriptions(tmp_path / "clip_dissect-net-fc.csv", {"fc": ["a", "b", "b"]})
    found = dissection.compare([table])
    assert [one.method for one in found.alone] == ["clip"]
    assert found.distinct["concepts"].tolist()[0] == 2
    assert "different concepts" in found.summary()


def test_the_command_writes_what_is_returned(runs, tmp_path, capsys):
    found = dissection.compare(runs, encoder="none", permutations=20)
    found.write(tmp_path / "mine")
    argv = [*map(str, runs), "--encoder", "none", "--permutations", "20"]
    assert command.main([*argv, "--out", str(tmp_path / "its")]) == 0
    assert found.summary() in capsys.readouterr().out
    mine, its = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("mine", "its")
    )
    assert mine == its
    assert len(mine) > 10


@pytest.mark.parametrize("name", ["crosscheck-1-one", "iou-distinct.csv"])
def test_nothing_is_written_through_a_link(name, runs, tmp_path):
    found = dissection.compare(runs, encoder="none", permutations=20)
    (tmp_path / "mine").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"out/{name} is a link, and nothing is written"):
        found.write(tmp_path / "out")
    assert not [*(tmp_path / "mine").iterdir()]


def test_results_of_python_can_be_compared(runs):
    opened = [dissection.read(path) for path in runs]
    found = dissection.compare(opened, encoder="none", permutations=20)
    assert found.comparisons["iou"].networks == ("one", "two")


@pytest.mark.parametrize("use", [dissection.compare, figures.draw])
def test_results_are_a_list_of_some(use):
    with pytest.raises(TypeError, match="must be a list of runs or tables, got one: results/a"):
        use("results/a")
    with pytest.raises(ValueError, match="no results are named"):
        use([])


def test_runs_that_differ_say_so_before_any_table(tmp_path):
    for name, images in (("a", 1), ("b", 1000)):
        labelled.run(tmp_path / name, digest=name)
        probe = {"name": "mini", "images": images, "digest": name * 64}
        more = {"min_iou": 0.1, "union": "all", "probe": probe}
        labelled.card(tmp_path / name, name, name=name, **more)
    found = dissection.compare([tmp_path / "a", tmp_path / "b"], encoder="none", permutations=20)
    lines = found.summary().split("\n")
    assert lines[0].startswith("warning: different probe sets: mini (1 image, digest aaaa")
    assert lines[1].startswith("warning: different numbers of images: 1 of a; 1,000 of b")
    assert lines[2].startswith("warning: a: only 1 image was shown")
    assert lines[3] == ""


def test_names_may_be_given(tmp_path):
    paths = [tmp_path / f"{name}.csv" for name in ("first", "second")]
    for path in paths:
        labelled.tally(path, ["car"], [0.5])
    found = dissection.compare([f"net:deep={paths[0]}", f"other:deep={paths[1]}"])
    assert found.comparisons["iou"].networks == ("net", "other")
    assert found.notes == []
