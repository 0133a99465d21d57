import pytest
import torch
from torch import nn

from broden.system.text import nearest
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.layouts import LayerInfo, to_maps
from dissection.networks.listing import describe, suggest
from dissection.networks.recognition import Passed, recognise
from dissection.networks.suitability import require_grid
from tests.dissection.small_networks import SIZE, Attention, Odd, Residual, images, seeded


def stages():
    """Build a network with the names of a ResNet."""
    blocks = {
        f"layer{i}": nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU())) for i in (1, 2)
    }
    return nn.Sequential(nn.ModuleDict({"conv1": nn.Identity(), **blocks}))[0]


def probed(module, size=SIZE):
    return {info.name: info for info in probe_layers(module, None, size)}


def small_vit(depth=2, **kwargs):
    from timm.models.vision_transformer import VisionTransformer

    fields = {"embed_dim": 16, "depth": depth, "num_heads": 2, "num_classes": 5}
    return seeded(VisionTransformer, 32, 8, **fields, **kwargs)


# Names and wildcards


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("layer*", ["layer1", "layer2"]),
        ("layer?", ["layer1", "layer2"]),
        ("layer1.*", ["layer1.0", "layer1.1"]),
        ("*.1.0", ["layer1.1.0", "layer2.1.0"]),
        ("*", ["conv1", "layer1", "layer2"]),
        ("layer2,conv1", ["conv1", "layer2"]),
        (["layer2", "layer*"], ["layer1", "layer2"]),
        (" layer1 , ,layer1", ["layer1"]),
        ("layer1.1.0", ["layer1.1.0"]),
    ],
)
def test_patterns_match_within_one_dotted_part_in_the_networks_order(patterns, expected):
    assert resolve(stages(), patterns) == expected


@pytest.mark.parametrize(
    ("patterns", "match"),
    [
        ("layer3", r"no layer 'layer3', nearest: layer2, layer1.*; --layers help lists all"),
        ("layer1.*.*.*", r"no layer 'layer1\.\*\.\*\.\*'"),
        ("layer[12]", r"no layer 'layer\[12\]'"),
        ("layer1..0", "no layer"),
        ("zzz", "^no layer 'zzz'; --layers help lists all$"),
        ("", "no layer is named"),
        ([], "no layer is named"),
    ],
)
def test_an_unknown_layer_is_answered_with_the_nearest(patterns, match):
    with pytest.raises(ValueError, match=match):
        resolve(stages(), patterns)


def test_a_pattern_of_many_stars_ends():
    module = nn.Sequential(nn.ModuleDict({"a" * 60: nn.Identity()}))
    assert resolve(module, "0." + "a*" * 35) == ["0." + "a" * 60]
    with pytest.raises(ValueError, match="no layer"):
        resolve(module, "0." + "*a" * 35 + "b")
    with pytest.raises(ValueError, match="no layer"):
        resolve(module, "*" * 35 + "b")


def test_a_module_used_under_two_names_has_both():
    relu = nn.ReLU()
    module = nn.Sequential(relu, relu).eval()
    assert resolve(module, "*") == ["0", "1"]
    assert [info.calls for info in probe_layers(module, ["0", "1"], SIZE)] == [2, 2]


def test_nearest_is_empty_where_nothing_is_like_it():
    assert nearest("fc", ["layer1"]) == ""


# Probing


def test_convolutions_have_their_units_grid_and_order():
    infos = probed(seeded(Residual))
    assert infos["conv1"] == LayerInfo(
        "conv1", "Conv2d", 4, (16, 16), "NCHW", 1, 0, "float32 (2, 4, 16, 16)", placed=True
    )
    assert infos["bn2"].grid == (8, 8)
    assert infos["conv1"].order < infos["bn2"].order < infos["shortcut"].order
    assert infos["fc"].layout == "vector"
    assert infos["fc"].units == 3
    assert infos["fc"].grid is None


def test_a_dead_layer_has_no_calls_and_a_shared_one_two():
    infos = probed(seeded(Residual))
    assert (infos["dead"].calls, infos["dead"].order, infos["dead"].units) == (0, -1, 0)
    assert infos["relu"].calls == 2
    assert infos["relu"].grid == (16, 16)


def test_probing_leaves_no_hook_and_changes_nothing():
    module = seeded(Residual)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    probe_layers(module, ["conv1"], SIZE)
    assert all(not layer._forward_hooks for layer in module.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_input_that_is_not_square_gives_grids_of_its_proportions():
    infos = probed(seeded(Residual), (50, 100))
    assert infos["conv1"].grid == (25, 50)
    assert infos["conv2"].grid == (13, 25)


def test_containers_count_by_their_first_tensor_and_others_have_no_layout():
    infos = probed(seeded(Odd))
    assert infos["boxes"].layout == "NCHW"
    assert infos["argmax"].output == "int64 (2, 16, 16)"
    assert infos["shape"].output == "str"
    assert infos["scalar"].output == "float32 ()"
    assert {infos[name].layout for name in ("argmax", "shape", "scalar")} == {"none"}


@pytest.mark.parametrize("batch_first", [True, False])
def test_an_attention_that_returns_a_tuple_is_a_grid_behind_the_class_token(batch_first):
    module = seeded(Attention, batch_first)
    info = probed(module)["attention"]
    assert (info.layout, info.units, info.grid) == ("tokens+1", 8, (4, 4))
    assert info.batch_axis == (0 if batch_first else 1)


def test_timm_vit_drops_class_and_register_tokens():
    infos = probed(small_vit(reg_tokens=4))
    assert infos["blocks.0"].layout == "tokens+5"
    assert infos["blocks.0.mlp.fc1"].units == 64
    assert infos["patch_embed"].layout == "tokens+0"
    assert {infos[n].grid for n in ("blocks.0", "blocks.1.attn", "patch_embed")} == {(4, 4)}
    # Queries of each head: no maps, though of four axes.
    assert infos["blocks.0.attn.q_norm"].layout == "none"
    assert infos["head"].layout == "vector"


def test_torchvision_vit_drops_the_class_token():
    from torchvision.models import VisionTransformer

    module = seeded(VisionTransformer, 32, 8, 2, 2, 16, 32, num_classes=5)
    infos = probed(module)
    block = infos["encoder.layers.encoder_layer_1"]
    assert (block.layout, block.units, block.grid) == ("tokens+1", 16, (4, 4))
    assert infos["encoder.layers.encoder_layer_0.self_attention"].layout == "tokens+1"
    assert infos["encoder.layers.encoder_layer_0.self_attention.out_proj"].calls == 0


def test_swin_has_units_last():
    from torchvision.models import SwinTransformer

    module = seeded(SwinTransformer, [4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=5)
    infos = probed(module)
    assert (infos["features.1"].layout, infos["features.1"].grid) == ("NHWC", (8, 8))
    assert infos["features.1.0.mlp.0"].units == 64
    assert (infos["features.3"].units, infos["features.3"].grid) == (32, (4, 4))
    assert (infos["permute"].layout, infos["permute"].grid) == ("NCHW", (4, 4))


@pytest.mark.parametrize(
    ("shape", "size", "earlier", "expected"),
    [
        ((2, 8, 7, 7), (224, 224), [], ("NCHW", 8, (7, 7))),
        ((2, 7, 7, 8), (224, 224), [], ("NHWC", 8, (7, 7))),
        ((2, 7, 7, 7), (224, 224), [], ("NCHW", 7, (7, 7))),
        ((2, 8, 7, 14), (100, 200), [], ("NCHW", 8, (7, 14))),
        ((2, 7, 14, 96), (100, 200), [], ("NHWC", 96, (7, 14))),
        ((2, 5, 9, 3), (224, 224), [], ("NCHW", 5, (9, 3))),
        ((2, 3, 197, 64), (224, 224), [(14, 14)], ("none", 0, None)),
        ((2, 196, 8), (224, 224), [], ("tokens+0", 8, (14, 14))),
        ((2, 201, 8), (224, 224), [], ("tokens+5", 8, (14, 14))),
        ((2, 257, 8), (224, 224), [(16, 16)], ("tokens+1", 8, (16, 16))),
        ((2, 1370, 8), (518, 518), [], ("tokens+1", 8, (37, 37))),
        ((2, 99, 8), (112, 224), [], ("tokens+1", 8, (7, 14))),
        ((2, 100, 8), (224, 224), [(14, 14)], ("none", 0, None)),
        ((128, 49, 8), (224, 224), [(56, 56)], ("none", 0, None)),
        ((50, 2, 8), (224, 224), [(7, 7)], ("tokens+1", 8, (7, 7))),
        ((2, 9), (224, 224), [], ("vector", 9, None)),
        ((2, 3, 4, 5, 5), (224, 224), [], ("none", 0, None)),
        ((2, 0, 7, 7), (224, 224), [], ("none", 0, None)),
    ],
)
def test_layouts_are_told_by_shape(shape, size, earlier, expected):
    found = recognise(torch.zeros(shape), 2, size, Passed(earlier))
    assert (found.layout, found.units, found.grid) == expected


def test_a_network_in_training_mode_or_failing_is_told():
    with pytest.raises(ValueError, match=r"in training mode.*call its eval\(\)"):
        probe_layers(seeded(Residual).train(), None, SIZE)
    with pytest.raises(RuntimeError, match="network fails on 2x2 images, RuntimeError: ") as raised:
        probe_layers(nn.Conv2d(3, 1, 5).eval(), None, (2, 2))
    assert "\n" not in str(raised.value)


# Maps


def reference_maps(output, info):
    """Pick every cell by its own index."""
    n, (h, w) = images().shape[0], info.grid or (1, 1)
    maps = torch.empty(n, info.units, h, w)
    for i in range(n):
        for u in range(info.units):
            for y in range(h):
                for x in range(w):
                    if info.layout == "NCHW":
                        value = output[i, u, y, x]
                    elif info.layout == "NHWC":
                        value = output[i, y, x, u]
                    elif info.layout == "vector":
                        value = output[i, u]
                    else:
                        token = int(info.layout.removeprefix("tokens+")) + y * w + x
                        value = output[token, i, u] if info.batch_axis else output[i, token, u]
                    maps[i, u, y, x] = value
    return maps


@pytest.mark.parametrize(
    ("shape", "layout", "units", "grid", "axis"),
    [
        ((3, 4, 2, 5), "NCHW", 4, (2, 5), 0),
        ((3, 2, 5, 4), "NHWC", 4, (2, 5), 0),
        ((3, 10, 4), "tokens+0", 4, (2, 5), 0),
        ((3, 15, 4), "tokens+5", 4, (2, 5), 0),
        ((11, 3, 4), "tokens+1", 4, (2, 5), 1),
        ((3, 4), "vector", 4, None, 0),
    ],
)
def test_to_maps_equals_a_plain_loop_and_shares_memory(shape, layout, units, grid, axis):
    output = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    info = LayerInfo("x", "X", units, grid, layout, 1, 0, "", axis)
    maps = to_maps(output, info)
    assert torch.equal(maps, reference_maps(output, info))
    assert maps.untyped_storage().data_ptr() == output.untyped_storage().data_ptr()
    assert torch.equal(to_maps((output, None), info), maps)


@pytest.mark.parametrize(
    ("shape", "layout", "grid"),
    [
        ((3, 4, 2, 6), "NCHW", (2, 5)),
        ((3, 9, 4), "tokens+0", (2, 5)),
        ((3, 5), "vector", None),
        ((3, 4), "none", None),
    ],
)
def test_to_maps_refuses_another_shape_than_was_found(shape, layout, grid):
    info = LayerInfo("stem.conv", "X", 4, grid, layout, 1, 0, "float32 (2, 4)")
    with pytest.raises(RuntimeError, match=r"layer stem.conv gave \(3, .*does not fit the layout"):
        to_maps(torch.zeros(shape), info)


# What people are told


@pytest.mark.parametrize(
    ("network", "name", "match"),
    [
        (Residual, "dead", r"layer dead \(Conv2d\) never runs"),
        (Residual, "relu", r"layer relu \(ReLU\) runs 2 times.*name a module that runs once"),
        (Residual, "fc", "one number an image and unit, no map; use --method clip, or a layer"),
        (Odd, "argmax", r"gives no maps but int64 \(2, 16, 16\)"),
        (Odd, "shape", "gives no maps but str"),
        (Odd, "scalar", r"gives no maps but float32 \(\)"),
    ],
)
def test_layers_without_one_grid_are_refused_with_a_way_out(network, name, match):
    with pytest.raises(ValueError, match=match) as raised:
        require_grid(probe_layers(seeded(network), [name], SIZE))
    assert "\n" not in str(raised.value)


def test_layers_with_a_grid_are_accepted():
    require_grid(probe_layers(seeded(Residual), ["conv1", "bn2"], SIZE))


def test_the_table_says_shapes_and_what_to_mind():
    table = describe(probe_layers(seeded(Residual), None, SIZE)).splitlines()
    assert table == [
        "layer     class        units   grid  note",
        "conv1     Conv2d           4  16x16",
        "bn1       BatchNorm2d      4  16x16",
        "conv2     Conv2d           4    8x8",
        "bn2       BatchNorm2d      4    8x8",
        "shortcut  Conv2d           4    8x8",
        "relu      ReLU             4  16x16  runs 2 times: name a module that runs once",
        "dead      Conv2d           -      -  never runs",
        "fc        Linear           3      -  no grid",
        "",
        "a good start: --layers bn1,shortcut",
    ]


def test_blocks_that_repeat_share_one_row_of_the_table():
    blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(4)))
    blocks.append(nn.Sequential(nn.Conv2d(3, 9, 1), nn.ReLU()))
    table = describe(probe_layers(blocks.eval(), None, SIZE)).splitlines()
    assert [line.split("  ")[0] for line in table[1:8]] == [
        "0",
        "0.0",
        "0.1",
        "1 to 3",
        "4",
        "4.0",
        "4.1",
    ]
    assert table[4].endswith("like 0")


def test_suggestions_spread_over_the_network():
    vit = small_vit(depth=7)
    assert suggest(probe_layers(vit, None, SIZE)) == ["blocks.1", "blocks.3", "blocks.6"]
    assert suggest(probe_layers(small_vit(depth=2), None, SIZE)) == ["norm"]
    assert suggest(probe_layers(seeded(Residual), None, SIZE)) == ["bn1", "shortcut"]
    assert suggest(probe_layers(seeded(Odd), ["argmax"], SIZE)) == []
