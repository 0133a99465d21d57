"""What the small networks are asked while they are trained: the class, and auxiliary tasks.

From layer2 they tell which colour, texture and material is where. From layer4 `mini_objects` tells
which things are in the image, and `mini_scenes` from each place what the whole image is. Only the
network itself is kept.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dissection.networks.sources.mini import WIDTHS, SmallResNet
from training.drawn import KINDS, STANDING

#: Side of the maps of surfaces: what layer2 has of images of 112 pixels.
SIDE = 14
_SMOOTHING = 0.07
# Most places have no named colour, texture or material; to say so counts less than to name one.
_NONE = 0.3


def named(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of the classes (N); an image of none, -1, should be named nothing.

    Nothing is every class alike, so that what only shows a texture excites no unit. Of an image
    with -2 nothing is asked.
    """
    asked = labels > -2
    logits, labels = logits[asked], labels[asked]
    classes = logits.shape[1]
    targets = F.one_hot(labels.clamp(min=0), classes).float()
    smoothed = targets * (1 - _SMOOTHING) + _SMOOTHING / classes
    nothing = torch.full_like(smoothed, 1 / classes)
    targets = torch.where(labels[:, None] < 0, nothing, smoothed)
    return F.cross_entropy(logits, targets, reduction="sum") / max(len(labels), 1)


class Training(nn.Module):
    """A network in training, with a head that reads colours, textures and materials off layer2.

    Parameters
    ----------
    network : SmallResNet
        What is trained, and left without hooks by `close`.
    surfaces, places, things : float
        Weights of the auxiliary tasks; 0 for none.
    """

    def __init__(self, network: SmallResNet, surfaces: float, places: float, things: float) -> None:
        super().__init__()
        self.network, self.surfaces, self.places, self.things = network, surfaces, places, things
        self.head = nn.Conv2d(WIDTHS[1], sum(KINDS), 1)
        # Evidence for a kind is what some unit says, never what none says: see `_surfaces`.
        nn.init.uniform_(self.head.weight, 0, 0.02)
        self.standing = nn.Linear(WIDTHS[3], len(STANDING)) if things else None
        self._seen: dict[str, Tensor] = {}
        layers = {"layer2": network.layer2, "layer4": network.layer4}
        self._hooks = [
            layer.register_forward_hook(self._keeper(name)) for name, layer in layers.items()
        ]

    def _keeper(self, name: str) -> Any:
        def keep(module: nn.Module, given: Any, out: Tensor) -> None:
            self._seen[name] = out

        return keep

    def loss(self, images: Tensor, labels: Tensor, maps: Tensor, things: Tensor) -> Tensor:
        """Return the loss of normalised images.

        labels : int64 (N), -1 for none, -2 where it is not asked; maps : uint8 (N, 3, g, g), the
        surfaces; things : bool (N, T), which things can be seen.
        """
        total = named(self.network(images).float(), labels)
        if self.surfaces:
            total = total + self.surfaces * self._surfaces(maps)
        if self.places:
            total = total + self.places * self._places(labels)
        if self.standing is not None:
            best = self._seen["layer4"].flatten(2).amax(2)
            wrong = F.binary_cross_entropy_with_logits(
                self.standing(best).float(), things.float(), reduction="sum"
            )
            total = total + self.things * wrong / len(things)
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
