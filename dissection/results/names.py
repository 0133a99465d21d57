"""What networks are called in tables and figures, so that no two of them have one name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dissection.results.labelling import Labelling

__all__ = ["distinctly_named"]


def distinctly_named(found: Sequence["Labelling"]) -> list["Labelling"]:
    """Give each network its own name, the same to what both methods say of it.

    Labellings are of one thing if they come from one run or, where the other method has said
    nothing of it yet, if they are of one network. Several runs of one network are called by their
    directories.
    """
    things: list[list[Labelling]] = []
    for new in found:
        thing = _thing_of(new, things, found)
        if thing is None:
            things.append(thing := [])
        thing.append(new)
    names: list[str] = []
    for thing in things:
        name = thing[0].network
        if sum(other[0].network == name for other in things) > 1:
            stem = thing[0].source.stem
            name = stem if thing[0].settings else f"{name} ({stem})"
        names.append(f"{name} {len(names) + 1}" if name in names else name)
    by_place = {id(part): name for t, name in zip(things, names, strict=True) for part in t}
    return [replace(part, name=by_place[id(part)]) for part in found]


def _thing_of(
    new: "Labelling", things: Sequence[list["Labelling"]], found: Sequence["Labelling"]
) -> list["Labelling"] | None:
    """Return what a labelling belongs to, its own run before another of its network."""
    open_to = [thing for thing in things if all(old.method != new.method for old in thing)]
    for thing in open_to:
        if thing[0].source == new.source:
            return thing
    for thing in open_to:
        if thing[0].same_network(new) and _alone(new, found) and _alone(thing[0], found):
            return thing
    return None


def _alone(labelling: "Labelling", found: Sequence["Labelling"]) -> bool:
    """Tell whether the run of a labelling has nothing by the other method."""
    return sum(part.source == labelling.source for part in found) == 1
