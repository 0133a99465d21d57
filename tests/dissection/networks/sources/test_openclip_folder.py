"""Directories of encoders whose configuration asks for more than open_clip builds."""

import json

import pytest
import torch
from safetensors.torch import save_file

from dissection.clip import encoder
from dissection.networks.sources import openclip_folder as directory
from tests.dissection.clip.test_encoder import TEXT, VIT, network, write_config

tokenizers = pytest.importorskip("tokenizers")
WORDS = ["[PAD]", "[UNK]", "a", "red", "car", "dog"]


@pytest.fixture
def words(tmp_path):
    """Write a directory with a tokenizer.json of words."""
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = tmp_path / "form"
    folder.mkdir()
    made.save(str(folder / directory.TOKENIZER))
    return folder


def configured(folder, config):
    folder.mkdir(exist_ok=True)
    write_config(folder, config)
    save_file(network().state_dict(), folder / "open_clip_model.safetensors")
    return folder


def code(tmp_path):
    """Return the source of a module that leaves a mark where it is imported."""
    return f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass T: pass\n"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}),
        ("open_clip_config.json", {"tokenizer_kwargs": {"trust_remote_code": True}}),
        ("open_clip_config.json", {"trust_remote_code": True}),
    ],
)
def test_code_of_a_directory_is_never_run(tmp_path, words, file, content):
    text = TEXT | {"hf_tokenizer_name": str(words)}
    if file == "open_clip_config.json":
        text = text | content
    configured(words, VIT | {"text_cfg": text})
    if file == "tokenizer_config.json":
        (words / file).write_text(json.dumps(content))
    (words / "evil.py").write_text(code(tmp_path))
    with pytest.raises(ValueError, match=rf"{file}: \w+ asks to run code") as raised:
        encoder.load(f"local-dir:{words}")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("where", "fields", "match"),
    [
        ("text_cfg", {"hf_model_name": "somebody/text"}, "hf_model_name names a network of else"),
        ("vision_cfg", {"timm_model_name": "hf-hub:somebody/x"}, "no plain name of timm"),
        ("vision_cfg", {"timm_model_name": "local-dir:/tmp/x"}, "no plain name of timm"),
        ("text_cfg", {"tokenizer_kwargs": {"bpe_path": "/etc/passwd"}}, "has 'bpe_path'; allowed"),
        ("text_cfg", {"tokenizer_kwargs": [1]}, "tokenizer_kwargs has "),
        ("text_cfg", {"hf_tokenizer_name": "somebody/words"}, "save it as .*tokenizer.json"),
    ],
)
def test_what_lies_elsewhere_is_refused(tmp_path, where, fields, match):
    folder = configured(tmp_path / "form", VIT | {where: VIT[where] | fields})
    with pytest.raises(ValueError, match=match) as raised:
        encoder.load(f"local-dir:{folder}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["[]", '{"model_cfg": 3}', "[" * 100_000, '{"a": NaN'])
def test_a_configuration_of_any_shape_is_one_line(tmp_path, content):
    folder = configured(tmp_path / "form", VIT)
    (folder / directory.CONFIG).write_text(content)
    with pytest.raises(ValueError, match="open_clip_config.json") as raised:
        encoder.load(f"local-dir:{folder}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "found"), [(None, None), ("[1]", None), ("{}", None), ('{"sharpness": 2}', 2.0)]
)
def test_the_card_may_say_the_sharpness(tmp_path, content, found):
    if content is not None:
        (tmp_path / directory.CARD).write_text(content)
    assert directory.sharpness(tmp_path) == found


@pytest.mark.parametrize("said", ["0", "-1", "true", '"2"', "NaN", "Infinity", "[2]"])
def test_a_sharpness_that_is_none_is_one_line(tmp_path, said):
    (tmp_path / directory.CARD).write_text(f'{{"sharpness": {said}}}')
    with pytest.raises(ValueError, match=r"card.json: sharpness must be a number above 0"):
        directory.sharpness(tmp_path)


def test_a_tokenizer_is_read_as_data(words):
    (words / "tokenizer_config.json").write_text('{"pad_token": "[PAD]"}')
    configured(words, VIT | {"text_cfg": TEXT | {"hf_tokenizer_name": "somebody/words"}})
    loaded = encoder.load(f"local-dir:{words}")
    assert loaded.texts(["a red car"]).shape[0] == 1
    tokens = directory.tokenizer(words, 5)(["a red car", "dog " * 9, "cat"])
    assert tokens.tolist() == [[2, 3, 4, 0, 0], [5] * 5, [1, 0, 0, 0, 0]]
    assert tokens.dtype == torch.int64


def test_a_damaged_tokenizer_is_one_line(words):
    (words / directory.TOKENIZER).write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer.json is damaged, ") as raised:
        directory.tokenizer(words, 5)
    assert "\n" not in str(raised.value)
