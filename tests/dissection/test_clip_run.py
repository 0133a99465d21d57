"""Runs labelled by CLIP, alone and beside IoU, against a computation without the engine."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import dissection
from broden import mini
from broden.images import decode
from broden.reader import ProbeSet
from dissection.activations import forward, pooled
from dissection.clip import similarity
from dissection.clip.labeler import warn_saturated
from dissection.clip.results import described
from dissection.clip.scale import Scale
from dissection.config import ClipConfig, Execution, IouConfig
from dissection.crosscheck import findings as verdict
from dissection.crosscheck.check import crosscheck
from dissection.crosscheck.naming import synonyms_of
from dissection.execution import thresholds
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.results import reading as results
from dissection.results.scores import tops
from dissection.summary import summary

open_clip = pytest.importorskip("open_clip")
safetensors = pytest.importorskip("safetensors.torch")

IMAGES, SIDE = 24, 32
PLAIN = Preprocessing(SIDE, (0.5,) * 3, (0.5,) * 3, "nearest")
EXECUTION = Execution(device="cpu", batch_size=5, workers=0)
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": SIDE, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, IMAGES, seed=9)
    with ProbeSet(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return a directory with a small CLIP as it was initialised."""
    folder = tmp_path_factory.mktemp("clip")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = open_clip.CLIP(**MODEL)
    safetensors.save_model(model, str(folder / "open_clip_model.safetensors"))
    preprocess = {"size": SIDE, "mean": (0.5,) * 3, "std": (0.25,) * 3, "interpolation": "bicubic"}
    text = json.dumps({"model_cfg": MODEL, "preprocess_cfg": preprocess})
    (folder / "open_clip_config.json").write_text(text)
    return ClipConfig(encoder=f"local-dir:{folder}")


class Small(nn.Module):
    """A convolution, a pool, and two linear layers."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 12, 5, stride=4, padding=2), nn.ReLU())
        self.head = nn.Linear(12, 7)

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return Network("small", Small().eval(), PLAIN, "seed 5")


def run(network, probe, out, clip, method="clip", layers=("features", "head"), **more):
    return dissection.dissect(
        network, list(layers), probe, method=method, out=out, clip=clip, execution=EXECUTION, **more
    )


def expected(network, probe, clip, layer, pool):
    """Return (U, M) by open_clip's own functions and the similarity of the whole matrix."""
    name = clip.encoder
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    images = [decode(data) for data in probe.jpegs(range(len(probe)))]
    labels = probe.labels
    names = [*dict.fromkeys(labels.display(n) for n in np.flatnonzero(labels.known))]
    with torch.inference_mode():
        pixels = torch.stack([preprocess(Image.fromarray(rgb)) for rgb in images])
        shown = model.eval().encode_image(pixels, normalize=True)
        said = model.encode_text(open_clip.get_tokenizer(name)(names), normalize=True)
        small = [Image.fromarray(rgb).resize((SIDE, SIDE), Image.NEAREST) for rgb in images]
        batch = PLAIN.normalise(torch.stack([torch.from_numpy(np.array(im)) for im in small]))
        maps = network.module.features(batch)
        values = pool(maps) if layer == "features" else network.module(batch)
    few = {} if clip.similarity == "cosine" else {"top_k": 20}
    if clip.sharpness:
        few["a"] = clip.sharpness
    return getattr(similarity, clip.similarity)(shown @ said.T, values, **few).numpy(), names


def test_both_methods_are_cross_checked_in_the_run(network, probe, clip, tmp_path):
    run(network, probe, tmp_path, clip, method="both", layers=["features"])
    found = verdict.read(tmp_path, "small")
    again = crosscheck(*results.read(tmp_path), synonyms=synonyms_of(probe.labels))
    kept = [name for name in again.units if name in found.units]
    expected = again.units.set_index("unit").loc[found.units["unit"], kept[2:]]
    pd.testing.assert_frame_equal(
        found.units[kept].set_index("unit")[kept[2:]], expected, check_dtype=False
    )
    assert any(name.startswith("cosine_clip:") for name in found.units)


def test_top_images_by_clip_have_the_highest_activations(network, probe, clip, tmp_path):
    run(network, probe, tmp_path, clip, layers=["head"])
    found = tops(tmp_path, "head")
    small = [
        Image.fromarray(decode(d)).resize((SIDE, SIDE), 0) for d in probe.jpegs(range(0, IMAGES))
    ]
    batch = PLAIN.normalise(torch.stack([torch.from_numpy(np.array(im)) for im in small]))
    with torch.inference_mode():
        values = network.module(batch).numpy()
    for unit in range(7):
        order = sorted(range(IMAGES), key=lambda i: -values[i, unit])[:10]
        assert found.image[unit].tolist() == order
        np.testing.assert_allclose(found.value[unit], values[order, unit], rtol=1e-4, atol=1e-6)
    assert found.mask(0, 0) is None


@pytest.mark.parametrize(
    ("kind", "pooling", "sharpness"),
    [
        ("soft_wpmi", "mean", None),
        ("cosine", "max", None),
        ("wpmi", "mean", None),
        ("soft_wpmi", "mean", 1.5),
    ],
)
def test_descriptions_are_those_of_a_direct_computation(
    network, probe, clip, tmp_path, kind, pooling, sharpness
):
    config = ClipConfig(clip.encoder, similarity=kind, pooling=pooling, sharpness=sharpness)
    result = run(network, probe, tmp_path / "run", config)
    pools = {"mean": lambda maps: maps.mean((2, 3)), "max": lambda maps: maps.amax((2, 3))}
    for layer in ("features", "head"):
        want, names = expected(network, probe, config, layer, pools[pooling])
        have = result.similarity(layer)
        assert list(have.columns) == names
        np.testing.assert_allclose(have.to_numpy(), want, atol=2e-4)
        table = result.descriptions[result.descriptions["layer"] == layer]
        picked = [names.index(name) for name in table["description"]]
        np.testing.assert_allclose(want[np.arange(len(want)), picked], want.max(1), atol=4e-4)
        np.testing.assert_allclose(table["similarity"], want.max(1), atol=4e-4)


def test_files_are_those_of_the_design(network, probe, clip, tmp_path):
    result = run(network, probe, tmp_path / "run", clip)
    files = {path.name for path in result.path.iterdir()}
    assert files == {"descriptions.csv", "clip.h5", "run.json", ".lock"}
    table = pd.read_csv(result.path / "descriptions.csv")
    more = ["p", "q", "stability", "saturated"]
    assert list(table.columns) == ["layer", "unit", "description", "similarity", *more]
    assert table["unit"].tolist() == [*range(12), *range(7)]
    with h5py.File(result.path / "clip.h5") as file:
        scores = file["layers/head/similarity"][()]
        top, values = file["layers/head/top/concept"][()], file["layers/head/top/similarity"][()]
        assert scores.shape == (7, len(file["concepts"]))
        null, observed = (file[f"layers/head/validity/{name}"][()] for name in ("null", "observed"))
    assert (null.shape, null.dtype, observed.shape) == ((5, 7), np.float32, (7,))
    assert top.shape == (7, 5)
    np.testing.assert_array_equal(np.sort(scores, 1)[:, ::-1][:, :5], values)
    assert result.card["settings"]["clip"]["pooling"] == "mean"
    assert "whole" in result.card["definitions"]["prior"]
    assert result.units is None


def test_worth_of_descriptions_is_that_of_the_stored_chance(network, probe, clip, tmp_path):
    result = run(network, probe, tmp_path / "run", clip, layers=["features"])
    with h5py.File(result.path / "clip.h5") as file:
        scores = file["layers/features/similarity"][()].astype(float)
        null = file["layers/features/validity/null"][()].astype(float)
        observed = file["layers/features/validity/observed"][()].astype(float)
    best = scores.argmax(1)
    np.testing.assert_allclose(
        observed, (scores - scores.mean(0))[np.arange(12), best], rtol=1e-5, atol=1e-5
    )
    chance = (null - null.mean(0)) * np.sqrt(5 / 4)
    own = (observed - null.mean(0)) / np.sqrt(1 + 1 / 5)
    p = [(1 + (chance >= value).sum()) / 61 for value in own]
    np.testing.assert_allclose(result.descriptions["p"], p)
    assert set(result.descriptions["stability"]) <= {0, 0.5, 1}
    significant = result.card["counts"]["features"]["descriptions_significant"]
    assert significant == (result.descriptions["q"] <= 0.05).sum()
    assert result.card["settings"]["clip"]["shifts"] == 5
    assert "any concept, less the mean" in result.card["definitions"]["p of descriptions"]
    assert "significant: units whose description has q <= 0.05" in summary(result)


def test_the_run_says_how_far_scores_lie_apart(network, probe, clip, tmp_path):
    result = run(network, probe, tmp_path / "run", clip, layers=["head"])
    config = ClipConfig(clip.encoder, similarity="cosine")
    model, _, preprocess = open_clip.create_model_and_transforms(clip.encoder)
    _, names = expected(network, probe, config, "head", None)
    images = [Image.fromarray(decode(data)) for data in probe.jpegs(range(IMAGES))]
    with torch.inference_mode():
        pixels = torch.stack([preprocess(image) for image in images])
        shown = model.eval().encode_image(pixels, normalize=True)
        said = model.encode_text(open_clip.get_tokenizer(clip.encoder)(names), normalize=True)
    apart = (shown @ said.T).numpy().std(1).mean()
    with h5py.File(result.path / "clip.h5") as file:
        assert file["score_spread"][()] == pytest.approx(apart, rel=1e-3)
    assert f"{apart:.3g}" in result.card["definitions"]["concept score"]


def test_the_card_of_an_encoder_sets_the_sharpness(network, probe, clip, tmp_path):
    folder = tmp_path / "encoder"
    shutil.copytree(clip.encoder.removeprefix("local-dir:"), folder)
    (folder / "card.json").write_text('{"sharpness": 0.5}')
    card = ClipConfig(f"local-dir:{folder}")
    found = run(network, probe, tmp_path / "card", card, layers=["head"])
    told = ClipConfig(clip.encoder, sharpness=0.5)
    same = run(network, probe, tmp_path / "told", told, layers=["head"])
    pd.testing.assert_frame_equal(found.similarity("head"), same.similarity("head"))
    for result in (found, same):
        clip_settings = result.card["settings"]["clip"]
        assert (clip_settings["sharpness"], clip_settings["top_k"]) == (0.5, 20)
    assert "(sharpness 0.5, top 20 images)" in summary(found)


@pytest.mark.parametrize(("tied", "told"), [(1, False), (2, True)])
def test_a_run_warns_where_many_units_tie(tied, told, caplog):
    rng = np.random.default_rng(0)
    similarity = rng.standard_normal((20, 5)).astype(np.float32) - 9
    similarity[:tied, 2] = np.log(20) - 0.01
    activations = torch.from_numpy(rng.standard_normal((30, 20)).astype(np.float32))
    found = described("head", similarity, activations, "soft_wpmi")
    assert found.saturated.tolist() == [True] * tied + [False] * (20 - tied)
    assert found.counts["saturated"] == tied
    warn_saturated(found, Scale(10.0, 20))
    line = f"layer head: {tied} of 20 units tie at the highest similarity"
    assert (line in caplog.text) is told
    assert ("--sharpness below 10" in caplog.text) is told


def test_without_shifts_nothing_is_said_of_worth_and_all_else_is_the_same(
    network, probe, clip, tmp_path
):
    judged = run(network, probe, tmp_path / "judged", clip, layers=["head"])
    plain = run(
        network, probe, tmp_path / "plain", ClipConfig(clip.encoder, shifts=0), layers=["head"]
    )
    same = ["layer", "unit", "description", "similarity", "saturated"]
    assert list(plain.descriptions) == same
    pd.testing.assert_frame_equal(plain.descriptions, judged.descriptions[same])
    pd.testing.assert_frame_equal(plain.similarity("head"), judged.similarity("head"))
    with h5py.File(plain.path / "clip.h5") as file:
        assert "validity" not in file["layers/head"]
    assert "shifts" not in plain.card["settings"]["clip"]
    assert set(plain.card["counts"]["head"]) == {"units", "descriptions", "saturated"}
    assert not [name for name in plain.card["definitions"] if "of descriptions" in name]
    assert "significant" not in summary(plain)


def test_both_methods_from_one_pass_give_what_each_gives(network, probe, clip, tmp_path):
    config = IouConfig(quantile=0.05)
    layers = ("features",)
    both = run(network, probe, tmp_path / "both", clip, "both", layers, config=config)
    alone = {
        method: run(network, probe, tmp_path / method, clip, method, layers, config=config)
        for method in ("iou", "clip")
    }
    for name, method in (
        ("units.csv", "iou"),
        ("tally/features.csv", "iou"),
        ("scores.h5", "iou"),
        ("descriptions.csv", "clip"),
        ("clip.h5", "clip"),
    ):
        other = (alone[method].path / name).read_bytes()
        assert (both.path / name).read_bytes() == other, name
    counts = both.card["counts"]["features"]
    assert {"units", "detectors", "descriptions"} <= set(counts)


@pytest.mark.parametrize("method", ["iou", "both"])
def test_images_that_run_again_give_the_same_files(
    method, network, probe, clip, tmp_path, monkeypatch
):
    config = IouConfig(quantile=0.05)
    monkeypatch.setattr(forward, "SHARD_IMAGES", 5)
    found, passes, run_images = [], [], thresholds.run_images
    monkeypatch.setattr(
        thresholds, "run_images", lambda *args: passes.append(1) or run_images(*args)
    )
    for rank in (10**9, 1):
        monkeypatch.setattr(forward, "presumed_size", lambda *_, n=rank, **__: n)
        folder = tmp_path / str(rank)
        run(network, probe, folder, clip, method, ("features",), config=config)
        assert len(passes) == (1 if rank > 1 else 3)
        names = ["units.csv", "tally/features.csv", "scores.h5"]
        if method == "both":
            names += ["descriptions.csv", "clip.h5", "crosscheck.csv"]
        found.append({name: (folder / name).read_bytes() for name in names})
    assert found[0] == found[1]


def test_a_folder_of_the_same_images_gives_the_same_descriptions(network, probe, clip, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i, data in enumerate(probe.jpegs(range(0, IMAGES))):
        (folder / f"{i:03d}.jpg").write_bytes(data)
    words = tmp_path / "words.txt"
    words.write_text("a tree\r\n\r\na red car\na tree\n\na beach\n")
    config = ClipConfig(clip.encoder, concepts=str(words))
    first = run(network, folder, tmp_path / "a", config).similarity("head")
    again = run(network, probe, tmp_path / "b", config).similarity("head")
    assert list(first.columns) == ["a tree", "a red car", "a beach"]
    pd.testing.assert_frame_equal(first, again)


def test_an_interrupted_run_continues_to_the_same_files(
    network, probe, clip, tmp_path, monkeypatch
):
    for module in (forward, dissection.api.run.__globals__["card"]):
        monkeypatch.setattr(module, "SHARD_IMAGES", 5)
    whole = run(network, probe, tmp_path / "whole", clip)
    take, calls = pooled.PoolingCollector.take, []

    def dying(self, grid):
        calls.append(grid)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return take(self, grid)

    with monkeypatch.context() as patch:
        patch.setattr(pooled.PoolingCollector, "take", dying)
        with pytest.raises(KeyboardInterrupt):
            run(network, probe, tmp_path / "broken", clip)
    result = run(network, probe, tmp_path / "broken", clip)
    assert "10 of them from an earlier start" in result.message
    for name in ("descriptions.csv", "clip.h5"):
        assert (result.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_another_list_of_concepts_is_another_run(network, probe, clip, tmp_path):
    run(network, probe, tmp_path / "run", clip)
    assert "nothing to do" in run(network, probe, tmp_path / "run", clip).message
    words = tmp_path / "words.txt"
    words.write_text("tree\ncar\n")
    other = ClipConfig(clip.encoder, concepts=str(words))
    with pytest.raises(ValueError, match=r"clip\.concepts\.source is"):
        run(network, probe, tmp_path / "run", other)


def test_class_tokens_stand_for_maps_that_have_none(probe, clip, tmp_path):
    torchvision = pytest.importorskip("torchvision")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = torchvision.models.VisionTransformer(SIDE, 16, 2, 2, 24, 32).eval()
    network = Network("vit", vit, PLAIN, "seed 0")
    layer = "encoder.layers.encoder_layer_1"
    config = ClipConfig(clip.encoder, pooling="class", similarity="cosine")
    result = run(network, probe, tmp_path / "run", config, layers=[layer])
    mean = ClipConfig(clip.encoder, similarity="cosine")
    other = run(network, probe, tmp_path / "mean", mean, layers=[layer])
    assert result.card["settings"]["layers"][layer]["layout"] == "class"
    assert not np.allclose(result.similarity(layer), other.similarity(layer))
    with pytest.raises(ValueError, match="class token has no map for IoU"):
        run(network, probe, tmp_path / "both", config, "both", [layer])


@pytest.mark.parametrize(
    ("method", "layers", "config", "message"),
    [
        ("iou", ["head"], {}, "use --method clip"),
        ("both", ["head"], {}, "use --method clip"),
        ("clip", ["features"], {"pooling": "class"}, "has no class token"),
        ("words", ["head"], {}, "one of iou, clip, both"),
    ],
)
def test_what_does_not_go_together_is_refused(
    network, probe, clip, tmp_path, method, layers, config, message
):
    config = ClipConfig(clip.encoder, **config)
    with pytest.raises(ValueError, match=message):
        run(network, probe, tmp_path / "run", config, method, layers)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_folder_without_labels_has_no_iou(network, probe, clip, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="without labels, which IoU needs"):
        run(network, tmp_path, tmp_path / "run", clip, "iou", ["features"])


def test_broken_images_of_a_folder_are_left_out_if_asked(network, probe, clip, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i, data in enumerate(probe.jpegs(range(0, 4))):
        (folder / f"{i}.jpg").write_bytes(data)
    (folder / "5.jpg").write_bytes(b"no image")
    words = tmp_path / "words.txt"
    words.write_text("a tree\na red car\n")
    config = ClipConfig(clip.encoder, concepts=str(words))
    with pytest.raises(ValueError, match=r"5\.jpg cannot be decoded .*--skip-bad"):
        run(network, folder, tmp_path / "run", config)
    result = run(network, folder, tmp_path / "run", config, skip_bad=True)
    assert result.card["settings"]["probe"]["images"] == 4
    with pytest.raises(ValueError, match="only broken images of a folder can be left out"):
        run(network, probe, tmp_path / "other", config, skip_bad=True)


@pytest.mark.parametrize("method", ["clip", "iou"])
def test_a_directory_of_broden_is_converted_first(network, clip, tmp_path, method):
    (tmp_path / "broden").mkdir()
    (tmp_path / "broden" / "index.csv").write_text("image\n")
    with pytest.raises(ValueError, match=r"Broden's layout; make a probe file.*convert"):
        run(network, tmp_path / "broden", tmp_path / "out", clip, method=method)


def test_the_small_encoder_says_that_it_knows_no_photographs(network, probe, tmp_path, caplog):
    for number in range(12):
        (tmp_path / f"{number}.jpg").write_bytes(probe.jpeg(number))
    words = tmp_path / "words.txt"
    words.write_text("car\ndog\n")
    config = ClipConfig(concepts=str(words))
    result = run(network, tmp_path, tmp_path / "out", config, layers=["head"])
    assert "trained on generated pictures alone" in caplog.text
    assert "trained on generated pictures alone" in result.card["definitions"]["encoder"]
    caplog.clear()
    result = run(network, probe, tmp_path / "known", config, layers=["head"])
    assert "generated pictures" not in caplog.text
    assert "encoder" not in result.card["definitions"]
