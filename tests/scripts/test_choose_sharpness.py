"""The sharpness of an encoder is chosen by agreement on drawn images, and written on its card."""

import json
import shutil

import choose_sharpness
import pytest

from dissection.networks.sources import mini, openclip_folder

pytest.importorskip("open_clip")


@pytest.mark.slow
def test_the_best_of_several_is_written_on_the_card(tmp_path, monkeypatch, capsys):
    encoder = tmp_path / "clip"
    shutil.copytree(mini.CLIP, encoder)
    monkeypatch.setattr(choose_sharpness, "GRID", (10.0, 0.5))
    monkeypatch.setattr(choose_sharpness, "NETWORKS", ("mini_objects",))
    command = [str(encoder), "--images", "60", "--out", str(tmp_path / "runs")]
    assert choose_sharpness.main(command) == 0
    card = json.loads((encoder / "card.json").read_text())
    shares = card["sharpness_chosen"]["same_name"]
    assert set(shares) == {"10", "0.5"}
    best = max(shares, key=lambda value: (sum(shares[value]), float(value)))
    assert card["sharpness"] == float(best) == openclip_folder.sharpness(encoder)
    assert 0 < card["score_spread"] < 1
    assert card["architecture"] == json.loads((mini.CLIP / "card.json").read_text())["architecture"]
    assert f"sharpness {best}" in capsys.readouterr().out


def test_the_images_of_the_probe_are_refused(tmp_path, capsys):
    shutil.copytree(mini.CLIP, tmp_path / "clip")
    command = [str(tmp_path / "clip"), "--seed", "0", "--out", str(tmp_path / "runs")]
    assert choose_sharpness.main(command) == 1
    assert "seed 0 is that of the probe set" in capsys.readouterr().err
