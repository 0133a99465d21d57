"""Networks of the user's own: a factory in a package or a file."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from broden.system.text import nearest
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources import published
from dissection.networks.weights import checkpoints


def from_factory(name: str, weights: Path | None, random_weights: bool) -> published.Loaded:
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
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
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
