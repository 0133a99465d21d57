"""Build open_clip's networks from a name and a weight file, without executing anything in it.

Architectures, tokenizers and tags are open_clip's (an optional extra, imported when first needed);
weights are read by `dissection.networks.weights`.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from broden.system.text import nearest, one_line
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources import mini
from dissection.networks.sources import openclip_folder as directory
from dissection.networks.sources.published import Loaded
from dissection.networks.weights import checkpoints, torchscript

__all__ = ["Made", "from_open_clip", "make"]

_EXTRA = "install it with: pip install 'network-dissection[clip]'"
_FORMS = "mini, ARCHITECTURE:TAG as open_clip lists them, local-dir:PATH, ARCHITECTURE with weights"
# What OpenAI's archives hold beside weights.
_OPENAI_NUMBERS = ("input_resolution", "context_length", "vocab_size")


class Made(NamedTuple):
    """A CLIP with all that belongs to it."""

    module: nn.Module
    """In eval mode and float32, on the CPU; has `encode_image` and `encode_text`."""
    tokenizer: Callable[..., Tensor]
    """Texts, and `context_length`, -> (M, context_length) int64."""
    preprocessing: Preprocessing
    text: dict[str, Any]
    """open_clip's configuration of the text side."""
    context_length: int
    dimension: int
    file: Path
    """Where the weights were read from."""
    sharpness: float | None
    """What the card beside them says, see `openclip_folder.sharpness`."""


class _Plan(NamedTuple):
    """What a name means."""

    source: str
    """What open_clip calls it."""
    config: dict[str, Any]
    input: dict[str, Any]
    """What is known of the preprocessing."""
    file: Path
    sharpness: float | None = None


def make(name: str, weights: Path | None) -> Made:
    """Build a network by name; `dissection.clip.encoder.load` says what may be given.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        As `load` says.
    """
    library = _library(name)
    with _unlogged(), torch.random.fork_rng(devices=[]):
        plan = _plan(name, weights, library)
        state = _read(plan.file)
        # OpenAI trained with another activation than open_clip's networks of the same names have.
        if [key for key in _OPENAI_NUMBERS if state.pop(key, None) is not None]:
            plan.config["quick_gelu"] = True
        module = _built(name, plan.config, library)
        _fill(module, state, plan.file)
        tokenizer = _tokenizer(name, plan, library)
    text = plan.config["text_cfg"]
    length = text.get("context_length") or cast(Any, tokenizer).context_length
    preprocessing, dimension = _input(module, plan, library), plan.config["embed_dim"]
    return Made(
        module.eval(),
        tokenizer,
        preprocessing,
        text,
        length,
        dimension,
        plan.file,
        plan.sharpness,
    )


def from_open_clip(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build the part of `open_clip:NAME` that sees images, to be dissected.

    NAME is what `make` takes: ARCHITECTURE:TAG, local-dir:PATH, ARCHITECTURE with weights, mini.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        If there is no such network, or its weights cannot be had.
    """
    wanted = name.removeprefix("open_clip:")
    if not random_weights:
        made = make(wanted, weights)
        return (
            cast(nn.Module, made.module.visual),
            made.preprocessing,
            f"open_clip {wanted} ({made.file.name})",
        )
    library = _library(name)
    with _unlogged():
        plan = _plan(wanted, None, library, bare=True)
        module = _built(name, plan.config, library)
    return cast(nn.Module, module.visual), _input(module, plan, library), f"open_clip {wanted}"


def _input(module: nn.Module, plan: _Plan, library: ModuleType) -> Preprocessing:
    return Preprocessing(
        cast(Any, getattr(module.visual, "image_size", 224)),
        plan.input.get("mean") or library.OPENAI_DATASET_MEAN,
        plan.input.get("std") or library.OPENAI_DATASET_STD,
        plan.input.get("interpolation") or "bicubic",
    )


def _library(name: str) -> ModuleType:
    try:
        import open_clip
    except ImportError as error:
        raise RuntimeError(f"encoder {name} needs the package open_clip_torch; {_EXTRA}") from error
    return open_clip


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep open_clip from setting up the root logger, which its first message does otherwise."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)


def _plan(name: str, weights: Path | None, library: ModuleType, bare: bool = False) -> _Plan:
    """Find out what a name means; `bare` of weights where they are to stay random."""
    if weights is not None and not weights.is_file():
        raise FileNotFoundError(f"no weight file {weights} for encoder {name}")
    scheme, _, rest = name.partition(":")
    if name == "mini":
        if not (mini.CLIP / directory.CONFIG).is_file():
            raise FileNotFoundError(
                f"no embedded CLIP in {mini.CLIP}; train it with scripts/train_mini.py, "
                "or name another encoder such as ViT-B-16:openai"
            )
        return _in_folder(mini.CLIP, weights, bare)
    if scheme == "local-dir" and rest:
        return _in_folder(Path(rest).expanduser(), weights, bare)
    architecture = scheme.replace("/", "-")
    if architecture not in library.list_models():
        near = nearest(architecture, ["mini", "local-dir", *library.list_models()])
        raise ValueError(f"unknown encoder {name!r}{near}; allowed: {_FORMS}")
    config = library.get_model_config(architecture)
    tag = {} if bare else _tag(architecture, rest, weights, library)
    config["quick_gelu"] = bool(tag.get("quick_gelu") or config.get("quick_gelu"))
    file = Path() if bare else weights or _downloaded(name, tag, library)
    return _Plan(architecture, config, dict(tag), file)


def _in_folder(folder: Path, weights: Path | None, bare: bool = False) -> _Plan:
    """Read a directory in the form open_clip calls local-dir."""
    config, preprocessing = directory.read(folder)
    file = Path() if bare else weights or directory.weights(folder)
    # a card speaks of the weights beside it
    said = None if weights else directory.sharpness(folder)
    return _Plan(f"local-dir:{folder}", config, preprocessing, file, said)


def _tag(
    architecture: str, tag: str, weights: Path | None, library: ModuleType
) -> Mapping[str, Any]:
    """Return what open_clip knows of pretrained weights; nothing if a file stands for them."""
    tags = library.list_pretrained_tags_by_model(architecture)
    known = f"{architecture} has {', '.join(tags) if tags else 'none'}"
    if tag and not library.is_pretrained_cfg(architecture, tag):
        raise ValueError(f"unknown tag {tag!r} of encoder{nearest(tag, tags)}; {known}")
    if not tag and weights is None:
        raise ValueError(f"encoder {architecture} needs a tag or a weight file; of tags, {known}")
    return library.get_pretrained_cfg(architecture, tag) if tag else {}


def _downloaded(name: str, tag: Mapping[str, Any], library: ModuleType) -> Path:
    """Return the published weights, from the cache or downloaded."""
    try:
        return Path(library.download_pretrained(dict(tag)))
    # Without a connection, the hub fails in many ways, none of them documented.
    except Exception as error:
        raise RuntimeError(
            f"the weights of encoder {name} cannot be downloaded, {one_line(error)}; "
            "get the file elsewhere and give it as the encoder's weights"
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    if torchscript.is_torchscript(path):
        return torchscript.read(path)
    return checkpoints.read(path)


def _built(name: str, config: Mapping[str, Any], library: ModuleType) -> nn.Module:
    """Build a network with random weights, of the kind that open_clip's create_model chooses."""
    fields = dict(config)
    custom = fields.pop("custom_text", False) or fields["text_cfg"].get("hf_model_name")
    # Both would fetch the weights of one tower, only to have them replaced.
    if "timm_model_name" in fields["vision_cfg"]:
        fields["vision_cfg"] = {**fields["vision_cfg"], "timm_model_pretrained": False}
    if custom and "hf_model_name" in fields["text_cfg"]:
        fields["text_cfg"] = {**fields["text_cfg"], "hf_model_pretrained": False}
    kind = library.CLIP
    if custom:
        kind = library.CoCa if "multimodal_cfg" in fields else library.CustomTextCLIP
    try:
        return kind(**fields)
    # A configuration may be wrong in any way, and so may what it makes open_clip fetch.
    except Exception as error:
        raise ValueError(f"encoder {name} cannot be built, {one_line(error)}") from error


def _fill(module: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load weights, in the names that open_clip's older and other published files have."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    own = module.state_dict()
    state = convert_state_dict(module, state)
    if "positional_embedding" in state and "positional_embedding" not in own:
        state = convert_to_custom_text_state_dict(state)
    # Saved as a number or as a vector of one; as a buffer, or not at all.
    for key in ("logit_scale", "logit_bias"):
        if key in state and key in own and state[key].numel() == 1:
            state[key] = state[key].reshape(own[key].shape)
    for key in [key for key in state if key.endswith(("attn_mask", "position_ids"))]:
        if key not in own:
            del state[key]
    checkpoints.load_into(module, state, file, whole=True)


def _tokenizer(name: str, plan: _Plan, library: ModuleType) -> Callable[..., Tensor]:
    text = plan.config["text_cfg"]
    folder = plan.source.removeprefix("local-dir:")
    # open_clip would have another library read what lies there, and run it
    if folder != plan.source and text.get("hf_tokenizer_name"):
        return directory.tokenizer(Path(folder), text.get("context_length") or 77)
    try:
        if folder == plan.source:
            return library.get_tokenizer(plan.source)
        options = {"context_length": text.get("context_length", 77)}
        return library.SimpleTokenizer(**options | text.get("tokenizer_kwargs", {}))
    # Some are in a further package, some have to be downloaded.
    except Exception as error:
        raise RuntimeError(f"encoder {name} has no tokenizer here, {one_line(error)}") from error
