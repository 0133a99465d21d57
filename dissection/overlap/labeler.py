"""The labeler by overlap: thresholds, counts and IoU of a run, and the files they go to."""

import torch
from torch import Tensor

from broden.system.files import atomic, file_name
from dissection.activations.forward import Passed
from dissection.config import UNIONS, IouConfig
from dissection.execution.job import Run
from dissection.execution.ranks import Ranks
from dissection.networks.layouts import LayerInfo
from dissection.overlap.assign import Best, best, detectors
from dissection.overlap.counting import Top, count_shards, merge_top
from dissection.overlap.iou import iou
from dissection.overlap.regions import regions
from dissection.overlap.results import LayerResult, concept_table, tally_table, unit_table
from dissection.overlap.storing import write_scores
from dissection.overlap.tally import Counts


def label(run: Run, passed: Passed, config: IouConfig) -> list[LayerResult]:
    """Label the units of every layer by IoU; called by every rank.

    Parameters
    ----------
    run : Run
        Whose images have all been through the network.
    passed : Passed
        Its tails.
    config : IouConfig
        Union rule and what a detector is.
    """
    with run.timed("thresholds"):
        thresholds = {name: _threshold(passed, name, run.ranks) for name in passed.collectors}
    with run.stage("tally", "counting") as advance:
        counts, tops = count_shards(
            run.store, run.shards(), run.plan.probe, run.plan.layers, thresholds, advance
        )
    return [
        _result(run, config, info, thresholds[info.name], counts[info.name], tops[info.name])
        for info in run.plan.layers
    ]


def write(run: Run, results: list[LayerResult], config: IouConfig) -> None:
    """Write units.csv, concepts.csv, tally/ and scores.h5, each complete or not at all."""
    path, labels = run.folder.path, run.plan.probe.labels
    units = unit_table(results, labels, config.min_iou)
    tables = {"units.csv": units, "concepts.csv": concept_table(units)}
    for result in results:
        name = f"tally/{file_name(result.info.name)}.csv"
        tables[name] = tally_table(result, labels, config.union)
    (path / "tally").mkdir(exist_ok=True)
    for name, table in tables.items():
        with atomic(path / name) as handle:
            table.to_csv(handle, index=False, lineterminator="\n")
    write_scores(path / "scores.h5", results, labels, regions(run, results), run.plan.probe.grid)


def _threshold(passed: Passed, name: str, ranks: Ranks) -> Tensor:
    """Return the exact threshold of each unit; adding 0 turns -0.0 into 0.0."""
    tail = passed.collectors[name].tail
    if ranks.world == 1:
        return tail.select() + 0.0
    floor = torch.stack([bound.to(tail.bound.device) for bound in ranks.all(tail.bound.cpu())])
    tail.bound = floor.amax(0)
    return tail.threshold(ranks.total) + 0.0


def _result(
    run: Run, config: IouConfig, info: LayerInfo, threshold: Tensor, counts: Counts, top: Top
) -> LayerResult:
    """Sum over ranks and turn counts into labels."""
    counts = Counts(*(run.ranks.total(part) for part in counts))
    top = merge_top(run.ranks.all(top))
    labels = run.plan.probe.labels
    pixels, primary, known = (
        torch.as_tensor(part, device=threshold.device)
        for part in (labels.pixels, labels.primary, labels.known)
    )
    by_rule = {rule: iou(counts, pixels, primary, rule) for rule in UNIONS}
    chosen = best(by_rule[config.union], known, primary, len(labels.categories))
    return LayerResult(
        info,
        threshold.cpu().numpy(),
        Counts(*(part.cpu().numpy() for part in counts)),
        {rule: values.cpu().numpy() for rule, values in by_rule.items()},
        Best(*(part.cpu().numpy() for part in chosen)),
        detectors(chosen, config.min_iou),
        top.image,
        top.value,
    )
