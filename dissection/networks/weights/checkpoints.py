"""Read weight files of every published form, without executing anything in them.

Forms: safetensors, torch's zip and legacy formats, TorchScript, and the tar serialisation torch
wrote before 0.1.10. Reading gives a plain state dict with today's names; `fitting` puts it into a
network. Nothing here downloads or builds networks.
"""

import re
import tarfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dissection.networks.weights import inert, tar, torchscript
from dissection.networks.weights.fitting import current_name, load_into, renamed
from dissection.networks.weights.signatures import foreign

__all__ = ["current_name", "load_into", "read"]

# Where training scripts put the state dict, in order of preference.
_STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "ema")
_SAVE_HINT = "save its weights alone with torch.save(network.state_dict(), FILE)"


def read(path: str | Path) -> dict[str, Tensor]:
    """Read the state dict of a weight file, onto the CPU.

    The state dict may lie beside other entries: under `state_dict`, `model` and the like, or as
    the only dict of tensors there is. Names are brought to their present form (`current_name`).

    Parameters
    ----------
    path
        A safetensors file, or what `torch.save` wrote in any of its formats.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it would execute code, is a pickled network, is damaged, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weight file {path}")
    try:
        content = _parse(path)
    # Hostile or damaged bytes fail in any way at all; each means that the file is of no use.
    except Exception as error:
        raise ValueError(_complaint(path, error)) from error
    state = _state_in(content)
    if state is None:
        raise ValueError(f"{path} holds no state dict but {_outline(content)}; {_SAVE_HINT}")
    return renamed(state)


def _state_in(content: Any, depth: int = 3) -> Mapping[str, Tensor] | None:
    """Return the state dict in what a file held, or None."""
    if not isinstance(content, Mapping) or not depth:
        return None
    if _is_state(content):
        return content
    for key in _STATE_KEYS:
        state = _state_in(content.get(key), depth - 1)
        if state is not None:
            return state
    inside = [value for value in content.values() if _is_state(value)]
    if len(inside) == 1:
        return inside[0]
    # the options of a script among the weights themselves
    loose = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return loose if any("." in str(name) for name in loose) and _is_state(loose) else None


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    )


def _outline(content: Any) -> str:
    """Say in a few words what a file held instead of a state dict."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for key in list(content)[:6]]
    return f"entries {', '.join(keys)}{', ...' if len(content) > 6 else ''}" if keys else "nothing"


def _complaint(path: Path, error: Exception) -> str:
    """Say in one line why a file is refused."""
    kind = foreign(path)
    if kind:
        return f"{path} is {kind}"
    forbidden = re.search(r"GLOBAL (\S+)", str(error))
    if forbidden:
        return (
            f"{path} is refused: it holds no weights but objects ({forbidden[1]}) and reading "
            f"them could execute code; load it where you trust it and {_SAVE_HINT}"
        )
    reason = f"{type(error).__name__} {' '.join(str(error).split())[:160]}".rstrip()
    return f"{path} is not a weight file that can be read, or it is damaged or cut off: {reason}"


def _parse(path: Path) -> Any:
    """Return the content of a file of any form."""
    with path.open("rb") as file:
        head = file.read(9)
    if not head:
        raise ValueError("the file is empty")
    # safetensors begins with the length of its JSON header in eight bytes.
    if head[8:] == b"{":
        return load_file(path)
    if torchscript.is_torchscript(path):
        return torchscript.read(path)
    try:
        archive = tarfile.open(path, "r:")
    except tarfile.ReadError:
        return _parse_pickle(path)
    with archive:
        return tar.parse(archive)


def _parse_pickle(path: Path) -> Any:
    """Return the content of torch's zip or legacy form, of objects beside tensors only a shell."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol|.*TorchScript", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        try:
            content = inert.read(path)
        # of no use either; the first reason is the one to tell
        except Exception:
            raise error from None
        if _state_in(content) is None:
            raise
        return content
