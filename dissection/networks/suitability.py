"""Which layers can be dissected in which way, and what to do about the others."""

from collections.abc import Sequence
from dataclasses import replace

from dissection.networks.layouts import LayerInfo

__all__ = ["class_tokens", "require_grid", "require_units"]


def require_units(infos: Sequence[LayerInfo]) -> None:
    """Check that each layer runs once and has units, as any dissection needs.

    Raises
    ------
    ValueError
        Naming the first layer that does not, and what to do.
    """
    for info in infos:
        name = f"layer {info.name} ({info.kind})"
        if info.calls == 0:
            why = f" ({info.why})" if info.why else ""
            raise ValueError(
                f"{name} never runs in a forward pass{why}; --layers help lists others"
            )
        if info.calls > 1:
            raise ValueError(
                f"{name} runs {info.calls} times in a forward pass, so its maps are not one: "
                "name a module that runs once (--layers help)"
            )
        if info.grid is None and info.layout not in ("vector", "class"):
            raise ValueError(
                f"{name} gives no maps but {info.output} for two images"
                f"{info.why and ', '}{info.why}; "
                "--layers help lists the layers that have a grid"
            )


def class_tokens(infos: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Return the same layers with their class token, the first of their tokens, for maps.

    Layers that give one number an image and unit stay as they are.

    Raises
    ------
    ValueError
        Naming the first layer that has neither.
    """
    for info in infos:
        if info.layout != "vector" and not _leads(info.layout):
            raise ValueError(
                f"layer {info.name} ({info.kind}) has no class token ({info.layout}); "
                "use --pooling mean or max"
            )
    return [
        info if info.layout == "vector" else replace(info, layout="class", grid=None)
        for info in infos
    ]


def _leads(layout: str) -> bool:
    """Tell whether tokens before those of the grid come first in a layout."""
    return layout.startswith("tokens+") and layout != "tokens+0"


def require_grid(infos: Sequence[LayerInfo]) -> None:
    """Check that each layer runs once and gives maps, as dissection by IoU needs.

    Raises
    ------
    ValueError
        Naming the first layer that does not, and what to do.
    """
    require_units(infos)
    for info in infos:
        if info.layout == "vector":
            raise ValueError(
                f"layer {info.name} ({info.kind}) gives one number an image and unit, no map; "
                "use --method clip, or a layer that has a grid (--layers help)"
            )
