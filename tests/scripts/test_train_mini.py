"""Training at a tiny size: the files, what their cards say, and that a seed repeats them."""

import json
import sys

import numpy as np
import pytest
import torch
import train_mini
from safetensors.torch import load_file
from training.drawn import Order, draw

from broden.mini.compose import compose
from broden.mini.probe import SEED
from broden.system.files import file_digest
from dissection.networks.sources import mini

TINY = [
    *("--images", "16", "--epochs", "1", "--batch-size", "8", "--held-out", "6", "--cores", "1"),
]
NETWORK = [
    *(*TINY, "--size", "32", "--finish-size", "64", "--finish-images", "8"),
    *("--finish-epochs", "1"),
]
CLASSES = {"objects": "mini_objects", "scenes": "mini_scenes"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained")
    for task in CLASSES:
        assert train_mini.main([task, "--out", str(path), *NETWORK]) == 0
    return path


@pytest.mark.parametrize(("task", "name"), CLASSES.items())
def test_a_card_describes_its_file(folder, task, name):
    card = json.loads((folder / f"{name}.json").read_text())
    weights = folder / f"{name}.safetensors"
    assert card["name"] == name
    assert card["classes"] == list(mini.CLASSES[name])
    assert card["sha256"] == file_digest(weights)
    assert card["bytes"] == weights.stat().st_size <= 6_000_000
    assert 0 <= card["held_out_top1"] <= 1
    assert set(card["seconds"]) == {"rendering", "training", "evaluation"}
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("name", CLASSES.values())
def test_weights_are_half_precision_and_load_in_full(folder, name):
    path = folder / f"{name}.safetensors"
    floats = {v.dtype for v in load_file(path).values() if v.is_floating_point()}
    assert floats == {torch.float16}
    module, preprocessing, described = mini.trained(name, path, False)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert preprocessing.size == (224, 224)
    assert file_digest(path) in described


def test_a_seed_repeats_the_weights(folder, tmp_path):
    assert train_mini.main(["scenes", "--out", str(tmp_path), *NETWORK]) == 0
    first, second = (p / "mini_scenes.safetensors" for p in (folder, tmp_path))
    assert first.read_bytes() == second.read_bytes()


def test_images_are_the_same_whatever_number_of_processes_draws():
    plan = (("scene", True), ("object", False), ("texture", False))
    order = Order(2001, 40, plan, {32: 40, 224: 3})
    alone, shared = (draw(order, cores, "images") for cores in (1, 2))
    assert alone.captions == shared.captions
    assert np.array_equal(alone.labels, shared.labels)
    assert ((alone.labels >= 0) == np.eye(3, dtype=bool)[np.arange(40) % 3]).all()
    for side, count in order.sides.items():
        assert alone.pixels[side].shape == (count, side, side, 3)
        assert np.array_equal(alone.pixels[side], shared.pixels[side])


def test_training_moves_every_weight(folder):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = mini.SmallResNet(len(mini.CLASSES["mini_objects"])).state_dict()
    trained = load_file(folder / "mini_objects.safetensors")
    assert fresh.keys() == trained.keys()
    still = [name for name in fresh if torch.equal(fresh[name].half(), trained[name].half())]
    assert not still


def test_images_are_none_of_the_probe(folder):
    recipe = json.loads((folder / "mini_objects.json").read_text())["recipe"]
    seeds = {SEED, recipe["data_seed"], recipe["held_out_seed"]}
    assert len(seeds) == 3
    shown = [compose(seed, 3, kind="object").rgb for seed in seeds]
    assert not any(np.array_equal(shown[0], other) for other in shown[1:])


@pytest.mark.parametrize(
    "option", [("--data-seed", str(SEED)), ("--held-out-seed", str(SEED)), ("--data-seed", "2001")]
)
def test_a_seed_that_repeats_images_is_refused(tmp_path, option, capsys):
    assert train_mini.main(["objects", "--out", str(tmp_path / "none"), *option]) == 1
    assert "choose three seeds" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_clip_is_a_directory_that_open_clip_loads(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    tiny = [*TINY, "--supervised-epochs", "1", "--supervised-batch-size", "8"]
    assert train_mini.main(["clip", "--out", str(tmp_path), *tiny]) == 0
    folder = tmp_path / "clip"
    card = json.loads((folder / "card.json").read_text())
    assert set(card["held_out_zero_shot"]) == {"scenes", "scenes_hard", "objects", "textures"}
    assert card["sha256"] == file_digest(folder / "open_clip_model.safetensors")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(["a photo of a car"])
    assert tokens.shape == (1, 32)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.encode_text(tokens).shape == (1, 128)
    assert [type(step).__name__ for step in preprocess.transforms][0] == "Resize"


def test_without_open_clip_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert train_mini.main(["clip", "--out", str(tmp_path), *TINY]) == 1
    assert "network-dissection[clip]" in capsys.readouterr().err
