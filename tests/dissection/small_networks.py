"""Tiny networks, each with one habit that makes capturing layers hard."""

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = (32, 32)


class Residual(nn.Module):
    """A stem and a block whose one in-place ReLU runs twice and whose sum is in place."""

    def __init__(self, units: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, units, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(units)
        self.conv2 = nn.Conv2d(units, units, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(units)
        self.shortcut = nn.Conv2d(units, units, 1, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.dead = nn.Conv2d(units, units, 1)
        self.fc = nn.Linear(units, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(x))
        out += self.shortcut(x)
        out = self.relu(out)
        return self.fc(out.mean((2, 3)))


class Overwriting(nn.Module):
    """DenseNet's end: features, then a functional ReLU in place on what they gave."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.BatchNorm2d(6))
        self.late = nn.Conv2d(6, 2, 1)
        self.tail = nn.Linear(2, 2)
        self.ran_tail = 0

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu_(self.features(x))
        out = self.late(out)
        self.ran_tail += 1
        return self.tail(out.mean((2, 3)))


class Attention(nn.Module):
    """Tokens through an attention that returns a tuple, batch first or second."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 8, stride=8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
        if not self.batch_first:
            tokens = tokens.transpose(0, 1)
        return self.attention(tokens, tokens, tokens)[0]


class Odd(nn.Module):
    """Layers whose outputs are dicts, integers, or no tensors."""

    class Boxes(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"maps": x, "rest": x.sum()}

    class Argmax(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.argmax(1)

    class Shape(nn.Module):
        def forward(self, x: Tensor) -> str:
            return str(tuple(x.shape))

    class Scalar(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum()

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 2, stride=2)
        self.boxes, self.argmax, self.shape = self.Boxes(), self.Argmax(), self.Shape()
        self.scalar = self.Scalar()

    def forward(self, x: Tensor) -> Tensor:
        x = self.boxes(self.conv(x))["maps"]
        self.argmax(x)
        self.shape(x)
        return self.scalar(x)


def seeded(kind: type[nn.Module], *args: object, **kwargs: object) -> nn.Module:
    """Build a network in eval mode with weights and batch statistics that are not trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = kind(*args, **kwargs)
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
    return module.eval()


def images(n: int = 3, size: tuple[int, int] = SIZE) -> Tensor:
    """Return a batch of normalised noise."""
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(0))
