import pytest
import torch
from torch import nn
from torch.nn import functional

from dissection.activations.trial import try_out
from dissection.networks.layers import probe_layers
from dissection.results.cards.trials import adopted, same
from tests.dissection.small_networks import SIZE, Residual, seeded

SCALE = {"by": 1.0}


class Calling(nn.Module):
    """A convolution whose result a function elsewhere scales."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, 3), nn.Identity()

    def forward(self, x):
        return self.out(self.conv(x) * SCALE["by"])


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.after = nn.Conv2d(3, 4, 3), nn.Identity()

    def forward(self, x):
        return self.after(functional.dropout(self.before(x)))


def tried(module, names):
    return try_out(module, probe_layers(module, names, SIZE), SIZE)


def test_a_trial_repeats_and_leaves_the_generators_alone():
    torch.manual_seed(5)
    first = tried(seeded(Residual), ["conv1", "bn2"])
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)
    assert first == tried(seeded(Residual), ["conv1", "bn2"])
    assert list(first.outputs) == ["conv1", "bn2"]
    assert first.random == []


def test_dropout_that_stays_is_found_in_the_layers_behind_it():
    trial = tried(seeded(Dropping), ["before", "after"])
    assert trial.random == ["after"]
    assert trial.outputs == {}


def test_what_no_digest_sees_shows_in_the_outputs(monkeypatch):
    module = seeded(Calling)
    before = tried(module, ["out"]).outputs
    assert same(before, tried(module, ["out"]).outputs)
    for by in (1.01, -1.0):
        monkeypatch.setitem(SCALE, "by", by)
        assert not same(before, tried(module, ["out"]).outputs)


def test_units_that_change_places_show_in_the_outputs():
    module = seeded(Calling)
    before = tried(module, ["out"]).outputs
    with torch.no_grad():
        for part in (module.conv.weight, module.conv.bias):
            part.copy_(part.flip(0))
    assert not same(before, tried(module, ["out"]).outputs)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"a": [1.0005, 0.5]}, True),
        ({"a": [1.01, 0.5]}, False),
        ({"a": [1.0, 0.5, 0.0]}, False),
        ({"b": [1.0, 0.5]}, False),
        ({}, False),
    ],
)
def test_rounding_is_no_difference(other, expected):
    assert same({"a": [1.0, 0.5]}, other) is expected


def test_the_first_start_says_what_the_outputs_are():
    before = {"model": {"outputs": {"a": [1.0]}, "digest": "x"}}
    near = {"model": {"outputs": {"a": [1.0001]}, "digest": "y"}}
    assert adopted(before, near) == {"model": {"outputs": {"a": [1.0]}, "digest": "y"}}
    far = {"model": {"outputs": {"a": [2.0]}, "digest": "y"}}
    assert adopted(before, far) == far
    assert adopted({}, near) == near
