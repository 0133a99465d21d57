"""The order of the steps of a dissection; resume; ranks; what is written at the end."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from broden.probe import Probe
from broden.system.files import check_layer_names
from dissection.activations.forward import Plan
from dissection.activations.shards import ShardStore
from dissection.activations.trial import Trial, try_out
from dissection.config import Execution
from dissection.crosscheck import findings
from dissection.crosscheck.check import crosscheck
from dissection.crosscheck.meaning import space_of
from dissection.crosscheck.naming import synonyms_of
from dissection.execution.job import Bar, Job
from dissection.execution.passes import fold_shards
from dissection.execution.ranks import Ranks, local_device
from dissection.execution.thresholds import run_until_exact
from dissection.labeler import Labeler, Outcome
from dissection.networks.layers import resolve
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network, probed
from dissection.results.cards import card
from dissection.results.caveats import few_images
from dissection.results.folder import RunFolder
from dissection.results.reading import of_run

log = logging.getLogger(__name__)


def run(
    network: Network,
    patterns: Sequence[str] | str,
    probe: Probe,
    folder: RunFolder,
    method: str,
    labelers: Sequence[Labeler],
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
    probe : Probe
        What is shown to the network.
    folder : RunFolder
        Where shards and results go. A run that was interrupted there is continued, a complete one
        left alone.
    method : str
        One of `config.METHODS`, for the run card.
    labelers : sequence of Labeler
        Those of the method; they share the forward pass.
    execution : Execution
        What determines no result.
    bar : callable
        Makes progress bars.

    Raises
    ------
    ValueError
        If anything given cannot be used; the message says what and why. Finished shards stay.
    OSError
        If the directory cannot be written. Finished shards stay.
    """
    ranks, device = Ranks(), local_device(execution.device)
    # torch's stubs lack the form with both
    network.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    layers = _layers(network, patterns, labelers)
    size, channels = network.preprocessing.size, network.preprocessing.channels
    trial = try_out(network.module, layers, size, channels)
    for labeler in labelers:
        labeler.prepare(device)
    labelling = {key: value for one in labelers for key, value in one.settings().items()}
    settings = card.settings(network, layers, probe, method, labelling, trial.outputs)
    caveats = _caveats(layers, trial, len(probe))
    plan = _plan(network, probe, layers, labelers, execution, device)
    with folder.locked() if ranks.leads else nullcontext():
        complete, settings = ranks.all(
            folder.claim(settings) if ranks.leads else (False, settings)
        )[0]
        store = ShardStore(folder.shards, card.content_key(settings))
        job = Job(plan, store, execution, ranks, bar, {})
        if complete:
            if ranks.leads:
                _clear_leftovers(folder, store)
            ranks.wait()
            return f"{folder.path} is complete with these settings, nothing to do"
        with torch.inference_mode():
            return _run(job, folder, settings, labelers, caveats)


def _plan(
    network: Network,
    probe: Probe,
    layers: Sequence[LayerInfo],
    labelers: Sequence[Labeler],
    execution: Execution,
    device: torch.device,
) -> Plan:
    levels = max((one.levels for one in labelers), key=len)
    return Plan(
        network,
        probe,
        layers,
        levels[-1] if levels else None,
        any(one.means for one in labelers),
        labelers[0].precision,
        device,
        execution.images_at_once(device.type),
        execution.decoders(device.type),
        levels,
        max(one.rotations for one in labelers),
    )


def _caveats(layers: Sequence[LayerInfo], trial: Trial, images: int) -> list[str]:
    """Return what whoever reads the results must know, a sentence each; and warn of it."""
    found = [f"layer {info.name}: {caveat}" for info in layers for caveat in info.caveats]
    if trial.random:
        found.append(
            f"the network is not deterministic: layer {', '.join(trial.random)} gave two different "
            "answers to the same images, so labels differ from start to start"
        )
    for caveat in found:
        log.warning("warning: %s", caveat)
    # said in the summary, at the end
    return [*few_images(images), *found]


def _clear_leftovers(folder: RunFolder, store: ShardStore) -> None:
    """Delete the shards that a kill after the last file was written left behind."""
    card = folder.completed()
    folder.need(card, "host.shards.kept")
    if not card["host"]["shards"]["kept"]:
        store.clear()


def _layers(
    network: Network,
    patterns: Sequence[str] | str,
    labelers: Sequence[Labeler],
) -> list[LayerInfo]:
    names = resolve(network.module, patterns)
    check_layer_names(names)
    infos = probed(network, names)
    for info in infos:
        if any(f"{left}.".startswith(f"{info.module}.") for left in network.left):
            raise ValueError(
                f"layer {info.name} is as initialised: {network.weights}; name layers before it"
            )
    for labeler in labelers:
        infos = labeler.layers(infos)
    return infos


def _run(
    job: Job,
    folder: RunFolder,
    settings: dict,
    labelers: Sequence[Labeler],
    caveats: Sequence[str],
) -> str:
    plan, found = job.plan, job.plan.images(job.store.finished(job.shards()))
    if found:
        everything = plan.images(job.shards())
        log.info("found %d of %d images finished by an earlier start", found, everything)
    with job.stage("images", "images", found) as advance:
        passed = run_until_exact(job, advance)
    folds = [labeler.fold(job, passed) for labeler in labelers]
    restored = sum(job.ranks.all(passed.restored))
    del passed
    with job.stage("tally", "counting") as advance:
        fold_shards(
            job.store, job.shards(), folds, plan.device, lambda n: advance(plan.images([n]))
        )
    outcomes = [outcome for fold in folds if (outcome := fold.outcome()) is not None]
    if job.ranks.leads:
        _write(job, folder, settings, labelers, outcomes, caveats, restored)
    job.ranks.wait()
    resumed = f", {restored} of them from an earlier start" if restored else ""
    return f"{len(plan.probe)} images{resumed} in {sum(job.seconds.values()):.1f} s"


def _write(
    job: Job,
    folder: RunFolder,
    settings: dict,
    labelers: Sequence[Labeler],
    outcomes: Sequence[Outcome],
    caveats: Sequence[str],
    restored: int,
) -> None:
    """Write every file of the run, the complete card last; then drop the shards."""
    shard_bytes = job.store.size()
    definitions: dict[str, str] = {}
    counts: dict[str, dict] = {info.name: {"units": info.units} for info in job.plan.layers}
    with job.timed("tables"):
        for outcome in outcomes:
            outcome.write(folder.path)
            definitions |= outcome.definitions
            for layer, found in outcome.counts.items():
                counts[layer] |= found
    # pixels and CLIP are what can be checked against each other
    if {labeler.name for labeler in labelers} >= {"iou", "clip"}:
        with job.timed("cross-check"):
            _crosscheck(job, folder.path, settings, outcomes)
    measured = card.Measured(job.seconds, shard_bytes, restored, job.ranks.world)
    complete = card.complete(
        settings, job.plan, job.execution, counts, definitions, measured, caveats
    )
    folder.write(complete)
    if not job.execution.keep_shards:
        job.store.clear()


def _crosscheck(job: Job, path: Path, settings: dict, outcomes: Sequence[Outcome]) -> None:
    """Write whether the labelings that were just written agree."""
    spaces = {
        name: space_of(texts) for outcome in outcomes for name, texts in outcome.texts.items()
    }
    labels = job.plan.probe.labels
    synonyms = {} if labels is None else synonyms_of(labels)
    by_name = {one.method: one for one in of_run(path, settings)}
    found = crosscheck(by_name["iou"], by_name["clip"], embedders=spaces, synonyms=synonyms)
    findings.write(found, path)
