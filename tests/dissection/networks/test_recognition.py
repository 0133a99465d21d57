"""Which grids are places in the image, on small networks of each kind."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from dissection.networks.layers import probe_layers
from dissection.networks.listing import suggest
from tests.dissection.small_networks import seeded

SIZE = (64, 64)


class Latents(nn.Module):
    """Learned latents attend to the image's tokens, and to themselves; none has a place."""

    def __init__(self, latents=64, patches=True):
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, 8) if patches else nn.Linear(3 * 64, 32)
        self.latents = nn.Parameter(torch.randn(latents, 32))
        self.norm, self.weights = nn.LayerNorm(32), nn.Softmax(-1)
        self.among, self.last = nn.Softmax(-1), nn.LayerNorm(32)

    def forward(self, x):
        if isinstance(self.patch, nn.Linear):
            tokens = self.patch(functional.unfold(x, 8, stride=8).transpose(1, 2))
        else:
            tokens = self.patch(x).flatten(2).transpose(1, 2)
        mine = self.norm(self.latents.expand(len(x), -1, -1))
        mine = self.weights(mine @ tokens.transpose(1, 2)) @ tokens
        heads = mine.unflatten(2, (4, 8)).transpose(1, 2)
        among = self.among(heads @ heads.transpose(2, 3))
        return self.last((among @ heads).transpose(1, 2).flatten(2)).mean(1)


class Mixer(nn.Module):
    """MLP-Mixer: one block mixes tokens, with its units before them."""

    def __init__(self, units=48, hidden=24):
        super().__init__()
        self.patch = nn.Conv2d(3, units, 8, 8)
        self.norm = nn.LayerNorm(units)
        self.grow, self.shrink = nn.Linear(64, hidden), nn.Linear(hidden, 64)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        mixed = self.shrink(functional.gelu(self.grow(self.norm(tokens).transpose(1, 2))))
        return (tokens + mixed.transpose(1, 2)).mean(1)


class Scores(nn.Module):
    """Attention whose scores before and weights after the softmax are modules' outputs."""

    def __init__(self, heads=2, width=16, prefix=0, mix=False):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.prefix = nn.Parameter(torch.randn(prefix, width))
        self.heads, self.qk = heads, nn.Linear(width, 2 * width)
        self.scores, self.softmax, self.norm = nn.Identity(), nn.Softmax(-1), nn.LayerNorm(width)
        self.mix = nn.Conv2d(heads, heads, 1) if mix else nn.Identity()
        self.averaged = nn.Identity()

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(x), -1, -1), tokens], 1)
        q, k = self.qk(tokens).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = self.mix(self.softmax(self.scores(q @ k.transpose(2, 3))))
        return self.norm(self.averaged(weights.mean(1)) @ tokens).mean(1)


class Shuffled(nn.Module):
    """Tokens that leave their places."""

    def __init__(self):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 16, 8, 8), nn.LayerNorm(16)
        self.order = torch.randperm(64)

    def forward(self, x):
        return self.norm(self.patch(x).flatten(2).transpose(1, 2)[:, self.order]).mean(1)


class Merging(nn.Module):
    """Patches merged four to one without a convolution, as in Swin on tokens."""

    def __init__(self):
        super().__init__()
        self.patch, self.merge = nn.Conv2d(3, 16, 4, 4), nn.Linear(64, 32)

    def forward(self, x):
        maps = self.patch(x)
        merged = functional.pixel_unshuffle(maps, 2).flatten(2).transpose(1, 2)
        return self.merge(merged).mean(1)


class Decoder(nn.Module):
    """A map grows beyond all that came before, to as many rows as the smallest has cells."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 8, 8)
        self.up = nn.Upsample(size=(64, 64))
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        return self.norm(self.up(self.down(x))).mean((2, 3))


def probed(kind, *args, size=SIZE, **options):
    return {i.name: i for i in probe_layers(seeded(kind, *args, **options), None, size)}


@pytest.mark.parametrize("latents", [64, 25, 16, 4])
def test_latents_of_a_perceiver_have_no_grid(latents):
    infos = probed(Latents, latents)
    if latents != 64:
        # 64 is as many as there are tokens of the image: only the corners tell them apart
        assert {infos[n].grid for n in ("norm", "last", "weights", "among")} == {None}
        assert "cells came before" in infos["last"].remark
    assert infos["among"].remark.endswith("a table of tokens by tokens")
    assert infos["patch"].placed is True


def test_latents_as_many_as_tokens_are_told_by_the_corners():
    last = probed(Latents, 64)["last"]
    assert last.placed is False
    assert "may be no place in the image" in last.caveats[0]


def test_after_a_guess_latents_have_no_grid_either():
    infos = probed(Latents, 16, patches=False)
    assert (infos["patch"].grid, infos["patch"].guess) == ((8, 8), "count")
    assert infos["last"].grid is None


def test_what_only_the_count_suggests_is_a_guess_and_never_a_start():
    module = seeded(Latents, 16, patches=False)
    infos = probe_layers(module, None, SIZE)
    assert suggest(infos) == []
    assert infos[0].caveats == ["its grid is a guess, from the number of its tokens alone"]


@pytest.mark.parametrize("hidden", [16, 64, 100])
def test_token_mixing_has_its_units_before_the_tokens(hidden):
    infos = probed(Mixer, 48, hidden)
    assert (infos["shrink"].layout, infos["shrink"].units) == ("channels+0", 48)
    assert infos["shrink"].grid == (8, 8)
    assert (infos["norm"].layout, infos["norm"].units) == ("tokens+0", 48)
    if hidden != 64:
        assert infos["grow"].grid is None


def test_a_count_of_units_that_is_a_square_makes_no_grid():
    infos = probed(Mixer, 256, 100)
    assert (infos["shrink"].layout, infos["shrink"].units) == ("channels+0", 256)
    assert infos["grow"].grid is None


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("mix", [False, True])
def test_tables_of_tokens_by_tokens_are_no_maps(prefix, heads, mix):
    infos = probed(Scores, heads, prefix=prefix, mix=mix)
    for name in ("scores", "softmax", "mix", "averaged"):
        assert infos[name].grid is None, name
        assert infos[name].remark.endswith("a table of tokens by tokens"), name
    assert infos["norm"].layout == "none" or infos["norm"].layout == f"tokens+{prefix}"
    assert infos["qk"].grid == (8, 8)


def test_a_network_as_wide_as_it_has_tokens_is_read():
    infos = probed(Mixer, 64, 100)
    assert (infos["norm"].layout, infos["norm"].grid) == ("tokens+0", (8, 8))


def test_shuffled_tokens_are_warned_of_and_no_start():
    module = seeded(Shuffled)
    infos = {i.name: i for i in probe_layers(module, None, SIZE)}
    assert infos["norm"].grid == (8, 8)
    assert infos["norm"].placed is False
    assert suggest(list(infos.values())) == ["patch"]


def test_merged_patches_are_a_guess_that_the_corners_confirm():
    merge = probed(Merging)["merge"]
    assert (merge.grid, merge.guess, merge.placed) == ((8, 8), "coarser", True)
    assert merge.caveats == ["its grid is a guess, an earlier one made coarser"]


def test_a_decoders_maps_are_maps():
    infos = probed(Decoder)
    assert {infos[n].grid for n in ("up", "norm")} == {(64, 64)}
    assert {infos[n].layout for n in ("up", "norm")} == {"NCHW"}


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "swin_t", "mini_random"])
def test_common_networks_have_no_caveats(name):
    from dissection.networks.loading import load, probed

    network = load(name, random_weights=not name.startswith("mini"))
    infos = [info for info in probed(network) if info.grid and min(info.grid) > 1]
    # torchvision's attention returns its weights too, which are None
    assert {c for i in infos for c in i.caveats if "guess" in c or "place" in c} == set()
    assert len(infos) > 20
