"""The check of a GPU runs on the CPU as far as that goes, says what failed, and goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import check_gpu
import numpy as np
import pytest
import torch
from checking import comparing, parts
from checking.memory import InMemory

from broden.images import decode
from broden.planes import contents

SCRIPT = Path(check_gpu.__file__)

#: All that the check may need; what they need themselves may be there too.
ABSENT = ("platformdirs", "hypothesis", "open_clip", "transformers", "argcomplete", "wordfreq")


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check_gpu.main([]) == 0
    assert capsys.readouterr().out == "no GPU that torch can use: nothing checked\n"


@pytest.mark.slow
def test_a_bare_checkout_is_checked_with_few_packages(tmp_path):
    for name in ABSENT:
        (tmp_path / f"{name}.py").write_text("raise ImportError('absent in this test')")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), "--device", "cpu", "--images", "2"],
        env=environment | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{SCRIPT.parent}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["failed"] == []
    assert "skipped" in found["tests"]["outcome"]
    assert found["comparison"]["apart"]["mini_scenes"]["layer4"]["threshold"] == 0
    for name in ("resnet18", "vit_base_patch16_224", "resnet18_jpeg"):
        assert found[name]["ratio"] > 0
        assert found[name]["stages"]["images"] > 0
        assert found[name]["images"] == 2


def test_a_part_that_fails_is_named_and_the_others_run(monkeypatch, capsys):
    def broken():
        raise RuntimeError("no such\nkernel")

    made = parts._parts
    monkeypatch.setattr(
        parts, "_parts", lambda *args: {**made(*args), "tests": broken, "comparison": dict}
    )
    command = ["--device", "cpu", "--parts", "tests,comparison,synchronisations"]
    assert check_gpu.main(command) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == ["tests"]
    assert found["tests"]["error"].startswith("RuntimeError: no such kernel (test_check_gpu.py:")
    assert "error" not in found["comparison"]
    assert "left out" in found["synchronisations"]


def test_a_part_that_is_none_is_refused(capsys):
    assert check_gpu.main(["--device", "cpu", "--parts", "test"]) == 1
    assert "there is no part 'test'; one of tests, comparison" in capsys.readouterr().err


def test_the_set_in_memory_agrees_with_itself():
    probe = InMemory(11, (16, 24), drawings=4)
    block = probe.label_block([1, 5, 10])
    assert block.image.tolist() == [0, 0, 1, 1, 2]
    mass = np.zeros(len(probe.labels), np.int64)
    for image in range(len(probe)):
        planes = probe.label_block([image]).planes
        held = contents(planes, ())
        assert not held.repeats.any()
        mass[held.label] += held.pixels
        _, label, pixels = probe.contents(image, image + 1)
        np.testing.assert_array_equal(label, held.label)
        np.testing.assert_array_equal(pixels, held.pixels)
        assert set(np.flatnonzero(probe.presence[image])) == set(probe.labels.primary[label])
    np.testing.assert_array_equal(mass, probe.labels.pixels)
    (data,) = probe.jpegs([6])
    assert decode(data).shape == probe.decoded[2].shape


class Scores:
    """A run of one layer, of which the check asks scores alone."""

    layers = ("a",)

    def __init__(self, **scores):
        rng = np.random.default_rng(0)
        area = np.array([40_000, 900, 0])
        self._scores = {
            "threshold": np.array([1.0, 0.5, 0.0], np.float32),
            "intersection": np.minimum(rng.integers(0, 900, (3, 5)), area[:, None]),
            "area/all": area,
            "area/category": np.stack([area, area // 2], 1),
            "area/mask": np.stack([area // 3, area // 4], 1),
            "iou/category": np.array([[0, 0.2, 0.1], [0, 0.1, 0.1015], [0, 0, 0]]),
        } | scores

    def scores(self, _layer, name):
        return self._scores[name]


@pytest.mark.parametrize(
    ("name", "change", "what", "most"),
    [
        ("threshold", 1e-6, "threshold", comparing.ROUNDING),
        ("area/all", 12, "moved", comparing.MOVED),
        ("area/mask", 700, "moved", comparing.MOVED),
        ("iou/category", [[0, -0.05, 0], [0, 0.01, 0], [0, 0, 0]], "labels", 0),
    ],
)
def test_what_rounding_moves_is_let_pass(name, change, what, most):
    same = Scores()
    found = comparing._layer(Scores(**{name: same.scores("a", name) + change}), same, "a")
    assert 0 <= found[what] <= most


@pytest.mark.parametrize(
    ("name", "change", "what", "most"),
    [
        ("threshold", 1e-3, "threshold", comparing.ROUNDING),
        ("threshold", np.nan, "threshold", comparing.ROUNDING),
        ("intersection", 40, "moved", comparing.MOVED),
        ("iou/category", [[0, -0.15, 0], [0, 0, 0], [0, 0, 0]], "labels", 0),
    ],
)
def test_what_is_further_is_not(name, change, what, most):
    same = Scores()
    found = comparing._layer(Scores(**{name: same.scores("a", name) + change}), same, "a")
    assert not found[what] <= most
