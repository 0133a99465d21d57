"""Train a small CLIP on mini-Broden's images and captions, in the form open_clip loads.

First the image tower learns to name scene, main object and texture; then both towers learn to
match images and captions with open_clip's own loss.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from safetensors.torch import save as serialised
from torch import Tensor, nn
from torch.nn import functional as F

from dissection.networks.preprocessing import Preprocessing
from training.classifiers import (
    Clock,
    Stage,
    by_class,
    file_facts,
    fit,
    halved,
    seeded,
    write_card,
)
from training.drawn import CLASSES, SCENE, TEXTURE, THING, Drawn, Order, draw
from training.variations import augmented

WEIGHTS, CONFIG, CARD = "open_clip_model.safetensors", "open_clip_config.json", "card.json"
SIDE, CONTEXT = 112, 32
MODEL: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": SIDE, "layers": [2, 2, 2, 2], "width": 16},
    # The vocabulary has 49,408 tokens, whatever it is used for: the width is what can be saved.
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49_408,
        "width": 64,
        "heads": 4,
        "layers": 2,
    },
}
PREPROCESSING = Preprocessing((SIDE, SIDE), OPENAI_DATASET_MEAN, OPENAI_DATASET_STD, "bicubic")
#: Zero-shot prompts; the first of each is the one that is evaluated.
TEMPLATES = {
    SCENE: ("a photo of a {}", "a {} scene", "a picture of a {}", "{}"),
    THING: ("a photo of a {}", "a {}", "a picture of a {}", "{}"),
    TEXTURE: ("a {} texture", "a {} surface", "a photo of a {} texture", "{}"),
}
_PLAN = (
    *(("scene", True), ("object", True), ("scene", False), ("object", False)),
    *(("object", True), ("texture", False)),
)
#: name on the card -> kind of image, whether hard, label column
_HELD_OUT = {
    "scenes": ("scene", False, SCENE),
    "scenes_hard": ("scene", True, SCENE),
    "objects": ("object", True, THING),
    "textures": ("texture", False, TEXTURE),
}
_SMOOTHING = 0.05
_MAX_SCALE = 100.0  # the largest logit scale, as in CLIP


@dataclass(frozen=True)
class ClipRecipe:
    """State how the small CLIP is trained."""

    images: int = 18_000
    supervised_epochs: int = 7
    supervised_batch_size: int = 128
    supervised_rate: float = 2e-3
    epochs: int = 12
    batch_size: int = 256
    rate: float = 1e-3
    held_out: int = 1_000
    data_seed: int = 1001
    held_out_seed: int = 2001
    seed: int = 0
    cores: int = 2


class Towers(nn.Module):
    """Give the image tower one linear head for all it is to name."""

    def __init__(self, model: open_clip.CLIP) -> None:
        super().__init__()
        self.visual = model.visual
        self.sizes = [len(classes) for classes in CLASSES]
        self.head = nn.Linear(MODEL["embed_dim"], sum(self.sizes))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy over the labels that are there."""
        heads = self.head(self.visual(images)).float().split(self.sizes, 1)
        losses = [
            F.cross_entropy(
                logits, column, ignore_index=-1, label_smoothing=_SMOOTHING, reduction="sum"
            )
            for logits, column in zip(heads, labels.T, strict=True)
        ]
        return torch.stack(losses).sum() / (labels >= 0).sum().clamp(min=1)


class Captions:
    """Tokens of what may be said of each image: its own caption, or a template of a label."""

    def __init__(self, data: Drawn, tokenizer: Any) -> None:
        self.own = tokenizer(data.captions)
        texts: list[str] = []
        self._choices = []
        first = {}
        for column, templates in TEMPLATES.items():
            for number, name in enumerate(CLASSES[column]):
                first[column, number] = len(texts)
                texts += [template.format(name) for template in templates]
        self.templates = tokenizer(texts)
        for labels in data.labels:
            present = [first[c, n] for c, n in enumerate(labels.tolist()) if n >= 0]
            self._choices.append([at + k for at in present for k in range(len(TEMPLATES[SCENE]))])

    def pick(self, chosen: Tensor, rng: np.random.Generator) -> Tensor:
        """Return one token row for each image number, its own caption half of the time."""
        rows = []
        for number, own, share in zip(
            chosen.tolist(), rng.random(len(chosen)), rng.random(len(chosen)), strict=True
        ):
            choices = self._choices[number]
            if own < 0.5 or not choices:
                rows.append(self.own[number])
            else:
                rows.append(self.templates[choices[int(share * len(choices))]])
        return torch.stack(rows)


def train_clip(recipe: ClipRecipe, out: Path) -> dict[str, Any]:
    """Train the small CLIP, write the directory `clip` in `out`, and return its card."""
    clock = Clock()
    with seeded(recipe.seed, recipe.cores) as rng:
        model = open_clip.CLIP(**MODEL).to(memory_format=torch.channels_last)
        with clock.part("rendering"):
            sizes, resample = {SIDE: recipe.images}, Image.Resampling.BICUBIC
            order = Order(recipe.data_seed, recipe.images, _PLAN, sizes, resample)
            data = draw(order, recipe.cores, "training images")
        with clock.part("supervised"):
            _supervise(model, data, recipe, rng)
        with clock.part("contrastive"):
            _contrast(model, data, recipe, rng)
        del data
        part = out / "clip.part"
        try:
            state = halved(model.state_dict())
            _write(part, state)
            with clock.part("evaluation"):
                scores = _evaluate(part, recipe)
            card = _card(recipe, scores) | {"seconds": clock.seconds}
            write_card(part / CARD, card | file_facts(part / WEIGHTS, state))
            _publish(part, out / "clip")
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return card


def _supervise(
    model: open_clip.CLIP, data: Drawn, recipe: ClipRecipe, rng: np.random.Generator
) -> None:
    """Let the image tower learn to name what is there."""
    towers = Towers(model).train()
    pixels, labels = torch.from_numpy(data.pixels[SIDE]), torch.from_numpy(data.labels)

    def loss(chosen: Tensor) -> Tensor:
        return towers.loss(augmented(pixels[chosen], PREPROCESSING, rng), labels[chosen])

    stage = Stage(
        "supervised",
        recipe.images,
        recipe.supervised_epochs,
        recipe.supervised_batch_size,
        recipe.supervised_rate,
    )
    fit(towers, loss, stage, rng)


def _contrast(
    model: open_clip.CLIP, data: Drawn, recipe: ClipRecipe, rng: np.random.Generator
) -> None:
    """Let both towers learn which caption belongs to which image."""
    model.train()
    pixels = torch.from_numpy(data.pixels[SIDE])
    captions = Captions(data, open_clip.SimpleTokenizer(context_length=CONTEXT))
    contrastive = open_clip.ClipLoss()

    def loss(chosen: Tensor) -> Tensor:
        images = augmented(pixels[chosen], PREPROCESSING, rng)
        image, text, scale = model(images, captions.pick(chosen, rng))
        return contrastive(image.float(), text.float(), scale.clamp(max=_MAX_SCALE))

    stage = Stage("contrastive", recipe.images, recipe.epochs, recipe.batch_size, recipe.rate)
    fit(model, loss, stage, rng)


def _write(folder: Path, state: dict[str, Tensor]) -> None:
    """Write what open_clip wants in a directory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(serialised(state))
    preprocess = {
        "size": SIDE,
        "mean": PREPROCESSING.mean,
        "std": PREPROCESSING.std,
        "interpolation": PREPROCESSING.interpolation,
        "resize_mode": "squash",
    }
    config = {"model_cfg": MODEL, "preprocess_cfg": preprocess}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _publish(part: Path, folder: Path) -> None:
    """Move the finished files to their place."""
    folder.mkdir(exist_ok=True)
    for path in sorted(part.iterdir()):
        path.replace(folder / path.name)


def _evaluate(folder: Path, recipe: ClipRecipe) -> dict[str, dict[str, Any]]:
    """Name held-out images by their best caption, loading the directory as anyone would."""
    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokenizer = open_clip.get_tokenizer(name)
    scores = {}
    for text, (kind, hard, column) in _HELD_OUT.items():
        order = Order(recipe.held_out_seed, recipe.held_out, ((kind, hard),), {224: 1 << 30})
        data = draw(order, recipe.cores, f"held-out {text}")
        prompts = tokenizer([TEMPLATES[column][0].format(name) for name in CLASSES[column]])
        named = _named(model.eval(), preprocess, prompts, data.pixels[224])
        labels = data.labels[:, column]
        scores[text] = {
            "top1": round(float((named == labels).mean()), 4),
            "by_class": by_class(named == labels, labels, CLASSES[column]),
        }
    return scores


@torch.inference_mode()
def _named(model: Any, preprocess: Any, prompts: Tensor, pixels: np.ndarray) -> np.ndarray:
    """Return the number of the prompt that is nearest to each image: (N,)."""
    texts = model.encode_text(prompts, normalize=True)
    named = []
    for first in range(0, len(pixels), 64):
        images = [preprocess(Image.fromarray(rgb)) for rgb in pixels[first : first + 64]]
        features = model.encode_image(torch.stack(images), normalize=True)
        named.append((features @ texts.T).argmax(1))
    return torch.cat(named).numpy()


def _card(recipe: ClipRecipe, scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "clip",
        "what": "a small CLIP of mini-Broden's images and captions; open_clip: local-dir:FOLDER",
        "architecture": MODEL,
        "held_out_zero_shot": scores,
        "prompts": {text: TEMPLATES[column][0] for text, (_, _, column) in _HELD_OUT.items()},
        "images": "broden.mini.compose; the probe's seed is never drawn",
        "plan": [{"kind": kind, "hard": hard} for kind, hard in _PLAN],
        "recipe": asdict(recipe),
    }
