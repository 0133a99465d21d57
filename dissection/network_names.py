"""What networks are called in tables and figures, so that no two of them have one name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dissection.results import Labelling

__all__ = ["distinctly_named"]


def distinctly_named(found: Sequence["Labelling"]) -> list["Labelling"]:
    """Give each network its own name, the same to what both methods say of it.

    Labellings are of one thing if they come from one run or, where the other method has said
    nothing of it yet, if they are of one network. Several runs of one network are called by their
    directories.
    """
    things: list[list[Labelling]] = []
    for new in found:
        open_to = [t for t in things if all(old.method != new.method for old in t)]
        same = [t for t in open_to if any(old.source == new.source for old in t)]
        same += [t for t in open_to if _alone(t, found) and t[0].same_network(new)]
        (same[0] if same and _may_join(new, same[0], found) else _added(things)).append(new)
    names: list[str] = []
    for thing in things:
        name = thing[0].network
        if sum(other[0].network == name for other in things) > 1:
            stem = thing[0].source.stem
            name = stem if thing[0].settings else f"{name} ({stem})"
        names.append(f"{name} {len(names) + 1}" if name in names else name)
    by_place = {id(part): name for t, name in zip(things, names, strict=True) for part in t}
    return [replace(part, name=by_place[id(part)]) for part in found]


def _alone(thing: Sequence["Labelling"], found: Sequence["Labelling"]) -> bool:
    """Tell whether the run of a labelling has nothing by the other method."""
    return sum(part.source == thing[0].source for part in found) == 1


def _may_join(new: "Labelling", thing: Sequence["Labelling"], found: Sequence["Labelling"]) -> bool:
    return thing[0].source == new.source or _alone([new], found)


def _added(things: list[list["Labelling"]]) -> list["Labelling"]:
    things.append([])
    return things[-1]
