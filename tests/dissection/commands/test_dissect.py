"""The command: what it prints, how it fails, and that its help comes at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dissection.commands import dissect
from dissection.results import schema
from tests.dissection import planted

ROOT = Path(__file__).parents[3]
FACTORY = str(ROOT / "tests" / "dissection" / "planted.py") + ":factory"


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "planted.h5"
    planted.write(path, planted.drawn()).close()
    return str(path)


def command(probe, out, *more, layers="maps"):
    return [
        *("--method", "iou", "--model", FACTORY, "--layers", layers, "--device", "cpu"),
        *("--probe", probe, "--out", str(out), "--quantile", "0.2", *more),
    ]


def test_files_are_those_of_the_design(probe, tmp_path):
    assert dissect.main(command(probe, tmp_path / "run")) == 0
    written = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*.*")}
    assert written == {
        *("units.csv", "concepts.csv", "tally/maps.csv", "scores.h5", "run.json", ".lock"),
    }
    units = pd.read_csv(tmp_path / "run" / "units.csv")
    assert list(units.columns[:7]) == [
        *("layer", "unit", "label", "category", "iou", "detector", "threshold"),
    ]
    best = {f"{c}-{field}" for c in planted.CATEGORIES for field in ("label", "iou")}
    assert set(units.columns[7 : 7 + len(best)]) == best
    assert list(units.columns[7 + len(best) :]) == list(schema.VALIDITY_COLUMNS)
    tally = pd.read_csv(tmp_path / "run" / "tally" / "maps.csv")
    assert tally["unit"].min() == 1
    assert tally["score"].is_monotonic_decreasing
    concepts = pd.read_csv(tmp_path / "run" / "concepts.csv")
    assert list(concepts.columns) == ["layer", "label", "category", "units"]
    assert concepts["units"].sum() == len(units)


def test_summary_goes_to_stdout_and_progress_to_stderr(probe, tmp_path, capsys):
    assert dissect.main(command(probe, tmp_path / "run")) == 0
    out, err = capsys.readouterr()
    assert "unique (best)" in out
    assert "unique (paper)" in out
    assert "cat 1.00 (unit 0)" in out
    assert "image/s" in err
    assert "image/s" not in out


def test_a_run_on_few_images_says_so_first_and_on_its_card(probe, tmp_path, capsys):
    assert dissect.main(command(probe, tmp_path / "run", "--limit", "5")) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    said = json.loads((tmp_path / "run" / "run.json").read_text())["caveats"]
    assert [second] == [f"warning: {text}" for text in said]
    assert second.startswith("warning: only 5 images were shown")
    assert "on 5 images" in first
    assert third.startswith("layer")


def test_a_run_on_enough_images_says_nothing_of_them(probe, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dissection.results.caveats.FEW", 5)
    assert dissect.main(command(probe, tmp_path / "run", "--limit", "5")) == 0
    assert "warning" not in capsys.readouterr().out
    assert "caveats" not in json.loads((tmp_path / "run" / "run.json").read_text())


def test_copies_for_a_spreadsheet_lie_beside_the_tables(probe, tmp_path):
    run = tmp_path / "run"
    assert dissect.main(command(probe, run, "--spreadsheet")) == 0
    for name in ("units.csv", "concepts.csv"):
        assert (run / "spreadsheet" / name).read_text() == (run / name).read_text()
    # a complete run gets them too
    text = (run / "concepts.csv").read_text().replace("cat", "=cat()")
    (run / "concepts.csv").write_text(text)
    assert dissect.main(command(probe, run, "--spreadsheet")) == 0
    assert "'=cat()" in (run / "spreadsheet" / "concepts.csv").read_text()


def test_a_second_start_says_so_and_does_nothing(probe, tmp_path, capsys):
    for _ in range(2):
        assert dissect.main(command(probe, tmp_path / "run")) == 0
    assert "complete with these settings, nothing to do" in capsys.readouterr().err


def test_layers_help_lists_layers(capsys):
    assert dissect.main(["--method", "iou", "--model", FACTORY, "--layers", "help"]) == 0
    assert "maps" in capsys.readouterr().out


def test_limit_counts_only_the_first_images(probe, tmp_path):
    assert dissect.main(command(probe, tmp_path / "run", "--limit", "5")) == 0
    card = json.loads((tmp_path / "run" / "run.json").read_text())
    assert card["probe"]["images"] == 5


BAD = [
    (["--layers", "mops"], r"mops.*nearest: maps"),
    (["--layers", "maps,nothing*"], r"nothing\*"),
    (["--probe", "nowhere.h5"], r"nowhere.h5: no such probe file"),
    (["--model", "resnet81"], r"resnet81.*resnet18"),
    (["--model", "nowhere.py:factory"], r"nowhere.py"),
    (["--weights", "nowhere.pth"], r"nowhere.pth"),
    (["--device", "cuda:99"], r"device 'cuda:99' cannot be used"),
    (["--out", "/dev/null/run"], r"/dev/null"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=lambda value: "_".join(value)[:30])
def test_bad_input_is_one_line_and_status_1(probe, tmp_path, capsys, options, said):
    assert dissect.main([*command(probe, tmp_path / "run"), *options]) == 1
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert re.search(said, lines[0])
    assert "Traceback" not in err
    assert out == ""


def test_a_layer_without_a_grid_says_what_to_do(tmp_path, probe, capsys):
    source = tmp_path / "flat.py"
    source.write_text(
        "import torch\n"
        "def factory():\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 3))\n"
    )
    options = ["--model", f"{source}:factory", "--input-size", "16"]
    assert dissect.main([*command(probe, tmp_path / "run", layers="1"), *options]) == 1
    assert "no map" in capsys.readouterr().err


def test_nan_and_a_broken_image_name_the_image(tmp_path, capsys):
    planes = planted.drawn()
    path = tmp_path / "broken.h5"
    planted.write(path, planes).close()
    data, good = bytearray(path.read_bytes()), planted.photograph(planes[9])
    place = data.index(good)
    data[place + 40 : place + len(good)] = bytes(len(good) - 40)
    path.write_bytes(data)
    assert dissect.main(command(str(path), tmp_path / "run")) == 1
    assert "image 9 (9.png): cannot be decoded" in capsys.readouterr().err


def test_skip_bad_leaves_out_broken_images_of_a_folder(tmp_path, capsys, caplog):
    pytest.importorskip("open_clip")
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i, plane in enumerate(planted.drawn()[:4]):
        (folder / f"{i}.png").write_bytes(planted.photograph(plane))
    (folder / "9.png").write_bytes(b"no image")
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    given = command(str(folder), tmp_path / "run", "--concepts", str(tmp_path / "words.txt"))
    given[1] = "clip"
    assert dissect.main(given) == 1
    assert "9.png cannot be decoded" in (said := capsys.readouterr().err)
    assert "--skip-bad" in said
    assert dissect.main([*given, "--skip-bad"]) == 0
    assert "left out: " in caplog.text
    card = json.loads((tmp_path / "run" / "run.json").read_text())
    assert card["probe"]["images"] == 4


@pytest.mark.parametrize(
    "options",
    [
        ["--method", "magic"],
        ["--quantile", "1.5"],
        ["--min-iou", "-1"],
        ["--batch-size", "0"],
        ["--workers", "-2"],
        ["--limit", "0"],
        ["--union", "some"],
    ],
    ids=" ".join,
)
def test_usage_errors_have_status_2(options, capsys):
    with pytest.raises(SystemExit) as raised:
        dissect.main(["--method", "iou", *options])
    assert raised.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys, dissect\n"
        "try:\n    dissect.main(['--help'])\n"
        "except SystemExit:\n"
        "    print(sorted({'torch', 'pandas', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert shown.stdout.splitlines()[-1] == "[]", shown.stderr


HELD = """
import time, sys
from pathlib import Path
from tests.dissection import planted
seen = 0
def hold(*_):
    global seen
    seen += 1
    while seen > {images} and not Path({gate!r}).exists():
        time.sleep(0.01)
def factory():
    module, preprocessing = planted.factory()
    module.register_forward_pre_hook(hold)
    return module, preprocessing
"""


@pytest.fixture
def held(tmp_path, started):
    """Return what starts the command in a process that stops behind some images for good.

    Its network goes on once the file `gate` is there.
    """
    source = tmp_path / "held.py"

    def start(probe, out, images):
        source.write_text(HELD.format(images=images, gate=str(tmp_path / "gate")))
        return started(
            [
                *(sys.executable, str(ROOT / "scripts" / "dissect.py")),
                *command(probe, out, "--model", f"{source}:factory", "--batch-size", "1"),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def until(condition, process):
    """Wait until a condition holds while a process runs."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.fixture
def long_probe(tmp_path):
    """Images of more than one shard."""
    path = tmp_path / "long.h5"
    planted.write(path, planted.drawn(images=140)).close()
    return str(path)


def test_ctrl_c_stops_in_one_line_and_kill_loses_no_shard(tmp_path, long_probe, held):
    out = tmp_path / "run"
    for stop, status in ((signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL)):
        process = held(long_probe, out, images=70)
        until(lambda: (out / "shards" / "000000.npz").exists(), process)
        process.send_signal(stop)
        _, errors = process.communicate()
        assert process.returncode == status, errors
        assert "Traceback" not in errors
        if stop == signal.SIGINT:
            assert errors.splitlines()[-1] == f"error: {dissect.INTERRUPTED}"
    (tmp_path / "gate").touch()
    model = f"{tmp_path / 'held.py'}:factory"
    shard = (out / "shards" / "000000.npz").stat().st_mtime_ns
    more = ("--model", model, "--batch-size", "1")
    assert dissect.main(command(long_probe, out, *more, "--keep-shards")) == 0
    assert (out / "shards" / "000000.npz").stat().st_mtime_ns == shard
    assert dissect.main(command(long_probe, tmp_path / "unbroken", *more)) == 0
    for name in ("units.csv", "concepts.csv", "tally/maps.csv", "scores.h5"):
        assert (out / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()


def test_a_directory_being_written_is_refused(tmp_path, long_probe, held, capsys):
    out = tmp_path / "run"
    process = held(long_probe, out, images=20)
    until(lambda: (out / "run.json").exists(), process)
    (tmp_path / "gate").touch()
    model = f"{tmp_path / 'held.py'}:factory"
    process.send_signal(signal.SIGSTOP)
    assert dissect.main(command(long_probe, out, "--model", model)) == 1
    assert "being written by another process" in capsys.readouterr().err


def test_a_checkpoint_that_would_execute_code_is_refused(tmp_path, probe, capsys):
    class Harm:
        def __reduce__(self):
            return (Path(tmp_path / "harmed").touch, ())

    torch.save({"state_dict": {"concept": Harm()}}, tmp_path / "harm.pth")
    weights = ["--weights", str(tmp_path / "harm.pth")]
    assert dissect.main([*command(probe, tmp_path / "run"), *weights]) == 1
    assert "harm.pth" in capsys.readouterr().err
    assert not (tmp_path / "harmed").exists()


def test_units_csv_is_what_the_api_returns(probe, tmp_path):
    from dissection import Dissection

    assert dissect.main(command(probe, tmp_path / "run")) == 0
    result = Dissection.read(tmp_path / "run")
    best = result.scores("maps", "iou/category")[:, 1:].max(1)
    np.testing.assert_array_equal(result.units["iou"], best)
