"""Computation: how long a study will take here, from runs recorded or from arithmetic."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from harness.design.run import Run
from harness.design.settings import DEFAULTS
from harness.runner.work import SIZES, work_of, work_of_run
from harness.store.tables import FINISHED

H200_TFLOPS, H200_TBPS = 33.5, 4.3
"""Predicted of packs on an H200 in float32: half of its 67 TFLOP/s, and the rate of a copy. Not measured."""

RECORDED = ("variant", "stage", "dataset", "settings", "epochs", "status", "wall_seconds")
"""The columns of `runs` on which an estimate rests."""


@dataclass(frozen=True)
class Estimate:
    """How long some runs will take.

    Attributes:
        seconds: of wall time with all workers at work; None where nothing is known yet.
        basis: where the figure comes from, in words.
    """

    seconds: float | None
    basis: str


def estimate(runs: Sequence[Run], *, recorded: pa.Table | None, workers: int) -> Estimate:
    """The wall time of some runs.

    Finished runs on the same data give each variant's pace, by what a run of the article's network takes of
    a core, so that fewer images or epochs take less; where the size of the data is not known, in epochs.
    Where a variant has none, arithmetic for a core of known rates does. A network of the user's own, or data
    of unknown size, needs a finished run.

    Args:
        runs: what is to be trained.
        recorded: the columns `RECORDED` of the study's `runs` table.
        workers: how many train side by side.
    """
    if not runs:
        return Estimate(0.0, "nothing is left to train")
    paces = _paces(recorded)
    if all((run.dataset, run.cell.variant) in paces for run in runs):
        total = sum(paces[run.dataset, run.cell.variant] * _share_of(run) for run in runs)
        return Estimate(total / workers, "from the finished runs of this study")
    if any(run.dataset not in SIZES for run in runs):
        return Estimate(None, "unknown: the size of these data is not known before a run of each variant")
    own = {run.cell.variant for run in runs if run.build and (run.dataset, run.cell.variant) not in paces}
    if own:
        return Estimate(None, f"unknown until a run of {', '.join(sorted(own))} has finished")
    total = sum(work_of_run(run).seconds for run in runs)
    return Estimate(total / workers, "by arithmetic, for a core as measured elsewhere")


def predict_h200(runs: Sequence[Run]) -> Estimate:
    """The time on one H200 in packs, a prediction from arithmetic; None for what only a run here can tell.

    Args:
        runs: what is to be trained.
    """
    if not runs:
        return Estimate(0.0, "nothing is left to train")
    if any(run.build or run.dataset not in SIZES for run in runs):
        return Estimate(None, "unknown for a network or images of your own")
    works = [work_of_run(run) for run in runs]
    multiplying = sum(work.operations for work in works) / (H200_TFLOPS * 1e12)
    moving = sum(work.moved for work in works) / (H200_TBPS * 1e12)
    basis = f"by arithmetic alone, at {H200_TFLOPS} TFLOP/s or {H200_TBPS} TB/s; not measured"
    return Estimate(max(multiplying, moving), basis)


def _paces(recorded: pa.Table | None) -> dict[tuple[str, str], float]:
    """Wall seconds for a unit of `_share`, by data set and variant, over the finished runs."""
    if recorded is None:
        return {}
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    works: defaultdict[tuple[str, str], float] = defaultdict(float)

    @cache  # the seeds of a cell have their settings in common
    def work(settings: str, dataset: str, epochs: int, stage: str) -> float:
        known = {**DEFAULTS, **json.loads(settings)}
        return _share(known, dataset, epochs=epochs, tested=stage != "tuning")

    for row in recorded.select(RECORDED).to_pylist():
        if row["status"] == FINISHED[0]:
            key = row["dataset"], row["variant"]
            seconds[key] += row["wall_seconds"]
            works[key] += work(row["settings"], row["dataset"], row["epochs"], row["stage"])
    return {key: seconds[key] / works[key] for key in seconds}


def _share_of(run: Run) -> float:
    return _share(run.settings, run.dataset, epochs=run.epochs, tested=run.tested)


def _share(settings: Mapping[str, Any], dataset: str, *, epochs: int, tested: bool) -> float:
    """What a run takes beside others: seconds of a core; epochs where the size of the data is not known."""
    if dataset not in SIZES:
        return epochs
    return work_of(settings, SIZES[dataset], epochs=epochs, tested=tested).seconds
