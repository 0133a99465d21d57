"""Figures of a report: tables in, drawings out.

>>> import figures
>>> drawn = figures.draw(["results/scenes", "results/objects"], ["depth"])  # doctest: +SKIP
>>> drawn["depth"].savefig("depth.png")  # doctest: +SKIP
"""

from importlib import import_module

_HOME = {"Options": "figures.options", "draw": "figures.api"}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Import matplotlib and the rest when something is used, not when the package is named."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
