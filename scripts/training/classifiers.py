"""Train a small network to name what mini-Broden's images show, and store it with its card."""

import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch
from safetensors.torch import save as serialised
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from broden.system.files import file_digest
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources.mini import WIDTHS, SmallResNet
from training.drawn import CLASSES, SCENE, TEXTURE, THING, Drawn, Order, draw
from training.objectives import SIDE, Training
from training.variations import augmented, moves, shifted

PREPROCESSING = Preprocessing()


class Task(NamedTuple):
    """State what a network learns.

    kind : of the images whose class it names, drawn hard; column : of the labels that names it;
    plan : kinds and hardness of the training images, taken in turn; weights : of the auxiliary
    tasks. Of images of another kind the class is not asked, textures should be named nothing.
    """

    kind: str
    column: int
    plan: tuple[tuple[str, bool], ...]
    weights: dict[str, float]


_TEXTURES = ("texture", False)
_TASKS = {
    "objects": Task(
        "object",
        THING,
        (*[("object", True), ("scene", True), ("object", True)] * 2, _TEXTURES),
        {"surfaces": 6.0, "places": 0.0, "things": 0.6},
    ),
    "scenes": Task(
        "scene",
        SCENE,
        (*[("scene", True)] * 3, _TEXTURES),
        {"surfaces": 3.0, "places": 1.0, "things": 0.0},
    ),
}
_WEIGHT_DECAY = 0.05


@dataclass(frozen=True)
class Recipe:
    """State how a network is trained: first at `size` pixels, then at `finish_size`."""

    images: int = 12_000
    epochs: int = 10
    batch_size: int = 128
    rate: float = 3e-3
    size: int = 112
    finish_images: int = 6_000
    finish_epochs: int = 1
    finish_rate: float = 8e-4
    finish_size: int = 224
    held_out: int = 1_000
    data_seed: int = 1001
    held_out_seed: int = 2001
    seed: int = 0
    cores: int = 2


@dataclass(frozen=True)
class Stage:
    """State one run of the one-cycle schedule."""

    text: str
    images: int
    epochs: int
    batch_size: int
    rate: float


class Clock:
    """Add up the seconds of the parts of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of a block under a name."""
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.seconds[name] = round(self.seconds.get(name, 0) + spent, 1)


@contextmanager
def seeded(seed: int, threads: int) -> Iterator[np.random.Generator]:
    """Fix torch's seed and threads for a block, and hand out a generator for all else."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield np.random.default_rng(seed)
    finally:
        torch.set_num_threads(before)


def train(task: str, recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train `mini_objects` or `mini_scenes`, write it and its card, and return the card."""
    kind, column, plan, weights = _TASKS[task]
    clock = Clock()
    order = partial(Order, plan=plan, surfaces=SIDE)
    with seeded(recipe.seed, recipe.cores) as rng:
        network = SmallResNet(len(CLASSES[column])).to(memory_format=torch.channels_last)
        training = Training(network, **weights)
        with clock.part("rendering"):
            sides = {recipe.size: recipe.images, recipe.finish_size: recipe.finish_images}
            data = draw(
                order(recipe.data_seed, recipe.images, sides=sides), recipe.cores, "training images"
            )
        with clock.part("training"):
            _train(training, data, column, recipe, rng)
        training.close()
        del data
        with clock.part("rendering"):
            sides = {recipe.finish_size: recipe.held_out}
            held_out = draw(
                Order(recipe.held_out_seed, recipe.held_out, ((kind, True),), sides),
                recipe.cores,
                "held-out images",
            )
        state = halved(network.state_dict())
        network.load_state_dict(state)
        with clock.part("evaluation"):
            right = _right(network, held_out.pixels[recipe.finish_size], held_out.labels[:, column])
    card = _card(task, recipe, right, held_out.labels[:, column])
    store(out / f"mini_{task}.safetensors", state, card | {"seconds": clock.seconds})
    return card


def _train(
    training: Training, data: Drawn, column: int, recipe: Recipe, rng: np.random.Generator
) -> None:
    """Train at both sizes."""
    classes = data.labels[:, column]
    known = (classes >= 0) | (data.labels[:, TEXTURE] >= 0)
    labels = torch.from_numpy(np.where(known, classes, -2))
    maps, things = torch.from_numpy(data.surfaces), torch.from_numpy(data.things)
    stages = {
        recipe.size: Stage(
            "training", recipe.images, recipe.epochs, recipe.batch_size, recipe.rate
        ),
        recipe.finish_size: Stage(
            "finishing",
            min(recipe.finish_images, recipe.images),
            recipe.finish_epochs,
            max(recipe.batch_size // 2, 2),
            recipe.finish_rate,
        ),
    }
    for side, stage in stages.items():
        pixels = torch.from_numpy(data.pixels[side])

        def loss(chosen: Tensor, pixels: Tensor = pixels) -> Tensor:
            moved = moves(len(chosen), pixels.shape[1], rng)
            images = augmented(pixels[chosen], PREPROCESSING, rng, moved)
            surfaces = shifted(maps[chosen], moved.rows, moved.columns)
            return training.loss(images, labels[chosen], surfaces, things[chosen])

        training.train()
        fit(training, loss, stage, rng)
    training.eval()


def fit(
    module: nn.Module, loss: Callable[[Tensor], Tensor], stage: Stage, rng: np.random.Generator
) -> None:
    """Minimise a loss of image numbers with AdamW, a one-cycle schedule and bfloat16."""
    steps = max(stage.images // stage.batch_size, 1)
    if not stage.epochs:
        return
    optimizer = torch.optim.AdamW(_groups(module), stage.rate)
    schedule = OneCycleLR(optimizer, stage.rate, total_steps=steps * stage.epochs)
    with tqdm(total=steps * stage.epochs, desc=stage.text, unit="batch", mininterval=1) as shown:
        for _ in range(stage.epochs):
            order = torch.from_numpy(rng.permutation(stage.images))
            # A last, smaller batch would upset the batch norms.
            for chosen in order[: steps * stage.batch_size].split(stage.batch_size):
                with torch.autocast("cpu", torch.bfloat16):
                    value = loss(chosen)
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                schedule.step()
                shown.set_postfix(loss=f"{value.item():.3f}", refresh=False)
                shown.update()


def _groups(module: nn.Module) -> list[dict[str, Any]]:
    """Decay matrices and filters only; tokens that never occur would decay to nothing."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        plain = parameter.ndim < 2 or "embedding" in name
        (free if plain else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": _WEIGHT_DECAY},
        {"params": free, "weight_decay": 0.0},
    ]


@torch.inference_mode()
def _right(network: nn.Module, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return which images are named right, in float32: bool (N,)."""
    blocks = torch.from_numpy(pixels).split(64)
    named = [network(PREPROCESSING.normalise(block)).argmax(1) for block in blocks]
    return torch.cat(named).numpy() == labels


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Round the weights to float16."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }


def by_class(right: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, float]:
    """Return the share named right of each class that occurs."""
    present = np.unique(labels)
    return {classes[number]: round(float(right[labels == number].mean()), 3) for number in present}


def _card(task: str, recipe: Recipe, right: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    _, column, plan, weights = _TASKS[task]
    what = {"objects": "the main object", "scenes": "the scene"}[task]
    widths = "/".join(map(str, WIDTHS))
    return {
        "name": f"mini_{task}",
        "what": f"names {what} of an image of mini-Broden",
        "architecture": f"ResNet-18 topology, widths {widths}: {SmallResNet.__module__}",
        "classes": CLASSES[column],
        "input": PREPROCESSING.as_dict(),
        "held_out_top1": round(float(right.mean()), 4),
        "held_out_top1_by_class": by_class(right, labels, CLASSES[column]),
        "images": "broden.mini.compose; the probe's seed is never drawn",
        "plan": [{"kind": kind, "hard": hard} for kind, hard in plan],
        "auxiliary": weights,
        "recipe": asdict(recipe),
    }


def store(path: Path, state: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write a weight file and the card beside it, each at once or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(serialised(state))
        card = card | file_facts(part, state)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    write_card(path.with_suffix(".json"), card)


def file_facts(path: Path, state: dict[str, Tensor]) -> dict[str, Any]:
    """Return what a card says about its weight file and what wrote it."""
    return {
        "parameters": sum(math.prod(v.shape) for v in state.values() if v.is_floating_point()),
        "bytes": path.stat().st_size,
        "sha256": file_digest(path),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
    }


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Write a card at once or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(card, indent=2) + "\n")
    part.replace(path)
