"""The directory of a run: whose it is, who writes it, and whether it is complete."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from broden.system.files import atomic

CARD = "run.json"
FORMAT = "dissection/1"


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
        return self.path / "shards"

    def card(self) -> dict | None:
        """Return the run card, or None where no run was started.

        Raises
        ------
        ValueError
            If there is one that is not ours.
        """
        path = self.path / CARD
        if not path.exists():
            return None
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not a run card ({error}); choose another --out") from error
        if not isinstance(card, dict) or card.get("format") != FORMAT:
            raise ValueError(f"{path} is not a run card of {FORMAT}; choose another --out")
        return card

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the directory and let no other process write it meanwhile.

        Raises
        ------
        ValueError
            If another process does.
        OSError
            If it cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"{self.path} is being written by another process; wait, or choose another --out"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def claim(self, settings: dict) -> bool:
        """Take the directory for a run with these settings and return whether it is complete.

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
                if path.name != ".lock" and not path.match(f"{CARD}.*.part")
            )
            if foreign:
                raise ValueError(
                    f"{self.path} holds something else ({foreign[0]}); choose another --out"
                )
            self.write({"status": "running", "settings": settings})
            return False
        different = differences(card.get("settings", {}), settings)
        if different and card.get("status") != "complete" and not any(self.shards.glob("*.npz")):
            # nothing of the other run was finished, so nothing is lost
            self.write({"status": "running", "settings": settings})
            return False
        if different:
            raise ValueError(
                f"{self.path} belongs to a run with other settings: {'; '.join(different)}; "
                "choose another --out or delete it"
            )
        for partial in self.path.rglob("*.part"):
            partial.unlink()
        return card.get("status") == "complete"

    def write(self, card: dict) -> None:
        """Write the run card."""
        text = json.dumps({"format": FORMAT, **card}, indent=1, ensure_ascii=False)
        with atomic(self.path / CARD) as handle:
            handle.write(text.encode() + b"\n")


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
