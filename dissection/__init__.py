"""Network Dissection: which unit of a network has learned which concept.

>>> import dissection
>>> result = dissection.dissect("resnet18", "layer4", "probe.h5")  # doctest: +SKIP
>>> result.units.head()  # doctest: +SKIP
"""

from importlib import import_module

_HOME = {
    "ClipConfig": "dissection.config",
    "Compared": "dissection.comparing",
    "Dissection": "dissection.results.dissection",
    "Execution": "dissection.config",
    "IouConfig": "dissection.config",
    "Network": "dissection.networks.loading",
    "Photographs": "broden.photographs",
    "Preprocessing": "dissection.networks.preprocessing",
    "compare": "dissection.comparing",
    "dissect": "dissection.api",
    "load": "dissection.networks.loading",
    "read": "dissection.api",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Import torch and the rest when something is used, not when the package is named."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
