"""The small networks trained on mini-Broden, and where their weights lie in the package.

`mini_objects` names the main object of an image and `mini_scenes` the scene; `mini_random` is the
same network untrained. The card beside each weight file says how it came about; all are made by
scripts/train_mini.py. `CLIP` is a directory in the form open_clip loads.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from broden.mini.scenes import SCENES
from broden.mini.vocabulary import MAIN
from broden.system.files import file_digest
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources.published import Loaded
from dissection.networks.weights import checkpoints

__all__ = ["CLASSES", "CLIP", "WEIGHTS", "WIDTHS", "SmallResNet", "trained", "untrained"]

WEIGHTS = Path(__file__).parents[2] / "weights"
CLIP = WEIGHTS / "clip"
WIDTHS = (32, 64, 128, 256)
CLASSES: dict[str, tuple[str, ...]] = {
    "mini_objects": tuple(MAIN),
    "mini_scenes": tuple(SCENES),
    "mini_random": tuple(MAIN),
}


class SmallResNet(nn.Module):
    """A narrow ResNet-18: four stages of two basic blocks, with torchvision's names.

    Parameters
    ----------
    num_classes
        Number of outputs.
    widths
        Channels of the four stages; the stem has those of the first.

    Examples
    --------
    >>> sum(p.numel() for p in SmallResNet(20).parameters())
    2804020
    """

    def __init__(self, num_classes: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        stem = widths[0]
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(stem, widths[0], 1)
        self.layer2 = _stage(widths[0], widths[1], 2)
        self.layer3 = _stage(widths[1], widths[2], 2)
        self.layer4 = _stage(widths[2], widths[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        # As torchvision's ResNets begin, so that an untrained one is comparable with theirs.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_classes) of normalised images (N, 3, h, w)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(before: int, width: int, stride: int) -> nn.Sequential:
    # takes a second to import, and other networks need it not
    from torchvision.models.resnet import BasicBlock

    shortcut = None
    if stride > 1 or before != width:
        shortcut = nn.Sequential(
            nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
        )
    return nn.Sequential(BasicBlock(before, width, stride, shortcut), BasicBlock(width, width))


def trained(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build `mini_objects` or `mini_scenes`, by default with the weights in the package.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    if random_weights:
        return untrained(name, None, True)
    path = WEIGHTS / f"{name}.safetensors" if weights is None else weights
    state = checkpoints.read(path)
    # A file of one's own may have been trained on other classes.
    head = state.get("fc.weight")
    own = head is not None and head.ndim == 2
    module = SmallResNet(len(head) if own and head is not None else len(CLASSES[name]))
    checkpoints.load_into(module, state, path)
    return module, Preprocessing(), f"{path.name} (sha256 {file_digest(path)})"


def untrained(name: str, weights: Path | None, random_weights: bool) -> Loaded:
    """Build `mini_random`, whose weights stay as initialised unless a file is given.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or does not fit.
    """
    if weights is not None:
        return trained(name, weights, False)
    described = f"random (seed {torch.initial_seed()})"
    return SmallResNet(len(CLASSES[name])), Preprocessing(), described
