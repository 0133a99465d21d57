"""The order of the steps of a dissection by IoU; resume; ranks; what is written at the end."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from broden.reader import ProbeSet
from dissection import card
from dissection.assign import Best, best, detectors
from dissection.config import UNIONS, Execution, IouConfig
from dissection.counting import Top, count_shards, merge_top
from dissection.folder import RunFolder, file_name
from dissection.forward import Passed, Plan, run_images
from dissection.iou import iou
from dissection.layers import probe_layers, require_grid, resolve
from dissection.layouts import LayerInfo
from dissection.models import Network
from dissection.ranks import Ranks, local_device
from dissection.scores import write_scores
from dissection.shards import ShardStore, atomic
from dissection.tables import LayerResult, concept_table, tally_table, unit_table
from dissection.tally import Counts

Bar = Callable[[str, int, int], AbstractContextManager[Callable[[int], object]]]
"""Makes a progress bar from a text, a number of images and how many of them are done: a context
whose value advances it."""

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    """One run, as every step needs it."""

    plan: Plan
    folder: RunFolder
    store: ShardStore
    config: IouConfig
    execution: Execution
    settings: dict
    ranks: Ranks
    bar: Bar
    seconds: dict[str, float]

    def shards(self) -> Sequence[int]:
        """Return the shards of this rank."""
        return self.ranks.share(self.plan.shards())

    @contextmanager
    def stage(self, name: str, text: str, done: int = 0):
        """Time a step and show its progress, from the images that are done on."""
        started = time.perf_counter()
        images = self.plan.images(self.shards())
        with self.bar(text, images, done) if self.ranks.leads else nullcontext(_ignore) as advance:
            yield advance
        self.seconds[name] = time.perf_counter() - started


def _ignore(_images: int) -> None:
    pass


def run_iou(
    network: Network,
    patterns: Sequence[str] | str,
    probe: ProbeSet,
    folder: RunFolder,
    config: IouConfig,
    execution: Execution,
    bar: Bar,
) -> str:
    """Dissect a network by IoU into a directory and return how it went, in a sentence.

    Parameters
    ----------
    network : Network
        Moved to the device and to channels_last in place.
    patterns : str or sequence of str
        Layers, see `layers.resolve`.
    probe : ProbeSet
        Labelled images.
    folder : RunFolder
        Where shards and results go. A run that was interrupted there is continued, a complete one
        left alone.
    config : IouConfig
        What determines the results.
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
    ranks = Ranks()
    device = local_device(execution.device)
    network.module.to(device, memory_format=torch.channels_last)
    layers = _layers(network, patterns, device)
    settings = card.settings(network, layers, probe, config)
    plan = Plan(
        network,
        probe,
        layers,
        config.quantile,
        config.precision,
        device,
        execution.batch_size,
        execution.decoders(device.type),
    )
    store = ShardStore(folder.shards, card.content_key(settings))
    job = _Job(plan, folder, store, config, execution, settings, ranks, bar, {})
    with folder.locked() if ranks.leads else nullcontext():
        complete = ranks.all(folder.claim(settings) if ranks.leads else None)[0]
        if complete:
            if ranks.leads:
                _clear_leftovers(folder, store)
            ranks.wait()
            return f"{folder.path} is complete with these settings, nothing to do"
        with torch.inference_mode():
            return _run(job)


def _clear_leftovers(folder: RunFolder, store: ShardStore) -> None:
    """Delete the shards that a kill after the last file was written left behind."""
    if not folder.card()["host"]["shards"]["kept"]:
        store.clear()


def _layers(
    network: Network, patterns: Sequence[str] | str, device: torch.device
) -> list[LayerInfo]:
    names = resolve(network.module, patterns)
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(file_name(name), name)
        if other != name:
            raise ValueError(f"layers {other} and {name} would share a file; run them separately")
    infos = probe_layers(network.module, names, network.preprocessing.size, device)
    require_grid(infos)
    return infos


def _run(job: _Job) -> str:
    found = job.plan.images(job.store.finished(job.shards()))
    if found:
        everything = job.plan.images(job.shards())
        log.info("found %d of %d images finished by an earlier start", found, everything)
    with job.stage("images", "images", found) as advance:
        passed = run_images(job.plan, job.store, job.shards(), advance)
    started = time.perf_counter()
    thresholds = {name: _threshold(passed, name, job.ranks) for name in passed.collectors}
    job.seconds["thresholds"] = time.perf_counter() - started
    with job.stage("tally", "counting") as advance:
        counts, tops = count_shards(
            job.store, job.shards(), job.plan.probe, job.plan.layers, thresholds, advance
        )
    results = [
        _result(job, info, thresholds[info.name], counts[info.name], tops[info.name])
        for info in job.plan.layers
    ]
    restored = sum(job.ranks.all(passed.restored))
    peak = sum(job.ranks.all(passed.peak_bytes))
    job.ranks.wait()
    if job.ranks.leads:
        _write(job, results, restored, peak)
    job.ranks.wait()
    resumed = f", {restored} of them from an earlier start" if restored else ""
    return f"{len(job.plan.probe)} images{resumed} in {sum(job.seconds.values()):.1f} s"


def _threshold(passed: Passed, name: str, ranks: Ranks) -> Tensor:
    """Return the exact threshold of each unit; adding 0 turns -0.0 into 0.0."""
    tail = passed.collectors[name].tail
    if ranks.world == 1:
        return tail.select() + 0.0
    floor = torch.stack([bound.to(tail.bound.device) for bound in ranks.all(tail.bound.cpu())])
    tail.bound = floor.amax(0)
    return tail.threshold(ranks.total) + 0.0


def _result(job: _Job, info: LayerInfo, threshold: Tensor, counts: Counts, top: Top) -> LayerResult:
    """Sum over ranks and turn counts into labels."""
    counts = Counts(*(job.ranks.total(part) for part in counts))
    top = merge_top(job.ranks.all(top))
    labels = job.plan.probe.labels
    pixels, primary, known = (
        torch.as_tensor(part, device=threshold.device)
        for part in (labels.pixels, labels.primary, labels.known)
    )
    by_rule = {rule: iou(counts, pixels, primary, rule) for rule in UNIONS}
    chosen = best(by_rule[job.config.union], known, primary, len(labels.categories))
    return LayerResult(
        info,
        threshold.cpu().numpy(),
        Counts(*(part.cpu().numpy() for part in counts)),
        {rule: values.cpu().numpy() for rule, values in by_rule.items()},
        Best(*(part.cpu().numpy() for part in chosen)),
        detectors(chosen, job.config.min_iou),
        top.image,
        top.value,
    )


def _write(job: _Job, results: list[LayerResult], restored: int, peak: int) -> None:
    """Write every file of the run, the complete card last; then drop the shards."""
    started = time.perf_counter()
    path, labels = job.folder.path, job.plan.probe.labels
    shard_bytes = job.store.size()
    units = unit_table(results, labels, job.config.min_iou)
    tables = {"units.csv": units, "concepts.csv": concept_table(units)}
    for result in results:
        tables[f"tally/{file_name(result.info.name)}.csv"] = tally_table(
            result, labels, job.config.union
        )
    (path / "tally").mkdir(exist_ok=True)
    for name, table in tables.items():
        with atomic(path / name) as handle:
            table.to_csv(handle, index=False, lineterminator="\n")
    write_scores(path / "scores.h5", results, labels)
    job.seconds["tables"] = time.perf_counter() - started
    run = card.Measured(job.seconds, shard_bytes, peak, restored, job.ranks.world)
    job.folder.write(card.complete(job.settings, job.plan, job.execution, results, run))
    if not job.execution.keep_shards:
        job.store.clear()
