"""What can be shown to a network: what a probe file and a folder of photographs share.

`Probe` is all that running images through a network needs, `LabelledProbe` what counting the pixels
of concepts needs besides. `opened` makes either from a path.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from broden.labels import LabelTable
from broden.photographs import Photographs
from broden.planes import LabelBlock
from broden.reader import ProbeSet

__all__ = ["LabelledProbe", "Probe", "labelled", "opened"]


class Probe(Protocol):
    """N images in a fixed order, and what tells them from others."""

    @property
    def path(self) -> Path:
        """Where the images are."""

    @property
    def name(self) -> str:
        """What the set is called."""

    @property
    def digest(self) -> str:
        """Digest of all of it that can change a result."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each image."""

    @property
    def labels(self) -> LabelTable | None:
        """The L labels; None where nothing is labelled."""

    @property
    def generated(self) -> bool:
        """Whether the images were drawn by `broden.mini`."""

    def __len__(self) -> int: ...

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """Return the bytes of some images, as JPEG or PNG."""

    def facts(self) -> dict[str, object]:
        """Return what a run card says of the set, as JSON knows it."""

    def close(self) -> None:
        """Let go of open files; the next read opens them again."""


class LabelledProbe(Probe, Protocol):
    """Images whose pixels carry labels of K categories on an (H, W) grid."""

    @property
    def labels(self) -> LabelTable:
        """The L labels."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The K categories."""

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W) of the label planes."""

    @property
    def presence(self) -> np.ndarray:
        """Bool (N, K): the image holds a label whose primary category is k."""

    def label_block(self, images: Sequence[int] | np.ndarray) -> LabelBlock:
        """Return the labels of some images, ready to be counted."""

    def contents(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return image, label and pixels of what images `first` to `last` - 1 hold."""


def labelled(probe: Probe) -> LabelledProbe:
    """Return a probe as one with labels.

    Raises
    ------
    ValueError
        If it has none.
    """
    if probe.labels is None:
        raise ValueError(
            f"{probe.path} is a folder of images without labels, which IoU needs; "
            "convert them to a probe file or use --method clip"
        )
    return cast(LabelledProbe, probe)


def opened(
    probe: str | Path | Probe, limit: int | None = None, skip_bad: bool = False
) -> AbstractContextManager[Probe]:
    """Open a probe file or a folder of images for as long as a context lasts.

    Parameters
    ----------
    probe : str, Path or Probe
        Where it is; what is open already is handed through and left open.
    limit : int, optional
        Use the first images only.
    skip_bad : bool
        Leave out the broken images of a folder, with a warning.

    Raises
    ------
    FileNotFoundError, ProbeSetError, ValueError
        If it cannot be used; the message says what and why.
    """
    if isinstance(probe, str | Path) and Path(probe).is_dir():
        if (Path(probe) / "index.csv").is_file():
            raise ValueError(
                f"{probe} is a data set in Broden's layout; make a probe file of it first: "
                f"dissect-probe convert {probe} OUT.h5"
            )
        return closing(Photographs(probe, limit, skip_bad=skip_bad))
    if skip_bad:
        raise ValueError(f"only broken images of a folder can be left out, and {probe} is none")
    if isinstance(probe, str | Path):
        return closing(ProbeSet(probe, limit))
    if limit is not None:
        raise ValueError("limit goes with a file or folder; open it with limit instead")
    return nullcontext(probe)
