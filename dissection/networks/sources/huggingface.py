"""Networks that the transformers library knows, by `hf:NAME` or `hf:DIRECTORY`."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from broden.system.text import one_line
from dissection.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from dissection.networks.sources.published import Loaded
from dissection.networks.weights import checkpoints

__all__ = ["from_transformers"]

_EXTRA = "install it with: pip install 'network-dissection[transformers]'"
# Pillow's filters by number, which is how image processors name them.
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def from_transformers(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build what `AutoModel` makes of a name, with the input of its image processor.

    Of a network of images and texts it is the part that sees the images. No code of a repository is
    executed.

    Raises
    ------
    RuntimeError
        If transformers is missing, or the network cannot be had.
    ValueError, FileNotFoundError
        If it is no network of images, or a weight file is missing or does not fit.
    """
    library, wanted = _library(name), name.removeprefix("hf:")
    try:
        config = library.AutoConfig.from_pretrained(wanted, trust_remote_code=False)
        if weights is None and not random_weights:
            module = library.AutoModel.from_pretrained(wanted, trust_remote_code=False)
        else:
            module = library.AutoModel.from_config(config, trust_remote_code=False)
        processor = _processor(wanted, library)
    # A hub without a connection, and a repository that holds anything, fail in many ways.
    except Exception as error:
        raise RuntimeError(f"{name} cannot be loaded, {one_line(error)}") from error
    module = _seeing(name, module)
    if weights is not None:
        checkpoints.load_into(module, checkpoints.read(weights), weights)
    return module, _input(processor, module.config), f"transformers {wanted}"


def _library(name: str) -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise RuntimeError(f"{name} needs the package transformers; {_EXTRA}") from error
    return transformers


def _processor(wanted: str, library: ModuleType) -> Any:
    """Return the image processor of a network; None where it has none."""
    try:
        return library.AutoImageProcessor.from_pretrained(wanted, trust_remote_code=False)
    # whichever way it says that there is none
    except (OSError, ValueError, KeyError, ImportError):
        return None


def _seeing(name: str, module: nn.Module) -> Any:
    """Return the part of a network that takes images."""
    seeing = getattr(module, "vision_model", module)
    if getattr(seeing, "main_input_name", "pixel_values") != "pixel_values":
        raise ValueError(
            f"{name} takes {seeing.main_input_name}, not images; name a network of images"
        )
    return seeing


def _input(processor: Any, config: Any) -> Preprocessing:
    """Return how images are shown to a network: as its processor makes them, whole."""
    if processor is None:
        return Preprocessing(_side(getattr(config, "image_size", None)))
    size = _side(getattr(processor, "crop_size", None) or getattr(processor, "size", None))
    mean: Sequence[float] = (0.0,) * 3
    std: Sequence[float] = (1.0,) * 3
    if getattr(processor, "do_normalize", True):
        mean = getattr(processor, "image_mean", None) or IMAGENET_MEAN
        std = getattr(processor, "image_std", None) or IMAGENET_STD
    # what a pixel of 255 becomes before it is normalised
    white = 255.0
    if getattr(processor, "do_rescale", True):
        white *= getattr(processor, "rescale_factor", 1 / 255)
    return Preprocessing(
        size,
        _divided(mean, white),
        _divided(std, white),
        _FILTERS.get(int(getattr(processor, "resample", 2) or 0), "bilinear"),
    )


def _divided(values: Sequence[float], by: float) -> tuple[float, float, float]:
    red, green, blue = (float(value) / by for value in values)
    return red, green, blue


def _side(size: Any) -> tuple[int, int]:
    """Return height and width from any of the forms that sizes have."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    known = {k: getattr(size, k, None) or (dict(size).get(k) if size else None) for k in _SIDES}
    if known["height"] and known["width"]:
        return int(known["height"]), int(known["width"])
    side = int(known["shortest_edge"] or known["longest_edge"] or 224)
    return side, side


_SIDES = ("height", "width", "shortest_edge", "longest_edge")
