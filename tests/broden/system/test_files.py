import errno
import os
import socket
import subprocess
import sys

import pytest

from broden.system.files import (
    atomic,
    check_layer_names,
    file_name,
    inside,
    naming,
    regular_file,
    sweep,
)

LINKS = pytest.mark.skipif(os.name != "posix", reason="links")


@pytest.fixture
def dead():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@LINKS
def test_a_link_is_replaced_and_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in ("out", f"out.{os.getpid()}.part"):
        (tmp_path / name).symlink_to(mine)
    (tmp_path / "hard").hardlink_to(mine)
    for name in ("out", "hard"):
        with atomic(tmp_path / name) as handle:
            handle.write(b"ours")
        assert (tmp_path / name).read_text() == "ours"
        assert not (tmp_path / name).is_symlink()
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard", "mine", "out"]


@LINKS
@pytest.mark.parametrize("dangling", [False, True])
def test_what_lies_behind_a_link_inside_is_refused(dangling, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    if not dangling:
        elsewhere.mkdir()
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "linked").symlink_to(elsewhere)
    # the directory that is given may itself be a link
    (tmp_path / "way").symlink_to(tmp_path / "given")
    assert inside(tmp_path / "way", "deep/file") == tmp_path / "way" / "deep" / "file"
    for name in ("linked", "linked/file"):
        with pytest.raises(ValueError, match=r"way/linked is a link, and nothing is written thr"):
            inside(tmp_path / "way", name)


def test_partial_files_of_dead_processes_go_and_others_stay(dead, tmp_path):
    gone = [f"a.csv.{dead}.part", f".a.csv.{dead}.part", f"a.csv.{10**17}.part"]
    stay = [f"a.csv.{os.getppid()}.part", "a.csv", "a.csv.part", f"b.csv.{dead}.part", "x.1.parts"]
    for name in gone + stay:
        (tmp_path / name).touch()
    (tmp_path / f"a.csv.{dead}0000.part").mkdir()
    sweep(tmp_path, "a.csv".__eq__)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(stay)
    sweep(tmp_path, "a.csv".__eq__, everyone=True)
    assert not (tmp_path / stay[0]).exists()
    sweep(tmp_path / "missing", "a.csv".__eq__)


def test_a_disk_that_may_only_be_read_keeps_what_was_left(dead, tmp_path, monkeypatch):
    left = tmp_path / f"a.csv.{dead}.part"
    left.touch()

    def refuse(*_args, **_more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("broden.system.files.os.unlink", refuse)
    sweep(tmp_path, "a.csv".__eq__)
    assert left.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_write_that_fails_names_the_file(code, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(OSError, match="what is finished stays") as caught, atomic(path):
        raise OSError(code, os.strerror(code))
    assert (caught.value.errno, caught.value.filename) == (code, str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "before"
    with pytest.raises(OSError, match="one of ours"), naming(path):
        raise OSError("one of ours")


def test_a_plain_file_and_a_link_to_one_are_taken(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "b"):
        assert regular_file(tmp_path / name, "table") == tmp_path / name
        assert regular_file(str(tmp_path / name), "table") == tmp_path / name


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for name in ("none", "link", "a/inside"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such table$"):
            regular_file(tmp_path / name, "table")


def test_what_would_be_waited_for_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(tmp_path)
        made.bind("socket")
        os.chdir(here)
        for path in (*(tmp_path / n for n in ("pipe", "link", "socket")), "/dev/zero"):
            with pytest.raises(ValueError, match="is a named pipe, a socket or a device, expected"):
                regular_file(path, "table")
    with pytest.raises(ValueError, match="is a directory, expected a table; give a plain file"):
        regular_file(tmp_path, "table")


def test_a_path_that_cannot_be_is_said():
    with pytest.raises(ValueError, match="is no possible path of a table"):
        regular_file("a\0b", "table")


def test_a_long_name_becomes_a_file_name_that_fits_and_is_its_own():
    names = [f"{'block.' * 50}{last}" for last in ("a", "b", "é")]
    short = [file_name(name) for name in names]
    assert len(set(short)) == 3
    assert {len(name) for name in short} == {200}
    assert file_name("a" * 200) == "a" * 200


def test_names_of_layers_that_can_be_written():
    check_layer_names(["layer4", "blocks.2/a", "blocks.2/b", "größe", "a b", "x" * 200])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x" * 201], "has a name of 201 characters, at most 200 are allowed; rename"),
        (["a\0b"], r"'a\\x00b' holds U\+0000 \(control character\), which no name may"),
        (["a\nb"], r"holds U\+000A"),
        (["a\u202eb"], r"holds U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        (["a\ud800"], r"holds U\+D800"),
        (["a//b"], "'a//b' is no name that files can have"),
        (["../a"], "no name that files can have"),
        (["/a"], "no name that files can have"),
        (["a b", "a_b"], "layers a b and a_b would share a file"),
        (["a/b", "a"], "layers a and a/b would share a place"),
    ],
)
def test_layers_that_could_not_be_written_are_refused(names, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_layer_names(["layer1", *names])
    assert str(caught.value).isprintable()
