"""What the parts of a run take, measured from outside: functions of ours, each with a clock.

The seconds of a part are those of the processor in the thread that calls it, without the parts
inside it: what torch shares with threads of its own, or leaves to a GPU, counts for the caller's
share only. With one thread of torch's nothing is missing. Normalising is a part here, but the bare
forward pass does it too.
"""

import functools
import importlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

NETWORK = "network"
"""The forward pass itself; what runs inside its hooks is a part of the run, not of the network."""

_ACTIVATIONS, _OVERLAP = "dissection.activations", "dissection.overlap"
_VALIDITY = f"{_OVERLAP}.validity"

PARTS = (
    (NETWORK, f"{_ACTIVATIONS}.capture", "run_through"),
    ("decoding", f"{_ACTIVATIONS}.batches", "_decoded"),
    ("normalising", "dissection.networks.preprocessing", "Preprocessing.normalise"),
    ("collecting", f"{_ACTIVATIONS}.collect", "Collector.__call__"),
    ("rotating", f"{_ACTIVATIONS}.forward", "rotated"),
    ("tail", f"{_ACTIVATIONS}.collect", "Collector._add"),
    ("raising bounds", f"{_ACTIVATIONS}.quantile", "Tail.select"),
    ("ties", f"{_ACTIVATIONS}.collect", "Collector._count_ties"),
    ("neighbours", f"{_ACTIVATIONS}.cells", "neighbourhood"),
    ("packing", f"{_ACTIVATIONS}.collect", "pack"),
    ("taking shards", f"{_ACTIVATIONS}.collect", "Collector.take"),
    ("restoring shards", f"{_ACTIVATIONS}.collect", "Collector.restore"),
    ("writing shards", f"{_ACTIVATIONS}.shards", "ShardStore.write"),
    ("reading shards", f"{_ACTIVATIONS}.shards", "ShardStore.read"),
    ("pruning", f"{_ACTIVATIONS}.collect", "prune"),
    ("thresholds", "dissection.execution.thresholds", "_levels"),
    ("counting", f"{_OVERLAP}.counting", "Counting.part"),
    ("label codes", f"{_OVERLAP}.counting", "labels_of"),
    ("unpacking", f"{_OVERLAP}.counting", "unpacked"),
    ("stencils", f"{_OVERLAP}.counting", "evaluate_levels"),
    ("bins", f"{_OVERLAP}.tally", "bins"),
    ("overlaps", f"{_OVERLAP}.counting", "overlapped"),
    ("masks of top images", f"{_OVERLAP}.counting", "_masks"),
    ("label sets", f"{_OVERLAP}.coding", "SetReader.of"),
    ("overlaps with partners", f"{_VALIDITY}.evidence", "overlapped"),
    ("bins of partners", f"{_VALIDITY}.levels", "bins"),
    ("sums by label", f"{_VALIDITY}.levels", "add_found"),
    ("thresholds of pixels", f"{_VALIDITY}.levels", "levels_of_pixels"),
    ("heat", f"{_VALIDITY}.heat", "steps_of"),
    ("adding", f"{_OVERLAP}.counting", "Counting.add"),
    ("sums", f"{_OVERLAP}.counting", "add"),
    ("evidence", f"{_VALIDITY}.evidence", "Evidence.add"),
    ("labels", f"{_OVERLAP}.labeler", "OverlapFold.outcome"),
    ("judging", f"{_VALIDITY}.judging", "Judge.judge"),
    ("tables", f"{_OVERLAP}.labeler", "write"),
)
"""Name of a part, and the function that does it: its module, and the name that callers look up."""


class Part(NamedTuple):
    """Seconds of the processor and calls of one part."""

    cpu: float
    calls: int


class _Frame:
    """A part that a thread is in, and the seconds of what it has called."""

    def __init__(self, path: str) -> None:
        self.path, self.inside = path, 0.0


class Clocks:
    """Seconds by path: a part inside another is ``outer/inner``, and not counted for the outer."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = defaultdict(float)
        self._calls: dict[str, int] = defaultdict(int)

    def clocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and is measured."""

        @functools.wraps(function)
        def measured(*args: Any, **options: Any) -> Any:
            open_ones = self._mine.__dict__.setdefault("open", [])
            within = open_ones[-1].path if open_ones else NETWORK
            frame = _Frame(name if within == NETWORK else f"{within}/{name}")
            open_ones.append(frame)
            started = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                took = time.thread_time() - started
                open_ones.pop()
                if open_ones:
                    open_ones[-1].inside += took
                with self._lock:
                    self._seconds[frame.path] += took - frame.inside
                    self._calls[frame.path] += 1

        return measured

    def parts(self) -> dict[str, Part]:
        """Return every part that ran, in the order of `PARTS`, the outer before its inner ones."""
        order = [name for name, _, _ in PARTS]
        paths = sorted(self._calls, key=lambda path: [order.index(n) for n in path.split("/")])
        return {path: Part(self._seconds[path], self._calls[path]) for path in paths}


@contextmanager
def clocks() -> Iterator[Clocks]:
    """Measure the parts of all runs in this context.

    Raises
    ------
    ValueError
        If a function of `PARTS` does not exist.
    """
    found = Clocks()
    with ExitStack() as stack:
        for name, module, path in PARTS:
            owner, attribute = _owner(module, path)
            original = owner.__dict__[attribute]
            setattr(owner, attribute, found.clocked(name, original))
            stack.callback(setattr, owner, attribute, original)
        yield found


def check() -> None:
    """Raise a ValueError if a function of `PARTS` does not exist."""
    for _, module, path in PARTS:
        _owner(module, path)


def _owner(module: str, path: str) -> tuple[Any, str]:
    """Return what has a function, a module or a class, and what it is called there."""
    *classes, attribute = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for name in classes:
            owner = owner.__dict__[name]
        owner.__dict__[attribute]
    except (ImportError, KeyError) as error:
        raise ValueError(
            f"{module} has no {path}, which the benchmark measures; mend PARTS in {__file__}"
        ) from error
    return owner, attribute


def table(parts: dict[str, Part], total: float, network: float) -> dict[str, dict[str, float]]:
    """Return the parts as JSON shows them, and what is in none of them.

    Parameters
    ----------
    parts : dict of str to Part
        Of one run.
    total : float
        Seconds of the processors of that run in all threads; what torch does in threads of its own
        is in none of the parts.
    network : float
        Seconds of the processors of the forward pass, of which each part is given a share.
    """
    rest = Part(total - sum(part.cpu for part in parts.values()), 0)
    return {
        path: {
            "cpu": round(part.cpu, 3),
            "of_network": round(part.cpu / network, 4),
            "calls": part.calls,
        }
        for path, part in {**parts, "none of these": rest}.items()
    }
