import argparse
import os
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


def test_closed_pipe_is_no_failure(started):
    code = (
        "import sys, argparse; from broden.system import terminal\n"
        "def body(_):\n    for _ in range(100000): print('line')\n"
        "sys.exit(terminal.run(body, argparse.Namespace(debug=False)))"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    process = started(command, stdout=-1, stderr=-1, cwd=root, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.parametrize(("stream", "status"), [("stdout", 0), ("stderr", 1)])
def test_only_a_reader_of_the_results_may_leave(stream, status, started):
    code = (
        "import sys, argparse; from broden.system import terminal\n"
        "def body(args):\n"
        f"    for _ in range(10**6): print('x' * 100, file=sys.{stream})\n"
        "sys.exit(terminal.run(body, argparse.Namespace(debug=False)))"
    )
    process = started(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        **{name: subprocess.PIPE for name in ("stdout", "stderr")},
    )
    getattr(process, stream).close()
    other = {"stdout": process.stderr, "stderr": process.stdout}[stream]
    other.read()
    assert process.wait() == status


def parser():
    made = terminal.Parser(prog="tool")
    made.add_argument("--method", choices=("iou", "clip"))
    made.add_argument("--limit", type=terminal.positive)
    made.add_argument("--share", type=terminal.fraction)
    made.add_argument("--scale", type=terminal.above_zero)
    sub = made.add_subparsers().add_parser("find")
    sub.add_argument("--label")
    return made


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--metod=iou"], "unknown option --metod, nearest: --method"),
        (["--method", "iuo"], "argument --method: 'iuo' is none of iou, clip, nearest: iou"),
        (["fnd"], "'fnd' is none of find, nearest: find; see tool --help"),
        (["find", "--lable", "x"], "unknown option --lable, nearest: --label"),
        (["find", "--label"], "argument --label: expected one argument; see tool find --help"),
        (["find", "more"], "unknown argument more; see tool --help"),
        (["--limit", "0"], "'0' is no whole number above 0"),
        (["--limit", "many"], "'many' is no whole number above 0"),
        (["--share", "1"], "'1' is no number from 0 up to but not 1"),
        (["--share", "nan"], "'nan' is no number from 0 up to but not 1"),
        (["--scale", "0"], "'0' is no number above 0"),
        (["--scale", "inf"], "'inf' is no number above 0"),
        (["--scale", "x"], "'x' is no number above 0"),
    ],
)
def test_wrong_usage_is_one_line(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(argv)
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not out


def test_right_usage_is_parsed():
    found = parser().parse_args(["--method", "iou", "--limit", "3", "find", "--label", "x"])
    assert (found.method, found.limit, found.label) == ("iou", 3, "x")


@pytest.mark.parametrize("package", ["broden", "dissection", "figures"])
def test_a_module_is_called_as_it_was_started(package):
    found = subprocess.run(
        [sys.executable, "-m", package, "--nothing"],
        capture_output=True, text=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.endswith(f"see python -m {package} --help\n")


def completed(line, tmp_path):
    """Return what a shell would offer behind a line, as argcomplete's own hook asks for it."""
    answer = tmp_path / "answer"
    program = line.split()[0]
    module = {"dissect": "dissection", "dissect-figures": "figures", "dissect-probe": "broden"}
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    code = (
        f"import sys; from {module[program]}.__main__ import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=environment, cwd=Path(__file__).parents[3], check=True,
    )  # fmt: skip
    return answer.read_text().split("\n")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dissect --union ", ["category", "mask", "all"]),
        ("dissect --model mini_s", ["mini_scenes"]),
        ("dissect --sim", ["--similarity"]),
        ("dissect-probe ver", ["verify"]),
    ],
)
def test_a_shell_is_told_the_choices(line, offered, tmp_path):
    assert completed(line, tmp_path) == offered
