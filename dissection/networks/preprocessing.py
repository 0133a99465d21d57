"""How pixels become a network's input: size, interpolation and normalisation.

Every network keeps the preprocessing it was trained with. Images are resized whole to the input
size, never cropped, by whoever decodes them; this module states the size and the Pillow filter,
and turns the decoded bytes into the float batch.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "INTERPOLATIONS", "Preprocessing"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Red, green and blue in the luma of ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)

INTERPOLATIONS: dict[str, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


@dataclass(frozen=True)
class Preprocessing:
    """State what a network expects of its input.

    Attributes
    ----------
    size : (h, w)
        Network input in pixels. One number stands for a square.
    mean, std : three floats each
        Of red, green and blue, on the scale where 255 is 1.
    interpolation : str
        One of `INTERPOLATIONS`; how an image is resized to `size`.
    channels : int
        3, or 1 for a network of grey images: it is shown the luma of ITU-R BT.601, normalised with
        the luma of `mean` and `std`.

    Raises
    ------
    TypeError, ValueError
        If a field is not of this form or range.

    Examples
    --------
    >>> Preprocessing(size=32).as_dict()["size"]
    [32, 32]
    """

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"
    channels: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _checked_size(self.size))
        object.__setattr__(self, "mean", _checked_triple("mean", self.mean))
        object.__setattr__(self, "std", _checked_triple("std", self.std))
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0 for each colour, got {self.std}")
        if self.interpolation not in INTERPOLATIONS:
            allowed = ", ".join(INTERPOLATIONS)
            raise ValueError(f"unknown interpolation {self.interpolation!r}; allowed: {allowed}")
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 3, or 1 for grey images, got {self.channels!r}")

    @property
    def resample(self) -> Image.Resampling:
        """Return the Pillow filter of `interpolation`."""
        return INTERPOLATIONS[self.interpolation]

    def as_dict(self) -> dict[str, object]:
        """Return the fields as JSON knows them, for the run card and the content key.

        Channels are left out where there are three, which goes without saying.
        """
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        if self.channels == 3:
            del fields["channels"]
        return fields

    def normalise(self, batch: Tensor) -> Tensor:
        """Scale decoded pixels to the network's input, (x / 255 - mean) / std.

        The operations and their order are torchvision's, so the values are the same bits.

        Parameters
        ----------
        batch : (N, h, w, 3) uint8
            Decoded pixels, RGB, on any device.

        Returns
        -------
        (N, channels, h, w) float32 Tensor in channels_last memory format, on the device of `batch`.

        Raises
        ------
        TypeError, ValueError
            If the batch is not uint8, or not of that shape.
        """
        if batch.dtype != torch.uint8:
            raise TypeError(f"a batch of pixels must be uint8, got {batch.dtype}")
        if batch.ndim != 4 or batch.shape[3] != 3:
            raise ValueError(f"a batch of pixels must be (N, h, w, 3), got {tuple(batch.shape)}")
        n, h, w, _ = batch.shape
        if self.channels == 1:
            return _grey(batch, self.mean, self.std)
        # Rows of w*3 values: a broadcast over the innermost 3 would run in loops of length three.
        rows = batch.reshape(n * h, w * 3).to(torch.float32)
        mean, std = (_repeated(v, w, batch.device) for v in (self.mean, self.std))
        rows.div_(255).sub_(mean).div_(std)
        return rows.view(n, h, w, 3).permute(0, 3, 1, 2)


def _repeated(values: tuple[float, ...], times: int, device: torch.device) -> Tensor:
    """Return values again and again, (3 w,); other devices than the CPU are given them once."""
    return (_made if device.type == "cpu" else _kept)(values, times, device)


def _made(values: tuple[float, ...], times: int, device: torch.device) -> Tensor:
    return torch.tensor(values).repeat(times).to(device)


_kept = lru_cache(maxsize=8)(_made)


def _grey(batch: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return the normalised luma of pixels, (N, 1, h, w) float32."""
    weights = _repeated(_LUMA, 1, batch.device)
    luma = (batch.to(torch.float32) * weights).sum(3, keepdim=True)
    middle, spread = (sum(w * v for w, v in zip(_LUMA, vs, strict=True)) for vs in (mean, std))
    return luma.div_(255).sub_(middle).div_(spread).permute(0, 3, 1, 2)


def _checked_size(size: int | Sequence[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ValueError(f"input size must be one or two pixel counts of at least 1, got {size!r}")
    return sides


def _checked_triple(name: str, values: Sequence[float]) -> tuple[float, float, float]:
    if isinstance(values, str | float | int):
        raise TypeError(f"{name} must be three numbers, got {values!r}")
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must be three finite numbers, got {values!r}")
    return numbers
