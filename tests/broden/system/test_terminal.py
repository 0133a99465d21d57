import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from broden.schema import ProbeSetError
from broden.system import terminal


def args(debug=False):
    return argparse.Namespace(debug=debug)


def raising(error):
    def body(_):
        raise error

    return body


class ListedError(ValueError):
    details = ("first", "second\nline")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("limit is 0"), "error: limit is 0\n"),
        (ProbeSetError("p.h5: broken"), "error: p.h5: broken\n"),
        (ValueError("two\nlines  \x1b[31m"), "error: two lines \\x1b[31m\n"),
        (FileNotFoundError("x.h5: no such file"), "error: x.h5: no such file\n"),
        (OSError(28, "No space left on device", "o.h5"), "error: o.h5: No space left on device\n"),
        (OSError(5, "Input/output error"), "error: Input/output error\n"),
        (KeyError("k"), "error: internal error, KeyError: 'k'; see --debug and report it\n"),
        (ValueError(), "error: internal error, ValueError: ; see --debug and report it\n"),
        (
            MemoryError(),
            "error: out of memory; use a smaller batch or fewer workers, or free memory\n",
        ),
        (KeyboardInterrupt(), "error: interrupted; nothing unfinished was left\n"),
        (ListedError("2 rows"), "error: 2 rows\nfirst\nsecond line\n"),
    ],
    ids=repr,
)
def test_failure_is_one_line_and_status_one(error, text, capsys):
    assert terminal.run(raising(error), args()) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", text)


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), MemoryError(), KeyError("k")]
)
def test_debug_keeps_the_traceback(error):
    with pytest.raises(type(error)):
        terminal.run(raising(error), args(debug=True))


def test_further_failures_may_be_declared(capsys):
    assert terminal.run(raising(LookupError("layer x")), args(), expected=(LookupError,)) == 1
    assert capsys.readouterr().err == "error: layer x\n"


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_status_of_the_body_is_passed_on(returned, status):
    assert terminal.run(lambda _: returned, args()) == status


def test_own_text_on_interrupt(capsys):
    terminal.run(raising(KeyboardInterrupt()), args(), interrupted="run again to resume")
    assert capsys.readouterr().err == "error: run again to resume\n"


def test_closed_pipe_is_no_failure():
    code = (
        "import sys, argparse; from broden.system import terminal\n"
        "def body(_):\n    for _ in range(100000): print('line')\n"
        "sys.exit(terminal.run(body, argparse.Namespace(debug=False)))"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=-1, stderr=-1, cwd=root, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait() == 0


@pytest.mark.parametrize(("stream", "status"), [("stdout", 0), ("stderr", 1)])
def test_only_a_reader_of_the_results_may_leave(stream, status):
    code = (
        "import sys, argparse; from broden.system import terminal\n"
        "def body(args):\n"
        f"    for _ in range(10**6): print('x' * 100, file=sys.{stream})\n"
        "sys.exit(terminal.run(body, argparse.Namespace(debug=False)))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        **{name: subprocess.PIPE for name in ("stdout", "stderr")},
    )
    getattr(process, stream).close()
    other = {"stdout": process.stderr, "stderr": process.stdout}[stream]
    other.read()
    other.close()
    assert process.wait() == status
