"""Read an encoder's directory, in the form open_clip calls local-dir, as data.

Its configuration may name towers and tokenizers of other libraries, which run code that lies in a
directory or fetch it. Here only what open_clip itself builds is taken, and a tokenizer.json.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from broden.system.text import one_line

__all__ = ["CARD", "CONFIG", "read", "sharpness", "tokenizer", "weights"]

CONFIG = "open_clip_config.json"
CARD = "card.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"

# In open_clip's order of preference.
_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
)

# Keys by which another library is told to run code, or to fetch a network.
_CODE = ("trust_remote_code", "auto_map", "custom_pipelines", "code_revision")
_ELSEWHERE = ("hf_model_name", "hf_model_pretrained", "hf_hub_id")
# What open_clip's own tokenizer may be told; the path of a vocabulary is not among it.
_OPTIONS = ("context_length", "clean", "reduction_mask", "additional_special_tokens")


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configurations of the network and of its preprocessing.

    Raises
    ------
    FileNotFoundError
        If there is no configuration.
    ValueError
        If it is damaged, or asks for code or networks of elsewhere.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; local-dir: takes a directory in open_clip's form")
    content = _json(path)
    config = content.get("model_cfg") if isinstance(content, dict) else None
    if not isinstance(config, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
        raise ValueError(f"{path} lacks model_cfg with embed_dim, vision_cfg and text_cfg")
    text, vision = config["text_cfg"], config["vision_cfg"]
    if not isinstance(text, dict) or not isinstance(vision, dict):
        raise ValueError(f"{path}: text_cfg and vision_cfg must be objects")
    _check(path, content)
    _check_towers(path, text, vision)
    preprocessing = content.get("preprocess_cfg") or {}
    if not isinstance(preprocessing, dict):
        raise ValueError(f"{path}: preprocess_cfg must be an object")
    return config, preprocessing


def sharpness(folder: Path) -> float | None:
    """Return what the card in a directory says of the sharpness of a softmax of scores.

    Returns
    -------
    float or None
        None where there is no card, or it says nothing of it.

    Raises
    ------
    ValueError
        If the card is damaged, or what it says is no number above 0.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    card = _json(path)
    said = card.get("sharpness") if isinstance(card, dict) else None
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said < math.inf:
        raise ValueError(f"{path}: sharpness must be a number above 0, got {said!r}")
    return float(said)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, {one_line(error)}") from error


def _check(path: Path, content: Any) -> None:
    """Refuse keys by which code would be run, wherever they stand."""
    for key, value in _keys(content):
        if key in _CODE and value:
            raise ValueError(f"{path}: {key} asks to run code of a directory; that is refused")


def _keys(content: Any) -> Iterator[tuple[str, Any]]:
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _check_towers(path: Path, text: Mapping[str, Any], vision: Mapping[str, Any]) -> None:
    """Refuse towers that other libraries would fetch, and options that name files."""
    for key in _ELSEWHERE:
        if text.get(key) or vision.get(key):
            raise ValueError(
                f"{path}: {key} names a network of elsewhere; only what open_clip builds is taken"
            )
    timm = vision.get("timm_model_name") or ""
    if not isinstance(timm, str) or set(timm) & set(":/\\"):
        raise ValueError(f"{path}: timm_model_name is {timm!r}, no plain name of timm")
    options = text.get("tokenizer_kwargs") or {}
    if not isinstance(options, dict) or not set(options) <= set(_OPTIONS):
        wrong = sorted(set(options) - set(_OPTIONS)) if isinstance(options, dict) else [options]
        raise ValueError(
            f"{path}: tokenizer_kwargs has {wrong[0]!r}; allowed are {', '.join(_OPTIONS)}"
        )


def weights(folder: Path) -> Path:
    """Return the weight file in a directory.

    Raises
    ------
    FileNotFoundError
        If there is none, or which one is not clear.
    """
    for known in _WEIGHTS:
        if (folder / known).is_file():
            return folder / known
    suffixes = (".safetensors", ".bin", ".pt", ".pth")
    found = sorted(p for p in folder.iterdir() if p.suffix in suffixes and p.is_file())
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        raise FileNotFoundError(
            f"{folder} must hold one weight file, or one called {_WEIGHTS[0]}; found: {names}"
        )
    return found[0]


def tokenizer(folder: Path, length: int) -> Callable[..., Tensor]:
    """Return the tokenizer in a directory, read as data.

    It does what open_clip's does with one of transformers: texts are cut at `length` tokens, and
    filled up with the padding token.

    Raises
    ------
    ValueError
        If there is no tokenizer.json, it is damaged, or a configuration beside it asks for code.
    RuntimeError
        If the package that reads it is missing.
    """
    path = folder / TOKENIZER
    options = _json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).is_file() else {}
    _check(folder / TOKENIZER_CONFIG, options)
    if not path.is_file():
        raise ValueError(
            f"{folder / CONFIG}: hf_tokenizer_name names a tokenizer of transformers; "
            f"save it as {path}, which is read as data"
        )
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise RuntimeError(f"{path} needs the package tokenizers") from error
    try:
        made = Tokenizer.from_file(str(path))
    # the library raises Exception itself
    except Exception as error:
        raise ValueError(f"{path} is damaged, {one_line(error)}") from error
    token = options.get("pad_token") if isinstance(options, dict) else None
    pad = made.token_to_id(str(token.get("content") if isinstance(token, dict) else token)) or 0
    made.enable_truncation(length)
    made.enable_padding(length=length, pad_id=pad)

    def tokens(texts: str | list[str], context_length: int | None = None) -> Tensor:
        encoded = made.encode_batch([texts] if isinstance(texts, str) else list(texts))
        return torch.tensor([one.ids for one in encoded])[:, : context_length or length]

    return tokens
