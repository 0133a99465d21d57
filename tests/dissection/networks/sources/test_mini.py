"""The networks of the package: their files are what their cards say, and they detect concepts."""

import json

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from broden.mini import default_probe
from broden.mini.probe import SEED
from broden.reader import ProbeSet
from broden.system.files import file_digest
from dissection.api import dissect
from dissection.networks import loading as models
from dissection.networks.sources import mini

TRAINED = ("mini_objects", "mini_scenes")


def card(name):
    return json.loads((mini.WEIGHTS / f"{name}.json").read_text())


def test_the_architecture_is_a_narrow_resnet18():
    wide, narrow = torchvision.models.resnet18(num_classes=20), mini.SmallResNet(20)
    assert [*wide.state_dict()] == [*narrow.state_dict()]
    widths = mini.SmallResNet(20, (64, 128, 256, 512))
    shapes = {name: value.shape for name, value in wide.state_dict().items()}
    assert {name: value.shape for name, value in widths.state_dict().items()} == shapes
    widths.load_state_dict(wide.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(widths.eval()(images), wide.eval()(images))


@pytest.mark.parametrize("name", TRAINED)
def test_a_file_is_what_its_card_says(name):
    path = mini.WEIGHTS / f"{name}.safetensors"
    assert card(name)["sha256"] == file_digest(path)
    assert card(name)["bytes"] == path.stat().st_size <= 6_000_000
    assert card(name)["held_out_top1"] >= 0.9
    assert tuple(card(name)["classes"]) == mini.CLASSES[name]
    recipe = card(name)["recipe"]
    assert len({recipe["data_seed"], recipe["held_out_seed"], SEED}) == 3


@pytest.mark.parametrize("name", TRAINED)
def test_a_network_names_what_images_of_the_probe_show(name):
    from broden.mini.compose import compose

    network = models.load(name)
    kind = {"mini_objects": "object", "mini_scenes": "scene"}[name]
    images = [compose(SEED, index, kind, hard=True) for index in range(5000, 5040)]
    shown = [image.thing or image.scene for image in images]
    pixels = torch.stack([torch.from_numpy(image.rgb) for image in images])
    with torch.inference_mode():
        named = network.module(network.preprocessing.normalise(pixels)).argmax(1).tolist()
    right = sum(mini.CLASSES[name][n] == s for n, s in zip(named, shown, strict=True))
    assert right >= 0.8 * len(images)


def test_the_small_clip_is_what_its_card_says():
    said = json.loads((mini.CLIP / "card.json").read_text())
    assert said["sha256"] == file_digest(mini.CLIP / "open_clip_model.safetensors")
    assert sum(path.stat().st_size for path in mini.CLIP.iterdir()) <= 12_000_000
    top1 = {name: score["top1"] for name, score in said["held_out_zero_shot"].items()}
    assert top1["scenes"] >= 0.85
    assert top1["objects"] >= 0.6
    assert top1["textures"] >= 0.5
    assert len({said["recipe"]["data_seed"], said["recipe"]["held_out_seed"], SEED}) == 3


def test_the_small_clip_names_what_images_of_the_probe_show():
    pytest.importorskip("open_clip")
    from broden.mini.compose import compose
    from dissection.clip import encoder

    clip = encoder.load("mini")
    images = [compose(SEED, index, "object", hard=True) for index in range(6000, 6040)]
    texts = clip.texts([f"a photo of a {name}" for name in mini.CLASSES["mini_objects"]])
    small = [Image.fromarray(i.rgb).resize(clip.preprocessing.size, 3) for i in images]
    features = clip.images(torch.stack([torch.from_numpy(np.array(im)) for im in small]))
    named = [mini.CLASSES["mini_objects"][n] for n in (features @ texts.T).argmax(1).tolist()]
    assert sum(a == b.thing for a, b in zip(named, images, strict=True)) >= 0.8 * len(images)


def test_the_untrained_network_is_the_same_each_time():
    first, again = models.load("mini_random"), models.load("mini_random")
    assert first.digest() == again.digest() != models.load("mini_random", seed=1).digest()
    assert "random" in first.weights


@pytest.mark.slow
def test_training_makes_detectors(tmp_path):
    unique = {}
    with ProbeSet(default_probe(progress=False), limit=400) as probe:
        for name in (*TRAINED, "mini_random"):
            run = dissect(models.load(name), ["layer4"], probe, out=tmp_path / name)
            unique[name] = run.card["counts"]["layer4"]["unique_best"]
    assert min(unique[name] for name in TRAINED) >= 18
    assert unique["mini_random"] <= min(unique[name] for name in TRAINED) / 3
