"""Read the list of concepts that units may be called by.

A text file with a concept a line, the labels of a probe set, or common English words. A concept's
place in the list is its number in every result, so what is dropped (blank lines, duplicates) is
dropped here and nowhere else.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from broden.probe import Probe
from broden.system.files import regular_file
from broden.system.names import flaw, named, spaced
from broden.system.text import nearest

__all__ = ["COMMON", "Concepts", "MAX_BYTES", "MAX_LINES", "read"]

COMMON = 20_000
"""Words of `common`; CLIP-Dissect's own list of English words has as many."""

MAX_BYTES = 2_000_000
MAX_LINES = 100_000
_EXTRA = "install it with: pip install 'network-dissection[clip]'"


@dataclass(frozen=True)
class Concepts:
    """Hold a list of M concepts.

    Attributes
    ----------
    names : tuple of str
        What results call them; no two are equal.
    prompts : tuple of str
        What is given to the text encoder.
    source : str
        Where they come from, for the run card.
    digest : str
        SHA-256 of names, prompts and categories.
    categories : tuple of str or None
        Category of each, where the source has them.
    """

    names: tuple[str, ...]
    prompts: tuple[str, ...]
    source: str
    digest: str
    categories: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.names)


def read(source: str | Path, probe: Probe | None = None, template: str = "{}") -> Concepts:
    """Read a list of concepts.

    Parameters
    ----------
    source
        `broden`, the known labels of `probe` by their display names (of labels that have the same,
        only the first); `common`, the 20,000 most frequent English words of the package wordfreq;
        or a text file in UTF-8, a concept a line, by the rule of `broden.system.names`. Blank
        lines and repeated names are dropped; the order is kept. A file called `common` is
        `./common`.
    probe : Probe, optional
        Whose labels `broden` means.
    template
        What is said of a concept, `{}` standing for it. Underscores of a label become spaces.

    Returns
    -------
    Concepts

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the list is empty, too large or not text, or the template lacks its `{}`.
    RuntimeError
        If wordfreq is missing.
    """
    if template.count("{}") != 1 or flaw(spaced(template)):
        raise ValueError(f"template must be one line with one {{}} for the concept: {template!r}")
    categories: tuple[str, ...] | None = None
    if source == "broden":
        names, categories, described = _of_probe(probe)
    elif source == "common":
        names, described = _common()
    else:
        names, described = _unique(_lines(Path(source))), str(source)
    if not names:
        raise ValueError(f"{described} holds no concept; give one a line")
    said = [name.replace("_", " ") for name in names] if source == "broden" else names
    prompts = tuple(template.replace("{}", text) for text in said)
    digest = hashlib.sha256(json.dumps([names, prompts, categories]).encode()).hexdigest()
    return Concepts(names, prompts, described, digest, categories)


def _of_probe(probe: Probe | None) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return display names of a probe's labels, their categories, and what to call the list."""
    labels = None if probe is None else probe.labels
    if probe is None or labels is None:
        raise ValueError(
            "concepts broden are the labels of a probe file: give one, or a text file, or common"
        )
    found: dict[str, str] = {}
    for number in labels.known.nonzero()[0].tolist():
        found.setdefault(labels.display(number), labels.category(number))
    return tuple(found), tuple(found.values()), f"broden (labels of {probe.name})"


def _common() -> tuple[tuple[str, ...], str]:
    """Return the most frequent English words, and what to call the list."""
    try:
        import wordfreq
    except ImportError as error:
        raise RuntimeError(f"concepts common needs the package wordfreq; {_EXTRA}") from error
    # Its list has digits, signs and emoji too: under 1%, so twice as many are enough.
    ranked = wordfreq.top_n_list("en", 2 * COMMON)
    words = islice((word for word in ranked if any(map(str.isalpha, word))), COMMON)
    return tuple(words), f"common ({COMMON} English words of wordfreq)"


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file as names, checked."""
    for number, line in enumerate(_split(path), 1):
        yield named(line, f"{path} line {number}")


def _split(path: Path) -> list[str]:
    """Return the lines of a text file of bounded size."""
    try:
        with regular_file(path, "concept list").open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        near = nearest(str(path), ["broden", "common"])
        raise FileNotFoundError(
            f"no concept list {path}{near}; allowed: broden, common, or a text file"
        ) from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes, the most a concept list may be")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} line {number} is not UTF-8; save the file as UTF-8") from error
    # str.splitlines would also split at characters that are refused here.
    lines = re.split("\r\n|\n|\r", text)
    if len(lines) - (not lines[-1]) > MAX_LINES:
        raise ValueError(
            f"{path} has more than {MAX_LINES} lines, the most a concept list may have"
        )
    return lines


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are not blank, each once, in their order.

    Examples
    --------
    >>> _unique(["dog", "", "cat", "dog"])
    ('dog', 'cat')
    """
    return tuple(dict.fromkeys(name for name in names if name))
