"""Names of all that a run leaves behind: files, columns of tables, members of HDF5 files.

No other module spells one. Axis letters: U units, L labels, K categories, M concepts, n top images
of a unit, H W the label grid, R shifts, G groups of images, B quantiles, C cuts of the IoU, S seeds
of rotations. `METHODS` says what each labeler writes, so that whoever reads
results takes a further labeler as one entry more.
"""

from typing import NamedTuple

from broden.system.files import file_name

FORMAT = "dissection/1"
CARD = "run.json"
LOCK = ".lock"
SHARDS = "shards"

#: Values of the run card's ``status``.
RUNNING, COMPLETE = "running", "complete"

UNITS = "units.csv"
CONCEPTS = "concepts.csv"
TALLY = "tally"
SCORES = "scores.h5"
DESCRIPTIONS = "descriptions.csv"
CLIP = "clip.h5"
CROSSCHECK = "crosscheck.json"
CROSSCHECK_UNITS = "crosscheck.csv"

UNIT_COLUMNS = ("layer", "unit", "label", "category", "iou", "detector")
DESCRIPTION_COLUMNS = ("layer", "unit", "description", "similarity")
TALLY_COLUMNS = ("unit", "category", "label", "score")
VALIDITY_COLUMNS = (
    "iou_low", "iou_high", "chance_iou", "p", "q", "stability", "runner_up", "runner_up_iou",
    "images", "precision", "recall", "relative_iou", "second_label", "second_iou",
    "average_precision",
)  # fmt: skip
"""Columns of `UNITS` behind the others, of a run that says how far its labels can be believed."""
SATURATED = "saturated"
"""Column of `DESCRIPTIONS` behind all others: true where units tie at the highest similarity."""
WORTH_COLUMNS = ("p", "q", "stability")
"""Columns of `DESCRIPTIONS` behind the others, likewise."""
OTHER_LABELS = ("runner_up", "second_label")
"""Those of them that name a label, empty where there is none."""
MAYBE_COLUMNS = tuple(name for name in VALIDITY_COLUMNS if name not in OTHER_LABELS)
"""Those that are numbers; a cell is empty where there is none, as q of a single image."""
TEXT_COLUMNS = ("layer", "label", "category", "description", *OTHER_LABELS)
NUMBER_COLUMNS = ("unit", "iou", "similarity", "score", "threshold", "units", *MAYBE_COLUMNS)
SHARE_COLUMNS = (
    "iou", "score", "iou_low", "iou_high", "chance_iou", "p", "q", "stability", "runner_up_iou",
    "second_iou",
)  # fmt: skip
"""Numbers from 0 to 1, as the IoU of each category is."""

TALLY_FIELDS = ("label", "truth", "activation", "intersect", "iou")
"""Columns of each category in the published NetDissect tally, see `of_category`."""

FORMS = (
    f"{UNITS} ({', '.join(UNIT_COLUMNS)}), CLIP descriptions ({', '.join(DESCRIPTION_COLUMNS)}) "
    f"and NetDissect tallies ({', '.join(TALLY_COLUMNS)}, <category>-label, ...)"
)
"""The columns of each form of table that can be read, in words."""

ARRAYS = "file of score arrays"
"""What HDF5 files of a run are called in messages."""

# scores.h5
CATEGORIES = "categories"
LABEL_NAME = "labels/name"
LABEL_CATEGORY = "labels/category"
LABEL_PIXELS = "labels/pixels"
#: (G, L) pixels of each label in each group of images, and (N,) the group of each image.
GROUP_PIXELS = "validity/label_pixels"
GROUP = "validity/group"

# clip.h5
CLIP_CONCEPTS = "concepts"
CLIP_SPREAD = "score_spread"

# members of a layer, see `member`; of scores.h5:
THRESHOLD = "threshold"
INTERSECTION = "intersection"
AREA = "area"
IOU = "iou"
TOP_MASK = "top/mask"
#: Attribute of the masks: their (H, W).
MASK_GRID = "grid"
# how far the label of a unit can be believed: (U,), (U, L), or as is said
CHANCE = "validity/chance"
#: (R, U) the highest IoU with shifted images; in clip.h5 how units stand out by their descriptions.
NULL = "validity/null"
#: (U,) of clip.h5, what its null is compared with.
OBSERVED = "validity/observed"
LABEL_IMAGES = "validity/images"
P, Q = "validity/p", "validity/q"
STABILITY = "validity/stability"
LOW, HIGH = "validity/low", "validity/high"
AVERAGE_PRECISION = "validity/average_precision"
#: (U, 5) the best labels; (G, U, 5) of each group.
CANDIDATE = "validity/candidate"
CANDIDATE_INTERSECTION = "validity/candidate_intersection"
CANDIDATE_AREA = "validity/candidate_area"
#: (U, n) the top images without the label, and how the unit answers to them.
WITHOUT_IMAGE = "validity/without_image"
WITHOUT_VALUE = "validity/without_value"
# (B,), (C,), (B, C) or, of shifts, (B,)
SENSITIVITY_QUANTILE = "sensitivity/quantile"
SENSITIVITY_CUT = "sensitivity/cut"
SENSITIVITY_DETECTORS = "sensitivity/detectors"
SENSITIVITY_UNIQUE = "sensitivity/unique"
SENSITIVITY_EXPECTED = "sensitivity/expected"
SENSITIVITY_SHIFTS = "sensitivity/shifts"
# (S,) or (S, U)
ROTATED_SEED = "rotated/seed"
ROTATED_IOU = "rotated/iou"
ROTATED_LABEL = "rotated/label"
# of clip.h5:
SIMILARITY = "similarity"
TOP_CONCEPT = "top/concept"
TOP_SIMILARITY = "top/similarity"
# of both:
TOP_IMAGE = "top/image"
TOP_VALUE = "top/value"

UNIT_AXIS = {
    **dict.fromkeys((NULL, CANDIDATE_INTERSECTION, CANDIDATE_AREA, ROTATED_IOU, ROTATED_LABEL), 1),
    **dict.fromkeys((SENSITIVITY_QUANTILE, SENSITIVITY_CUT, SENSITIVITY_DETECTORS), None),
    **dict.fromkeys((SENSITIVITY_UNIQUE, SENSITIVITY_EXPECTED, SENSITIVITY_SHIFTS), None),
    ROTATED_SEED: None,
}
"""Which axis of an array has the units of its layer, where it is not the first; None: none has."""

#: Score matrices compress well, and level 1 is as small as any within a few percent.
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def layers(name: str) -> str:
    """Return the group of a layer in an HDF5 file."""
    return f"layers/{name}"


def member(layer: str, name: str) -> str:
    """Return the path of a layer's array in an HDF5 file.

    Examples
    --------
    >>> member("layer4", TOP_IMAGE)
    'layers/layer4/top/image'
    """
    return f"{layers(layer)}/{name}"


def of_rule(kind: str, union: str) -> str:
    """Return the name of a layer's areas or IoU by a union rule.

    Examples
    --------
    >>> of_rule(IOU, "category")
    'iou/category'
    """
    return f"{kind}/{union}"


def of_category(category: str, field: str) -> str:
    """Return the column of a category in the tables of units.

    Examples
    --------
    >>> of_category("object", "iou")
    'object-iou'
    """
    return f"{category}-{field}"


def tally_file(layer: str) -> str:
    """Return where a layer's table in the published form is, in the run directory.

    Examples
    --------
    >>> tally_file("blocks.2")
    'tally/blocks.2.csv'
    """
    return f"{TALLY}/{file_name(layer)}.csv"


class Written(NamedTuple):
    """What a labeler leaves behind."""

    title: str
    """What the method is called in tables and figures."""
    tables: tuple[str, ...]
    """CSV files that a complete run has; the first has one row a unit."""
    columns: tuple[str, ...]
    """Columns that tell the first from other tables."""
    label: str
    """Its column with a unit's label."""
    score: str
    """Its column with the score of that label."""
    arrays: str
    """HDF5 file with the scores of all labels."""
    names: str
    """Member with the names of the labels."""
    categories: str | None
    """Member with their categories, empty where the number means nothing; None without any."""
    matrix: str
    """Array of each layer with the scores (U, L), ``{union}`` standing for the union rule."""


METHODS = {
    "iou": Written(
        "IoU", (UNITS, CONCEPTS), UNIT_COLUMNS, "label", "iou",
        SCORES, LABEL_NAME, LABEL_CATEGORY, of_rule(IOU, "{union}"),
    ),
    "clip": Written(
        "CLIP", (DESCRIPTIONS,), DESCRIPTION_COLUMNS, "description", "similarity",
        CLIP, CLIP_CONCEPTS, None, SIMILARITY,
    ),
}  # fmt: skip
"""By the name of a labeler, in the order of `config.LABELERS`."""

FILES = (
    CARD, LOCK, CROSSCHECK, CROSSCHECK_UNITS,
    *(name for written in METHODS.values() for name in (*written.tables, written.arrays)),
)  # fmt: skip
"""All that a run writes directly into its directory."""
