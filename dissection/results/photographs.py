"""Where the photographs of a run's probe set are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dissection.results.labelling import Labelling
    from figures.inputs import Photograph


def source(labelling: Labelling, given: Path | None) -> Photograph | str | None:
    """Return the photographs that a run was made with, or why they cannot be shown.

    Parameters
    ----------
    labelling : Labelling
        Of a run; a table without a run card has no photographs, and nothing is said of it.
    given : Path or None
        A probe file or folder of images; else where the run card says it was.
    """
    from broden.images import decode
    from dissection.results.folder import RunFolder

    if not labelling.settings or not labelling.source.is_dir():
        return None
    wanted = labelling.settings["probe"]
    card = RunFolder(labelling.source).card() or {}
    path = given or Path(card.get("host", {}).get("probe", wanted["name"]))
    try:
        probe = _opened(path, wanted["images"])
    except (OSError, ValueError) as error:
        return f"no photographs of {labelling.name}: {error}; give the probe set with --probe"
    if probe.digest != wanted["digest"]:
        return (
            f"no photographs of {labelling.name}: {path} is not the probe set of that run "
            f"({wanted['name']}, digest {wanted['digest'][:12]}); give it with --probe"
        )
    return lambda number: decode(probe.jpeg(number), name=probe.names[number])


def _opened(path: Path, images: int):
    """Return the probe set or folder with as many images as the run used."""
    from broden.photographs import Photographs
    from broden.reader import ProbeSet
    from broden.schema import ProbeSetError

    if path.is_dir():
        return Photographs(path, images)
    try:
        with ProbeSet(path) as whole:
            total = len(whole)
        return ProbeSet(path, images if images < total else None)
    except ProbeSetError as error:
        raise ValueError(str(error)) from error
