"""Networks of transformers, from small directories made here."""

import json

import pytest
import torch

from dissection.activations.capture import collect
from dissection.networks.loading import load, probed

transformers = pytest.importorskip("transformers")

SIZE = (64, 64)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def vit(folder, processor=True, **options):
    torch.manual_seed(1)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=64, patch_size=8,
    )  # fmt: skip
    model = transformers.AutoModel.from_config(config)
    model.save_pretrained(folder)
    if processor:
        fields = {"size": {"height": 64, "width": 64}, "image_processor_type": "ViTImageProcessor"}
        fields |= {"resample": 3, "do_normalize": True, "do_rescale": True} | options
        (folder / "preprocessor_config.json").write_text(json.dumps(fields))
    return model.eval()


def test_a_directory_is_read_with_the_input_of_its_processor(tmp_path):
    source = vit(tmp_path, image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4])
    network = load(f"hf:{tmp_path}")
    preprocessing = network.preprocessing
    assert (preprocessing.size, preprocessing.interpolation) == (SIZE, "bicubic")
    assert preprocessing.mean == pytest.approx((0.5, 0.4, 0.3))
    assert preprocessing.std == pytest.approx((0.2, 0.3, 0.4))
    infos = {i.name: i for i in probed(network)}
    norm = infos["layernorm"]
    assert (norm.layout, norm.units, norm.grid, norm.guess) == ("tokens+1", 16, (8, 8), "")
    batch = torch.randn(2, 3, *SIZE)
    found = collect(network.module, "layernorm", batch)["layernorm"]
    expected = source(batch).last_hidden_state[:, 1:].transpose(1, 2).unflatten(2, (8, 8))
    assert torch.allclose(found, expected, atol=1e-5)


def test_other_scales_of_pixels_are_the_same_normalisation(tmp_path):
    vit(tmp_path, image_mean=[0.0] * 3, image_std=[1.0] * 3, rescale_factor=2 / 255)
    preprocessing = load(f"hf:{tmp_path}").preprocessing
    assert preprocessing.std == pytest.approx((0.5,) * 3)
    (tmp_path / "bare").mkdir()
    vit(tmp_path / "bare", do_normalize=False)
    assert load(f"hf:{tmp_path}/bare").preprocessing.mean == (0.0,) * 3


def test_without_a_processor_the_size_is_the_configurations(tmp_path):
    vit(tmp_path, processor=False)
    assert load(f"hf:{tmp_path}").preprocessing.size == SIZE


def test_weights_may_be_random_or_of_a_file(tmp_path):
    source = vit(tmp_path)
    torch.save(source.state_dict(), tmp_path / "own.pth")
    own = load(f"hf:{tmp_path}", weights=tmp_path / "own.pth").module
    random = load(f"hf:{tmp_path}", random_weights=True).module
    batch = torch.randn(1, 3, *SIZE)
    expected = collect(source, "layernorm", batch)["layernorm"]
    assert torch.equal(collect(own, "layernorm", batch)["layernorm"], expected)
    assert not torch.allclose(collect(random, "layernorm", batch)["layernorm"], expected)


def test_of_images_and_texts_the_part_that_sees_is_taken(tmp_path):
    tower = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32,
    }  # fmt: skip
    config = transformers.CLIPConfig(
        text_config=tower | {"vocab_size": 100},
        vision_config=tower | {"image_size": 64, "patch_size": 16},
        projection_dim=8,
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    grids = {info.grid for info in probed(load(f"hf:{tmp_path}", input_size=64)) if info.grid}
    assert (4, 4) in grids


def test_a_network_of_texts_is_refused(tmp_path):
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        vocab_size=50,
    )  # fmt: skip
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="takes input_ids, not images"):
        load(f"hf:{tmp_path}")


def test_code_of_a_repository_is_not_executed(tmp_path):
    vit(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    marker = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass C: pass\nclass M: pass\n")
    with pytest.raises(RuntimeError, match="hf:.* cannot be loaded, ") as raised:
        load(f"hf:{tmp_path}")
    assert "\n" not in str(raised.value)
    assert not marker.exists()


def test_a_name_that_is_none_is_said_in_one_line(tmp_path):
    with pytest.raises(RuntimeError, match="hf:.*nothing cannot be loaded") as raised:
        load(f"hf:{tmp_path}/nothing")
    assert "\n" not in str(raised.value)
