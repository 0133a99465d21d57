"""Torchvision's networks of segmentation and detection."""

import inspect

import pytest
import torch
import torchvision.models as models

from dissection.activations.capture import collect
from dissection.networks.loading import digest, load, probed
from dissection.networks.sources import dense
from tests.dissection.small_networks import images


def test_a_segmenter_is_read_from_its_file_with_its_own_input(tmp_path):
    torch.manual_seed(1)
    source = models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    network = load("lraspp_mobilenet_v3_large", weights=tmp_path / "w.pth", input_size=64)
    assert network.digest() == digest(source)
    published = models.get_model_weights("lraspp_mobilenet_v3_large").DEFAULT.transforms()
    assert load("lraspp_mobilenet_v3_large", random_weights=True).preprocessing.size == (520, 520)
    assert network.preprocessing.mean == tuple(published.mean)
    infos = {info.name: info for info in probed(network, ["backbone.4", "classifier.cbr"])}
    assert infos["classifier.cbr"].units == 128
    assert infos["backbone.4"].grid == (8, 8)
    found = collect(network.module, "backbone", images(2, (64, 64)))["backbone"]
    assert torch.equal(found, source.eval().backbone(images(2, (64, 64)))["low"])


def test_the_head_that_only_training_reads_may_be_in_a_file(tmp_path):
    torch.manual_seed(1)
    source = models.segmentation.deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, aux_loss=True
    )
    torch.save(source.state_dict(), tmp_path / "w.pth")
    network = load("deeplabv3_mobilenet_v3_large", weights=tmp_path / "w.pth")
    assert not any(name.startswith("aux") for name in network.module.state_dict())


def test_a_detector_is_shown_plain_squares_of_its_own_size(tmp_path):
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    torch.manual_seed(1)
    source = models.get_model(name, weights=None, weights_backbone=None)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    network = load(name, weights=tmp_path / "w.pth")
    assert network.preprocessing.size == (320, 320)
    assert (network.preprocessing.mean, network.preprocessing.std) == ((0.0,) * 3, (1.0,) * 3)
    infos = {i.name: i for i in probed(network, ["backbone.body", "backbone:pool", "roi_heads"])}
    assert infos["backbone.body"].grid == (10, 10)
    assert infos["backbone:pool"].units == 256
    assert infos["roi_heads"].grid is None


def test_a_single_shot_detector_has_maps():
    network = load("ssdlite320_mobilenet_v3_large", random_weights=True)
    infos = {info.name: info for info in probed(network)}
    assert network.preprocessing.size == (320, 320)
    assert infos["backbone"].grid == (20, 20)
    assert infos["head.regression_head"].grid is None


def test_weights_that_want_no_epsilon_are_those_torchvision_names():
    wanting = {
        name
        for name in models.list_models(module=models.detection)
        if "overwrite_eps" in inspect.getsource(models.get_model_builder(name))
    }
    assert wanting == set(dense._NO_EPSILON)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("r3d_18", "^r3d_18 takes video; wrap it"),
        ("raft_small", "^raft_small takes two images; wrap it"),
        ("quantized_resnet18", "^quantized_resnet18 is quantised, .*without quantized_$"),
        ("fasterrcn", "unknown network 'fasterrcn', nearest: "),
    ],
)
def test_other_networks_of_torchvision_are_refused_in_a_sentence(name, match):
    with pytest.raises(ValueError, match=match):
        load(name)
