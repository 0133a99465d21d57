"""Fit a state dict to a network: names of other times and wrappers, prefixes, another head."""

import logging
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["Fitted", "current_name", "load_into", "noting", "renamed"]

log = logging.getLogger(__name__)

# What DataParallel and torch.compile leave, also inside (AlexNet is often wrapped in `features`).
_WRAPPERS = re.compile(r"(^|\.)(?:(?:module|_orig_mod)\.)+")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
# Copies that follow a network in training: they are taken where there is no other.
_FOLLOWING = re.compile(r"ema|teacher|momentum|encoder_k|key|target|swa|average", re.IGNORECASE)
# Modules of a classifier at most: a normalisation and up to three linear layers.
_HEAD_MODULES = 4
_SAME = "pass weights of the same architecture"


class Fitted(NamedTuple):
    """What of a network and a file did not meet."""

    left: tuple[str, ...] = ()
    """Modules of the network that stay as they were: its head."""
    ignored: tuple[str, ...] = ()
    """Entries of the file that have no place."""


_NOTED: ContextVar[list[Fitted] | None] = ContextVar("fitted", default=None)


@contextmanager
def noting() -> Iterator[list[Fitted]]:
    """Hand out a list that gets what each loading inside the context left."""
    noted: list[Fitted] = []
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def current_name(name: str) -> str:
    """Return a state-dict name as networks built today spell it.

    Strips the `module.` that DataParallel and the `_orig_mod.` that torch.compile leave, and joins
    the halves of DenseNet's old names.

    Examples
    --------
    >>> current_name("features.module.0.weight")
    'features.0.weight'
    >>> current_name("module.features.denseblock1.denselayer2.norm.1.bias")
    'features.denseblock1.denselayer2.norm1.bias'
    """
    return _OLD_DENSENET.sub(r"\1\2.", _WRAPPERS.sub(r"\1", name))


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the names to their present form, unless two would become one."""
    found = OrderedDict((current_name(name), tensor) for name, tensor in state.items())
    if len(found) < len(state):
        found = OrderedDict(state)
    # Layer versions, which let a network upgrade old entries; keyed by the names of layers.
    versions = getattr(state, "_metadata", None)
    if isinstance(versions, Mapping):
        found.__dict__["_metadata"] = {current_name(k + ".")[:-1]: v for k, v in versions.items()}
    return found


def load_into(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, whole: bool = False
) -> Fitted:
    """Load a state dict into a network; every entry must have its place and its shape.

    Two things may differ. All names may begin with one prefix more, which a training script put
    there; where several would do, a copy that followed another in training comes last. The head,
    the last modules of the network, may be missing or another: it stays as it was, and is said.

    Parameters
    ----------
    module
        Changed in place.
    state
        As `checkpoints.read` returns it.
    source
        The file, for messages.
    whole
        Whether the head counts as any other part, as of a network whose answers are used.

    Raises
    ------
    ValueError
        Naming the first entry that has another shape, is missing or is unexpected, and how many
        more there are. The network is unchanged if shapes differ.
    """
    own = module.state_dict()
    state, beside = _under_prefix(state, own, source)
    state = _matched(state, own)
    left = [name for name in own if not _fits(name, state, own)]
    head = _head(left, own) if left and not whole else ()
    ignored = [name for name in state if name not in own]
    if head:
        for name in (*left, *ignored):
            state.pop(name, None)
        state.update((name, own[name]) for name in left)
    _fill(module, state, own, source, beside)
    fitted = Fitted(head, tuple(ignored) if head else ())
    if head:
        log.warning("warning: %s: %s", source, left_as_initialised(head))
    noted = _NOTED.get()
    if noted is not None:
        noted.append(fitted)
    return fitted


def left_as_initialised(head: Sequence[str]) -> str:
    """Return in words that a head was not loaded."""
    return f"another head or none, so {', '.join(head)} stays as initialised"


def _fits(name: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    return name in state and state[name].shape == own[name].shape


def _fill(
    module: nn.Module,
    state: dict[str, Tensor],
    own: Mapping[str, Tensor],
    source: str | Path,
    beside: str,
) -> None:
    """Load what fits strictly; say in one line what does not."""
    differing = [name for name in own if name in state and own[name].shape != state[name].shape]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{source}: {name} has shape {tuple(state[name].shape)}, the network wants "
            f"{tuple(own[name].shape)}{_more(differing)}; {_SAME}"
        )
    try:
        missing, unexpected = module.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{source} does not load: {' '.join(str(error).split())}") from error
    faults = [f"lacks {missing[0]}{_more(missing)}"] if missing else []
    faults += [f"has unexpected {unexpected[0]}{_more(unexpected)}"] if unexpected else []
    if faults:
        raise ValueError(f"{source} {' and '.join(faults)}{beside}; {_SAME}")


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _under_prefix(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str | Path
) -> tuple[Mapping[str, Tensor], str]:
    """Return the entries under the prefix that the network lacks, and in words the prefixes seen.

    A prefix is taken where what stands under it covers the network, its head perhaps not.
    """
    need = {name: current_name(name) for name in own if not _counts(name)}
    plain = _matched(state, own)
    if all(name in plain for name in need):
        return state, ""
    wanted = set(need.values())
    covered = Counter(prefix for name in state for prefix in _prefixes(name, wanted))
    found = [p for p in covered if p and _covers(p, state, own, need)]
    if not found or _head([name for name in need if not _fits(name, plain, own)], own):
        return state, _beginnings(state, covered)
    best, *others = sorted(found, key=lambda p: (bool(_FOLLOWING.search(p)), -covered[p], p))
    log.info("%s: took what stands under %s%s", source, best, _listed(others))
    under = OrderedDict((n[len(best) :], v) for n, v in state.items() if n.startswith(best))
    if wanted <= under.keys():
        # a head of training, or what else stood beside the network
        under = OrderedDict((n, v) for n, v in under.items() if n in wanted or _counts(n))
    _keep_versions(state, under, best)
    return under, ""


def _covers(
    prefix: str,
    state: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    need: Mapping[str, str],
) -> bool:
    """Tell whether what stands under a prefix is the network, its head perhaps not."""
    left = [
        name
        for name, present in need.items()
        if prefix + present not in state or state[prefix + present].shape != own[name].shape
    ]
    return not left or bool(_head(left, own))


def _counts(name: str) -> bool:
    """Tell whether an entry counts batches, which old files lack and eval mode never reads."""
    return name.endswith("num_batches_tracked")


def _prefixes(name: str, wanted: Set[str]) -> Iterator[str]:
    """Yield what stands before a name of the network's in an entry's name."""
    parts = name.split(".")
    for place in range(len(parts)):
        if ".".join(parts[place:]) in wanted:
            yield "".join(f"{part}." for part in parts[:place])


def _keep_versions(state: Mapping[str, Tensor], under: OrderedDict, prefix: str) -> None:
    versions = getattr(state, "_metadata", None)
    if isinstance(versions, Mapping):
        under.__dict__["_metadata"] = {
            f"{name}."[len(prefix) :][:-1]: version
            for name, version in versions.items()
            if f"{name}.".startswith(prefix)
        }


def _beginnings(state: Mapping[str, Tensor], covered: Mapping[str, int]) -> str:
    """Return in words how the names in a file begin, where none of them is the network's."""
    if covered.get(""):
        return ""
    beginnings = Counter(name.partition(".")[0] for name in state if "." in name)
    names = [f"{name}." for name, _ in beginnings.most_common(5)]
    return f"; its names begin with {', '.join(names)}" if names else ""


def _listed(others: Sequence[str]) -> str:
    return f" (there are {', '.join(others)} too)" if others else ""


def _head(left: Sequence[str], own: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the modules of a head, if what is left is one: the last few, each as a whole."""
    left = [name for name in left if not _counts(name)]
    order = list(dict.fromkeys(name.rpartition(".")[0] for name in own))
    concerned = list(dict.fromkeys(name.rpartition(".")[0] for name in left))
    last = order[-len(concerned) :]
    whole = all(name in left or _counts(name) for name in own if name.rpartition(".")[0] in last)
    few = len(concerned) <= min(_HEAD_MODULES, len(order) - 1)
    return tuple(last) if concerned == last and whole and few and all(last) else ()


def _matched(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Spell names as the network does, and fill in what old and plain files lack."""
    # A network may have a child called `module` itself, so both sides meet in the present form.
    spelt = {current_name(name): name for name in own} | {name: name for name in own}
    matched = OrderedDict(
        (spelt.get(k) or spelt.get(current_name(k), k), v) for k, v in state.items()
    )
    for name in own:
        if _counts(name):
            matched.setdefault(name, own[name])
    metadata = getattr(state, "_metadata", None)
    if metadata is None and matched.keys() == own.keys():
        # Nothing needs upgrading, but some networks (MNASNet) insist on being told a version.
        metadata = getattr(own, "_metadata", None)
    matched.__dict__["_metadata"] = metadata
    return matched
