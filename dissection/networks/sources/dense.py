"""Torchvision's networks of segmentation and detection, and what is said of its other kinds."""

from pathlib import Path
from typing import Any

from torch import nn

from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources.published import Loaded, fill

__all__ = ["from_torchvision_dense", "names", "refusal"]

# Heads that only training reads; they are not built.
_AUXILIARY = ("aux_classifier.",)

# Published weights that torchvision runs with another constant than it builds networks with: they
# were trained where the variance had none added.
_NO_EPSILON = (
    "fasterrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn",
)  # fmt: skip

_OTHERS = {
    "optical_flow": "takes two images; wrap it in a module that takes one batch of images",
    "quantization": "is quantised, its maps are not of floats; use the network without quantized_",
    "video": "takes video; wrap it in a module that takes one batch of images",
}


def names() -> list[str]:
    """Return the names of torchvision's networks of segmentation and detection."""
    import torchvision.models as models

    return [
        name
        for kind in (models.segmentation, models.detection)
        for name in models.list_models(module=kind)
    ]


def refusal(name: str) -> str:
    """Return why another network of torchvision's cannot be dissected; empty for no such name."""
    import torchvision.models as models

    for kind, reason in _OTHERS.items():
        if name in models.list_models(module=getattr(models, kind)):
            return f"{name} {reason}"
    return ""


def from_torchvision_dense(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build a network of segmentation or detection, by default with its newest weights.

    A detector resizes and normalises images itself: it is shown squares of the side it would make
    of them, as plain numbers from 0 to 1.

    Raises
    ------
    RuntimeError
        If the published weights cannot be downloaded.
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    import torchvision

    published = torchvision.models.get_model_weights(name).DEFAULT
    # without the second, torchvision would download a backbone
    module = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    if not random_weights:
        fill(module, weights, published.url, _AUXILIARY)
    if name in _NO_EPSILON and published.name == "COCO_V1" and not random_weights:
        for part in module.backbone.body.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eps = 0.0
    return module, _input(module, published.transforms()), published.name


def _input(module: nn.Module, transforms: Any) -> Preprocessing:
    own = getattr(module, "transform", None)
    if own is None:
        return Preprocessing(
            size=transforms.resize_size[0],
            mean=transforms.mean,
            std=transforms.std,
            interpolation=transforms.interpolation.value,
        )
    size = own.fixed_size or own.min_size[0]
    return Preprocessing(size=size, mean=(0.0,) * 3, std=(1.0,) * 3)
