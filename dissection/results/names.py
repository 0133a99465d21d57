"""What networks and their layers are called: by whoever gives a file, by its name, in tables."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from broden.system.files import file_name
from dissection.results import schema

if TYPE_CHECKING:
    from dissection.results.labelling import Labelling

__all__ = ["File", "Given", "Told", "distinctly_named", "given", "told"]

_KINDS = (
    r"(?:layers?|conv(?:2d)?|(?:dense_?|res)?blocks?|features?|stages?|res|inception|mixed"
    r"|transition|pool|relu|fc|linear|encoder_?layer)"
)
_WITHIN = (
    r"(?:conv|bn|relu|norm|ln|act|fc|attn|mlp|proj|pool|out|branch|downsample|residual|\d)[^\W_]*"
)
_LAYER = (
    r"(?:(?:encoder|decoder|visual|trunk|backbone|transformer|vision_model|features)[._])*"
    rf"(?:{_KINDS}[-_.]?\d+(?:[a-z]{{1,2}}\d*)?|features|avgpool|fc)(?:[-_.]{_WITHIN})*"
)
"""What layers are called in names of files: layer3, conv5_3, blocks.4, features.28, res5c ..."""

_TABLE = r"(?:tally|results?|units?|descriptions?|netdissect|clip[-_]?dissect)"
_DATA = r"(?:places\d*|imagenet\w*|cifar\d*|coco|hybrid|broden\w*)"
_NETWORKS = (
    rf"(?:v?\d+\w?|[a-z]\d*|{_DATA}|nano|tiny|small|base|medium|large|huge|x+l|random|init\w*"
    r"|(?:pre|un)?trained|scratch|fine_?tuned|(?:seed|run|epoch|fold|step)[-_.]?\d*"
    r"|\w*(?:net|former|mixer|model)\w*|(?:vgg|vit|deit|swin|clip|dino|mae|moco|google)\w*"
    r"|reference)"
)
"""What tells networks of one family apart rather than layers of one network."""
_SPLIT = re.compile(
    rf"(?:(?P<network>.+?)[-_. ]+)?(?P<layer>{_LAYER})"
    rf"(?P<data>[-_.]{_DATA})?(?:[-_.]{_TABLE})?",
    re.IGNORECASE,
)
_TOOL = re.compile(
    r"(?:pytorch|torch|keras|tensorflow|caffe2?(?!.reference)|netdissect|clip_dissect)[-_](?=.)",
    re.IGNORECASE,
)
"""What dissecting tools put before the network in the name of a folder."""
# of a run directory, whose name is then the network's
_OURS = tuple(written.tables[0] for written in schema.METHODS.values())


class Given(NamedTuple):
    """A result as it was given."""

    path: Path
    network: str | None = None
    """Its name, where it was said."""
    layer: str | None = None
    """Likewise."""


class File(NamedTuple):
    """A table that no run card belongs to."""

    path: Path
    method: str
    layers: tuple[str, ...]
    """Of its column; none without one."""


class Told(NamedTuple):
    """What the name of a file tells."""

    network: str
    layer: str | None = None
    guessed: bool = False
    """Whether nothing but the names of other files tells the layer from the network."""


def given(result: str | Path) -> Given:
    """Return what was given as a path, NAME=PATH or NAME:LAYER=PATH.

    Parameters
    ----------
    result : str or Path
        A path that exists is one, whatever its name; so is every Path. The layer stands behind the
        last colon, so that ``timm:resnet18:`` names a network alone.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        If a name is none.

    Examples
    --------
    >>> given("runs/objects")
    Given(path=PosixPath('runs/objects'), network=None, layer=None)
    """
    if isinstance(result, Path) or "=" not in result or os.path.exists(result):
        return Given(Path(result))
    cuts = [place for place, letter in enumerate(result) if letter == "="]
    cut = next((c for c in cuts if result[c + 1 :] and os.path.exists(result[c + 1 :])), cuts[0])
    names, path = result[:cut], result[cut + 1 :]
    network, colon, layer = names.rpartition(":") if ":" in names else (names, "", "")
    how = "give a run directory, a CSV file, or NAME=FILE or NAME:LAYER=FILE"
    for name in (network, layer or network):
        if not name.strip() or not name.isprintable():
            raise ValueError(f"{result!r} gives no name before the =; {how}")
    if not path or not os.path.exists(path):
        raise FileNotFoundError(f"{result} does not exist, nor does {path or 'a file'}; {how}")
    return Given(Path(path), network, layer or None)


def told(files: Sequence[File]) -> list[Told]:
    """Return what the names of files tell of network and layer, those given together.

    Parameters
    ----------
    files : sequence of File
        ``netdissect-NETWORK-LAYER.csv`` and ``clip_dissect-NETWORK[-LAYER].csv``, else any name
        that ends with what layers are called; tables called ``tally.csv`` and the like have their
        folder's name. Where neither tells a layer, what several names begin with is the network.
    """
    alone = [_of_one(file) for file in files]
    unsure = {
        place: one.network
        for place, (file, one) in enumerate(zip(files, alone, strict=True))
        if one.layer is None and len(file.layers) < 2
    }
    for place, stem in _stems(files, unsure).items():
        rest = unsure[place][len(stem) + 1 :]
        alone[place] = Told(stem, rest, guessed=True)
    return alone


def _of_one(file: File) -> Told:
    """Return what the name of a file and those of its folders tell."""
    path, layers = file.path.parent.resolve() / file.path.name, file.layers
    published = re.fullmatch(r"(?:netdissect|clip_dissect)(?:_[a-z]+)?-(.+)", path.stem)
    if published:
        network, dash, layer = published[1].rpartition("-")
        if dash and (not layers or layers == (layer,)):
            return Told(network, layer)
        network, found = _split(published[1], layers)
        return Told(network or published[1], found)
    layer = None
    for place, name in enumerate((path.stem, *(folder.name for folder in path.parents))):
        # units.csv in a folder `results` has been of the network `results` ever since
        table = _TABLE if path.name not in _OURS or not place else schema.TALLY
        if re.fullmatch(table, name, re.IGNORECASE):
            continue
        network, found = _split(name, layers)
        layer = layer or found
        if re.fullmatch(_TABLE, network, re.IGNORECASE):
            continue
        if network:
            return Told(_TOOL.sub("", network, count=1) if place else network, layer)
    return Told(path.stem, None)


def _split(name: str, layers: tuple[str, ...]) -> tuple[str, str | None]:
    """Return the network and layer in a name; no network if it is that of a layer alone."""
    if len(layers) > 1:
        return name, None
    for layer in (spelt for one in layers for spelt in (one, file_name(one))):
        if name == layer:
            return "", layer
        if before := re.fullmatch(rf"(.+?)[-_. ]+{re.escape(layer)}", name):
            return before[1], layer
    found = _SPLIT.fullmatch(name)
    if found is None:
        return name, None
    return (found["network"] or "") + (found["data"] or ""), found["layer"]


def _stems(files: Sequence[File], unsure: dict[int, str]) -> dict[int, str]:
    """Return the longest stem that each name shares with one by the same method, if any.

    What follows is to be a layer: names of one family of networks share a stem as well.
    """
    found: dict[int, str] = {}
    for one, other in combinations(unsure, 2):
        first, second = files[one], files[other]
        if first.method != second.method or set(first.layers) & set(second.layers):
            continue
        stem = _shared(unsure[one], unsure[other])
        for place in (one, other) if stem else ():
            found[place] = max(found.get(place, ""), stem, key=len)
    return found


def _shared(one: str, other: str) -> str:
    """Return the stem of two names whose rests may be layers; nothing if there is none."""
    same = os.path.commonprefix([one, other])
    cuts = [place for place, letter in enumerate(same) if letter in "-_. " and place]
    stem = one[: cuts[-1]] if cuts else ""
    rests = [name[len(stem) + 1 :] for name in (one, other)]
    return stem if all(_may_be_layer(rest) for rest in rests) else ""


def _may_be_layer(rest: str) -> bool:
    words: Iterable[str] = re.split(r"[-_. ]+", rest)
    return all(word and not re.fullmatch(_NETWORKS, word, re.IGNORECASE) for word in words)


def distinctly_named(found: Sequence["Labelling"]) -> list["Labelling"]:
    """Give each network its own name, the same to what both methods say of it.

    Labellings are of one thing if they come from one run or, where the other method has said
    nothing of it yet, if they are of one network, and whoever gave them calls them the same.
    Several runs of one network are called by their directories, unless they were given names.
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
        named = [other[0].named for other in things if other[0].network == name]
        if len(named) > 1 and not (thing[0].named and sum(named) == 1):
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
        if _one_network(thing[0], new) and _alone(new, found) and _alone(thing[0], found):
            return thing
    return None


def _one_network(old: "Labelling", new: "Labelling") -> bool:
    if (old.named or new.named) and old.network != new.network:
        return False
    return old.same_network(new)


def _alone(labelling: "Labelling", found: Sequence["Labelling"]) -> bool:
    """Tell whether the run of a labelling has nothing by the other method."""
    return sum(part.source == labelling.source for part in found) == 1
