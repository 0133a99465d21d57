"""The calibration compares runs on drawn images with the population, and says what is not so."""

import json
import shutil
from types import SimpleNamespace

import calibrate
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from broden import mini
from broden.reader import ProbeSet

IMAGES, UNITS, LABELS = 30, 6, 5
TRUTH = np.random.default_rng(0).random((UNITS, LABELS))
TRUTH[:, 0] = 5


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, IMAGES, seed=9)
    return path


class Runs:
    """Stand for `dissect`: the population's IoU, the interval wrong for unit 0 of any draw."""

    def __init__(self, columns=True):
        self.seen, self.columns = {}, columns

    def __call__(self, network, layers, probe, *, out, config, execution):
        self.seen[out.name] = (probe.jpegs(range(len(probe))), config, probe.digest)
        best = TRUTH[:, 1:].max(1)
        columns = {"unit": range(UNITS), "iou": best}
        if self.columns:
            columns |= {"iou_low": best - 0.1, "iou_high": best + 0.1, "q": 0.001}
            columns["iou_low"][0] = best[0] + 0.05
            columns |= {"stability": np.linspace(0, 1, UNITS)}
        out.mkdir(parents=True)
        with h5py.File(out / "scores.h5", "w") as file:
            null = np.random.default_rng(1).random((5, UNITS))
            for layer in layers:
                file[f"layers/{layer}/validity/null"] = null
        units = pd.concat([pd.DataFrame({"layer": layer} | columns) for layer in layers])
        return SimpleNamespace(
            path=out,
            card={"settings": {"union": "category"}},
            # in any order
            units=units[::-1],
            scores=lambda layer, name: {"iou/category": TRUTH}[name],
        )


@pytest.fixture
def runs(monkeypatch):
    import _populations

    fake = Runs()
    monkeypatch.setattr(_populations, "dissect", fake)
    return fake


def options(probe, out, *more):
    return ["--model", "mini_random", "--layers", "layer4", "--probe", str(probe),
            "--sizes", "8,12", "--draws", "2", "--out", str(out), *more]  # fmt: skip


def test_every_draw_is_compared_with_the_population(probe, runs, tmp_path, capsys):
    more = ("--shifts", "7", "--layers", "layer3,layer4")
    assert calibrate.main(options(probe, tmp_path / "out", *more)) == 0
    report = json.loads((tmp_path / "out" / "calibration.json").read_text())
    with Image.open(tmp_path / "out" / "calibration.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 20
    assert list(report["sizes"]) == ["8", "12"]
    for by_layer in report["sizes"].values():
        assert list(by_layer) == ["layer3", "layer4", "all layers"]
        for one, several in zip(by_layer.values(), (1, 1, 2), strict=True):
            assert (one["draws"], one["units"]) == (2 * several, 2 * several * UNITS)
            assert one["coverage"] == pytest.approx(5 / 6)
            assert one["excess"] == 0
            assert [row["units"] for row in one["named"]] == [n * several for n in (6, 2, 2, 2)]
            assert all(row["right"] == 1 for row in one["named"])
    assert "8 images, layer4: coverage is 0.833, wanted 0.93 to 0.97" in report["not_as_wanted"]
    out = capsys.readouterr().out
    assert "8 images, layer4: coverage is 0.833, wanted 0.93 to 0.97" in out
    assert out.splitlines()[0].split()[:4] == ["images", "layer", "draws", "units"]
    assert runs.seen["population"][1].validity == "none"
    config = runs.seen["8-0"][1]
    assert (config.validity, config.shifts, config.rotations) == ("full", 7, 0)


def test_draws_are_different_images_of_the_population_each_once(probe, runs, tmp_path):
    assert calibrate.main(options(probe, tmp_path / "out")) == 0
    with ProbeSet(probe) as opened:
        everything = opened.jpegs(range(IMAGES))
    assert runs.seen["population"][0] == everything
    names = ["8-0", "8-1", "12-0", "12-1"]
    assert [*runs.seen] == ["population", *names]
    drawn = [runs.seen[name][0] for name in names]
    for name, images in zip(names, drawn, strict=True):
        assert len({*images}) == len(images) == int(name.partition("-")[0])
        assert {*images} <= {*everything}
    assert {*drawn[0]} != {*drawn[1]}
    assert len({digest for _, _, digest in runs.seen.values()}) == 5
    again = Runs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("_populations.dissect", again)
        assert calibrate.main(options(probe, tmp_path / "again")) == 0
        assert again.seen == runs.seen
        again.seen.clear()
        assert calibrate.main(options(probe, tmp_path / "other", "--seed", "1")) == 0
    assert again.seen["8-0"] != runs.seen["8-0"]


def test_draws_must_be_fewer_than_the_population(probe, runs, tmp_path, capsys):
    assert calibrate.main(options(probe, tmp_path / "out", "--sizes", "30")) == 1
    assert "draws of 30 images need a population of more, got 30" in capsys.readouterr().err
    assert not runs.seen


def test_runs_without_validity_figures_are_named(probe, runs, tmp_path, capsys):
    runs.columns = False
    assert calibrate.main(options(probe, tmp_path / "out")) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path / 'out' / 'runs' / '8-0'} has no validity figures" in err
    assert err.count("error") == 1


def test_planted_units_are_of_a_population_that_is_drawn_once(runs, tmp_path):
    out = tmp_path / "out"
    argv = ["--model", "planted", "--units", str(UNITS), "--images", "20", "--sizes", "8"]
    assert calibrate.main([*argv, "--draws", "1", "--out", str(out)]) == 0
    with ProbeSet(out / "mini-20-seed0.h5") as probe:
        assert len(probe) == 20
    (one,) = json.loads((out / "calibration.json").read_text())["sizes"]["8"].values()
    assert one["found_planted"] == 1
    assert one["false_discoveries_planted"] == 0.5
    drawn = (out / "mini-20-seed0.h5").stat().st_mtime_ns
    shutil.rmtree(out / "runs")
    assert calibrate.main([*argv, "--draws", "1", "--out", str(out)]) == 0
    assert (out / "mini-20-seed0.h5").stat().st_mtime_ns == drawn
