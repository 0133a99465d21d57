"""The directory of a run: whose it is, who writes it, and whether it is complete."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from broden.system.files import inside, sweep
from dissection.config import labelers_of
from dissection.results import schema
from dissection.results.cards.card_schema import check_card
from dissection.results.cards.fields import need, read_json
from dissection.results.cards.trials import adopted
from dissection.results.storage import write_json

_REMEDY = "choose another --out or delete it and run it again"

#: What a disk says that may only be read.
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


class RunFolder:
    """A directory that belongs to one run.

    Parameters
    ----------
    path : str or Path
        The directory; made when the run is claimed.

    Attributes
    ----------
    path : Path
        The directory.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def shards(self) -> Path:
        """Directory of the shards."""
        return self.path / schema.SHARDS

    def card(self) -> dict | None:
        """Return the run card, or None where no run was started.

        Raises
        ------
        ValueError
            If there is one that is not ours, or is damaged; its fields are of the types that
            `card_schema` lists.
        """
        path = self.path / schema.CARD
        if not os.path.lexists(path):
            return None
        try:
            card = read_json(path, "run card")
        except ValueError as error:
            raise ValueError(f"{path} is not a run card ({error}); choose another --out") from error
        if card.get("format") != schema.FORMAT:
            raise ValueError(f"{path} is not a run card of {schema.FORMAT}; choose another --out")
        try:
            check_card(card, str(path))
        except ValueError as error:
            raise ValueError(f"{error}; the run card is damaged, {_REMEDY}") from error
        return card

    def completed(self) -> dict:
        """Return the run card of a complete run, all of whose tables are there.

        Raises
        ------
        ValueError
            If there is none.
        """
        card = self.card()
        if card is None or not is_complete(card):
            raise ValueError(f"{self.path} holds no complete run; finish it with `dissect`")
        self.need(card, "settings.method", "settings.layers")
        wanted = [table for name in self.labelers(card) for table in schema.METHODS[name].tables]
        missing = [table for table in wanted if not (self.path / table).is_file()]
        if missing:
            names = ", ".join(missing)
            raise ValueError(
                f"{self.path} is complete but lacks {names}; delete it and run it again"
            )
        return card

    def need(self, card: dict, *names: str) -> None:
        """Refuse a run card that lacks a field.

        Parameters
        ----------
        card : dict
            Of this directory.
        names : str
            As `fields.need` takes them.

        Raises
        ------
        ValueError
            If it does.
        """
        try:
            need(card, names, str(self.path / schema.CARD))
        except ValueError as error:
            raise ValueError(f"{error}; the run card is damaged, {_REMEDY}") from error

    def labelers(self, card: dict) -> tuple[str, ...]:
        """Return the labelers of a run by its card.

        Raises
        ------
        ValueError
            If the card names a method that does not exist.
        """
        method = card.get("settings", {}).get("method")
        try:
            return labelers_of(method)
        except ValueError as error:
            raise ValueError(f"{self.path / schema.CARD}: {error}") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory and let no other process write it meanwhile.

        A complete run on a disk that cannot be written is not locked, as nothing writes it.

        Raises
        ------
        ValueError
            If another process does, or something in it would lead what is written elsewhere.
        OSError
            If it cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._check()
        lock = FileLock(self.path / schema.LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"{self.path} is being written by another process; wait, or choose another --out"
            ) from error
        except OSError as error:
            if error.errno not in _UNWRITABLE or not is_complete(self.card()):
                raise
        try:
            yield
        finally:
            lock.release()

    def _check(self) -> None:
        """Refuse what would lead a run elsewhere or stop it at its end: links, other kinds."""
        files = [inside(self.path, name) for name in schema.FILES]
        for name in (schema.SHARDS, schema.TALLY):
            folder = inside(self.path, name)
            if folder.exists() and not folder.is_dir():
                raise ValueError(f"{folder} is no directory; remove it or choose another --out")
            within = [inside(folder, path.name) for path in folder.glob("*")]
            # shards go round a directory of their name
            files += within if name == schema.TALLY else []
        for path in files:
            if path.is_dir():
                raise ValueError(f"{path} is a directory; remove it or choose another --out")
        lock = self.path / schema.LOCK
        # whoever locks a file empties it
        if lock.exists() and (not lock.is_file() or lock.stat().st_nlink > 1):
            raise ValueError(f"{lock} is no lock of ours; remove it or choose another --out")

    def claim(self, settings: dict) -> tuple[bool, dict]:
        """Take the directory for a run and return whether it is complete, and its settings.

        These are the given ones but for what an earlier start measured and this one only nearly
        repeats, see `trials.adopted`.

        Parameters
        ----------
        settings : dict
            All that determines the results, as JSON knows it.

        Raises
        ------
        ValueError
            If the directory is another run's, or holds something else.
        """
        card = self.card()
        if card is None:
            foreign = sorted(
                path.name
                for path in self.path.iterdir()
                if path.name != schema.LOCK and not path.match(f"{schema.CARD}.*.part")
            )
            if foreign:
                raise ValueError(
                    f"{self.path} holds something else ({foreign[0]}); choose another --out"
                )
            self.write({"status": schema.RUNNING, "settings": settings})
            return False, settings
        settings = adopted(card.get("settings", {}), settings)
        different = differences(card.get("settings", {}), settings)
        if different and not is_complete(card) and not self._has_shards():
            # nothing of the other run was finished, so nothing is lost
            self.write({"status": schema.RUNNING, "settings": settings})
            return False, settings
        if different:
            raise ValueError(
                f"{self.path} belongs to a run with other settings: {'; '.join(different)}; "
                "choose another --out or delete it"
            )
        # nobody else writes what is locked
        sweep(self.path, schema.FILES.__contains__, everyone=True)
        for folder in (self.shards, self.path / schema.TALLY):
            sweep(folder, lambda name: name.endswith((".npz", ".csv")), everyone=True)
        return is_complete(card), settings

    def _has_shards(self) -> bool:
        return any(path.is_file() for path in self.shards.glob("*.npz"))

    def write(self, card: dict) -> None:
        """Write the run card."""
        write_json(self.path / schema.CARD, {"format": schema.FORMAT, **card})


def is_complete(card: dict | None) -> bool:
    """Tell whether a run card is that of a complete run."""
    return card is not None and card.get("status") == schema.COMPLETE


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Return what differs between two settings, a phrase each.

    Examples
    --------
    >>> differences({"a": {"b": 1}}, {"a": {"b": 2}})
    ['a.b is 1 there and 2 here']
    """
    found = []
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{name}.")
        elif before != after:
            found.append(f"{prefix}{name} is {_short(before)} there and {_short(after)} here")
    return found


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:12]}...{text[-12:]}"
