"""Turn a name into a network in eval mode, with the preprocessing it was trained with.

`load` knows the small networks of this package (`mini_scenes` and others), torchvision's names,
the Places365 networks, efficientnet_lite0, `timm:NAME`, `hf:NAME`, `open_clip:NAME`, and factories
of one's own. A further built-in network is an entry in `LOADERS`, a further library one in
`SOURCES`. No name is ever evaluated as code, and no weight file is executed (see
`dissection.networks.weights`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from broden.system.files import file_digest
from broden.system.text import nearest
from dissection.networks.fingerprint import digest
from dissection.networks.layers import probe_layers
from dissection.networks.layouts import LayerInfo
from dissection.networks.listing import suggest
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.running import ready
from dissection.networks.sources import dense, huggingface, mini, openclip, published
from dissection.networks.sources.own import from_factory
from dissection.networks.weights.fitting import left_as_initialised, noting

__all__ = [
    "LOADERS",
    "Entry",
    "Loader",
    "Network",
    "default_layers",
    "digest",
    "load",
    "names",
    "probed",
]

# name, weight file, whether to leave the weights random -> module, its input, its own weights
Loader = Callable[[str, Path | None, bool], published.Loaded]

_STAGES = ("layer2", "layer3", "layer4")


class Entry(NamedTuple):
    """A built-in network."""

    load: Loader
    layers: tuple[str, ...] = ()
    """Layers to dissect where none are named; none if `listing.suggest` is to choose."""


LOADERS: dict[str, Entry] = {
    "mini_scenes": Entry(mini.trained, _STAGES),
    "mini_objects": Entry(mini.trained, _STAGES),
    "mini_random": Entry(mini.untrained, _STAGES),
    "efficientnet_lite0": Entry(published.efficientnet_lite0, ("blocks.2", "blocks.4", "blocks.6")),
    "alexnet_places365": Entry(published.places365),
    "densenet161_places365": Entry(published.places365),
    "resnet18_places365": Entry(published.places365),
    "resnet50_places365": Entry(published.places365),
}
SOURCES: dict[str, Loader] = {
    "timm:": published.from_timm,
    "hf:": huggingface.from_transformers,
    "open_clip:": openclip.from_open_clip,
}
"""By how their names begin, networks of other libraries."""

_FORMS = (
    "a torchvision name, timm:NAME, hf:NAME, open_clip:ARCHITECTURE:TAG, package.module:factory, "
    "file.py:factory"
)


@dataclass(frozen=True)
class Network:
    """Hold a network ready to be dissected.

    Attributes
    ----------
    name : str
        As given to `load`.
    module : nn.Module
        In eval mode, on the CPU.
    preprocessing : Preprocessing
        What its input must be like.
    weights : str
        Where its weights come from, for the run card.
    left : tuple of str
        Modules that are as initialised, because the weights are of a network with another head.
    """

    name: str
    module: nn.Module
    preprocessing: Preprocessing
    weights: str
    left: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return `digest` of the module."""
        return digest(self.module)


def names() -> list[str]:
    """Return the names of all built-in networks, those in `LOADERS` first."""
    return [*LOADERS, *published.torchvision_names(), *dense.names()]


def load(
    name: str,
    *,
    weights: str | Path | None = None,
    random_weights: bool = False,
    seed: int = 0,
    input_size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Network:
    """Load a network by name.

    Parameters
    ----------
    name
        One of `names`, a name with one of the prefixes of `SOURCES` (`timm:NAME`),
        `package.module:factory` or `file.py:factory`. A factory takes
        nothing and returns an nn.Module (with an attribute `preprocessing`, if it likes) or a pair
        of nn.Module and Preprocessing.
    weights
        A file to load instead of the published weights; nothing is downloaded then.
    random_weights
        Leave the weights as initialised.
    seed
        Of all that is random while the network is built. The global generator is left alone.
    input_size, mean, std
        Replace what the network's own preprocessing says (pixels; scale where 255 is 1).

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If the name is unknown, or the weight file does not fit.
    FileNotFoundError
        If a file is missing.
    TypeError
        If a factory is none, or returns something else.
    RuntimeError
        If a download fails, a package is missing, or the code of a factory raises.
    """
    if weights is not None and random_weights:
        raise ValueError(f"random weights and weights from {weights} exclude each other")
    path = None if weights is None else Path(weights)
    loader = _loader(name)
    given: dict[str, Any] = {"size": input_size, "mean": mean, "std": std}
    overrides = {field: value for field, value in given.items() if value is not None}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        with noting() as fitted:
            module, preprocessing, described = loader(name, path, random_weights)
        module, preprocessing = ready(name, module, replace(preprocessing, **overrides))
    if path is not None:
        described = f"{path.name} (sha256 {file_digest(path)})"
    elif random_weights:
        described = f"random (seed {seed})"
    left = tuple(dict.fromkeys(part for one in fitted for part in one.left))
    if left:
        described = f"{described}; {left_as_initialised(left)}"
    return Network(name, module, preprocessing, described, left)


def default_layers(network: Network) -> list[str]:
    """Return the layers to dissect where none are named.

    Those of the registry for a built-in network; of others a few worth a first look.

    Parameters
    ----------
    network : Network
        From `load`.
    """
    entry = LOADERS.get(network.name)
    if entry is not None and entry.layers:
        return list(entry.layers)
    return suggest(probed(network))


def probed(network: Network, layers: Sequence[str] | None = None) -> list[LayerInfo]:
    """Return what layers of a network give for its own input; of all layers unless told.

    Parameters
    ----------
    network : Network
        From `load`.
    layers : sequence of str, optional
        Dotted names, as `layers.resolve` gives them.

    Raises
    ------
    ValueError, RuntimeError
        As `layers.probe_layers`.
    """
    size, channels = network.preprocessing.size, network.preprocessing.channels
    return probe_layers(network.module, layers, size, channels=channels)


def _loader(name: str) -> Loader:
    """Return what loads networks of that name."""
    if name in LOADERS:
        return LOADERS[name].load
    for prefix, source in SOURCES.items():
        if name.startswith(prefix):
            return source
    if ":" in name:
        return from_factory
    if name in published.torchvision_names():
        return published.from_torchvision
    if name in dense.names():
        return dense.from_torchvision_dense
    if refusal := dense.refusal(name):
        raise ValueError(refusal)
    raise ValueError(
        f"unknown network {name!r}{nearest(name, names())}; allowed: {', '.join(LOADERS)}, {_FORMS}"
    )
