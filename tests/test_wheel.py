"""The wheel, installed in an environment of its own, is all that the commands need."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = ("dissect", "dissect-probe", "dissect-compare", "dissect-figures")

pytestmark = pytest.mark.slow


def run(*command, cwd):
    """Run a command that must succeed, with nothing of this process's paths in its own."""
    hidden = ("PYTHONPATH", "COVERAGE_PROCESS_START")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The scripts' folder of an environment with the wheel, and a folder outside the repository.

    The packages that ours depend on are those of the environment of the tests.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # a checkout has files that setuptools would take for an earlier build
    run("git", "clone", "--quiet", ROOT, source, cwd=folder)
    for name in subprocess.run(
        ["git", "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines():  # fmt: skip
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    run(*build, source, cwd=folder)
    venv.create(folder / "env", with_pip=False, symlinks=True)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    site = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    ).stdout.strip()
    (wheel,) = folder.glob("*.whl")
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel,
        cwd=folder,
    )  # fmt: skip
    # behind the wheel's own folder; a path file of an editable install in it is not followed
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    Path(site, "dependencies.pth").write_text("\n".join(sorted(paths)))
    outside = folder / "outside"
    outside.mkdir()
    return scripts, outside


def test_nothing_of_the_repository_is_on_the_path(installed):
    scripts, outside = installed
    code = (
        "import sys, broden, dissection, figures\n"
        "print(*sys.path, sep='\\n')\n"
        "print(broden.__file__, dissection.__file__, figures.__file__, sep='\\n')"
    )
    paths = run(scripts / "python", "-c", code, cwd=outside).stdout.splitlines()
    assert not [path for path in paths if path == str(ROOT)]
    for file in paths[-3:]:
        assert Path(file).is_relative_to(scripts.parent)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps(installed, name):
    scripts, outside = installed
    assert run(scripts / name, "--help", cwd=outside).stdout.startswith(f"usage: {name} ")


def test_the_default_is_dissected_compared_and_drawn(installed):
    scripts, outside = installed
    small = ("--limit", "64", "--device", "cpu")
    for method, model in (("both", "mini_scenes"), ("iou", "mini_random")):
        done = run(
            scripts / "dissect", "--method", method, "--model", model, *small, "--out", model,
            cwd=outside,
        )  # fmt: skip
        assert f"results: {model}" in done.stdout
    runs = ("mini_scenes", "mini_random")
    run(scripts / "dissect-compare", *runs, "--out", "compared", cwd=outside)
    assert (outside / "compared" / "iou-only.csv").is_file()
    drawn = run(
        scripts / "dissect-figures", *runs, "--formats", "png", "--dpi", "60", "--report",
        "--only", "distinct,depth,sheet", "--sheets", "2",
        cwd=outside,
    ).stdout  # fmt: skip
    assert "report: mini_scenes/figures/report/index.html" in drawn.replace(os.sep, "/")
    assert (outside / "mini_scenes" / "figures" / "report" / "index.html").is_file()
    run(scripts / "dissect-probe", "info", "mini", cwd=outside)
