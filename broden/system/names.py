"""What a name may be: one rule for labels, categories and concepts, applied where they are read.

A name stands in tables, figures, file names and the page of a report, on one line between other
text. So spaces of any kind and tabs are one plain space, none at the ends, and letters are in
Unicode's composed form (NFC), since texts that differ in that only are the same text and names are
compared by their characters. Nothing else is changed: what remains must be printable, which
excludes controls, line breaks, marks that turn the direction of the text after them, and what is
no character. What cannot be seen (soft hyphens, spaces without width, joiners) is refused too,
also where a script or a composed emoji would use it: names that look the same would not be equal.
Right-to-left letters, combining marks, quotes, commas and all other signs are names like any other.
"""

import re
import unicodedata

__all__ = ["LONGEST", "flaw", "named", "spaced"]

LONGEST = 1_000
"""Characters of a name."""

# Space separators are what a line may be broken at; a tab is one that a spreadsheet put there.
_SPACES = "\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
#: Letters, signs and marks to Unicode, and nothing to the eye.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_KINDS = {"Cc": "control character", "Cs": "half a character", "Co": "private", "Cn": "unassigned"}


def spaced(text: str) -> str:
    r"""Return a text with plain single spaces, none at its ends, and its letters composed.

    Examples
    --------
    >>> spaced(" traffic\u00a0 light\t")
    'traffic light'
    """
    return unicodedata.normalize("NFC", re.sub(f"[{_SPACES}]+", " ", text).strip(" "))


def flaw(text: str) -> str:
    r"""Return the first character that no name may hold, or nothing.

    Examples
    --------
    >>> flaw("wa\u202egon")
    'U+202E (RIGHT-TO-LEFT OVERRIDE)'
    >>> flaw("na\u00efve, \u05e9\u05dc\u05d5\u05dd")
    ''
    """
    for character in text:
        if not character.isprintable() or character in _UNSEEN:
            kind = _KINDS.get(unicodedata.category(character), "no name")
            return f"U+{ord(character):04X} ({unicodedata.name(character, kind)})"
    return ""


def named(text: str, where: str) -> str:
    """Return a name as results will have it; it may be empty.

    Parameters
    ----------
    text : str
        As it was read.
    where : str
        File and line, for the error.

    Raises
    ------
    ValueError
        If it holds what no name may, or is too long.
    """
    name = spaced(text)
    if len(name) > LONGEST:
        raise ValueError(
            f"{where} has {len(name)} characters, at most {LONGEST} allowed in a name; shorten it"
        )
    if found := flaw(name):
        shown = name if len(name) <= 80 else f"{name[:77]}..."
        raise ValueError(f"{where}: {shown!r} holds {found}, which no name may; remove it")
    return name
