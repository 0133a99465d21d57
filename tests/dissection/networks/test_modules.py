"""Wrapped, compiled, scripted, traced and quantised networks."""

import pytest
import torch
from torch import nn

from dissection.activations.capture import collect
from dissection.networks import modules
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.running import ready
from dissection.networks.suitability import require_grid
from tests.dissection.small_networks import SIZE, Residual, images, seeded

PLAIN = Preprocessing(SIZE)


class Nested(nn.Module):
    """A network in a part of a network."""

    def __init__(self):
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 3, 1), seeded(Residual)

    def forward(self, x):
        return self.body(self.stem(x))


def compiled(module):
    return torch.compile(module, backend="eager")


@pytest.mark.parametrize(
    "wrap",
    [
        compiled,
        nn.DataParallel,
        lambda module: nn.DataParallel(compiled(module)),
        lambda module: compiled(nn.DataParallel(module)),
    ],
    ids=["compiled", "parallel", "parallel compiled", "compiled parallel"],
)
def test_a_wrapped_network_gives_what_the_network_gives(wrap):
    expected = collect(seeded(Residual), "conv1,bn2", images())
    module, _ = ready("x", wrap(seeded(Residual)), PLAIN)
    assert type(module) is Residual
    for names in ("conv1,bn2", "_orig_mod.conv1,module._orig_mod.bn2", "module.conv1,bn2"):
        got = collect(module, names, images())
        assert list(got) == ["conv1", "bn2"]
        assert all(torch.equal(got[name], expected[name]) for name in got)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_compiled_part_is_run_uncompiled_under_its_plain_name(in_place):
    module = seeded(Nested)
    expected = collect(module, "body.bn2", images())["body.bn2"]
    if in_place:
        module.body.compile(backend="eager")
    else:
        module.body = compiled(module.body)
    assert "body.bn2" in modules.layers(module)
    for name in ("body.bn2", "body._orig_mod.bn2"):
        assert torch.equal(collect(module, name, images())["body.bn2"], expected)
    assert "body" in [info.name for info in probe_layers(module, None, SIZE) if info.calls == 1]


def test_a_part_that_is_really_called_module_keeps_its_name():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nn.Sequential(nn.Conv2d(3, 2, 1))

        def forward(self, x):
            return self.module(x)

    assert resolve(seeded(Own), "module.0") == ["module.0"]
    assert resolve(seeded(Own), "*.*") == ["module.0"]


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (torch.jit.script, "a scripted TorchScript network"),
        (lambda module: torch.jit.trace(module, images()), "a traced TorchScript network"),
    ],
)
def test_torchscript_networks_are_named_with_the_way_out(make, kind):
    with pytest.raises(ValueError, match=f"^net is {kind}, .*give the Python network") as raised:
        ready("net", make(seeded(Residual)), PLAIN)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
def test_a_scripted_part_is_named_and_the_rest_is_read():
    module = seeded(Nested)
    module.body = torch.jit.script(module.body)
    require_grid(probe_layers(module, ["stem"], SIZE))
    with pytest.raises(ValueError, match=r"layer body.bn2 .*it is part of a TorchScript module"):
        require_grid(probe_layers(module, ["body.bn2"], SIZE))


def test_containers_of_a_traced_graph_are_named_and_leaves_are_read():
    graph = torch.fx.symbolic_trace(seeded(Nested))
    expected = collect(seeded(Nested), "body.bn2", images())["body.bn2"]
    assert torch.equal(collect(graph, "body.bn2", images())["body.bn2"], expected)
    with pytest.raises(ValueError, match=r"layer body .*only groups others .* that FX traced"):
        require_grid(probe_layers(graph, ["body"], SIZE))


def test_a_quantised_network_is_named():
    class Conv2d(nn.Module):
        scale = 1.0

    Conv2d.__module__ = "torch.ao.nn.quantized.modules.conv"
    with pytest.raises(ValueError, match=r"quantised network \(Conv2d\).*before the quantisation"):
        ready("net", nn.Sequential(Conv2d()), PLAIN)
