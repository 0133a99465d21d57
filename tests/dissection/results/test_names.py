"""Files tell network and layer by their names, each form in which tables are passed on."""

from pathlib import Path

import pytest

from dissection.results.names import File, Given, given, told
from dissection.results.reading import read, read_all
from tests.dissection import labelled


def names(*paths, layers=()):
    found = told([File(Path("/there") / path, "iou", layers) for path in paths])
    return [(one.network, one.layer) for one in found]


@pytest.mark.parametrize(
    ("path", "network", "layer"),
    [
        ("net_layer3.csv", "net", "layer3"),
        ("net-layer3.csv", "net", "layer3"),
        ("net.layer3.csv", "net", "layer3"),
        ("net layer3.csv", "net", "layer3"),
        ("net__Layer_3.csv", "net", "Layer_3"),
        ("resnet18_places365_layer4.1.conv2.csv", "resnet18_places365", "layer4.1.conv2"),
        ("resnet18_layer4_places365.csv", "resnet18_places365", "layer4"),
        ("vgg16_conv5_3.csv", "vgg16", "conv5_3"),
        ("vgg16-features.28.csv", "vgg16", "features.28"),
        ("resnet152-res5c.csv", "resnet152", "res5c"),
        ("googlenet_inception_4e.csv", "googlenet", "inception_4e"),
        ("efficientnet_b0_blocks.4.csv", "efficientnet_b0", "blocks.4"),
        ("vit_b_16_encoder_layer_11.csv", "vit_b_16", "encoder_layer_11"),
        ("clip.visual.transformer.resblocks.3.csv", "clip", "visual.transformer.resblocks.3"),
        ("convnext_tiny_stages.3.csv", "convnext_tiny", "stages.3"),
        ("densenet_features.denseblock4.csv", "densenet", "features.denseblock4"),
        ("net_layer3_tally.csv", "net", "layer3"),
        ("netdissect-resnet18_layer4.csv", "resnet18", "layer4"),
        # folders
        ("net/tally.csv", "net", None),
        ("net/result.csv", "net", None),
        ("net/layer4/tally.csv", "net", "layer4"),
        ("net_layer4/tally.csv", "net", "layer4"),
        ("net/layer4.csv", "net", "layer4"),
        ("net/conv5-result.csv", "net", "conv5"),
        ("net/tally-layer4.csv", "net", "layer4"),
        ("net/tally/layer4.csv", "net", "layer4"),
        ("pytorch_resnet18_places365/tally.csv", "resnet18_places365", None),
        ("caffe_reference/tally.csv", "caffe_reference", None),
        # names of networks, none of which is a layer
        ("resnet-18.csv", "resnet-18", None),
        ("mobilenet_v2.csv", "mobilenet_v2", None),
        ("squeezenet1_0.csv", "squeezenet1_0", None),
        ("caffe_reference_places365.csv", "caffe_reference_places365", None),
    ],
)
def test_a_name_tells_network_and_layer(path, network, layer):
    assert names(path) == [(network, layer)]


@pytest.mark.parametrize(
    ("path", "layers", "network"),
    [
        ("net-trunk.csv", ("trunk",), "net"),
        ("net_encoder_0.csv", ("encoder/0",), "net"),
        ("vgg_conv5_3.csv", ("features.28",), "vgg"),
        ("net_layer4.csv", ("layer3", "layer4"), "net_layer4"),
        ("net/trunk.csv", ("trunk",), "net"),
    ],
)
def test_the_column_tells_which_part_of_a_name_is_the_layer(path, layers, network):
    assert names(path, layers=layers)[0][0] == network


def test_a_stem_that_several_share_is_the_network():
    found = told([File(Path(f"m_{x}.csv"), "iou", ()) for x in ("early", "late")])
    assert found == [("m", "early", True), ("m", "late", True)]


@pytest.mark.parametrize(
    "paths",
    [
        ("resnet-18.csv", "resnet-50.csv"),
        ("caffe_reference_places365.csv", "caffe_reference_imagenet.csv"),
        ("efficientnet_b0.csv", "efficientnet_b1.csv"),
        ("vit_small.csv", "vit_large.csv"),
        ("trial_netA.csv", "trial_netB.csv"),
        ("resnet18_random.csv", "resnet18_trained.csv"),
    ],
)
def test_networks_of_one_family_are_not_layers_of_one(paths):
    assert names(*paths) == [(Path(path).stem, None) for path in paths]


def test_layers_of_two_networks_are_two_networks(tmp_path):
    paths = [
        labelled.tally(tmp_path / f"{net}_{layer}.csv", ["x"], [0.1])
        for net in ("netA", "netB")
        for layer in ("layer3", "layer4")
    ]
    assert [(p.name, p.layers) for p in read_all(paths)] == [
        ("netA", ["layer3", "layer4"]),
        ("netB", ["layer3", "layer4"]),
    ]


def test_a_table_that_is_called_as_all_are_has_its_folders_name(tmp_path):
    for name in ("pytorch_netA", "pytorch_netB"):
        (tmp_path / name).mkdir()
        labelled.tally(tmp_path / name / "tally.csv", ["x"], [0.1])
    assert [p.name for p in read_all(sorted(tmp_path.glob("*/tally.csv")))] == ["netA", "netB"]


def test_descriptions_of_other_layers_are_one_network(tmp_path):
    paths = [
        labelled.descriptions(tmp_path / f"net-{name}.csv", {name: ["a"]})
        for name in ("l_a", "l_b")
    ]
    (found,) = read_all(paths)
    assert (found.name, found.layers) == ("net", ["l_a", "l_b"])


def test_names_that_are_given_are_taken(tmp_path):
    first = labelled.tally(tmp_path / "x=1.csv", ["x"], [0.1])
    second = labelled.tally(tmp_path / "second.csv", ["x"], [0.1])
    found = read_all([f"timm:net:top={first}", f"timm:net:low={second}"])
    assert [(p.name, p.layers) for p in found] == [("timm:net", ["top", "low"])]
    (alone,) = read(f"timm:net:={first}")
    assert (alone.network, alone.layers) == ("timm:net", ["-"])
    (whole,) = read(str(first))
    assert whole.network == "x=1"


def test_a_run_is_called_as_it_is_given_and_twice_so_has_two_names(tmp_path):
    run = labelled.run(tmp_path / "run")
    found = read_all([f"before={run}", f"after={run}"])
    assert {part.name for part in found} == {"before", "after"}
    assert all(part.scores is not None for part in found)


def test_the_layer_of_one_table_is_renamed(tmp_path):
    path = labelled.descriptions(tmp_path / "d.csv", {"features.28": ["a"]})
    assert read(f"vgg:conv5={path}")[0].layers == ["conv5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("={}", "gives no name before the ="),
        (" :l={}", "gives no name before the ="),
        ("a\x07={}", "gives no name before the ="),
        ("net=", "does not exist, nor does a file"),
        ("lr=0.1/units.csv", "does not exist, nor does 0.1/units.csv; give a run directory"),
        ("net:top={}", "tells its layers itself .l1, l2.; give it as net="),
    ],
)
def test_what_gives_no_name_is_said(tmp_path, text, message):
    path = labelled.descriptions(tmp_path / "d.csv", {"l1": ["a"], "l2": ["a"]})
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(text.format(path))


def test_a_layer_of_a_run_keeps_its_name(tmp_path):
    run = labelled.run(tmp_path / "run")
    with pytest.raises(ValueError, match="tells its layers itself .fc."):
        read(f"net:top={run}")


def test_a_path_is_a_path_whatever_its_name(tmp_path):
    path = tmp_path / "net=a.csv"
    path.touch()
    assert given(str(path)) == Given(path)
    assert given(Path("net=x.csv")) == Given(Path("net=x.csv"))


@pytest.mark.parametrize("part", ["_1", ".1", "_conv1", "_features.", "encoder."])
def test_a_long_name_is_read_at_once(part):
    # a matcher that tries each way to divide it would not come to an end
    for end in ("", "!"):
        (found,) = told([File(Path(f"net_layer1{part * 60}{end}.csv"), "iou", ())])
        assert found.network
