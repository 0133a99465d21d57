"""What determines a result, and apart from it what only determines how fast it comes.

Imports nothing heavy, so that a command can show its choices and defaults at once.
"""

import math
import os
from dataclasses import asdict, dataclass

from broden.defaults import MIN_IOU, QUANTILE
from broden.system.processes import processors

UNIONS = ("category", "mask", "all")
"""Which of a unit's active pixels count: in images that hold a label of the concept's category (the
paper and the original code), only where such a label lies under the mask (NetDissect-Lite), or in
all images (compexp, dissect)."""

TOP_IMAGES = 10
"""Images of each unit that a run stores, those it answers to most."""

PRECISIONS = ("fp32", "bf16")
"""Of the forward pass; everything after it is exact."""


VALIDITIES = ("full", "none")
"""Whether a run says what its labels are worth."""

SHIFTS, SHIFTS_OF_MANY, MANY_IMAGES = 20, 5, 5000
"""Shifts of a set by default, and of one with as many images as the last."""


@dataclass(frozen=True)
class IouConfig:
    """Everything about labelling by IoU that changes a number, but the network and the probe set.

    Attributes
    ----------
    quantile : float
        Share of a unit's activations that may exceed its threshold.
    union : str
        Which active pixels the IoU of the tables counts, one of `UNIONS`; all are stored.
    min_iou : float
        A unit is a detector above it.
    precision : str
        Of the forward pass, one of `PRECISIONS`.
    validity : str
        One of `VALIDITIES`: whether chance, intervals and stability are counted beside the labels.
    shifts : int, optional
        How often images are paired otherwise to learn what chance gives; by default 20, 5 from
        5,000 images on. Never more than there are other images.
    rotations : int
        Random bases of each layer that are dissected beside its units.
    quantiles : tuple of float
        Further quantiles whose detectors are counted, each above 0 and at most 0.5.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    quantile: float = QUANTILE
    union: str = "category"
    min_iou: float = MIN_IOU
    precision: str = "fp32"
    validity: str = VALIDITIES[0]
    shifts: int | None = None
    rotations: int = 1
    quantiles: tuple[float, ...] = (0.001, 0.002, 0.003, 0.004, 0.005)

    def __post_init__(self) -> None:
        _check_choice("validity", self.validity, VALIDITIES)
        if self.shifts is not None and self.shifts < 0:
            raise ValueError(f"shifts must be at least 0, got {self.shifts}")
        if self.rotations < 0:
            raise ValueError(f"rotations must be at least 0, got {self.rotations}")
        for quantile in self.quantiles:
            if not 0 < quantile <= 0.5:
                raise ValueError(f"quantiles must be above 0 and at most 0.5, got {quantile}")
        if not 0 <= self.quantile < 1:
            raise ValueError(f"quantile must be at least 0 and below 1, got {self.quantile}")
        _check_choice("union", self.union, UNIONS)
        _check_choice("precision", self.precision, PRECISIONS)
        if not 0 <= self.min_iou < 1:
            raise ValueError(f"min_iou must be at least 0 and below 1, got {self.min_iou}")

    @property
    def believed(self) -> bool:
        """Whether validity is counted."""
        return self.validity == "full"

    def levels(self) -> tuple[float, ...]:
        """Return all quantiles that are counted, ascending, the run's own among them."""
        return tuple(sorted({self.quantile, *(self.quantiles if self.believed else ())}))

    def shifts_of(self, images: int) -> int:
        """Return how many shifts a set of so many images has.

        Raises
        ------
        ValueError
            If more are asked for than there are other images.
        """
        if not self.believed:
            return 0
        if self.shifts is None:
            return min(SHIFTS if images < MANY_IMAGES else SHIFTS_OF_MANY, images - 1)
        if self.shifts >= images:
            raise ValueError(
                f"{self.shifts} shifts need {self.shifts + 1} images, there are {images}; "
                f"give at most {images - 1}"
            )
        return self.shifts

    def as_dict(self) -> dict[str, object]:
        """Return the fields as JSON knows them; of validity none where it is not counted."""
        fields = asdict(self)
        if not self.believed:
            for name in ("shifts", "rotations", "quantiles"):
                del fields[name]
            return fields
        return fields | {"quantiles": list(self.levels())}


NETWORKS = (
    "mini_scenes",
    "mini_objects",
    "mini_random",
    "efficientnet_lite0",
    "alexnet_places365",
    "densenet161_places365",
    "resnet18_places365",
    "resnet50_places365",
)
"""The built-in networks of `dissection.networks.loading.LOADERS`, the default one first."""

LABELERS = ("iou", "clip")
"""What labels units: overlap with labelled pixels, and CLIP-Dissect."""

METHODS = (*LABELERS, "both")
"""How a run labels units: by one labeler, or by each from one forward pass."""


def labelers_of(method: str) -> tuple[str, ...]:
    """Return the labelers of a method.

    Raises
    ------
    ValueError
        If there is no such method.

    Examples
    --------
    >>> labelers_of("both")
    ('iou', 'clip')
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; one of {', '.join(METHODS)}")
    return LABELERS if method == "both" else (method,)


SIMILARITIES = ("soft_wpmi", "wpmi", "rank_reorder", "cosine", "cosine_cubed")
"""Of CLIP-Dissect (Oikarinen and Weng, ICLR 2023), see `dissection.clip.similarity`."""

SOFTMAX = ("soft_wpmi", "wpmi")
"""Those of them that read probabilities: a softmax of the scores, which has a sharpness."""

POOLINGS = ("mean", "max", "class")
"""How a unit's map becomes one number an image: published is the mean; ``class`` is the class token
of a vision transformer, which has no place in its map."""


@dataclass(frozen=True)
class ClipConfig:
    """Everything about labelling by CLIP-Dissect that changes a label, but network and images.

    Attributes
    ----------
    encoder : str
        What `dissection.clip.encoder.load` takes.
    encoder_weights : str, optional
        A checkpoint for an architecture named by `encoder`.
    concepts : str
        A text file, ``broden`` for the probe set's own labels, ``common`` for English words.
    template : str
        Turns a concept into what the text encoder reads; holds one ``{}``.
    similarity : str
        One of `SIMILARITIES`.
    pooling : str
        One of `POOLINGS`.
    precision : str
        Of the forward pass of the dissected network, one of `PRECISIONS`.
    shifts : int
        How often activations are compared with the scores of other images, to learn what chance
        gives; each costs as much as the descriptions. Without any nothing is said of their worth.
    sharpness : float, optional
        What scores are multiplied by before the softmax of `SOFTMAX`, above 0. By default the
        published one, scaled as the encoder says, see `dissection.clip.scale`.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    encoder: str = "mini"
    encoder_weights: str | None = None
    concepts: str = "broden"
    template: str = "{}"
    similarity: str = "soft_wpmi"
    pooling: str = "mean"
    precision: str = "fp32"
    shifts: int = SHIFTS_OF_MANY
    sharpness: float | None = None

    def __post_init__(self) -> None:
        if self.shifts < 0:
            raise ValueError(f"shifts must be at least 0, got {self.shifts}")
        _check_choice("similarity", self.similarity, SIMILARITIES)
        if self.sharpness is not None:
            if not 0 < self.sharpness < math.inf:
                raise ValueError(f"sharpness must be above 0 and finite, got {self.sharpness}")
            if self.similarity not in SOFTMAX:
                raise ValueError(
                    f"similarity {self.similarity} has no softmax, so no sharpness; only "
                    f"{' and '.join(SOFTMAX)} have one"
                )
        _check_choice("pooling", self.pooling, POOLINGS)
        _check_choice("precision", self.precision, PRECISIONS)
        if self.template.count("{}") != 1:
            raise ValueError(f"template must hold one {{}}, got {self.template!r}")

    def shifts_of(self, images: int) -> int:
        """Return how many shifts a set of so many images has: fewer than there are images."""
        return min(self.shifts, images - 1)


@dataclass(frozen=True)
class Execution:
    """How a run is carried out. None of it enters the content key.

    Attributes
    ----------
    device : str
        ``auto`` for a GPU where there is one, or what torch calls it.
    batch_size : int, optional
        Images a forward pass, at most the 64 of a shard. By default 32 on the CPU, else 64.
    workers : int, optional
        Threads that decode images ahead of the network; 0 decodes between its passes. By default 0
        where the network itself keeps the processor busy, else one a core, which
        the processes on a machine share.
    keep_shards : bool
        Keep the shards of a completed run.
    progress : bool
        Draw progress bars on stderr.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    device: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    keep_shards: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers must be at least 0, got {self.workers}")

    def decoders(self, device_type: str) -> int:
        """Return how many threads decode for a network on this type of device."""
        if self.workers is not None:
            return self.workers
        if device_type == "cpu":
            return 0
        # the processes that torchrun started on this machine share its cores
        return max(1, processors() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    def images_at_once(self, device_type: str) -> int:
        """Return how many images go through a network on this type of device together."""
        if self.batch_size is not None:
            return self.batch_size
        return 32 if device_type == "cpu" else 64


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"unknown {name} {value!r}; one of {', '.join(allowed)}")
