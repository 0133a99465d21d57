"""Where the photographs of a run's probe set are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from broden.images import decode
from broden.mini import located
from broden.photographs import Photographs
from broden.probe import Probe
from broden.reader import ProbeSet
from dissection.results.folder import RunFolder
from dissection.results.labelling import Labelling

__all__ = ["Photograph", "source"]

Photograph = Callable[[int], np.ndarray]
"""Returns an image of a probe set by its number, (h, w, 3) uint8."""


def source(labelling: Labelling, given: Path | None) -> Photograph | str | None:
    """Return the photographs that a run was made with, or why they cannot be shown.

    Parameters
    ----------
    labelling : Labelling
        Of a run; a table without a run card has no photographs, and nothing is said of it.
    given : Path or None
        A probe file, ``mini``, or folder of images; else where the run card says it was.
    """
    if not labelling.settings or not labelling.source.is_dir():
        return None
    wanted = labelling.settings.get("probe")
    if wanted is None:
        return f"no photographs of {labelling.name}: its run card does not tell the probe set"
    card = RunFolder(labelling.source).card() or {}
    path = given or Path(card.get("host", {}).get("probe", wanted["name"]))
    try:
        probe = _first(path, wanted["images"])
    except (OSError, ValueError) as error:
        return f"no photographs of {labelling.name}: {error}; give the probe set with --probe"
    if (probe.digest, len(probe)) != (wanted["digest"], wanted["images"]):
        return (
            f"no photographs of {labelling.name}: {path} is not the probe set of that run "
            f"({wanted['name']}, digest {wanted['digest'][:12]}); give it with --probe"
        )

    def photograph(number: int) -> np.ndarray:
        return decode(probe.jpegs([number])[0], name=probe.names[number])

    return photograph


def _first(path: Path, images: int) -> Probe:
    """Return the probe set or folder with as many images as the run used."""
    path = located(path, progress=True)
    if path.is_dir():
        return Photographs(path, images)
    with ProbeSet(path) as whole:
        total = len(whole)
    # the digest of a whole set is the one it was written with, not that of its first images
    return ProbeSet(path, images if images < total else None)
