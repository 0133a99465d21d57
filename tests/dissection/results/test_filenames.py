"""What the names of published tables tell of network and layer."""

import logging
from pathlib import Path

import pytest

from dissection.results.filenames import Named, named, network_and_layer
from dissection.results.reading import read, read_all

FIELDS = ("label", "truth", "activation", "intersect", "iou")


def tally(path, label="cat", units=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ["unit,category,label,score", *(f"object-{field}" for field in FIELDS)]
    rows = [f"{unit + 1},object,{label},0.1,{label},1000,500,136,0.1" for unit in range(units)]
    path.write_text("\n".join([",".join(head), *rows]) + "\n")
    return path


def descriptions(path, columns="layer,unit,description,similarity", row="layer3,{},cat,0.2"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *(row.format(unit) for unit in range(3))]) + "\n")
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("netA_layer3.csv", ("netA", "layer3")),
        ("netA-layer3.csv", ("netA", "layer3")),
        ("netA.layer3.csv", ("netA", "layer3")),
        ("resnet18_places365_layer4.csv", ("resnet18_places365", "layer4")),
        ("vgg16-conv5_3.csv", ("vgg16", "conv5_3")),
        ("efficientnet_blocks.6.csv", ("efficientnet", "blocks.6")),
        ("vgg_features.28.csv", ("vgg", "features.28")),
        ("googlenet-inception_4e.csv", ("googlenet", "inception_4e")),
        ("vit_encoder.layers.encoder_layer_11.csv", ("vit", "encoder.layers.encoder_layer_11")),
        ("resnet-152-imagenet/res5c-result.csv", ("resnet-152-imagenet", "res5c")),
        ("netA/layer4.csv", ("netA", "layer4")),
        ("netA/layer4/tally.csv", ("netA", "layer4")),
        ("pytorch_netA/tally.csv", ("netA", "-")),
        ("pytorch_resnet18_places365/result.csv", ("resnet18_places365", "-")),
        ("netA/tally/blocks.2.csv", ("netA", "blocks.2")),
        ("netdissect-resnet18-layer4.csv", ("resnet18", "layer4")),
        ("clip_dissect-resnet18.csv", ("resnet18", "-")),
        ("resnet18_imagenet.csv", ("resnet18_imagenet", "-")),
        ("run_2026.csv", ("run_2026", "-")),
        ("resnet18", ("resnet18", "-")),
        ("my_resnet18.csv", ("my_resnet18", "-")),
    ],
)
def test_names_tell_network_and_layer(path, expected, tmp_path):
    assert network_and_layer(tmp_path / path) == expected


@pytest.mark.parametrize(
    ("name", "layers", "expected"),
    [
        ("netA-layer3.csv", ("layer3",), "netA"),
        ("netA_layer3.csv", ("layer4",), "netA_layer3"),
        ("netA-layer3.csv", ("layer3", "layer4"), "netA-layer3"),
        ("netA.csv", ("layer3",), "netA"),
    ],
)
def test_a_column_of_layers_counts_before_the_name(name, layers, expected):
    assert network_and_layer(Path(name), layers) == (expected, "-")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.csv", Named(Path("a.csv"))),
        (Path("a=b.csv"), Named(Path("a=b.csv"))),
        ("net=a.csv", Named(Path("a.csv"), "net")),
        ("net:layer4=a.csv", Named(Path("a.csv"), "net", "layer4")),
        ("timm:vit:blocks.3=x/a.csv", Named(Path("x/a.csv"), "timm:vit", "blocks.3")),
        ("net=x=y.csv", Named(Path("x=y.csv"), "net")),
    ],
)
def test_whoever_gives_a_file_may_name_it(given, expected):
    assert named(given) == expected


@pytest.mark.parametrize("given", ["=a.csv", " =a.csv", "net:=a.csv", ":layer=a.csv", "net="])
def test_half_a_name_is_refused(given):
    with pytest.raises(ValueError, match="say NAME=FILE, or NAME:LAYER=FILE"):
        named(given)


def test_what_exists_is_a_path_whatever_is_in_its_name(tmp_path):
    path = tally(tmp_path / "a=b_layer3.csv")
    assert named(str(path)) == Named(path)
    assert read(str(path))[0].network == "a=b"


def test_layers_of_one_network_become_one_labelling(tmp_path, caplog):
    paths = [
        tally(tmp_path / f"{network}{sign}{layer}.csv", label)
        for network, label, sign in (("netA", "cat", "_"), ("netB", "dog", "-"))
        for layer in ("layer3", "layer4")
    ]
    found = read_all(paths)
    assert [(one.name, one.layers) for one in found] == [
        ("netA", ["layer3", "layer4"]),
        ("netB", ["layer3", "layer4"]),
    ]
    assert caplog.text == ""


def test_folders_name_their_tallies_and_a_missing_layer_is_warned_of(tmp_path, caplog):
    paths = [tally(tmp_path / f"pytorch_{name}" / "tally.csv") for name in ("netA", "netB")]
    with caplog.at_level(logging.WARNING):
        found = read_all(paths)
    assert [one.name for one in found] == ["netA", "netB"]
    assert "2 tables do not tell their layer" in caplog.text
    caplog.clear()
    read_all([f"netA:layer4={paths[0]}", f"netB:layer4={paths[1]}"])
    assert caplog.text == ""


def test_given_names_count_before_all_others(tmp_path):
    path = tally(tmp_path / "netA_layer3.csv")
    (one,) = read(f"mine:conv5={path}")
    assert (one.name, one.network, one.layers) == ("mine", "mine", ["conv5"])
    (one,) = read(f"mine={path}")
    assert (one.name, one.layers) == ("mine", ["layer3"])


def test_one_layer_cannot_be_named_for_several(tmp_path):
    path = tmp_path / "netA.csv"
    path.write_text("layer,unit,description,similarity\nlayer3,0,cat,1\nlayer4,0,dog,1\n")
    with pytest.raises(ValueError, match="has the layers layer3, layer4; name the network alone"):
        read(f"mine:layer3={path}")


@pytest.mark.parametrize(
    ("name", "columns", "row", "layers"),
    [
        ("netA-layer3.csv", "layer,unit,description,similarity", "layer3,{},cat,0.2", ["layer3"]),
        ("netA.csv", "layer,unit,description", "layer3,{},cat", ["layer3"]),
        ("netA-layer3.csv", "unit,description,similarity", "{},cat,0.2", ["layer3"]),
        ("netA_layer3.csv", "unit,description", "{},cat", ["layer3"]),
        ("netA.csv", ",layer,unit,description,similarity", "0,layer3,{},cat,0.2", ["layer3"]),
    ],
)
def test_descriptions_need_no_scores_and_no_column_of_layers(tmp_path, name, columns, row, layers):
    (one,) = read(descriptions(tmp_path / name, columns, row))
    assert (one.network, one.method, one.layers) == ("netA", "clip", layers)
    assert one.units["label"].tolist() == ["cat"] * 3
    assert one.units["score"].isna().all() == ("similarity" not in columns)
