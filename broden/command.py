"""Make, inspect and check probe sets: photographs with pixel labels in one file.

PROBE is a probe file, or `mini` for the small generated set.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from broden.defaults import MINI_IMAGES, QUANTILE
from broden.system.terminal import FAILED, Parser, add_debug, fraction, natural, positive, run


def _opened(args: argparse.Namespace):
    from broden.reader import ProbeSet

    return ProbeSet(_path(args))


def _path(args: argparse.Namespace) -> Path:
    from broden.mini import MINI, located

    return located(args.file or args.probe or MINI, progress=True)


def _convert(args: argparse.Namespace) -> None:
    from broden.sources.convert import convert

    done = convert(args.source, args.target, skip_bad=args.skip_bad, progress=True)
    for name in done.ignored:
        print(f"note: column {name!r} of index.csv is no category; ignored", file=sys.stderr)
    for skipped in done.skipped:
        print(f"left out: {_skipped(skipped)}", file=sys.stderr)
    if done.palettes:
        print(f"note: {_palettes(done.palettes)}", file=sys.stderr)
    left_out = f", {len(done.skipped)} rows left out" if done.skipped else ""
    print(f"{args.target}: {done.images} images{left_out}, digest {done.digest}")


def _palettes(count: int) -> str:
    are = "label map is a palette image" if count == 1 else "label maps are palette images"
    return f"{count} {are}, read by index (not by colour)"


def _skipped(skipped) -> str:
    return f"index.csv line {skipped.row}: {skipped.image}: {skipped.reason}"


def _info(args: argparse.Namespace) -> None:
    with _opened(args) as probe:
        splits = ", ".join(f"{k or 'no split'} {v}" for k, v in Counter(probe.splits).items())
        labels = probe.labels
        used = (labels.pixels > 0).sum()
        print(f"{probe.path}: {probe.name}, from {probe.source} by {probe.created_by}")
        print(f"digest      {probe.digest}")
        print(f"size        {probe.path.stat().st_size} bytes")
        print(f"images      {len(probe)} ({splits}), {probe.image_size[0]}x{probe.image_size[1]}")
        print(f"label grid  {probe.grid[0]}x{probe.grid[1]}")
        print(f"labels      {labels.known.sum()}, {used} of them on some pixel")
        rows = [("category", "labels", "images", "pixels")]
        for k, category in enumerate(probe.categories):
            mine = labels.known & (labels.primary == k)
            images, pixels = probe.presence[:, k].sum(), labels.pixels[mine].sum()
            rows.append((category, str(mine.sum()), str(images), str(pixels)))
        _print_table(rows)
        if probe.palette_maps:
            print(f"label maps  {_palettes(probe.palette_maps)}")
        print(f"left out    {len(probe.skipped)} rows of the source")
        for skipped in probe.skipped:
            print(f"  {_skipped(skipped)}")
        if args.labels:
            _print_audit(probe, args.quantile)


def _print_audit(probe, quantile: float) -> None:
    from broden.inspection.audit import MIN_IOU, audit

    entries = audit(probe, quantile)
    rows = [("number", "label", "category", "images", "pixels", "share", "ceiling", "")]
    for entry in entries:
        rows.append(
            (
                str(entry.number),
                entry.name,
                entry.category,
                str(entry.images),
                str(entry.pixels),
                f"{100 * entry.share:.3f}%",
                f"{entry.ceiling:.4f}",
                "" if entry.reachable else f"never above {MIN_IOU}",
            )
        )
    print(f"\nceiling: the highest IoU at quantile {quantile}, union rule category")
    _print_table(rows)
    never = sum(not entry.reachable for entry in entries)
    print(f"{never} of {len(entries)} labels can never pass {MIN_IOU}")


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows in columns; numbers to the right, the rest to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [column[-1][:1].isdigit() for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        print("  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in cells).rstrip())


def _verify(args: argparse.Namespace) -> int:
    from broden.reader import ProbeSet
    from broden.verification import verify

    path = _path(args)
    with ProbeSet(path) as probe:
        images, digest = len(probe), probe.digest
    failures = list(verify(path, progress=True))
    if failures:
        print(f"error: {path}: {len(failures)} failures; make it again", file=sys.stderr)
        print(*failures, sep="\n", file=sys.stderr)
        return FAILED
    print(f"{path}: intact, {images} images, digest {digest}")
    return 0


def _find(args: argparse.Namespace) -> None:
    from broden.inspection.audit import find

    with _opened(args) as probe:
        numbers = dict.fromkeys(n for name in args.label for n in probe.labels.numbers(name))
        for number in numbers:
            found, labels = find(probe, number), probe.labels
            print(
                f"{labels.names[number]} ({labels.category(number)}, number {number}):"
                f" {len(found)} images, {labels.pixels[number]} pixels"
            )
            rows = [("image", "pixels", "share", "name")]
            for hit in found[: args.limit]:
                rows.append((str(hit.image), str(hit.pixels), f"{100 * hit.share:.2f}%", hit.name))
            _print_table(rows)
            if len(found) > args.limit:
                print(f"... {len(found) - args.limit} more, see --limit")


def _show(args: argparse.Namespace) -> None:
    import difflib

    from broden.inspection.show import show

    with _opened(args) as probe:
        if args.image in probe.names:
            i = probe.names.index(args.image)
        elif args.image.isdecimal() and int(args.image) < len(probe):
            i = int(args.image)
        else:
            near = difflib.get_close_matches(args.image, probe.names, n=3, cutoff=0.4)
            raise ValueError(
                f"image {args.image!r} is neither a number below {len(probe)} nor a name in"
                f" {probe.path}; {'nearest are ' + ', '.join(near) if near else 'see find'}"
            )
        show(probe, i, args.out)
        print(f"{args.out}: image {i} ({probe.names[i]}) and its label maps")


def _download(args: argparse.Namespace) -> None:
    from broden.sources.download import download, published_url

    path = download(args.url or published_url(args.size), args.out, progress=True)
    print(f"{path}: whole and checked; next: dissect-probe convert {path} broden.h5")


def _mini(args: argparse.Namespace) -> None:
    from broden.mini import build

    digest = build(args.target, args.images, args.seed, progress=True)
    print(f"{args.target}: {args.images} images, digest {digest}")


def _command(commands, name: str, body: Callable, text: str, probe: bool = True):
    """Add a subcommand, with a PROBE to work on if `probe`."""
    sub = commands.add_parser(
        name,
        help=text,
        description=text,
    )
    sub.set_defaults(body=body, interrupted="interrupted; nothing unfinished is left")
    add_debug(sub)
    if probe:
        chosen = sub.add_mutually_exclusive_group()
        chosen.add_argument("file", nargs="?", metavar="PROBE", help="probe file, or mini")
        chosen.add_argument("--probe", metavar="PROBE", help="the same as an option")
    return sub


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_makers(commands)

    sub = _command(commands, "info", _info, "say what a probe file holds")
    sub.add_argument("--labels", action="store_true", help="list every label with its ceiling")
    sub.add_argument(
        "--quantile",
        type=fraction,
        default=QUANTILE,
        help="share of active pixels that the ceilings are for (default: %(default)s)",
    )

    _command(commands, "verify", _verify, "recompute digests and masses, decode every image")

    sub = _command(commands, "find", _find, "list the images that hold a label, most pixels first")
    sub.add_argument(
        "--label", action="append", required=True, help="name of a label; may be repeated"
    )
    sub.add_argument(
        "--limit",
        type=positive,
        default=20,
        help="images listed for each label (default: %(default)s)",
    )

    sub = _command(commands, "show", _show, "draw an image beside its label maps")
    sub.add_argument("--image", required=True, help="index from 0, or name")
    sub.add_argument("--out", type=Path, required=True, help="picture to write (png, pdf, svg)")
    return parser


def _add_makers(commands) -> None:
    """Add the subcommands that make something to work on."""
    sub = _command(commands, "convert", _convert, "turn the original layout into a file", False)
    sub.add_argument("source", metavar="SRC", help="the unpacked folder, or the zip as published")
    sub.add_argument("target", metavar="OUT.h5", type=Path, help="the probe file to write")
    sub.add_argument("--skip-bad", action="store_true", help="leave bad rows out and record them")

    sub = _command(commands, "download", _download, "fetch the published zip, resumable", False)
    sub.set_defaults(interrupted="interrupted; run the same command to resume")
    sub.add_argument(
        "--size",
        type=int,
        choices=(224, 227, 384),
        default=224,
        help="side of the images in pixels (default: %(default)s)",
    )
    sub.add_argument(
        "--out", type=Path, default=Path("."), help="folder to write to (default: this one)"
    )
    sub.add_argument("--url", help="address of a mirror of the zip")

    sub = _command(commands, "mini", _mini, "write the small generated probe set", False)
    sub.add_argument("target", metavar="OUT.h5", type=Path, help="the probe file to write")
    sub.add_argument(
        "--images", type=positive, default=MINI_IMAGES, help="how many (default: %(default)s)"
    )
    sub.add_argument(
        "--seed",
        type=natural,
        default=0,
        help="another seed draws other images (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = _parser().parse_args(argv)
    return run(args.body, args, interrupted=args.interrupted)
