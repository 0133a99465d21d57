"""The heads of an attention as units: how long each head's output is, token by token.

An attention of H heads makes, of every token, H vectors of D numbers, which its output projection
mixes. Their Euclidean lengths are H numbers a token, a map a head. `ATTENTION:heads` names them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

__all__ = ["HEADS", "has_heads", "register"]

HEADS = "heads"
"""Behind the colon of a layer's name."""

Hook = Callable[[Any, Any, Any], None]

_COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nheads", "heads")
# What libraries call the projection of the heads' outputs together.
_PROJECTIONS = ("out_proj", "o_proj", "proj", "proj_out", "to_out", "c_proj", "projection", "dense")


def has_heads(layer: nn.Module) -> bool:
    """Tell whether a module is an attention whose heads can be read."""
    return isinstance(layer, nn.MultiheadAttention) or _count(layer) > 0


def register(layer: nn.Module, part: str, hook: Hook) -> RemovableHandle:
    """Have a hook called with what a layer gives or, of an attention, with its heads' lengths.

    Parameters
    ----------
    layer
        Of the network.
    part
        `HEADS` for the heads of an attention; of other layers whatever the hook itself looks for.
    hook
        Called as a forward hook is: the module, its inputs and its output; of heads the output is
        (N, T, H), or (T, N, H) where the attention has its tokens first.
    """
    if part != HEADS or not has_heads(layer):
        return layer.register_forward_hook(hook)
    if isinstance(layer, nn.MultiheadAttention):
        return _of_torch(layer, hook)
    heads, projection = _count(layer), _projection(layer)
    if projection is None:
        return layer.register_forward_hook(
            lambda module, inputs, output: hook(module, inputs, _lengths(_first(output), heads))
        )
    return projection.register_forward_pre_hook(
        lambda _module, inputs: hook(layer, inputs, _lengths(inputs[0], heads))
    )


def _count(layer: nn.Module) -> int:
    """Return how many heads an attention says it has; 0 where it is none."""
    for name in _COUNTS:
        count = getattr(layer, name, None)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            return count
    return 0


def _projection(layer: nn.Module) -> nn.Module | None:
    """Return the module that mixes the outputs of the heads; None where the layer has none."""
    return next((part for name, part in layer.named_children() if name in _PROJECTIONS), None)


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple | list) else output


def _lengths(values: Tensor, heads: int) -> Any:
    """Return the length of each head's part of (..., H D) values, (..., H)."""
    if not isinstance(values, Tensor) or values.shape[-1] % heads:
        return None
    return torch.linalg.vector_norm(values.float().unflatten(-1, (heads, -1)), dim=-1)


def _of_torch(layer: nn.MultiheadAttention, hook: Hook) -> RemovableHandle:
    """Do what torch's attention does up to its projection, which it never calls as a module."""

    def computed(module: nn.MultiheadAttention, inputs: tuple, named: dict, _output: Any) -> None:
        hook(module, inputs, _heads_of(module, inputs, named))

    return layer.register_forward_hook(computed, with_kwargs=True)


def _heads_of(layer: nn.MultiheadAttention, inputs: tuple, named: dict) -> Tensor:
    """Return the lengths of the heads' outputs for the inputs of one call.

    Raises
    ------
    ValueError
        If masks, or keys of its own, take part.
    """
    names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask")
    given = dict(zip(names, inputs, strict=False)) | named
    plain = layer.bias_k is None and not layer.add_zero_attn and not given.get("is_causal")
    if not plain or any(given.get(name) is not None for name in ("key_padding_mask", "attn_mask")):
        raise ValueError("the heads of an attention with masks or keys of its own cannot be read")
    q, k, v = (_by_head(layer, place, given[name]) for place, name in enumerate(names[:3]))
    made = functional.scaled_dot_product_attention(q, k, v)
    lengths = torch.linalg.vector_norm(made.float(), dim=-1)
    return lengths.transpose(1, 2) if layer.batch_first else lengths.permute(2, 0, 1)


def _by_head(layer: nn.MultiheadAttention, place: int, tokens: Tensor) -> Tensor:
    """Return queries, keys or values (place 0, 1, 2) of each head, (N, H, T, D)."""
    own = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)[place]
    size = layer.embed_dim
    span = slice(place * size, (place + 1) * size)
    weight = layer.in_proj_weight[span] if own is None else own
    bias = None if layer.in_proj_bias is None else layer.in_proj_bias[span]
    made = functional.linear(tokens if layer.batch_first else tokens.transpose(0, 1), weight, bias)
    return made.unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
