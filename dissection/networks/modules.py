"""The modules of a network under plain names, and kinds of networks whose layers cannot be read.

`torch.compile` and data parallelism wrap modules in others; here the wrappers and the parts of
names that they add (`_orig_mod.`, `module.`) do not count.
"""

import sys
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

__all__ = ["eager", "is_container_of_fx", "layers", "plain_name", "unwrapped"]

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_ADDED = ("_orig_mod", "module")


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the network inside the wrappers of `torch.compile` and of data parallelism."""
    while (inner := _wrapped_by(module)) is not None:
        module = inner
    return module


def _wrapped_by(module: nn.Module) -> nn.Module | None:
    """Return what a wrapper wraps; None where a module is none."""
    if type(module).__name__ == "OptimizedModule":
        return module._modules.get("_orig_mod")
    return module.module if isinstance(module, _PARALLEL) else None


def layers(module: nn.Module) -> dict[str, nn.Module]:
    """Return every module inside a network by its plain dotted name, in the network's order.

    A module that is used under two names has both; of a wrapper and what it wraps, which have one
    name, the latter counts.
    """
    found: dict[str, nn.Module] = {}
    _add(unwrapped(module), "", found, frozenset())
    return found


def _add(
    module: nn.Module, name: str, found: dict[str, nn.Module], above: frozenset[nn.Module]
) -> None:
    if module in above:
        return
    if name:
        found[name] = module
    for part, child in module._modules.items():
        if child is not None:
            inner = unwrapped(child)
            _add(inner, f"{name}.{part}" if name else part, found, above | {module})


def plain_name(name: str) -> str:
    """Return a layer's name without the parts that wrappers add.

    Examples
    --------
    >>> plain_name("module._orig_mod.layer4.0")
    'layer4.0'
    """
    return ".".join(part for part in name.split(".") if part not in _ADDED)


def eager() -> AbstractContextManager:
    """Return a context in which compiled networks and functions run uncompiled, hooks and all."""
    # asking would import the compiler, which nothing compiled can do without
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def require_readable(module: nn.Module, name: str) -> None:
    """Refuse a network that runs as a whole, so that none of its layers can be read.

    Raises
    ------
    ValueError
        Names the kind, and what to give instead.
    """
    kind = _unreadable(module)
    if kind:
        raise ValueError(f"{name} is {kind}")


def _unreadable(module: nn.Module) -> str:
    """Return what kind of network hides its layers, and what to do; empty if none does."""
    if isinstance(module, torch.jit.ScriptModule):
        kind = "traced" if isinstance(module, torch.jit.TracedModule) else "scripted"
        return (
            f"a {kind} TorchScript network, whose layers cannot be read; give the Python network "
            "it was made from, and its weights with --weights FILE"
        )
    quantised = next((m for m in module.modules() if _is_quantised(m)), None)
    if quantised is not None:
        return (
            f"a quantised network ({type(quantised).__name__}), whose maps are not of floats; "
            "give the network from before the quantisation"
        )
    return ""


def _is_quantised(module: nn.Module) -> bool:
    home = type(module).__module__
    return "quantized" in home.split(".") and "dynamic" not in home and hasattr(module, "scale")


def is_container_of_fx(module: nn.Module, layer: nn.Module) -> bool:
    """Tell whether a layer only groups others in a network that FX traced, and never runs."""
    if not isinstance(unwrapped(module), torch.fx.GraphModule):
        return False
    return len(layer._modules) > 0 and type(layer).forward is nn.Module.forward
