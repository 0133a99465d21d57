import pytest
import torch
from torch import nn
from torch.nn import functional

from dissection.activations.capture import capture, collect, run_through
from dissection.networks.layers import probe_layers
from tests.dissection.small_networks import (
    SIZE,
    Attention,
    Odd,
    Overwriting,
    Residual,
    images,
    seeded,
)


def no_hooks(module):
    return all(not layer._forward_hooks for layer in module.modules())


def caught(module, names, batch, **kwargs):
    """Run one capture and copy what it hands on."""
    seen = {}
    infos = probe_layers(module, names, tuple(batch.shape[2:]))
    with capture(module, infos, lambda n, maps: seen.setdefault(n, maps.clone()), **kwargs) as run:
        run(batch)
    return seen


def test_what_is_captured_is_safe_from_an_in_place_relu_after_it():
    module, batch = seeded(Overwriting), images()
    with torch.inference_mode():
        expected = module.features(batch)
    got = caught(module, ["features", "features.1", "late"], batch)
    assert (expected < 0).any()
    assert torch.equal(got["features"], expected)
    assert torch.equal(got["features.1"], expected)
    assert torch.equal(got["late"], module.late(functional.relu(expected)))


def test_what_is_captured_is_safe_from_a_sum_in_place():
    module, batch = seeded(Residual), images()
    x = functional.relu(module.bn1(module.conv1(batch)))
    got = caught(module, ["bn1", "bn2"], batch)
    assert torch.equal(got["bn1"], module.bn1(module.conv1(batch)))
    assert torch.equal(got["bn2"], module.bn2(module.conv2(x)))


def test_densenet_keeps_the_signs_that_its_last_relu_removes():
    from torchvision.models import DenseNet

    module = seeded(DenseNet, 4, (2, 2), 8, num_classes=3)
    got = collect(module, "features,features.norm5", images())
    assert torch.equal(got["features"], got["features.norm5"])
    assert (got["features"] < 0).any()


def test_maps_are_consumed_in_order_of_execution_one_pass_after_another():
    module, seen = seeded(Residual), []
    infos = probe_layers(module, ["shortcut", "conv1", "fc"], SIZE)
    with capture(module, infos, lambda name, maps: seen.append((name, maps.shape))) as forward:
        forward(images(2))
        forward(images(1))
    assert seen == [
        ("conv1", (2, 4, 16, 16)),
        ("shortcut", (2, 4, 8, 8)),
        ("fc", (2, 3, 1, 1)),
        ("conv1", (1, 4, 16, 16)),
        ("shortcut", (1, 4, 8, 8)),
        ("fc", (1, 3, 1, 1)),
    ]


def test_the_pass_stops_after_the_last_layer():
    module = seeded(Overwriting)
    infos = probe_layers(module, ["features.0", "late"], SIZE)
    module.ran_tail = 0
    with capture(module, infos, lambda name, maps: None) as forward:
        forward(images())
    assert module.ran_tail == 0


def test_a_network_that_catches_exceptions_cannot_swallow_the_stop():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            try:
                return self.conv(x)
            except Exception:
                return x

    module, seen = Careful().eval(), []
    infos = probe_layers(module, ["conv"], SIZE)
    with capture(module, infos, lambda name, maps: seen.append(name)) as forward:
        forward(images())
    assert seen == ["conv"]


def test_tuples_and_tokens_are_handed_on_as_maps():
    module, batch = seeded(Attention), images()
    got = caught(module, ["patch", "attention"], batch)
    tokens = module.patch(batch).flatten(2).transpose(1, 2)
    assert torch.equal(got["patch"], module.patch(batch))
    expected = module(batch)[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    assert torch.allclose(got["attention"], expected, atol=1e-6)
    assert tokens.shape == (3, 16, 8)


def test_a_hook_runs_in_inference_mode_and_sees_the_networks_own_memory():
    module, batch = seeded(Residual), images()
    infos = probe_layers(module, ["conv1"], SIZE)
    outputs = []
    handle = module.conv1.register_forward_hook(lambda m, i, output: outputs.append(output))

    def consume(name, maps):
        assert torch.is_inference_mode_enabled()
        assert maps.data_ptr() == outputs[0].data_ptr()

    with capture(module, infos, consume) as forward:
        forward(batch)
    handle.remove()
    assert len(outputs) == 1


def test_bf16_hands_on_float32_close_to_the_exact_maps():
    module, batch = seeded(Residual), images()
    names = ["conv1", "conv2"]
    exact, rounded = caught(module, names, batch), caught(module, names, batch, precision="bf16")
    for name in names:
        assert rounded[name].dtype == torch.float32
        assert not torch.equal(rounded[name], exact[name])
        assert torch.allclose(rounded[name], exact[name], atol=0.1)


def test_a_half_precision_network_hands_on_float32():
    module = seeded(Residual).conv1.to(torch.bfloat16)
    wrapped = nn.Sequential(Cast(), module).eval()
    assert caught(wrapped, ["1"], images())["1"].dtype == torch.float32


class Cast(nn.Module):
    def forward(self, x):
        return x.to(torch.bfloat16)


# What goes wrong


def test_hooks_are_removed_however_the_context_is_left():
    module = seeded(Residual)
    infos = probe_layers(module, ["conv1", "bn2"], SIZE)

    def fail(name, maps):
        raise KeyError(name)

    for error, consume in [(KeyError, fail), (ZeroDivisionError, lambda name, maps: None)]:
        with pytest.raises(error), capture(module, infos, consume) as forward:  # noqa: PT012
            forward(images())
            raise ZeroDivisionError
        assert no_hooks(module)
    gone = [*infos, renamed(infos[0], "gone")]
    with pytest.raises(KeyError, match="gone"), capture(module, gone, fail):
        pass
    assert no_hooks(module)


def renamed(info, name):
    return type(info)(**{**vars(info), "name": name})


def test_the_network_may_be_used_in_between_without_being_captured():
    module, seen = seeded(Residual), []
    infos = probe_layers(module, ["conv1"], SIZE)
    with capture(module, infos, lambda name, maps: seen.append(name)) as forward:
        assert module(images()).shape == (3, 3)
        forward(images())
        module(images())
    assert seen == ["conv1"]


def test_a_layer_that_does_not_run_is_named():
    module = seeded(Residual)
    infos = probe_layers(module, ["conv1", "dead"], SIZE)
    with (
        capture(module, infos, lambda name, maps: None) as forward,
        pytest.raises(RuntimeError, match="layer dead did not run in a forward pass"),
    ):
        forward(images())
    assert no_hooks(module)


def test_a_layer_that_runs_twice_is_named():
    module = seeded(Residual)
    infos = probe_layers(module, ["relu"], SIZE)
    with (
        pytest.raises(ValueError, match="layer relu runs 2 times"),
        capture(module, infos, print),
    ):
        pass
    once = [type(infos[0])(**{**vars(infos[0]), "calls": 1}), *probe_layers(module, ["fc"], SIZE)]
    with (
        capture(module, once, lambda name, maps: None) as forward,
        pytest.raises(RuntimeError, match="layer relu ran twice in one forward pass"),
    ):
        forward(images())


def test_input_of_another_size_than_was_probed_is_told():
    module = seeded(Residual)
    infos = probe_layers(module, ["conv1"], SIZE)
    with (
        capture(module, infos, print) as forward,
        pytest.raises(RuntimeError, match=r"layer conv1 gave \(3, 4, 32, 32\)"),
    ):
        forward(images(size=(64, 64)))


@pytest.mark.parametrize(
    ("names", "precision", "match"),
    [
        (["conv1"], "fp8", "unknown precision 'fp8'; allowed: fp32, bf16"),
        ([], "fp32", "no layer to capture"),
    ],
)
def test_bad_arguments_are_named(names, precision, match):
    module = seeded(Residual)
    infos = probe_layers(module, names, SIZE)
    with pytest.raises(ValueError, match=match), capture(module, infos, print, precision):
        pass


# collect


def test_collect_gives_ordinary_copies_in_the_networks_order():
    module, batch = seeded(Overwriting), images()
    got = collect(module, ["tail", "features.*"], batch)
    assert list(got) == ["features.0", "features.1", "tail"]
    assert torch.allclose(got["tail"][..., 0, 0], module(batch), atol=1e-6)
    assert got["features.0"].shape == (3, 6, 8, 8)
    assert not any(maps.is_inference() for maps in got.values())
    assert all(maps.is_contiguous() for maps in got.values())
    assert no_hooks(module)


def test_collect_names_what_it_cannot_give():
    with pytest.raises(ValueError, match="no layer 'tial', nearest: tail"):
        collect(seeded(Overwriting), "tial", images())
    with pytest.raises(RuntimeError, match="layer argmax gave"):
        collect(seeded(Odd), "argmax", images())
    with pytest.raises(RuntimeError, match="layer dead did not run"):
        collect(seeded(Residual), "dead", images())


def test_all_of_a_network_runs_as_a_pass_of_ours_does():
    seen = []

    class Looks(nn.Module):
        def forward(self, images):
            seen.append((torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")))
            return images

    for precision in ("fp32", "bf16"):
        run_through(Looks(), torch.zeros(1, 3, 4, 4), precision)
    assert seen == [(True, False), (True, True)]
    with pytest.raises(ValueError, match="unknown precision 'fp8'"):
        run_through(Looks(), torch.zeros(1, 3, 4, 4), "fp8")
