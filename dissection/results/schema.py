"""Names of all that a run leaves behind: files, columns of tables, members of HDF5 files.

No other module spells one. Axis letters: U units, L labels, K categories, M concepts, n top images
of a unit, H W the label grid, G groups of images, S rotations. `METHODS` says what each labeler
writes, so that whoever reads results takes a further labeler as one entry more.
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
TEXT_COLUMNS = ("layer", "label", "category", "description")
NUMBER_COLUMNS = ("unit", "iou", "similarity", "score", "threshold", "units")
SHARE_COLUMNS = ("iou", "score")
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
GROUP_PIXELS = "validity/label_pixels"

# clip.h5
CLIP_CONCEPTS = "concepts"

# members of a layer, see `member`; of scores.h5:
THRESHOLD = "threshold"
INTERSECTION = "intersection"
AREA = "area"
IOU = "iou"
TOP_MASK = "top/mask"
#: Attribute of the masks: their (H, W).
MASK_GRID = "grid"
CANDIDATE = "validity/candidate"
CANDIDATE_INTERSECTION = "validity/candidate_intersection"
CANDIDATE_AREA = "validity/candidate_area"
ROTATED_IOU = "rotated/iou"
ROTATED_LABEL = "rotated/label"
ROTATED_SEED = "rotated/seed"
# of clip.h5:
SIMILARITY = "similarity"
TOP_CONCEPT = "top/concept"
TOP_SIMILARITY = "top/similarity"
# of both:
TOP_IMAGE = "top/image"
TOP_VALUE = "top/value"

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
