"""Network Dissection: which unit of a network has learned which concept.

>>> import dissection
>>> result = dissection.dissect("resnet18", "layer4", "probe.h5")  # doctest: +SKIP
>>> result.units.head()  # doctest: +SKIP
"""

from importlib import import_module

_HOME = {
    "ClipConfig": "config",
    "Dissection": "api",
    "Execution": "config",
    "IouConfig": "config",
    "Network": "models",
    "Photographs": "clip.photographs",
    "Preprocessing": "preprocessing",
    "dissect": "api",
    "load": "models",
}

__all__ = list(_HOME)


def __getattr__(name: str):
    """Import torch and the rest when something is used, not when the package is named."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
