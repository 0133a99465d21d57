"""What a reader of a cross-check must know of its two labellings, beside the numbers."""

from dissection.results.labelling import Labelling

__all__ = ["notes"]


def notes(iou: Labelling, clip: Labelling) -> list[str]:
    """Return a sentence for each difference that does not forbid to compare two labellings.

    These are that their runs saw different images, and that layers of one of them are left out.

    Parameters
    ----------
    iou, clip : Labelling
        Of one network.
    """
    return [*_probes(iou, clip), *_left_out(iou, clip), *_left_out(clip, iou)]


def _probes(iou: Labelling, clip: Labelling) -> list[str]:
    ours, theirs = (side.settings.get("probe", {}) for side in (iou, clip))
    # published tables do not tell what they were made from
    if not (ours.get("digest") and theirs.get("digest")) or ours["digest"] == theirs["digest"]:
        return []
    return [
        f"different probe sets: {iou.source} is of {_probe(ours)} and {clip.source} of "
        f"{_probe(theirs)}; some disagreement may be due to that"
    ]


def _probe(card: dict) -> str:
    images = f"{card['images']} images, " if "images" in card else ""
    return f"{card.get('name', 'a probe set')} ({images}digest {card['digest'][:12]})"


def _left_out(side: Labelling, other: Labelling) -> list[str]:
    alone = [layer for layer in side.layers if layer not in other.layers]
    if not alone:
        return []
    return [f"left out: {', '.join(alone)}: only in {side.source}, not in {other.source}"]
