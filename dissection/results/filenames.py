"""Which network and layer a table is of, where no run card says so: by its name and its folder's.

Published tables come as NETWORK_layer3.csv, NETWORK-conv5.csv, NETWORK/tally.csv,
NETWORK/layer4-result.csv, netdissect-NETWORK-LAYER.csv; or whoever gives them says NAME:LAYER=FILE.
"""

import re
from pathlib import Path
from typing import NamedTuple

from dissection.results import schema
from dissection.results.labelling import NO_LAYER

__all__ = ["Named", "named", "network_and_layer"]

# What tables are called whose folder says the network.
_PLAIN = {"tally", "result", "results", "units", "descriptions", "output", "labels"}

# Kinds of layers by which frameworks call them, a number behind; conv5_3, blocks.6, inception_4e.
_KINDS = (
    "layers?", "conv", "blocks?", "stages?", "features?", "mixed", "inception", "denseblock",
    r"encoder\.layers\.encoder_layer", "encoder[._]layers?", "encoder", "decoder", "resblock",
    "res(?=[2-5][a-z])", "pool", "norm", "relu", "fc", "trunk", "group", "level", "up", "down",
)  # fmt: skip
_INSIDE = r"[-_.](?:\d+[a-z]?|conv\d*|relu\d*|bn\d*|layer_\d+)"
_LAYER = rf"(?:{'|'.join(_KINDS)})[-_.]?\d+[a-z]?(?:{_INSIDE})*"
_ALONE = re.compile(rf"({_LAYER})(?:[-_.]results?)?", re.IGNORECASE)
_BEHIND = re.compile(rf"(.+?)[-_.]({_LAYER})(?:[-_.]results?)?", re.IGNORECASE)
_PUBLISHED = re.compile(r"(?:netdissect|clip_dissect)(?:_[a-z]+)?-(.+)")
# What NetDissect-Lite puts before the name of a network, of the folder it writes to.
_FRAMEWORK = re.compile(r"(?:pytorch|torch|caffe)[-_](?=.)")


class Named(NamedTuple):
    """A file of results, and what whoever gives it calls the network and the layer in it."""

    path: Path
    network: str | None = None
    layer: str | None = None


def named(given: str | Path) -> Named:
    """Return what a result that is given says: a path, NAME=FILE or NAME:LAYER=FILE.

    What exists as a path is one, whatever is in its name.

    Raises
    ------
    ValueError
        If a name before the sign is empty.

    Examples
    --------
    >>> named("alexnet:conv5=a.csv")
    Named(path=PosixPath('a.csv'), network='alexnet', layer='conv5')
    """
    text = str(given)
    if isinstance(given, Path) or "=" not in text or Path(text).exists():
        return Named(Path(given))
    head, _, file = text.partition("=")
    network, colon, layer = head.rpartition(":") if ":" in head else (head, "", "")
    if not network.strip() or (colon and not layer.strip()) or not file:
        raise ValueError(f"{text!r} names nothing; say NAME=FILE, or NAME:LAYER=FILE for one layer")
    return Named(Path(file), network.strip(), layer.strip() or None)


def network_and_layer(path: Path, layers: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return the network and the layer that the name of a table tells.

    Parameters
    ----------
    path
        The table.
    layers
        The layers that its column has, none if it has no such column.

    Returns
    -------
    The name of the network, and `labelling.NO_LAYER` where nothing tells a layer.

    Examples
    --------
    >>> network_and_layer(Path("netA_layer3.csv")), network_and_layer(Path("x/netA/tally.csv"))
    (('netA', 'layer3'), ('netA', '-'))
    """
    stem = path.name if path.suffix.lower() != ".csv" else path.stem
    if published := _PUBLISHED.fullmatch(stem):
        return _published(published[1], layers)
    if stem.lower() in _PLAIN or path.name in schema.FILES:
        return _of_folder(path.resolve().parent)
    if layers:
        return _before(stem, layers), NO_LAYER
    if alone := _ALONE.fullmatch(stem):
        return _of_folder(path.resolve().parent)[0], alone[1]
    if behind := _BEHIND.fullmatch(stem):
        return behind[1], behind[2]
    return stem, NO_LAYER


def _published(told: str, layers: tuple[str, ...]) -> tuple[str, str]:
    network, dash, layer = told.rpartition("-")
    if not dash or (layers and layers != (layer,)):
        return told, NO_LAYER
    return network, layer


def _of_folder(folder: Path) -> tuple[str, str]:
    """Return the network of a folder of tables; one that is called as a layer is inside its own."""
    if folder.name == schema.TALLY:
        folder = folder.parent
    if _ALONE.fullmatch(folder.name) and folder.parent.name:
        return _FRAMEWORK.sub("", folder.parent.name), folder.name
    return _FRAMEWORK.sub("", folder.name) or str(folder), NO_LAYER


def _before(stem: str, layers: tuple[str, ...]) -> str:
    """Return a name without the layer behind it, where the table's column has that one alone."""
    for layer in layers if len(layers) == 1 else ():
        for sign in "-_.":
            if stem.endswith(sign + layer) and len(stem) > len(layer) + 1:
                return stem[: -len(layer) - 1]
    return stem
