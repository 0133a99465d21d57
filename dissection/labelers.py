"""Which labelers there are."""

from collections.abc import Callable

from broden.probe import Probe
from dissection.clip.labeler import ClipLabeler
from dissection.config import ClipConfig, IouConfig, labelers_of
from dissection.labeler import Labeler
from dissection.overlap.labeler import OverlapLabeler

__all__ = ["labelers"]

_MADE: dict[str, Callable[[IouConfig, ClipConfig, Probe], Labeler]] = {
    "iou": lambda iou, clip, probe: OverlapLabeler(iou, probe),
    "clip": lambda iou, clip, probe: ClipLabeler(clip, probe),
}


def labelers(method: str, iou: IouConfig, clip: ClipConfig, probe: Probe) -> list[Labeler]:
    """Return the labelers of a method.

    Parameters
    ----------
    method : str
        One of `config.METHODS`.
    iou, clip : IouConfig, ClipConfig
        What determines the labels of each.
    probe : Probe
        What the network is shown.

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        If there is no such method, or what determines the labels cannot be used.
    """
    names = labelers_of(method)
    if len(names) > 1 and clip.pooling == "class":
        raise ValueError("the class token has no map for IoU; use --pooling class with clip alone")
    made = [_MADE[name](iou, clip, probe) for name in names]
    if len({one.precision for one in made}) != 1:
        raise ValueError("iou and clip share one forward pass: give both the same precision")
    return made
