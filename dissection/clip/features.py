"""Features of images and texts, kept in files that can only answer for what they were made from.

A file's name is the key of everything that decides its content: the encoder's digest, and the
preprocessing and images, or the concepts. The key is in the file too, with a checksum, and both
are verified when it is read; a file that fails is made again.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from broden.probe import Probe
from broden.system.files import atomic, cache_folder, sweep
from broden.system.progress import bar
from dissection.activations.batches import batches
from dissection.clip.concepts import Concepts
from dissection.clip.encoder import Encoder, warn_too_long
from dissection.execution.ranks import Ranks

__all__ = ["FORMAT", "default_cache", "image_features", "text_features"]

FORMAT = "features/1"

log = logging.getLogger(__name__)


def default_cache() -> Path:
    """Return the user's folder for features; it need not exist."""
    return cache_folder() / "clip"


def image_features(
    encoder: Encoder,
    source: Probe,
    *,
    cache: Path | None,
    batch_size: int = 64,
    workers: int = 0,
    progress: bool = False,
    ranks: Ranks | None = None,
) -> Tensor | None:
    """Return the features of all images of a probe.

    Parameters
    ----------
    encoder, source
        What encodes, and the N images, which are resized whole.
    cache
        Folder to look in and to keep them in, such as `default_cache`; None keeps nothing.
    batch_size
        Images encoded at once.
    workers
        Threads that decode ahead; 0 decodes in this one.
    progress
        Whether to show a bar.
    ranks
        Who shares the batches out among them, all of which must be here; by default nobody.

    Returns
    -------
    (N, D) float32 on the CPU, each row of length 1; None on ranks that do not lead.

    Raises
    ------
    ValueError
        If an image cannot be decoded or a feature is not finite.
    """
    ranks, count = ranks or Ranks.alone(), len(source)
    what = {
        "preprocessing": encoder.preprocessing.as_dict(),
        "probe": source.digest,
        "images": count,
    }
    key, shape = _key("images", encoder, what), (count, encoder.dimension)
    features = _found(cache, key, shape) if ranks.leads else None
    if not ranks.all(features is not None)[0]:
        cuts = [range(at, min(at + batch_size, count)) for at in range(0, count, batch_size)]
        own = _encoded(encoder, source, ranks.share(cuts), workers, progress and ranks.leads)
        parts = ranks.gather(own)
        if ranks.leads:
            # of rank r every world-th batch from the r-th on
            features = torch.cat([parts[at % ranks.world].pop(0) for at in range(len(cuts))])
            _keep(cache, key, features)
    return features


def _encoded(
    encoder: Encoder, source: Probe, cuts: Sequence[range], workers: int, progress: bool
) -> list[Tensor]:
    """Return the features of each of some batches."""
    with (
        closing(batches(source, cuts, encoder.preprocessing, workers)) as decoded,
        bar(decoded, len(cuts), "CLIP images", progress, unit="batch") as todo,
    ):
        return [encoder.images(images).cpu() for images in todo]


def text_features(encoder: Encoder, concepts: Concepts, *, cache: Path | None) -> Tensor:
    """Return the features of the prompts of all concepts.

    Those longer than the encoder's context are named in a warning, kept features or not.

    Parameters
    ----------
    encoder, concepts
        What encodes, and the M concepts.
    cache
        As in `image_features`.

    Returns
    -------
    (M, D) float32 on the CPU, each row of length 1.

    Raises
    ------
    ValueError
        If a feature is not finite.
    """
    what: dict[str, object] = {"names": concepts.names, "prompts": concepts.prompts}
    key = _key("texts", encoder, what)
    features = _found(cache, key, (len(concepts), encoder.dimension))
    if features is None:
        features = encoder.texts(concepts.prompts).cpu()
        _keep(cache, key, features)
    else:
        warn_too_long(encoder, concepts.prompts)
    return features


def _key(kind: str, encoder: Encoder, what: dict[str, object]) -> str:
    """Return a name that features have in common only if everything behind them is equal."""
    content = json.dumps([FORMAT, kind, encoder.digest, what], sort_keys=True)
    return f"{kind}-{hashlib.sha256(content.encode()).hexdigest()}"


def _path(cache: Path, key: str) -> Path:
    return Path(cache) / f"{key}.safetensors"


def _found(cache: Path | None, key: str, shape: tuple[int, int]) -> Tensor | None:
    """Return the features kept under a key, unless there are none or they are damaged."""
    if cache is None:
        return None
    sweep(Path(cache), re.compile(r"(images|texts)-[0-9a-f]{64}\.safetensors").fullmatch)
    if not _path(cache, key).exists():
        return None
    try:
        return _read(_path(cache, key), key, shape)
    except (SafetensorError, OSError, ValueError) as error:
        log.warning("%s is damaged (%s): it is made again", _path(cache, key), error)
        return None


def _read(path: Path, key: str, shape: tuple[int, int]) -> Tensor:
    """Read features and verify them."""
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
        if header.get("key") != key or list(file.keys()) != ["features"]:
            raise ValueError("it belongs to something else")
        features = file.get_tensor("features").clone()
    if features.dtype != torch.float32 or tuple(features.shape) != shape:
        raise ValueError(f"it holds {features.dtype} of shape {tuple(features.shape)}")
    if header.get("sha256") != _checksum(features):
        raise ValueError("wrong checksum")
    return features


def _keep(cache: Path | None, key: str, features: Tensor) -> None:
    """Write features; a run does not fail because they cannot be kept."""
    if cache is None:
        return
    header = {"format": FORMAT, "key": key, "sha256": _checksum(features)}
    try:
        Path(cache).mkdir(parents=True, exist_ok=True)
        with atomic(_path(cache, key)) as file:
            file.write(save({"features": features}, header))
    except OSError as error:
        log.warning("features cannot be kept in %s (%s)", cache, error.strerror)


def _checksum(features: Tensor) -> str:
    return hashlib.sha256(features.numpy().data).hexdigest()
