"""Turn a name into a CLIP encoder: images and texts become unit vectors of one space.

What a name means, and how a file becomes a network, is `networks.sources.openclip`'s. Nothing here
keeps features (see `dissection.clip.features`).
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from broden.system.files import file_digest
from dissection.clip.scale import PUBLISHED
from dissection.networks.fingerprint import digest
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources import openclip

__all__ = ["Encoder", "load", "warn_too_long"]

log = logging.getLogger(__name__)

TEXT_BATCH = 256
"""Texts encoded at once; ViT-B-16's text tower needs about 200 MB for them."""

_PROBING = "Qualität: a photo of 2 dogs, isn't it?"


@dataclass(frozen=True, eq=False)
class Encoder:
    """Hold a CLIP ready to encode.

    The whole image is resized to `preprocessing.size`, never cropped. CLIP itself resizes the
    shorter side and crops the centre: for square images that is the same, bit for bit.

    Attributes
    ----------
    name : str
        As given to `load`.
    digest : str
        SHA-256 of architecture, weights, code and tokenizer.
    preprocessing : Preprocessing
        What images must be like.
    context_length : int
        Tokens of a text that are read, start and end included.
    dimension : int
        D, the length of a feature vector.
    weights : str
        Where the weights come from, for the run card.
    sharpness : float
        What soft_wpmi's softmax multiplies scores by, see `scale.scale_of`.
    """

    name: str
    digest: str
    preprocessing: Preprocessing
    context_length: int
    dimension: int
    weights: str
    sharpness: float
    # an nn.Module with open_clip's encode_image and encode_text
    _module: Any = field(repr=False)
    _tokenizer: Callable[..., Tensor] = field(repr=False)

    @property
    def device(self) -> torch.device:
        """Return where the encoder computes."""
        return next(self._module.parameters()).device

    def images(self, batch: Tensor) -> Tensor:
        """Encode images.

        Parameters
        ----------
        batch : (N, h, w, 3) uint8
            Decoded pixels, RGB, of `preprocessing.size`, on any device.

        Returns
        -------
        (N, D) float32 on the encoder's device, each row of length 1.

        Raises
        ------
        TypeError, ValueError
            If the batch is of another type or shape, or a feature is not finite.
        """
        pixels = self.preprocessing.normalise(batch.to(self.device))
        if tuple(pixels.shape[2:]) != self.preprocessing.size:
            got, want = ("x".join(map(str, s)) for s in (pixels.shape[2:], self.preprocessing.size))
            raise ValueError(f"encoder {self.name} takes images of {want} pixels, got {got}")
        with torch.inference_mode():
            features = self._module.encode_image(pixels, normalize=False)
        return self._unit(features, "an image")

    def texts(self, prompts: Sequence[str]) -> Tensor:
        """Encode texts; of one longer than the context only the beginning, with a warning.

        Parameters
        ----------
        prompts
            M texts, or none.

        Returns
        -------
        (M, D) float32 on the encoder's device, each row of length 1.

        Raises
        ------
        ValueError
            If a feature is not finite.
        """
        warn_too_long(self, prompts)
        parts = [torch.empty(0, self.dimension, device=self.device)]
        for first in range(0, len(prompts), TEXT_BATCH):
            tokens = self._tokenizer(list(prompts[first : first + TEXT_BATCH]))
            with torch.inference_mode():
                features = self._module.encode_text(tokens.to(self.device), normalize=False)
            parts.append(self._unit(features, "a text"))
        return torch.cat(parts)

    def too_long(self, prompts: Sequence[str]) -> list[str]:
        """Return the texts that do not fit into the context, in their order."""
        # One more token than is read: it is padding exactly where the text has ended.
        length, longer = self.context_length, self.context_length + 1
        padding = self._tokenizer([""], context_length=longer)[0, -1]
        found = []
        for first in range(0, len(prompts), TEXT_BATCH):
            chunk = list(prompts[first : first + TEXT_BATCH])
            more = self._tokenizer(chunk, context_length=longer)
            cut = (more[:, :length] != self._tokenizer(chunk, context_length=length)).any(1)
            cut |= more[:, -1] != padding
            found += [text for text, is_cut in zip(chunk, cut.tolist(), strict=True) if is_cut]
        return found

    def _unit(self, features: Tensor, what: str) -> Tensor:
        features = features.float()
        lengths = features.norm(dim=1)
        if not bool(((lengths > 0) & lengths.isfinite()).all()):
            raise ValueError(
                f"encoder {self.name} gives {what} a feature of length 0, NaN or infinity; "
                "its weights are damaged"
            )
        return F.normalize(features, dim=1)


def warn_too_long(encoder: Encoder, prompts: Sequence[str]) -> None:
    """Log which texts are truncated, if any."""
    cut = encoder.too_long(prompts)
    if cut:
        shown = ", ".join(repr(text[:80]) for text in cut[:5])
        more = f" and {len(cut) - 5} more" if len(cut) > 5 else ""
        limit = encoder.context_length
        log.warning("longer than the context of %d tokens and truncated: %s%s", limit, shown, more)


def load(
    name: str = "mini",
    *,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> Encoder:
    """Load a CLIP encoder by name.

    Parameters
    ----------
    name
        `mini`, the small CLIP of this package; `ARCHITECTURE:TAG` as open_clip lists them, such as
        the published `ViT-B-16:openai`; `local-dir:PATH`, a directory in open_clip's form; or
        `ARCHITECTURE` alone, with `weights`.
    weights
        A file to load instead; nothing is downloaded then. OpenAI's TorchScript archives (of which
        no code is executed), or a state dict in any form that `weights.checkpoints` reads.
    device
        Where the encoder computes.

    Returns
    -------
    Encoder, in float32 whatever the file has.

    Raises
    ------
    ValueError
        If the name is unknown, or a file does not fit or is damaged.
    FileNotFoundError
        If a file is missing.
    RuntimeError
        If open_clip is missing or a download fails.

    Notes
    -----
    OpenAI's networks have another activation (QuickGELU) than open_clip's of the same name. It is
    used where the tag or the form of the file says so; a state dict alone does not tell, so name
    `ViT-B-16-quickgelu` or `ViT-B-16:openai` beside it.
    """
    made = openclip.make(name, None if weights is None else Path(weights))
    return Encoder(
        name,
        _digest(made),
        made.preprocessing,
        made.context_length,
        made.dimension,
        f"{made.file.name} (sha256 {file_digest(made.file)})",
        PUBLISHED["soft_wpmi"].sharpness if made.sharpness is None else made.sharpness,
        made.module.to(device),
        made.tokenizer,
    )


def _digest(made: openclip.Made) -> str:
    """Return the SHA-256 of all that decides what features come out."""
    # What a tokenizer does is in its files as much as in its code, so it is asked.
    tokens = made.tokenizer([_PROBING])[0].tolist()
    said = json.dumps([digest(made.module), made.text, tokens], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
