"""What `--layers help` says of a network: all its layers, and a few to begin with."""

from collections.abc import Iterator, Sequence

from dissection.networks.layouts import LayerInfo


def suggest(infos: Sequence[LayerInfo]) -> list[str]:
    """Return a few layers worth dissecting first, in order of execution.

    The last of the outermost layers at each size of grid; where there is one size only, as in
    a ViT, three evenly spaced of its blocks.
    """
    # What lies deeper are parts of blocks, some with grids of their own (windows of attention).
    # A grid that is a guess, or no place in the image, is nothing to begin with.
    usable = [
        i
        for i in infos
        if not i.remark and i.grid and min(i.grid) > 1 and _depth(i) <= 2
        and not i.guess and i.placed is not False
    ]  # fmt: skip
    usable.sort(key=lambda info: info.order)
    last = {}
    for info in sorted(usable, key=_depth, reverse=True):
        last[info.grid] = info
    if len(last) > 1:
        return [info.name for info in sorted(last.values(), key=lambda info: info.order)]
    parents = {info.name.rpartition(".")[0] for info in infos}
    kinds: dict[tuple[int, str], list[str]] = {}
    for info in usable:
        if info.name in parents:
            kinds.setdefault((_depth(info), info.kind), []).append(info.name)
    for _, blocks in sorted(kinds.items()):
        if len(blocks) >= 3:
            return [blocks[len(blocks) * third // 3 - 1] for third in (1, 2, 3)]
    return [info.name for info in last.values()]


def _depth(info: LayerInfo) -> int:
    return info.name.count(".")


def describe(infos: Sequence[LayerInfo]) -> str:
    """Return a table of layers for people: name, class, units, grid, and what to mind.

    Blocks that repeat the one before them, layer by layer, share one row.

    Parameters
    ----------
    infos
        Of layers in the network's order, as `probe_layers` gives them.
    """
    rows = [("layer", "class", "units", "grid", "note"), *_rows(list(infos))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, kind, units, grid, note in rows:
        left = f"{name:<{widths[0]}}  {kind:<{widths[1]}}"
        lines.append(f"{left}  {units:>{widths[2]}}  {grid:>{widths[3]}}  {note}".rstrip())
    first = suggest(infos)
    if first:
        lines += ["", f"a good start: --layers {','.join(first)}"]
    return "\n".join(lines)


def _rows(infos: list[LayerInfo]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of the table, one row a layer or a run of equal blocks."""
    start = 0
    while start < len(infos):
        block = _subtree(infos, start)
        yield _row(infos[start], infos[start].name, _note(infos[start]))
        yield from _rows(block[1:])
        end = start = start + len(block)
        while len(block) > 1 and _alike(block, _subtree(infos, end)):
            end += len(block)
        if end > start:
            names = list(dict.fromkeys((infos[start].name, infos[end - len(block)].name)))
            yield _row(infos[start], " to ".join(names), f"like {block[0].name}")
        start = end


def _row(info: LayerInfo, name: str, note: str) -> tuple[str, ...]:
    grid = "x".join(map(str, info.grid)) if info.grid else "-"
    return name, info.kind, str(info.units or "-"), grid, note


def _note(info: LayerInfo) -> str:
    """Return what to mind of a layer."""
    return info.remark or "; ".join(info.caveats)


def _subtree(infos: list[LayerInfo], start: int) -> list[LayerInfo]:
    """Return the layer at an index and those inside it, which follow it."""
    end = start + 1
    while end < len(infos) and infos[end].name.startswith(infos[start].name + "."):
        end += 1
    return infos[start:end]


def _alike(block: list[LayerInfo], other: list[LayerInfo]) -> bool:
    """Tell whether two blocks have the same parent and, layer by layer, the same to say."""
    if not other or block[0].name.rpartition(".")[0] != other[0].name.rpartition(".")[0]:
        return False
    said = [
        [_row(i, i.name.removeprefix(layers[0].name), _note(i)) for i in layers]
        for layers in (block, other)
    ]
    return said[0] == said[1]
