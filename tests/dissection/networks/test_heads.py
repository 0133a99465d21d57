"""Heads of attentions of several libraries, against a plain loop over heads."""

import pytest
import torch
from torch import nn

from dissection.activations.capture import collect
from dissection.networks.heads import has_heads
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.modules import layers
from dissection.networks.suitability import require_grid
from tests.dissection.small_networks import SIZE, Attention, images, seeded

HEADS, WIDTH = 2, 8


def lengths(attention, tokens):
    """Compute each head's output by itself, (N, T, D) tokens to (N, H, T)."""
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    size, found = WIDTH // HEADS, []
    for head in range(HEADS):
        q, k, v = (
            tokens @ weight[start : start + size].T + bias[start : start + size]
            for start in (part * WIDTH + head * size for part in range(3))
        )
        made = torch.softmax(q @ k.transpose(1, 2) / size**0.5, 2) @ v
        found.append(made.norm(dim=2))
    return torch.stack(found, 1)


@pytest.mark.parametrize("batch_first", [True, False])
def test_heads_of_torchs_attention_equal_a_loop_over_heads(batch_first):
    module, batch = seeded(Attention, batch_first), images()
    tokens = module.patch(batch).flatten(2).transpose(1, 2)
    tokens = torch.cat([module.cls.expand(len(batch), -1, -1), tokens], 1)
    expected = lengths(module.attention, tokens)[:, :, 1:].unflatten(2, (4, 4))
    found = collect(module, "attention:heads,attention", batch)
    assert list(found) == ["attention", "attention:heads"]
    assert found["attention:heads"].shape == (3, HEADS, 4, 4)
    assert torch.allclose(found["attention:heads"], expected, atol=1e-5)


def test_heads_of_timm_are_what_its_projection_is_given():
    from timm.models.vision_transformer import VisionTransformer

    fields = {"embed_dim": 16, "depth": 2, "num_heads": 4, "num_classes": 5}
    module, seen = seeded(VisionTransformer, 32, 8, **fields), []
    module.blocks[1].attn.proj.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    info = probe_layers(module, ["blocks.1.attn:heads"], SIZE)[0]
    assert (info.layout, info.units, info.grid, info.calls) == ("tokens+1", 4, (4, 4), 1)
    require_grid([info])
    seen.clear()
    found = collect(module, "blocks.1.attn:heads", images())["blocks.1.attn:heads"]
    expected = seen[-1][:, 1:].unflatten(2, (4, 4)).norm(dim=3).transpose(1, 2)
    assert torch.allclose(found, expected.unflatten(2, (4, 4)), atol=1e-5)


def test_heads_of_transformers_are_read():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=16,
        image_size=32, patch_size=8,
    )  # fmt: skip
    module = seeded(transformers.AutoModel.from_config, config)
    names = [f"{name}:heads" for name, layer in layers(module).items() if has_heads(layer)]
    infos = probe_layers(module, names, SIZE)
    assert [(info.units, info.grid) for info in infos if info.grid] == [(4, (4, 4))]


def test_a_wildcard_means_the_heads_of_every_block():
    from timm.models.vision_transformer import VisionTransformer

    fields = {"embed_dim": 16, "depth": 2, "num_heads": 4, "num_classes": 5}
    module = seeded(VisionTransformer, 32, 8, **fields)
    names = resolve(module, "blocks.*.attn:heads")
    assert names == ["blocks.0.attn:heads", "blocks.1.attn:heads"]
    assert {info.units for info in probe_layers(module, names, SIZE)} == {4}


def test_what_is_no_attention_has_no_heads():
    module = seeded(Attention)
    with pytest.raises(ValueError, match="layer patch:heads: no such output; it has one"):
        probe_layers(module, ["patch:heads"], SIZE)


def test_an_attention_with_masks_is_told():
    class Masked(Attention):
        def forward(self, x):
            tokens = self.patch(x).flatten(2).transpose(1, 2)
            mask = torch.zeros(16, 16)
            return self.attention(tokens, tokens, tokens, attn_mask=mask)[0]

    with pytest.raises(RuntimeError, match="attention with masks or keys of its own"):
        probe_layers(seeded(Masked), ["attention:heads"], SIZE)


def test_windows_of_an_attention_have_no_grid():
    from torchvision.models import SwinTransformer

    module = seeded(SwinTransformer, [4, 4], 16, [2], [2], [4, 4], num_classes=5)
    name = "features.1.0.attn:heads"
    info = probe_layers(module, [name], SIZE)[0]
    assert info.grid is None
    assert not any(isinstance(part, nn.MultiheadAttention) for part in module.modules())
