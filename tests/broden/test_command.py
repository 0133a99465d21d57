import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from broden import command as build_broden
from broden.reader import ProbeSet
from broden.sources.convert import convert
from tests.broden.layout import LABELS, Photo, corner_photos, plane, write_layout, zipped

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp("corners") / "tiny", corner_photos())


@pytest.fixture(scope="module")
def probe(corners, tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "tiny.h5"
    convert(corners, path)
    return path


@pytest.fixture
def run(capsys):
    """Run a command; return its status, stdout and stderr without what bars overwrote."""

    def call(*argv):
        status = build_broden.main([*map(str, argv)])
        captured = capsys.readouterr()
        lines = [line.split("\r")[-1] for line in captured.err.split("\n")]
        return status, captured.out, "\n".join(x for x in lines if not re.match(r"\w+: +\d+%", x))

    return call


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        (1, "1 label map is a palette image, read by index (not by colour)"),
        (2, "2 label maps are palette images, read by index (not by colour)"),
    ],
)
def test_convert_and_info_say_how_palette_images_were_read(maps, said, run, tmp_path):
    photos = [Photo(f"{k}.jpg", {"color": [plane(k, 0, 1, 2)]}) for k in range(maps)]
    root = write_layout(tmp_path / "tiny", photos, map_mode="P")
    status, _, err = run("convert", root, tmp_path / "o.h5")
    assert (status, f"note: {said}\n" in err) == (0, True)
    assert f"label maps  {said}\n" in run("info", tmp_path / "o.h5")[1]


def test_convert_then_info_verify(run, corners, tmp_path):
    target = tmp_path / "deep" / "o.h5"
    status, out, _ = run("convert", zipped(corners, tmp_path / "a.zip"), target)
    assert status == 0
    digest = ProbeSet(target).digest
    assert out == f"{target}: 7 images, digest {digest}\n"
    status, out, err = run("info", target)
    assert (status, err) == (0, "")
    for text in (digest, "images      7 (train 5, val 1, no split 1), 12x16", "label grid  6x8"):
        assert text in out
    assert "left out    0 rows" in out
    status, out, err = run("verify", target)
    assert (status, out) == (0, f"{target}: intact, 7 images, digest {digest}\n")


def test_bad_rows_are_listed_then_left_out(run, tmp_path):
    root, target = write_layout(tmp_path / "tiny", corner_photos()), tmp_path / "o.h5"
    (root / "images/a/none.jpg").unlink()
    (root / "images/b/twice_part_1.png").write_bytes(b"x")
    status, out, err = run("convert", root, target)
    assert (status, out) == (1, "")
    lines = err.strip().split("\n")
    assert lines[0].startswith(f"error: {root}: 2 of 7 rows of index.csv cannot be used")
    assert lines[1] == "index.csv line 3: a/none.jpg: image a/none.jpg is missing"
    assert lines[2].startswith("index.csv line 6: b/twice.jpg: label map b/twice_part_1.png cannot")
    assert os.listdir(tmp_path) == ["tiny"]
    status, out, err = run("convert", root, target, "--skip-bad")
    assert status == 0
    assert out.startswith(f"{target}: 5 images, 2 rows left out, digest ")
    assert [line.split(":")[0] for line in err.strip().split("\n")] == ["left out"] * 2
    _, out, _ = run("info", target)
    assert "left out    2 rows of the source\n  index.csv line 3: a/none.jpg: image" in out


def test_audit_lists_every_label(run, probe):
    status, out, _ = run("info", probe, "--labels", "--quantile", "0.25")
    assert status == 0
    rows = [line.split() for line in out.split("\n") if re.match(r" +\d+  ", line)]
    assert [(int(row[0]), row[1]) for row in rows] == [(n, name) for n, (name, _) in LABELS.items()]
    assert "quantile 0.25, union rule category" in out
    assert "of 7 labels can never pass 0.04" in out
    _, out, _ = run("info", probe, "--labels")
    assert "never above 0.04" in out


def test_verify_prints_each_failure(run, probe, tmp_path):
    path = shutil.copy(probe, tmp_path / "p.h5")
    with h5py.File(path, "r+") as file:
        file["labels/pixels"][:2] += 1
    status, out, err = run("verify", path)
    assert (status, out) == (1, "")
    lines = err.strip().split("\n")
    assert lines[0] == f"error: {path}: 2 failures; make it again"
    assert lines[1].startswith("label 1 (black-c): ")


def test_find_by_name_synonym_and_several(run, probe):
    status, out, _ = run("find", probe, "--label", "auto", "--label", "street", "--limit", "1")
    assert status == 0
    heads = [line.split(":")[0] for line in out.split("\n") if "images," in line]
    assert heads == ["car (object, number 3)", "street-s (scene, number 9)"]
    assert "... 1 more, see --limit" in out
    assert re.search(r"^ +2 +48 +100.00%  a/whole.jpg$", out, re.MULTILINE)


def test_probe_may_be_an_option(run, probe):
    assert (
        run("find", "--probe", probe, "--label", "car")[:2]
        == run("find", probe, "--label", "car")[:2]
    )


@pytest.mark.parametrize(("image", "number"), [("4", 4), ("b/twice.jpg", 4), ("0", 0)])
def test_show_by_number_or_name(image, number, run, probe, tmp_path):
    status, out, _ = run("show", probe, "--image", image, "--out", tmp_path / "x.png")
    assert (status, out.split(" ")[2]) == (0, str(number))
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_mini_and_its_probe(run, monkeypatch, tmp_path):
    status, out, _ = run("mini", "--images", "2", "--seed", "3", tmp_path / "m.h5")
    assert (status, out.split(",")[0]) == (0, f"{tmp_path / 'm.h5'}: 2 images")
    monkeypatch.setattr("broden.mini.default_probe", lambda progress: tmp_path / "m.h5")
    assert run("find", "--label", "sky")[0] == run("info", "mini")[0] == 0


def test_download_from_a_mirror(run, corners, monkeypatch, tmp_path):
    calls = []

    def fake(url, folder, progress):
        calls.append((url, str(folder)))
        return Path(folder) / "a.zip"

    monkeypatch.setattr("broden.sources.download.download", fake)
    assert run("download", "--size", "384", "--out", tmp_path)[0] == 0
    assert run("download", "--url", "http://host/b.zip")[0] == 0
    published = "http://netdissect.csail.mit.edu/data/broden1_384.zip"
    assert calls == [(published, str(tmp_path)), ("http://host/b.zip", ".")]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("convert", "no_such", "{tmp}/o.h5"), "no_such: no such folder or zip"),
        (("convert", "{tmp}", "{tmp}/o.h5"), "index.csv is missing"),
        (("convert", "{corners}", "{tmp}"), "is a folder; give a file name"),
        (("info", "{tmp}/no.h5"), "no.h5: no such probe file"),
        (("info", "{corners}/index.csv"), "index.csv: not a whole probe file"),
        (("verify", "{corners}/index.csv"), "index.csv: not a whole probe file"),
        (("find", "{probe}", "--label", "whel"), "no label is called 'whel'; nearest are wheel"),
        (
            ("show", "{probe}", "--image", "7", "--out", "{tmp}/x.png"),
            "'7' is neither a number below 7",
        ),
        (("show", "{probe}", "--image", "b/twic.jpg", "--out", "x.png"), "nearest are b/twice.jpg"),
        (
            ("show", "{probe}", "--image", "0", "--out", "{tmp}/x.foo"),
            "Format 'foo' is not supported",
        ),
        (("download", "--url", "file:///etc/passwd"), "no http or https address"),
    ],
)
def test_failure_is_one_line(argv, text, run, corners, probe, tmp_path):
    places = {"tmp": tmp_path, "corners": corners, "probe": probe}
    status, out, err = run(*(arg.format(**places) for arg in argv))
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert text in err
    assert err.count("\n") == 1
    assert "internal error" not in err


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("unknown",),
        ("convert", "a"),
        ("find", "p.h5"),
        ("find", "p.h5", "--label", "a", "--limit", "0"),
        ("info", "a.h5", "--probe", "b.h5"),
        ("info", "a.h5", "--quantile", "2"),
        ("download", "--size", "225"),
        ("show", "p.h5", "--image", "1"),
        ("mini", "--images", "0", "m.h5"),
    ],
)
def test_wrong_usage_is_status_two(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        build_broden.main([*argv])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.endswith(" --help\n")
    assert message.count("\n") == 1


def command(*argv):
    return [sys.executable, str(ROOT / "scripts" / "build_broden.py"), *map(str, argv)]


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from broden import command\n"
        "try:\n    command.main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'h5py', 'PIL', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "convert" in done.stdout


def test_shell_sees_the_status(tmp_path):
    done = subprocess.run(command("info", tmp_path / "x.h5"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    debug = subprocess.run(
        command("info", tmp_path / "x.h5", "--debug"), capture_output=True, text=True
    )
    assert "Traceback" in debug.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupt_is_one_line_and_leaves_nothing(tmp_path, started):
    process = started(
        command("mini", "--images", "5000", tmp_path / "m.h5"),
        stderr=subprocess.PIPE,
    )
    # The bar's second drawing tells that the work has begun.
    seen = b""
    while seen.count(b"\r") < 2 and process.poll() is None:
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    seen += process.communicate()[1]
    assert process.returncode == 1
    last = seen.decode().strip().split("\n")[-1]
    assert last == "error: interrupted; nothing unfinished is left"
    assert os.listdir(tmp_path) == []
