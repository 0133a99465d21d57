"""The command: any mixture of results becomes files, and what cannot be drawn is said."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import dissection
from broden import mini
from dissection.config import Execution
from figures import command as make_figures
from tests.dissection import labelled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def published(tmp_path):
    return labelled.published(tmp_path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    mini.build(folder / "probe.h5", 24, seed=9)
    dissection.dissect(
        "mini_random", "layer4", folder / "probe.h5", out=folder / "run",
        execution=Execution(device="cpu", workers=0),
    )  # fmt: skip
    return folder / "run"


def command(tmp_path, *results, more=("--formats", "svg")):
    return make_figures.main([*map(str, results), "--out", str(tmp_path / "out"), *more])


def test_published_files_of_both_methods_are_drawn(published, tmp_path, capsys):
    assert command(tmp_path, *published) == 0
    out, err = capsys.readouterr()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"concepts-iou.svg", "concepts-clip.svg", "only-clip.csv", "depth.svg"} <= names
    assert {"agreement-net.svg", "scatter-net.csv", "bargraph-net-layer4.svg"} <= names
    assert f"{sum(name.endswith('.svg') for name in names)} figures:" in out
    assert "left out sheet: no photographs or top images of net layer4" in err
    table = pd.read_csv(tmp_path / "out" / "distinct-clip.csv").set_index(["network", "layer"])
    assert table.loc[("net", "layer4"), "concepts"] == 3


def test_texts_of_the_tables_are_kept_from_opening_as_formulas(tmp_path):
    table = labelled.descriptions(tmp_path / "clip_dissect-net-fc.csv", {"fc": ["=1+1"] * 5})
    more = ("--only", "concepts", "--formats", "svg")
    assert command(tmp_path, table, more=(*more, "--spreadsheet")) == 0
    assert "'=1+1" in (tmp_path / "out" / "concepts-clip.csv").read_text()
    assert command(tmp_path, table, more=more) == 0
    assert "'" not in (tmp_path / "out" / "concepts-clip.csv").read_text()


def test_names_that_are_given_are_drawn_beside_the_file(tmp_path, capsys):
    paths = [labelled.tally(tmp_path / f"{name}.csv", ["x"], [0.1]) for name in ("one", "other")]
    given = [f"net:{layer}={path}" for layer, path in zip("ab", paths, strict=True)]
    assert make_figures.main([*given, "--only", "distinct", "--formats", "svg"]) == 0
    table = pd.read_csv(tmp_path / "figures" / "distinct-iou.csv")
    assert table["layer"].tolist() == ["a", "b", "all layers"]
    assert capsys.readouterr().err.count("warning") == 0


def test_png_has_300_dots_an_inch(published, tmp_path):
    assert command(tmp_path, published[1], more=("--only", "distinct")) == 0
    with Image.open(tmp_path / "out" / "distinct-clip.png") as picture:
        assert [round(dots) for dots in picture.info["dpi"]] == [300, 300]
    assert (tmp_path / "out" / "distinct-clip.pdf").read_bytes().startswith(b"%PDF")


def test_a_run_finds_its_photographs_by_itself(run, tmp_path, capsys):
    more = ("--only", "sheet", "--sheets", "0", "--unit", "layer4:3", "--formats", "svg")
    assert command(tmp_path, run, more=more) == 0
    table = pd.read_csv(tmp_path / "out" / "unit-mini_random-layer4-3.csv")
    assert (~table["without"]).sum() == 10
    assert "left out" not in capsys.readouterr().err


def test_another_probe_set_is_not_taken_for_the_runs(run, tmp_path, capsys):
    mini.build(tmp_path / "other.h5", 24, seed=10)
    more = ("--only", "sheet,distinct", "--formats", "svg", "--probe", str(tmp_path / "other.h5"))
    assert command(tmp_path, run, more=more) == 0
    err = capsys.readouterr().err
    assert "other.h5 is not the probe set of that run" in err
    assert "give it with --probe" in err
    assert not list((tmp_path / "out").glob("sheet*"))


def test_a_probe_set_that_is_gone_is_named(run, tmp_path, capsys):
    more = ("--only", "distinct", "--formats", "svg", "--probe", str(tmp_path / "gone.h5"))
    assert command(tmp_path, run, more=more) == 0
    assert "no photographs of mini_random" in capsys.readouterr().err


def test_the_report_is_written_and_named(run, published, tmp_path, capsys):
    more = ("--only", "distinct", "--formats", "svg", "--report")
    assert command(tmp_path, run, published[1], more=more) == 0
    page = tmp_path / "out" / "report" / "index.html"
    assert f"report: {page}" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "mini_random and net" in text
    summary = text[text.index("<h2>Summary") :]
    warning = "Warning: mini_random: only 24 images were shown"
    assert 0 < summary.index(warning) < summary.index('<ul class="statements">')


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--formats", "gif"], "--formats has 'gif'; choose from png, svg, pdf"),
        (["--only", "pie"], "no figure is called 'pie'; there are concepts"),
        (["--unit", "layer4"], "names no unit; give NETWORK:LAYER:UNIT, such as net:layer4:17"),
        (["--unit", "mars:layer4:1"], "names no unit"),
        (["--unit", "layer4:1", "--only", "depth"], "--unit asks for a sheet"),
        (["--only", "sheet"], "nothing can be drawn from these results"),
    ],
)
def test_what_cannot_be_done_is_said(published, tmp_path, capsys, more, message):
    assert command(tmp_path, published[0], more=more) == 1
    assert message in capsys.readouterr().err


def test_a_unit_of_several_networks_is_asked_for_its_network(published, tmp_path, capsys):
    assert command(tmp_path, *published, more=["--unit", "layer4:1"]) == 1
    assert "may be of several networks; say net:layer4:1 or other:layer4:1" in (
        capsys.readouterr().err
    )


def test_what_is_no_result_is_said_in_a_line(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert command(tmp_path, tmp_path / "x.csv") == 1
    err = capsys.readouterr().err
    assert "x.csv has the columns 'a, b'; known are units.csv" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_kinds_are_listed(capsys):
    assert make_figures.main(["--only", "help"]) == 0
    assert "depth          What kinds of concepts" in capsys.readouterr().out


def test_help_comes_without_torch():
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "scripts/make_figures.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--more-than" in found.stdout
    assert "| torch" not in found.stderr


@pytest.mark.parametrize("name", ["distinct-clip.csv", "distinct-clip.svg", "report"])
@pytest.mark.parametrize("to", ["mine", "nowhere"])
def test_nothing_is_drawn_through_a_link(name, to, published, tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / to)
    more = ("--only", "distinct", "--formats", "svg", "--report")
    assert command(tmp_path, published[1], more=more) == 1
    assert f"out/{name} is a link, and nothing is written through" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ["index.html", "thumbnails"])
def test_no_report_is_written_through_a_link(name, published, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "0.webp").write_text("mine")
    (tmp_path / "out" / "report").mkdir(parents=True)
    (tmp_path / "out" / "report" / name).symlink_to(mine)
    more = ("--only", "distinct", "--formats", "svg", "--report")
    assert command(tmp_path, published[1], more=more) == 1
    assert f"report/{name} is a link" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["0.webp"]


def test_figures_that_are_a_link_in_a_run_are_refused_and_given_ones_drawn(
    published, tmp_path, capsys
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "figures").symlink_to(tmp_path / "mine")
    more = ["--only", "distinct", "--formats", "svg"]
    assert make_figures.main([str(published[1]), *more]) == 1
    assert "figures is a link" in capsys.readouterr().err
    assert not [*(tmp_path / "mine").iterdir()]
    (tmp_path / "out").symlink_to(tmp_path / "mine")
    assert command(tmp_path, published[1], more=more) == 0
    assert (tmp_path / "mine" / "distinct-clip.svg").is_file()


def test_figures_of_a_killed_start_go_and_a_full_disk_is_named(
    published, tmp_path, capsys, monkeypatch
):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "out").mkdir()
    left = tmp_path / "out" / f"distinct-clip.svg.{dead.pid}.part"
    left.touch()
    more = ["--only", "distinct", "--formats", "svg"]
    assert command(tmp_path, published[1], more=more) == 0
    assert not left.exists()
    before = (tmp_path / "out" / "distinct-clip.csv").read_bytes()

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("broden.system.files.os.fsync", full)
    assert command(tmp_path, published[0], published[1], more=more) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err
    assert f"error: {tmp_path / 'out'}" in err
    assert (tmp_path / "out" / "distinct-clip.csv").read_bytes() == before
