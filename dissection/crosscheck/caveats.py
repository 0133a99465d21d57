"""What a reader of a cross-check must know of its two labellings, beside the numbers."""

from collections.abc import Iterator

from dissection.results.caveats import digest, probe, probe_of
from dissection.results.labelling import Labelling

__all__ = ["differences", "notes"]


def notes(iou: Labelling, clip: Labelling) -> list[str]:
    """Return a sentence for each difference that does not forbid to compare two labellings.

    These are `differences`, and that layers of one of them are left out.

    Parameters
    ----------
    iou, clip : Labelling
        Of one network.
    """
    return [*differences(iou, clip), *_left_out(iou, clip), *_left_out(clip, iou)]


def differences(iou: Labelling, clip: Labelling) -> Iterator[str]:
    """Yield in what two runs on one network differ, where their cards tell.

    These are the images that they saw, and the precision of the forward pass. Published tables do
    not tell what they were made from.
    """
    ours, theirs = probe_of(iou), probe_of(clip)
    if digest(ours) and digest(theirs) and digest(ours) != digest(theirs):
        yield (
            f"different probe sets: {iou.source} is of {probe(ours)} and {clip.source} of "
            f"{probe(theirs)}; some disagreement may be due to that"
        )
    one, other = (side.settings.get("precision") for side in (iou, clip))
    if one and other and one != other:
        yield (
            f"different precisions: {iou.source} is of {one} and {clip.source} of {other}; "
            "some disagreement may be due to that"
        )


def _left_out(side: Labelling, other: Labelling) -> list[str]:
    alone = [layer for layer in side.layers if layer not in other.layers]
    if not alone:
        return []
    return [f"left out: {', '.join(alone)}: only in {side.source}, not in {other.source}"]
