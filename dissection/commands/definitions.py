"""The options that say what labels by pixels mean, and what they are worth."""

import argparse

from broden.system.terminal import fraction, natural
from dissection.config import (
    MANY_IMAGES,
    MIN_IOU,
    PRECISIONS,
    QUANTILE,
    SHIFTS,
    SHIFTS_OF_MANY,
    UNIONS,
    VALIDITIES,
    IouConfig,
)

__all__ = ["add_definitions", "add_validity", "iou_config", "validity_config"]


def add_definitions(group) -> None:
    """Add the options of what a detector is."""
    group.add_argument(
        "--quantile",
        type=fraction,
        default=QUANTILE,
        help="share of a unit's activations above its threshold (default: %(default)s)",
    )
    group.add_argument(
        "--min-iou",
        type=fraction,
        default=MIN_IOU,
        help="IoU above which a unit is a detector (default: %(default)s)",
    )
    group.add_argument(
        "--union",
        choices=UNIONS,
        default=UNIONS[0],
        help="active pixels that count: in images holding the category, only where it lies under "
        "the mask, or in all images (default: %(default)s)",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of the forward pass; bf16 is faster and moves some labels (default: %(default)s)",
    )


def add_validity(group) -> None:
    """Add the options of what is counted beside the labels."""
    group.add_argument(
        "--validity",
        choices=VALIDITIES,
        default=VALIDITIES[0],
        help="none leaves out what the labels are worth: chance, intervals, stability, the rotated "
        "basis (default: %(default)s)",
    )
    group.add_argument(
        "--shifts",
        type=natural,
        metavar="R",
        help="times that images are paired with the labels of others to learn what chance gives "
        f"(default: {SHIFTS}, {SHIFTS_OF_MANY} from {MANY_IMAGES:,} images on)",
    )
    group.add_argument(
        "--rotations",
        type=natural,
        default=IouConfig.rotations,
        metavar="N",
        help="random bases of each layer that are dissected too (default: %(default)s)",
    )
    group.add_argument(
        "--quantiles",
        type=_quantiles,
        default=IouConfig.quantiles,
        metavar="Q,Q,...",
        help="further quantiles at which detectors are counted, above 0 and at most 0.5 (default: "
        f"{','.join(f'{q:g}' for q in IouConfig.quantiles)})",
    )


def _quantiles(text: str) -> tuple[float, ...]:
    """Return numbers separated by commas."""
    return tuple(fraction(part) for part in text.split(",") if part)


def validity_config(args: argparse.Namespace) -> IouConfig:
    """Return the default definitions with what the options of `add_validity` say."""
    return IouConfig(
        precision=args.precision,
        validity=args.validity,
        shifts=args.shifts,
        rotations=args.rotations,
        quantiles=args.quantiles,
    )


def iou_config(args: argparse.Namespace) -> IouConfig:
    """Return what the options say of labelling by pixels."""
    return IouConfig(
        args.quantile,
        args.union,
        args.min_iou,
        args.precision,
        args.validity,
        args.shifts,
        args.rotations,
        args.quantiles,
    )
