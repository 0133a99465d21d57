from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from dissection.activations.capture import collect
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.listing import describe
from dissection.networks.outputs import parts
from tests.dissection.small_networks import SIZE, images, seeded

LOW, HIGH = torch.zeros(2, 4, 8, 8), torch.ones(2, 6, 4, 4)


class Named(NamedTuple):
    low: Tensor
    high: Tensor


@dataclass
class Fields:
    low: Tensor | None
    high: Tensor


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (LOW, [""]),
        ((LOW, HIGH), ["0", "1"]),
        ([None, HIGH], ["1"]),
        ({"low": LOW, "none": None, "high": HIGH}, ["low", "high"]),
        (Named(LOW, HIGH), ["low", "high"]),
        (Fields(None, HIGH), ["high"]),
        (OrderedDict(out=(LOW, {"more": [HIGH]})), ["out.0", "out.1.more.0"]),
        ((LOW, "text", 3), ["0"]),
        ("text", [""]),
        (None, []),
        ((), []),
    ],
)
def test_outputs_have_the_names_of_their_containers(output, names):
    assert list(parts(output)) == names


def test_a_container_that_holds_itself_ends():
    loop: list = []
    loop.append(loop)
    assert len(parts(loop)) == 1


class Pyramid(nn.Module):
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.low, self.high = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 6, 2, 2)

        def forward(self, x):
            low = self.low(x)
            return {"skipped": None, "low": low, "high": self.high(low)}

    def __init__(self):
        super().__init__()
        self.backbone = self.Backbone()

    def forward(self, x):
        return self.backbone(x)["high"].mean((2, 3))


def test_the_first_of_several_outputs_is_said_and_others_can_be_chosen():
    module = seeded(Pyramid)
    info = probe_layers(module, ["backbone"], SIZE)[0]
    assert (info.units, info.grid, info.outputs) == (4, (8, 8), ("low", "high"))
    assert "first of 2 outputs (low, high)" in info.caveats[0]
    assert "first of 2 outputs (low, high)" in describe([info])
    names = resolve(module, "backbone:high,backbone,backbone.low")
    assert names == ["backbone", "backbone:high", "backbone.low"]
    found = collect(module, names, images())
    low = module.backbone.low(images())
    assert torch.equal(found["backbone"], low)
    assert torch.equal(found["backbone:high"], module.backbone.high(low))
    assert probe_layers(module, ["backbone:high"], SIZE)[0].caveats == []


def test_an_output_that_is_none_of_them_is_named():
    module = seeded(Pyramid)
    with pytest.raises(ValueError, match="layer backbone:hihg: no such output, nearest: high;"):
        probe_layers(module, resolve(module, "backbone:hihg"), SIZE)
    with pytest.raises(ValueError, match="layer backbone.low:x: no such output; it has one"):
        probe_layers(module, resolve(module, "backbone.low:x"), SIZE)
