"""Turn a name into a network in eval mode, with the preprocessing it was trained with.

`load` knows the small networks of this package (`mini_scenes` and others), torchvision's names,
the Places365 networks, efficientnet_lite0, `timm:NAME`, and factories of one's own. A further
built-in network is an entry in `LOADERS`. No name is ever evaluated as code, and no weight file is
executed (see `dissection.checkpoints`).
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from dissection import checkpoints, mini, published
from dissection.fingerprint import digest
from dissection.layers import nearest
from dissection.preprocessing import Preprocessing

__all__ = ["LOADERS", "Loader", "Network", "digest", "load", "names"]

# name, weight file, whether to leave the weights random -> module, its input, its own weights
Loader = Callable[[str, Path | None, bool], published.Loaded]

LOADERS: dict[str, Loader] = {
    "mini_scenes": mini.trained,
    "mini_objects": mini.trained,
    "mini_random": mini.untrained,
    "efficientnet_lite0": published.efficientnet_lite0,
    "alexnet_places365": published.places365,
    "densenet161_places365": published.places365,
    "resnet18_places365": published.places365,
    "resnet50_places365": published.places365,
}
_FORMS = "a torchvision name, timm:NAME, package.module:factory, file.py:factory"


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
    """

    name: str
    module: nn.Module
    preprocessing: Preprocessing
    weights: str

    def digest(self) -> str:
        """Return `digest` of the module."""
        return digest(self.module)


def names() -> list[str]:
    """Return the names of all built-in networks, those in `LOADERS` first."""
    return [*LOADERS, *published.torchvision_names()]


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
        One of `names`, `timm:NAME`, `package.module:factory` or `file.py:factory`. A factory takes
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
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module, preprocessing, described = loader(name, path, random_weights)
    if path is not None:
        described = f"{path.name} (sha256 {published.file_digest(path)})"
    elif random_weights:
        described = f"random (seed {seed})"
    given = {"size": input_size, "mean": mean, "std": std}
    overrides = {field: value for field, value in given.items() if value is not None}
    return Network(name, module.eval(), replace(preprocessing, **overrides), described)


def _loader(name: str) -> Loader:
    """Return what loads networks of that name."""
    if name in LOADERS:
        return LOADERS[name]
    if name.startswith("timm:"):
        return published.from_timm
    if ":" in name:
        return _from_factory
    if name in published.torchvision_names():
        return published.from_torchvision
    raise ValueError(
        f"unknown network {name!r}{nearest(name, names())}; allowed: {', '.join(LOADERS)}, {_FORMS}"
    )


def _from_factory(name: str, weights: Path | None, random_weights: bool) -> published.Loaded:
    """Build a network of the user's own."""
    where, _, attribute = name.rpartition(":")
    if random_weights:
        raise ValueError(f"{name} makes its own weights; random weights go with named networks")
    path = Path(where)
    is_file = path.suffix == ".py"
    if is_file and not path.is_file():
        raise FileNotFoundError(f"no file {path} to take {attribute} from")
    seeded = torch.get_rng_state()
    with _own_code(name, path.parent if is_file else Path()):
        source = _import_file(path) if is_file else importlib.import_module(where)
        factory = getattr(source, attribute, None)
    if not callable(factory) or isinstance(factory, nn.Module):
        public = [k for k, v in vars(source).items() if callable(v) and not k.startswith("_")]
        raise TypeError(
            f"{name}: {where} has no function {attribute!r}{nearest(attribute, public)}; "
            "it must name one that takes nothing and returns an nn.Module"
        )
    with _own_code(name, path.parent if is_file else Path()):
        # Importing draws numbers too, but only the first time.
        torch.set_rng_state(seeded)
        made = factory()
    module, preprocessing = _taken_apart(name, made)
    if weights is not None:
        checkpoints.load_into(module, checkpoints.read(weights), weights)
    return module, preprocessing, f"as made by {name}"


@contextmanager
def _own_code(name: str, folder: Path) -> Iterator[None]:
    """Let the user's code import what lies beside it, and tell its errors from ours."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    # Foreign code may raise anything, or exit; the original error stays chained.
    except (Exception, SystemExit) as error:
        raise RuntimeError(f"the code of {name} raised {published.one_line(error)}") from error
    finally:
        if entry in sys.path:
            sys.path.remove(entry)


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"dissected_{path.stem}", path)
    source = importlib.util.module_from_spec(spec)
    # Dataclasses and the like look their module up while it is executed.
    sys.modules[spec.name] = source
    spec.loader.exec_module(source)
    return source


def _taken_apart(name: str, made: Any) -> tuple[nn.Module, Preprocessing]:
    """Check what a factory returned."""
    module, preprocessing = made, getattr(made, "preprocessing", None)
    if isinstance(made, tuple) and len(made) == 2:
        module, preprocessing = made
    # A network may have a layer of that name, which is not meant for us.
    elif preprocessing is None or isinstance(preprocessing, nn.Module):
        preprocessing = Preprocessing()
    if isinstance(module, nn.Module) and isinstance(preprocessing, Preprocessing):
        return module, preprocessing
    got = type(made).__name__
    if module is not made:
        got = f"{type(module).__name__} and {type(preprocessing).__name__}"
    elif isinstance(made, nn.Module):
        got = f"one whose preprocessing is a {type(preprocessing).__name__}"
    raise TypeError(
        f"{name} must return an nn.Module or a pair of nn.Module and Preprocessing, got {got}"
    )
