import io
import json
import logging
import pickle
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from broden.images import decode
from dissection.clip import encoder
from dissection.networks.sources import mini, openclip
from dissection.networks.weights import torchscript
from tests.broden.layout import jpeg

open_clip = pytest.importorskip("open_clip")

D, SIDE, CONTEXT = 6, 32, 10
TEXT = {"context_length": CONTEXT, "vocab_size": 49_408, "width": 8, "heads": 2, "layers": 1}
VIT = {
    "embed_dim": D,
    "vision_cfg": {
        "image_size": SIDE,
        "layers": 1,
        "width": 16,
        "patch_size": 16,
        "head_width": 8,
    },
    "text_cfg": TEXT,
}
RESNET = {
    "embed_dim": D,
    "vision_cfg": {"image_size": SIDE, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": TEXT,
}
CUSTOM = {**VIT, "custom_text": True}
PROMPTS = ["dog", "a photo of a cat"]


def network(config=VIT, seed=0, **more):
    """Return a small CLIP with random weights."""
    config = {key: value for key, value in config.items() if key != "custom_text"} | more
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = open_clip.CLIP(**config).eval()
        # A projection that starts at zero would hide what comes before it.
        for parameter in made.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
    return made


def write_config(folder, config=VIT, **preprocess):
    """Write the configuration of a directory in open_clip's form."""
    folder.mkdir(exist_ok=True)
    content = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return f"local-dir:{folder}"


def archive(path, module):
    """Write OpenAI's form: a traced module in float16, with its numbers as buffers."""
    for name, number in zip(openclip._OPENAI_NUMBERS, (SIDE, CONTEXT, 49_408), strict=True):
        if hasattr(module, name):
            delattr(module, name)
        module.register_buffer(name, torch.tensor(number))
    inputs = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, CONTEXT, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, inputs, check_trace=False)
        traced.half().save(str(path))
    return path


def pixels(count=3, side=SIDE, seed=0):
    """Return random images."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (count, side, side, 3), np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a directory in open_clip's form."""
    path = tmp_path_factory.mktemp("clip")
    write_config(path, mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.4], interpolation="bilinear")
    save_file(network().state_dict(), path / "open_clip_model.safetensors")
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return encoder.load(f"local-dir:{folder}")


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """Make Tiny and Tiny-quickgelu architectures of open_clip, Tiny with the tags tuned, openai."""
    configs = {"Tiny": VIT, "Tiny-quickgelu": VIT | {"quick_gelu": True}}
    tags = {"tuned": {"mean": (0.1,) * 3, "std": (0.2,) * 3, "interpolation": "bilinear"}}
    tags["openai"] = {"quick_gelu": True}
    path = tmp_path / "tuned.pt"
    torch.save(network().state_dict(), path)
    tags["tuned"]["file"] = str(path)
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", configs)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny", tags)
    return path


def expected(module, texts=PROMPTS, mean=(0.0,) * 3, std=(1.0,) * 3):
    """Return features as open_clip computes them, of texts and of `pixels`."""
    tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)(texts)
    images = pixels().permute(0, 3, 1, 2) / 255
    images = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        return module.encode_text(tokens, normalize=True), module.encode_image(
            images, normalize=True
        )


OPENAI = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}


def check(made, module, tolerance=1e-5, **preprocess):
    texts, images = expected(module, **(preprocess or OPENAI))
    torch.testing.assert_close(made.texts(PROMPTS), texts, atol=tolerance, rtol=0)
    torch.testing.assert_close(made.images(pixels()), images, atol=tolerance, rtol=0)


def test_features_of_a_directory_are_those_of_open_clip(loaded):
    check(loaded, network(), mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.4])
    assert (loaded.dimension, loaded.context_length) == (D, CONTEXT)
    assert loaded.preprocessing.as_dict() == {
        "size": [SIDE, SIDE],
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.3, 0.4],
        "interpolation": "bilinear",
    }
    assert loaded.weights.startswith("open_clip_model.safetensors (sha256 ")


@pytest.mark.parametrize(
    ("config", "suffix"),
    [(VIT, ".pt"), (RESNET, ".bin"), (CUSTOM, ".safetensors")],
    ids=["vit", "resnet", "custom"],
)
def test_open_clip_state_dicts_of_every_form_load(config, suffix, tmp_path):
    name, module = write_config(tmp_path, config), network(config)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(module.state_dict(), path)
    else:
        state = {f"module.{key}": value for key, value in module.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state} if suffix == ".pt" else state, path)
    check(encoder.load(name), module)
    check(encoder.load(name, weights=path), module)


@pytest.mark.parametrize("config", [VIT, RESNET], ids=["vit", "resnet"])
def test_an_openai_archive_loads_with_the_activation_it_was_trained_with(config, tmp_path):
    path = archive(tmp_path / "openai.pt", network(config, quick_gelu=True))
    made = encoder.load(write_config(tmp_path / "form", config), weights=path)
    # The reference has the half-precision weights of the file too.
    module = network(config, quick_gelu=True).half().float()
    check(made, module)
    assert {tensor.dtype for tensor in made._module.parameters()} == {torch.float32}
    with pytest.raises(AssertionError):
        check(made, network(config, quick_gelu=False).half().float())


def test_float16_files_load_as_float32(tmp_path):
    name = write_config(tmp_path)
    save_file(network().half().state_dict(), tmp_path / "half.safetensors")
    made = encoder.load(name)
    assert {tensor.dtype for tensor in made._module.parameters()} == {torch.float32}
    check(made, network().half().float())


def test_an_archive_gives_what_torch_reads_from_it(tmp_path):
    path = archive(tmp_path / "openai.pt", network())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = torch.jit.load(str(path)).state_dict()
    state = torchscript.read(path)
    assert state.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0, msg=name)


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("harm", ["pickle", "compressed", "cut", "empty", "nested"])
def test_an_archive_executes_nothing_and_may_be_damaged(harm, tmp_path, capsys):
    path = archive(tmp_path / "good.pt", network())
    bad = tmp_path / "bad.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, "w") as new:
        for member in old.infolist():
            data, how = old.read(member), zipfile.ZIP_STORED
            if harm == "pickle" and member.filename.endswith("/data.pkl"):
                data = pickle.dumps(Harmful())
            if harm == "nested" and member.filename.endswith("/data.pkl"):
                data = pickle.dumps([1, 2])
            if harm == "cut" and member.filename.endswith("/data/7"):
                data = data[:10]
            if harm == "compressed" and member.filename.endswith("/data/7"):
                how = zipfile.ZIP_DEFLATED
            if harm != "empty" or not member.filename.endswith("/data.pkl"):
                new.writestr(member.filename, data, how)
    with pytest.raises(ValueError, match=r"^\S+bad.pt is no TorchScript archive of plain weights"):
        encoder.load(write_config(tmp_path / "form"), weights=bad)
    assert capsys.readouterr().out == ""


def test_an_architecture_and_a_tag_or_a_file(registered, tmp_path):
    check(encoder.load("Tiny", weights=registered), network())
    tuned = encoder.load("Tiny:tuned")
    check(tuned, network(), mean=(0.1,) * 3, std=(0.2,) * 3)
    assert tuned.preprocessing.interpolation == "bilinear"
    # The tag says how the weights were trained, and so does the architecture's name.
    quick = network(quick_gelu=True)
    check(encoder.load("Tiny:openai", weights=registered), quick)
    check(encoder.load("Tiny-quickgelu", weights=registered), quick)


def test_published_tags_are_known_and_a_failed_download_says_what_to_do(monkeypatch):
    def fail(config):
        raise OSError("no route\nto host")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    with pytest.raises(
        RuntimeError, match=r"^the weights of encoder ViT-B-16:openai .*no route to host; get the"
    ):
        encoder.load("ViT-B-16:openai")


def test_mini_is_the_directory_in_the_package(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(mini, "CLIP", folder)
    assert encoder.load().digest == encoder.load(f"local-dir:{folder}").digest
    monkeypatch.setattr(mini, "CLIP", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no embedded CLIP .*train_mini"):
        encoder.load("mini")


def test_a_file_may_replace_the_weights(folder, tmp_path):
    path = tmp_path / "others.pt"
    torch.save(network(seed=1).state_dict(), path)
    made = encoder.load(f"local-dir:{folder}", weights=path)
    check(made, network(seed=1), mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-61:openai", "unknown encoder 'ViT-B-61:openai', nearest: ViT-B-16"),
        ("mni", "unknown encoder 'mni', nearest: mini"),
        ("", "unknown encoder ''"),
        ("hf-hub:somebody/clip", "unknown encoder 'hf-hub:somebody/clip'"),
        ("ViT-B-16:opnai", "unknown tag 'opnai' of encoder, nearest: openai; ViT-B-16 has openai"),
        ("ViT-B-16", "ViT-B-16 needs a tag or a weight file; of tags, ViT-B-16 has openai"),
        ("local-dir:", "unknown encoder 'local-dir:'"),
    ],
)
def test_unknown_names_list_the_nearest(name, message):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        encoder.load(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, "local-dir: takes a directory"),
        ("{", ValueError, "is damaged, JSONDecodeError"),
        ("[1]", ValueError, "lacks model_cfg"),
        ('{"model_cfg": {"embed_dim": 3}}', ValueError, "lacks model_cfg with embed_dim"),
        (json.dumps({"model_cfg": VIT}), FileNotFoundError, "one weight file.*found: none"),
        (json.dumps({"model_cfg": VIT | {"depth": 3}}), FileNotFoundError, "one weight file"),
    ],
)
def test_a_directory_not_in_open_clips_form(content, error, message, tmp_path):
    if content is not None:
        (tmp_path / "open_clip_config.json").write_text(content)
    with pytest.raises(error, match=message):
        encoder.load(f"local-dir:{tmp_path}")


def test_a_configuration_that_builds_nothing(tmp_path):
    name = write_config(tmp_path, VIT | {"depth": 3})
    torch.save(network().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"cannot be built, TypeError: .*depth"):
        encoder.load(name)


def test_which_of_several_files_is_meant_must_be_clear(folder, tmp_path):
    name = write_config(tmp_path)
    for number in range(2):
        torch.save(network().state_dict(), tmp_path / f"{number}.pt")
    with pytest.raises(FileNotFoundError, match=r"found: 0\.pt, 1\.pt"):
        encoder.load(name)


def test_weights_that_do_not_fit(folder, tmp_path):
    name, path = f"local-dir:{folder}", tmp_path / "weights.pt"
    with pytest.raises(FileNotFoundError, match="no weight file"):
        encoder.load(name, weights=path)
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="is not a weight file"):
        encoder.load(name, weights=path)
    torch.save(network(RESNET).state_dict(), path)
    with pytest.raises(ValueError, match="pass weights of the same architecture"):
        encoder.load(name, weights=path)
    state = network().state_dict()
    state["visual.proj"] = state["visual.proj"] * float("nan")
    torch.save(state, path)
    with pytest.raises(ValueError, match="an image a feature of length 0, NaN"):
        encoder.load(name, weights=path).images(pixels())


def test_without_open_clip_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(RuntimeError, match=r"pip install 'network-dissection\[clip\]'"):
        encoder.load("ViT-B-16:openai")


def test_rows_have_length_one_and_do_not_depend_on_the_batch(loaded, monkeypatch):
    prompts = [f"{word} {number}" for number in range(4) for word in ("dog", "red cat")]
    whole = loaded.texts(prompts)
    assert whole.dtype == torch.float32
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(8))
    monkeypatch.setattr(encoder, "TEXT_BATCH", 3)
    torch.testing.assert_close(loaded.texts(prompts), whole, atol=1e-6, rtol=0)
    images = loaded.images(pixels(5))
    torch.testing.assert_close(images.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(loaded.images(pixels(5)[2:3]), images[2:3], atol=1e-6, rtol=0)
    assert loaded.texts([]).shape == (0, D)


def test_the_whole_image_is_what_clip_sees_of_a_square_one(folder, loaded):
    _, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    data = jpeg(0, (48, 48))
    ours = decode(data, loaded.preprocessing.size, loaded.preprocessing.resample)
    ours = loaded.preprocessing.normalise(torch.from_numpy(ours.copy())[None])
    assert torch.equal(ours[0], transform(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (pixels().float(), TypeError, "uint8"),
        (pixels()[0], ValueError, "must be"),
        (pixels(side=16), ValueError, "takes images of 32x32 pixels, got 16x16"),
    ],
)
def test_batches_of_another_form(batch, error, message, loaded):
    with pytest.raises(error, match=message):
        loaded.images(batch)


def test_truncated_texts_are_named(loaded, caplog):
    fits, long = "a b c d e f g h", "a b c d e f g h i"
    prompts = ["", fits, long, "the longest of the words in this list by far and away", fits]
    assert loaded.too_long(prompts) == prompts[2:4]
    with caplog.at_level(logging.WARNING):
        features = loaded.texts([long, fits])
    (record,) = caplog.records
    assert record.getMessage() == f"longer than the context of 10 tokens and truncated: {long!r}"
    torch.testing.assert_close(features[0], features[1])
    caplog.clear()
    loaded.texts([fits])
    encoder.warn_too_long(loaded, [f"{long} {number}" for number in range(9)])
    assert len(caplog.records) == 1
    assert caplog.text.rstrip().endswith("and 4 more")


def test_the_digest_covers_weights_architecture_and_context(folder, loaded, tmp_path):
    def digest(config=VIT, seed=0):
        save_file(network(config, seed).state_dict(), tmp_path / "w.safetensors")
        return encoder.load(write_config(tmp_path, config)).digest

    quick = VIT | {"quick_gelu": True}
    lower = VIT | {"text_cfg": TEXT | {"tokenizer_kwargs": {"clean": "whitespace"}}}
    others = [digest(seed=1), digest(quick), digest(RESNET)]
    save_file(network().state_dict(), tmp_path / "w.safetensors")
    others.append(encoder.load(write_config(tmp_path, lower)).digest)
    # Weights decide, not where they lie, nor the preprocessing, which is a key of its own.
    assert digest() == loaded.digest
    assert len({loaded.digest, *others}) == 5


def test_loading_leaves_generators_and_loggers_alone(folder):
    torch.manual_seed(7)
    before, handlers = torch.get_rng_state(), list(logging.getLogger().handlers)
    encoder.load(f"local-dir:{folder}")
    assert torch.equal(torch.get_rng_state(), before)
    assert logging.getLogger().handlers == handlers
