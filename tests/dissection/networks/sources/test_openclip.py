"""The part of a CLIP that sees, as the network that is dissected."""

import pytest
import torch

from dissection.activations.capture import collect
from dissection.networks.loading import load, probed
from dissection.networks.sources import openclip
from dissection.networks.sources.mini import CLIP


def test_the_embedded_clip_can_be_dissected():
    network = load("open_clip:mini")
    whole = openclip.make("mini", None)
    assert network.preprocessing == whole.preprocessing
    infos = {info.name: info for info in probed(network)}
    maps = [info for info in infos.values() if info.grid and min(info.grid) > 1]
    assert maps
    name = maps[-1].name
    batch = torch.randn(2, 3, *network.preprocessing.size)
    found = collect(network.module, name, batch)[name]
    assert torch.equal(found, collect(whole.module.visual, name, batch)[name])
    assert load(f"open_clip:local-dir:{CLIP}").digest() == network.digest()


def test_weights_may_stay_random():
    network = load("open_clip:mini", random_weights=True)
    again = load("open_clip:mini", random_weights=True)
    assert network.digest() == again.digest() != load("open_clip:mini").digest()
    assert network.preprocessing == load("open_clip:mini").preprocessing


def test_a_tower_of_a_transformer_has_a_grid():
    network = load("open_clip:ViT-B-32", random_weights=True)
    infos = {info.name: info for info in probed(network, ["transformer.resblocks.3"])}
    block = infos["transformer.resblocks.3"]
    assert (block.layout, block.units, block.grid, block.guess) == ("tokens+1", 768, (7, 7), "")
    heads = probed(network, ["transformer.resblocks.3.attn:heads"])[0]
    assert (heads.units, heads.grid) == (12, (7, 7))


def test_unknown_architectures_are_named_with_the_nearest():
    with pytest.raises(ValueError, match="unknown encoder 'ViT-B-33:openai', nearest: "):
        load("open_clip:ViT-B-33:openai")
