"""The run of full size: its probe set follows the law, and all its steps run on a small one."""

import json
import re
import subprocess
import sys

import _full
import _full_probe
import _law
import benchmark
import numpy as np
import pytest
from _processes import finished

from broden import mini
from broden.reader import ProbeSet
from broden.verification import verify

IMAGES = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "full.h5"
    return _full_probe.ensure(path, IMAGES, progress=False)


@pytest.fixture(scope="module")
def probe(made):
    with ProbeSet(made) as opened:
        yield opened


def _quantiles(line):
    """Return name, published and lawful quantiles, published labels and all of a line."""
    name, *numbers = re.findall(r"[a-z]+|\d+", line)
    values = [int(n) for n in numbers if n.isdecimal()]
    return name, values[:5], values[5:10], values[10], values[11]


def test_the_law_has_the_quantiles_that_its_text_states():
    stated = re.findall(r"^    [a-z]+ .*\(.*\)$", _law.__doc__, re.MULTILINE)
    laws = _law.laws()
    assert len(stated) == len(laws)
    for name, published, said, labels, every in map(_quantiles, stated):
        mass = laws[name].mass
        assert len(mass) == every
        assert (np.diff(mass) <= 0).all()
        found = np.quantile(mass[:labels], [0.05, 0.25, 0.5, 0.75, 0.95])
        assert np.round(found).astype(int).tolist() == said
        np.testing.assert_allclose(said, published, rtol=0.5, atol=2)


def test_the_law_is_of_the_labels_and_images_of_broden():
    laws = _law.laws()
    assert sum(len(law.mass) for law in laws.values()) == 1197
    assert sum(source.images for source in _law.SOURCES) == _law.IMAGES
    for law in laws.values():
        assert law.mass.sum() <= 1.15 * law.images
        assert law.mass.min() >= 0.5
        assert (law.chance * law.images >= 10).all()


def test_a_set_that_is_made_is_whole(probe, made):
    assert [*verify(made)] == []
    assert len(probe) == IMAGES
    assert probe.grid == (112, 112)
    assert not [*made.parent.glob(".*")]


def test_every_pixel_has_a_colour_and_pictures_repeat_under_other_labels(probe):
    color = probe.labels.primary == probe.categories.index("color")
    assert probe.labels.pixels[color].sum() == IMAGES * 112 * 112
    data = probe.jpegs(range(IMAGES))
    assert len(set(data)) <= IMAGES // 8
    same = [i for i, one in enumerate(data) if one == data[0]]
    held = [tuple(probe.contents(i, i + 1)[2].tolist()) for i in same]
    assert len({*held}) == len(held) > 1


def test_sources_are_mixed_in_the_shares_of_broden(probe):
    objects = probe.presence[:, probe.categories.index("object")]
    assert objects.mean() == pytest.approx(32_313 / 63_305, abs=0.02)
    # no source is all at one end
    assert objects[: IMAGES // 2].any()
    assert objects[IMAGES // 2 :].any()


def test_labels_cover_what_the_law_says(probe):
    for name, law in _law.laws().items():
        mine = probe.labels.primary == probe.categories.index(name)
        covered = probe.labels.pixels[mine].sum() / 112**2 / IMAGES
        assert covered == pytest.approx(law.mass.sum() / _law.IMAGES, rel=0.35)


def test_the_same_seed_makes_the_same_set(probe, tmp_path):
    again = _full_probe.ensure(tmp_path / "again.h5", IMAGES, progress=False)
    with ProbeSet(again) as other:
        assert other.digest == probe.digest


def test_a_set_that_is_there_is_not_made_again(made, monkeypatch):
    monkeypatch.setattr(_full_probe, "make", None)
    assert _full_probe.ensure(made, IMAGES) == made


def test_another_file_is_left_alone(made, tmp_path):
    with pytest.raises(ValueError, match="is another probe set .*full-size, 200 images"):
        _full_probe.ensure(made, IMAGES + 1)
    foreign = tmp_path / "mini.h5"
    mini.build(foreign, 3)
    before = foreign.read_bytes()
    with pytest.raises(ValueError, match=r"is another probe set \(mini, 3 images"):
        _full_probe.ensure(foreign, 3)
    assert foreign.read_bytes() == before


def test_files_that_differ_or_lack_are_named_and_run_cards_are_not(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, text in ((one, "1"), (other, "2")):
        (folder / "tally").mkdir(parents=True)
        (folder / "run.json").write_text(text)
        (folder / "tally" / "a.csv").write_text(text)
        (folder / "same.csv").write_text("same")
    (one / "gone.csv").write_text("")
    assert _full.compare(one, other) == ["gone.csv", "tally/a.csv"]


def command(made, *options):
    network = ["--model", "mini_random", "--layers", "layer4", "--device", "cpu"]
    return [*network, "--probe", str(made), "--images", str(IMAGES), *options]


def test_a_folder_with_runs_is_not_written(made, tmp_path, capsys):
    (tmp_path / "whole").mkdir()
    asked = ["--full", "whole", "--folder", str(tmp_path)]
    assert benchmark.main(command(made, *asked)) == 1
    assert "whole is there; remove it or give another --folder" in capsys.readouterr().err


def test_what_is_killed_is_compared_with_a_whole_run(made, tmp_path, capsys):
    asked = ["--full", "killed", "--folder", str(tmp_path)]
    assert benchmark.main(command(made, *asked)) == 1
    assert "has no whole run to compare with; use --full whole first" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["half", "whole,half", ""])
def test_unknown_steps_are_refused(made, text, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(command(made, f"--full={text}"))
    assert "names other steps than whole, killed" in capsys.readouterr().err


def test_a_command_that_fails_is_named():
    with pytest.raises(RuntimeError, match="ended with status 3: .*exit"):
        finished([sys.executable, "-c", "exit(3)"])


def test_a_command_is_timed_with_what_it_starts():
    work = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    took = finished([sys.executable, "-c", work])
    direct = finished([sys.executable, "-c", "import subprocess"])
    assert took.cpu > direct.cpu > 0


def test_a_run_that_ends_before_half_is_said(tmp_path):
    with pytest.raises(RuntimeError, match="ended with status 0 before it was killed"):
        _full._kill_half_way([sys.executable, "-c", "pass"], tmp_path, range(2))


def test_the_first_use_is_measured_with_an_empty_cache(monkeypatch, tmp_path, capsys):
    import _start
    from _took import Took

    from dissection.commands.dissect import _parser as dissect_options
    from figures.command import _parser as figure_options

    options = {"dissect.py": dissect_options(), "make_figures.py": figure_options()}
    seen = []

    def noted(line, **added):
        seen.append(added["XDG_CACHE_HOME"])
        name = line[1].rpartition("/")[2]
        if name in options and "--help" not in line:
            options[name].parse_args(line[2:])
        return Took(2.0, 1.0)

    monkeypatch.setattr(_start, "finished", noted)
    assert benchmark.main(["--start", "--images", "7"]) == 0
    found = json.loads(capsys.readouterr().out)
    steps = ["help", "rendering", "run", "figures", "figures_and_report"]
    assert [*found["seconds"]] == steps
    assert found["seconds"]["run"] == {"wall": 2.0, "cpu": 1.0}
    # one cache for all of them, which only this measurement has
    assert len({*seen}) == 1


@pytest.mark.slow
def test_a_set_is_dissected_whole_and_killed_and_continued(made, tmp_path):
    script = benchmark.__file__
    asked = command(made, "--full", "--folder", str(tmp_path))
    run = subprocess.run([sys.executable, script, *asked], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    whole, killed = found["whole"], found["killed"]
    for name in ("ratio", "ratio_to_last_layer", "cpu_ratio", "cpu_ratio_to_last_layer"):
        before, after = (whole["bare"][when][name] for when in ("before", "after"))
        assert min(before, after) <= whole[name] <= max(before, after)
    assert whole["images"] == IMAGES
    assert whole["parts"]["network"]["of_network"] > 0
    assert whole["drawing"]["figures"]["wall"] > 0
    assert killed["different"] == []
    assert killed["shards"] == 4
    assert 2 <= killed["shards_at_the_kill"] <= 4
    assert killed["images_resumed"] >= 2 * IMAGES // 4
    assert json.loads((tmp_path / "whole.json").read_text()) == whole
    assert json.loads((tmp_path / "killed.json").read_text()) == killed
    assert (tmp_path / "figures_and_report" / "report" / "index.html").is_file()
