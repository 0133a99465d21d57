"""What something took, in seconds of the clock and of the processors."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Took(NamedTuple):
    """Seconds of the clock, and of all processors together."""

    wall: float
    cpu: float

    def times(self, factor: float) -> "Took":
        """Return what so many of it take."""
        return Took(self.wall * factor, self.cpu * factor)

    def rounded(self, digits: int = 3) -> dict[str, float]:
        """Return both as JSON shows them."""
        return {name: round(seconds, digits) for name, seconds in self._asdict().items()}


def together(several: list[Took]) -> Took:
    """Return what several took one after the other."""
    return Took(sum(one.wall for one in several), sum(one.cpu for one in several))


def timed(function: Callable[..., Any], *args: Any) -> tuple[Any, Took]:
    """Return what a function returns and what it took, in all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*args)
    return result, Took(time.perf_counter() - wall, time.process_time() - cpu)


def ratios(took: Mapping[str, Took]) -> dict[str, float]:
    """Return the four ratios of a run to the bare forward pass.

    Parameters
    ----------
    took : dict of str to Took
        ``run``, ``network`` and ``to_last_layer``.
    """
    whole, network, to_last = (took[name] for name in ("run", "network", "to_last_layer"))
    return {
        "ratio": round(whole.wall / network.wall, 3),
        "ratio_to_last_layer": round(whole.wall / to_last.wall, 3),
        "cpu_ratio": round(whole.cpu / network.cpu, 3),
        "cpu_ratio_to_last_layer": round(whole.cpu / to_last.cpu, 3),
    }
