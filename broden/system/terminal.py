"""How every command begins and ends: its options, a status, and of a failure one line on stderr."""

from __future__ import annotations

import argparse
import math
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from broden.system.text import nearest

DONE, FAILED, MISUSED = 0, 1, 2
#: What users can cause and mend; anything else is our mistake and is called so.
_EXPECTED = (OSError, ValueError, ImportError)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: what is wrong, what is near it, how to get help."""

    def __init__(self, *args: Any, **options: Any) -> None:
        called = Path(sys.argv[0])
        if called.name == "__main__.py":
            options.setdefault("prog", f"python -m {called.parent.name}")
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **options)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the options; an unknown one is an error that names the nearest."""
        if "_ARGCOMPLETE" in os.environ:
            # set by the shell that asks what could come next
            import argcomplete

            argcomplete.autocomplete(self)
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            given = unknown[0].partition("=")[0]
            kind = "option" if given.startswith("-") else "argument"
            self.error(f"unknown {kind} {given}{nearest(given, _options(self))}")
        return found

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line."""
        self.exit(MISUSED, f"error: {_one_line(message)}; see {self.prog} --help\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            near = nearest(str(value), known)
            raise argparse.ArgumentError(action, f"{value!r} is none of {', '.join(known)}{near}")


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Return all long options of a parser and of its subcommands."""
    found = []
    for action in parser._actions:
        found += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            found += [name for sub in action.choices.values() for name in _options(sub)]
    return list(dict.fromkeys(found))


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add the --debug option that `run` reads."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")


def run(
    body: Callable[[argparse.Namespace], int | None],
    args: argparse.Namespace,
    *,
    expected: tuple[type[Exception], ...] = (),
    interrupted: str = "interrupted; nothing unfinished was left",
) -> int:
    """Run the body of a command and return its exit status.

    Parameters
    ----------
    body : callable
        Takes `args`; returns a status, or None for done.
    args : argparse.Namespace
        With ``debug``, failures keep their traceback.
    expected : tuple of exception types
        Further failures whose text speaks for itself.
    interrupted : str
        What to say on Ctrl-C.

    Returns
    -------
    int
        0 done, 1 failed. A failure prints one line; an exception with an attribute ``details``
        has these lines printed below it.
    """
    try:
        status = body(args) or DONE
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        if args.debug:
            raise
        _print_error(interrupted)
    except MemoryError:
        if args.debug:
            raise
        _print_error("out of memory; use a smaller batch or fewer workers, or free memory")
    except Exception as error:
        if args.debug:
            raise
        _print_error(message(error, _EXPECTED + expected))
        for line in getattr(error, "details", ()):
            print(_one_line(line), file=sys.stderr)
    return FAILED


def _reader_left() -> int:
    """Return the status when the reader of our output (head, less) has seen enough.

    Results are printed when the work is done; a progress bar that nobody reads is not the end.
    """
    stdout = sys.stdout.fileno()
    watch = select.poll()
    watch.register(stdout, 0)
    done = bool(watch.poll(0))
    # Python would complain at exit
    for stream in (stdout, sys.stderr.fileno()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    return DONE if done else FAILED


def message(error: Exception, expected: tuple[type[Exception], ...] = _EXPECTED) -> str:
    """Return one line for an exception."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _one_line(f"{where}{error.strerror}")
    if isinstance(error, expected) and str(error):
        return _one_line(str(error))
    return _one_line(f"internal error, {type(error).__name__}: {error}; see --debug and report it")


def _print_error(text: str) -> None:
    print(f"error: {text}", file=sys.stderr, flush=True)


def _one_line(text: str) -> str:
    """Return text without line breaks or control characters that could hide part of it."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(text.split()))


def positive(text: str) -> int:
    """Return the whole number above 0 that an option gives."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """Return the whole number that an option gives, 0 or above."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or above")
    return int(text)


def above_zero(text: str) -> float:
    """Return the finite number above 0 that an option gives."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def fraction(text: str) -> float:
    """Return the number from 0 up to but not 1 that an option gives."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 up to but not 1")
    return value
