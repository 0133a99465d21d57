"""Whole runs of networks whose maps are to be read with care: it is said, and on the card."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import dissection
from dissection.config import Execution, IouConfig
from dissection.summary import summary
from tests.dissection import planted

CONFIG, EXECUTION = IouConfig(quantile=0.2), Execution(device="cpu", batch_size=8, workers=0)


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    planes = planted.drawn(images=100)
    with planted.write(tmp_path_factory.mktemp("probe") / "p.h5", planes) as probe:
        yield probe


def dissected(module, layers, probe, **options):
    torch.manual_seed(3)
    return dissection.dissect(
        module() if isinstance(module, type) else module, layers, probe,
        preprocessing=planted.PLAIN, config=CONFIG, execution=EXECUTION, **options,
    )  # fmt: skip


def caveats(result):
    said = result.card.get("caveats", [])
    assert all(f"warning: {text}" in summary(result) for text in said)
    return " | ".join(said)


class Dropping(nn.Module):
    """Dropout that stays on in eval mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, 3, padding=1), nn.Identity()

    def forward(self, x):
        return self.out(functional.dropout(self.conv(x)))


class Patches(nn.Module):
    """A vision transformer without a convolution: only the count of tokens tells of a grid."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(48, 6), nn.LayerNorm(6)

    def forward(self, x):
        return self.norm(self.embed(functional.unfold(x, 4, stride=4).transpose(1, 2)))


class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 6, 2, 2), nn.Identity()

    def forward(self, x):
        maps = self.conv(x)
        order = torch.arange(64).view(8, 8).t().flip(0).flatten().roll(27)
        return self.out(maps.flatten(2)[:, :, order].unflatten(2, (8, 8)))


class Several(nn.Module):
    class Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.low, self.high = nn.Conv2d(3, 4, 2, 2), nn.Conv2d(4, 6, 2, 2)

        def forward(self, x):
            low = self.low(x)
            return {"none": None, "low": low, "high": self.high(low)}

    def __init__(self):
        super().__init__()
        self.backbone = self.Backbone()

    def forward(self, x):
        return self.backbone(x)["high"]


def test_a_plain_network_has_nothing_to_be_said(probe):
    network = planted.network()
    result = dissection.dissect(network, "maps", probe, config=CONFIG, execution=EXECUTION)
    assert "caveats" not in result.card
    assert result.card["settings"]["model"]["outputs"].keys() == {"maps"}


def test_a_network_that_is_random_is_said_to_be_not_deterministic(probe, tmp_path, caplog):
    result = dissected(Dropping, "out", probe, out=tmp_path / "run")
    assert "not deterministic: layer out" in caveats(result)
    assert "not deterministic" in caplog.text
    assert result.card["settings"]["model"]["outputs"] == {}
    assert "nothing to do" in dissected(Dropping, "out", probe, out=tmp_path / "run").message
    assert caveats(dissected(Dropping, "conv", probe)) == ""


def test_a_guessed_grid_is_called_so(probe, caplog):
    assert "layer norm: its grid is a guess" in caveats(dissected(Patches, "norm", probe))
    assert "its grid is a guess" in caplog.text


def test_cells_that_are_no_places_are_warned_of(probe):
    assert "layer out: where a corner" in caveats(dissected(Shuffled, "out", probe))


def test_one_of_several_outputs_is_said_unless_it_is_named(probe):
    result = dissected(Several, "backbone", probe)
    assert "layer backbone: first of 2 outputs (low, high)" in caveats(result)
    assert len(result.units) == 4
    result = dissected(Several, "backbone:high", probe)
    assert caveats(result) == ""
    assert result.units["layer"].unique().tolist() == ["backbone:high"]
    assert len(result.tally("backbone:high")) == 6


def test_a_function_elsewhere_that_changes_makes_another_network(probe, tmp_path, monkeypatch):
    scale = {"by": 1.0}

    class Calling(Dropping):
        def forward(self, x):
            return self.out(self.conv(x) * _scale(scale))

    def run():
        return dissected(Calling, "out", probe, out=tmp_path / "run")

    run()
    assert "nothing to do" in run().message
    scale["by"] = 2.0
    with pytest.raises(ValueError, match=r"with other settings: model.outputs.out is"):
        run()


def _scale(scale):
    return scale["by"]


def test_grey_and_half_networks_are_dissected(probe):
    torch.manual_seed(0)
    grey = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1))
    result = dissected(grey, "0", probe)
    assert result.card["settings"]["model"]["preprocessing"]["channels"] == 1
    half = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)).half()
    assert len(dissected(half, "0", probe).units) == 4


def test_a_head_that_was_not_loaded_is_not_dissected(probe, tmp_path):
    (tmp_path / "own.py").write_text(
        "from torch import nn\n\n\ndef make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 2, 1))\n"
    )
    other = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 9, 1))
    torch.save(other.state_dict(), tmp_path / "w.pt")
    network = dissection.load(f"{tmp_path}/own.py:make", weights=tmp_path / "w.pt", input_size=16)
    result = dissection.dissect(network, "1", probe, config=CONFIG, execution=EXECUTION)
    assert "so 2 stays as initialised" in result.card["settings"]["model"]["weights"]
    with pytest.raises(ValueError, match="layer 2 is as initialised: .*name layers before it"):
        dissection.dissect(network, "2", probe, config=CONFIG, execution=EXECUTION)
