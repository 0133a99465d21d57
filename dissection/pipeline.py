"""The order of the steps of a dissection; resume; ranks; what is written at the end."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from broden.photographs import Photographs
from broden.reader import ProbeSet
from broden.system.files import file_name
from dissection.activations.forward import Plan, run_images
from dissection.activations.shards import ShardStore
from dissection.clip.labeler import Described, Labeler
from dissection.config import ClipConfig, Execution, IouConfig
from dissection.crosscheck import findings as verdict
from dissection.crosscheck.check import crosscheck
from dissection.crosscheck.meaning import space_of
from dissection.crosscheck.naming import synonyms_of
from dissection.execution.job import Bar, Run
from dissection.execution.ranks import Ranks, local_device
from dissection.networks.layers import probe_layers, resolve
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network
from dissection.networks.suitability import class_tokens, require_grid, require_units
from dissection.overlap import labeler as overlap
from dissection.overlap.results import LayerResult, iou_counts, iou_definitions
from dissection.results import card
from dissection.results.folder import RunFolder
from dissection.results.reading import of_run

log = logging.getLogger(__name__)


def run(
    network: Network,
    patterns: Sequence[str] | str,
    images: ProbeSet | Photographs,
    folder: RunFolder,
    iou: IouConfig | None,
    clip: ClipConfig | None,
    execution: Execution,
    bar: Bar,
) -> str:
    """Dissect a network into a directory and return how it went, in a sentence.

    Parameters
    ----------
    network : Network
        Moved to the device and to channels_last in place.
    patterns : str or sequence of str
        Layers, see `layers.resolve`.
    images : ProbeSet or Photographs
        What is shown to the network; labelling by IoU needs a ProbeSet.
    folder : RunFolder
        Where shards and results go. A run that was interrupted there is continued, a complete one
        left alone.
    iou, clip : IouConfig, ClipConfig or None
        What determines the results of each method; at least one of them.
    execution : Execution
        What does not.
    bar : callable
        Makes progress bars.

    Raises
    ------
    ValueError
        If anything given cannot be used; the message says what and why. Finished shards stay.
    OSError
        If the directory cannot be written. Finished shards stay.
    """
    precision = _precision(images, iou, clip)
    ranks, device = Ranks(), local_device(execution.device)
    network.module.to(device, memory_format=torch.channels_last)
    layers = _layers(network, patterns, device, iou is not None)
    if clip is not None and clip.pooling == "class":
        layers = _class_tokens(layers, iou)
    labeler = None if clip is None else Labeler(clip, images, device)
    settings = card.settings(network, layers, images, iou, labeler and labeler.settings, precision)
    plan = Plan(
        network,
        images,
        layers,
        None if iou is None else iou.quantile,
        precision,
        device,
        execution.batch_size,
        execution.decoders(device.type),
    )
    store = ShardStore(folder.shards, card.content_key(settings))
    job = Run(plan, folder, store, execution, settings, ranks, bar, {})
    with folder.locked() if ranks.leads else nullcontext():
        complete = ranks.all(folder.claim(settings) if ranks.leads else None)[0]
        if complete:
            if ranks.leads:
                _clear_leftovers(folder, store)
            ranks.wait()
            return f"{folder.path} is complete with these settings, nothing to do"
        with torch.inference_mode():
            return _run(job, iou, labeler)


def _precision(
    images: ProbeSet | Photographs, iou: IouConfig | None, clip: ClipConfig | None
) -> str:
    """Return the precision of the one forward pass."""
    given = {config.precision for config in (iou, clip) if config is not None}
    if len(given) != 1:
        raise ValueError("iou and clip share one forward pass: give both the same precision")
    if iou is not None and isinstance(images, Photographs):
        raise ValueError(
            f"{images.path} is a folder of images without labels, which IoU needs; "
            "convert them to a probe file or use --method clip"
        )
    return given.pop()


def _clear_leftovers(folder: RunFolder, store: ShardStore) -> None:
    """Delete the shards that a kill after the last file was written left behind."""
    if not folder.card()["host"]["shards"]["kept"]:
        store.clear()


def _layers(
    network: Network, patterns: Sequence[str] | str, device: torch.device, maps: bool
) -> list[LayerInfo]:
    names = resolve(network.module, patterns)
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(file_name(name), name)
        if other != name:
            raise ValueError(f"layers {other} and {name} would share a file; run them separately")
    infos = probe_layers(network.module, names, network.preprocessing.size, device)
    (require_grid if maps else require_units)(infos)
    return infos


def _class_tokens(layers: list[LayerInfo], iou: IouConfig | None) -> list[LayerInfo]:
    if iou is not None:
        raise ValueError("the class token has no map for IoU; use --pooling class with clip alone")
    return class_tokens(layers)


def _run(job: Run, iou: IouConfig | None, labeler: Labeler | None) -> str:
    found = job.plan.images(job.store.finished(job.shards()))
    if found:
        everything = job.plan.images(job.shards())
        log.info("found %d of %d images finished by an earlier start", found, everything)
    with job.stage("images", "images", found) as advance:
        passed = run_images(job.plan, job.store, job.shards(), advance)
    results = [] if iou is None else overlap.label(job, passed, iou)
    restored = sum(job.ranks.all(passed.restored))
    peak = sum(job.ranks.all(passed.peak_bytes))
    del passed
    job.ranks.wait()
    if job.ranks.leads:
        described = [] if labeler is None else labeler.label(job)
        _write(job, iou, results, labeler, described, restored, peak)
    job.ranks.wait()
    resumed = f", {restored} of them from an earlier start" if restored else ""
    return f"{len(job.plan.probe)} images{resumed} in {sum(job.seconds.values()):.1f} s"


def _write(
    job: Run,
    iou: IouConfig | None,
    results: list[LayerResult],
    labeler: Labeler | None,
    described: list[Described],
    restored: int,
    peak: int,
) -> None:
    """Write every file of the run, the complete card last; then drop the shards."""
    shard_bytes = job.store.size()
    definitions, counts = {}, {info.name: {"units": info.units} for info in job.plan.layers}
    with job.timed("tables"):
        if iou is not None:
            overlap.write(job, results, iou)
            definitions |= iou_definitions(iou, job.plan.probe.grid)
            for result in results:
                counts[result.info.name] |= iou_counts(result, job.plan.probe.categories)
        if labeler is not None:
            labeler.write(job.folder.path, described)
            definitions |= labeler.definitions()
            for one in described:
                counts[one.layer]["descriptions"] = one.distinct
    if iou is not None and labeler is not None:
        with job.timed("cross-check"):
            _crosscheck(job, labeler)
    measured = card.Measured(job.seconds, shard_bytes, peak, restored, job.ranks.world)
    complete = card.complete(job.settings, job.plan, job.execution, counts, definitions, measured)
    job.folder.write(complete)
    if not job.execution.keep_shards:
        job.store.clear()


def _crosscheck(job: Run, labeler: Labeler) -> None:
    """Write whether the two labelings that were just written agree."""
    by_iou, by_clip = of_run(job.folder.path, job.settings)
    found = crosscheck(
        by_iou,
        by_clip,
        embedders={f"clip:{Path(labeler.config.encoder).name}": space_of(labeler.texts)},
        synonyms=synonyms_of(job.plan.probe.labels),
    )
    verdict.write(found, job.folder.path)
