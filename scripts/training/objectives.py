"""What the small networks are asked while they are trained: the class, and two auxiliary tasks.

From layer2 they tell which colour, texture and material is where; some also tell from each place of
layer4 what the whole image is. Only the network itself is kept.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dissection.networks.sources.mini import WIDTHS, SmallResNet
from training.drawn import KINDS

#: Side of the maps of surfaces: what layer2 has of images of 112 pixels.
SIDE = 14
_SMOOTHING = 0.07
# Most places have no named colour, texture or material; to say so counts less than to name one.
_NONE = 0.3


def named(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of the classes (N); an image of none, -1, should be named nothing.

    Nothing is every class alike, so that what only shows a texture excites no unit.
    """
    classes = logits.shape[1]
    targets = F.one_hot(labels.clamp(min=0), classes).float()
    smoothed = targets * (1 - _SMOOTHING) + _SMOOTHING / classes
    nothing = torch.full_like(smoothed, 1 / classes)
    return F.cross_entropy(logits, torch.where(labels[:, None] < 0, nothing, smoothed))


class Training(nn.Module):
    """A network in training, with a head that reads colours, textures and materials off layer2.

    Parameters
    ----------
    network : SmallResNet
        What is trained, and left without hooks by `close`.
    surfaces, places : float
        Weights of the two auxiliary tasks.
    """

    def __init__(self, network: SmallResNet, surfaces: float, places: float) -> None:
        super().__init__()
        self.network, self.surfaces, self.places = network, surfaces, places
        self.head = nn.Conv2d(WIDTHS[1], sum(KINDS), 1)
        # Evidence for a kind is what some unit says, never what none says: see `_surfaces`.
        nn.init.uniform_(self.head.weight, 0, 0.02)
        self._seen: dict[str, Tensor] = {}
        layers = {"layer2": network.layer2, "layer4": network.layer4}
        self._hooks = [
            layer.register_forward_hook(self._keeper(name)) for name, layer in layers.items()
        ]

    def _keeper(self, name: str) -> Any:
        def keep(module: nn.Module, given: Any, out: Tensor) -> None:
            self._seen[name] = out

        return keep

    def loss(self, images: Tensor, labels: Tensor, maps: Tensor) -> Tensor:
        """Return the loss of normalised images, their classes (N) and surfaces (N, 3, g, g)."""
        total = named(self.network(images).float(), labels)
        if self.surfaces:
            total = total + self.surfaces * self._surfaces(maps)
        if self.places:
            total = total + self.places * self._places(labels)
        return total

    def _surfaces(self, maps: Tensor) -> Tensor:
        x = self._seen["layer2"]
        if x.shape[-1] != maps.shape[-1]:
            x = F.adaptive_avg_pool2d(x, maps.shape[-1])
        logits = F.conv2d(x, self.head.weight.abs(), self.head.bias).float().split(KINDS, 1)
        losses = []
        for scores, plane, kinds in zip(logits, maps.unbind(1), KINDS, strict=True):
            weight = torch.ones(kinds)
            weight[0] = _NONE
            losses.append(F.cross_entropy(scores, plane.long(), weight))
        return torch.stack(losses).mean()

    def _places(self, labels: Tensor) -> Tensor:
        places = self._seen["layer4"].float().flatten(2).transpose(1, 2)
        logits = self.network.fc(places.flatten(0, 1)).float()
        return named(logits, labels[:, None].expand(-1, places.shape[1]).flatten())

    def close(self) -> None:
        """Leave the network as it was, without hooks."""
        for hook in self._hooks:
            hook.remove()
