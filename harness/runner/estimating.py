"""Computation: how long a study will take here, from runs recorded or from arithmetic."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.design.settings import DEFAULTS
from harness.store.tables import FINISHED
from harness.training.amounts import images_an_epoch, images_learned, images_tested

REFERENCE_GFLOPS = 50.0
"""What one thread reaches on the article's network, batch 32, in channels-last float32.

64 (plain) and 53 (bn) GFLOP/s were measured on a Zen 4 core, more on a Zen 5 core; small batches and
dropout take some of it.
"""

H200_TFLOPS = 33.5
"""What is predicted of packs on an H200 in float32: half of its 67 TFLOP/s. Not measured."""

DIAGNOSIS = 7
"""Training passes over the probe that a diagnosis takes: six gradients, and what enters and leaves layers."""

Size = tuple[int, int, tuple[int, int, int]]
"""Training images, test images, and the shape of an image (channels, height, width)."""

RECORDED = ("variant", "stage", "dataset", "settings", "epochs", "status", "wall_seconds")
"""The columns of `runs` on which an estimate rests."""

SIZES: dict[str, Size] = {
    "devanagari": (17000, 3000, (1, 32, 32)),
    "digits": (1437, 360, (1, 32, 32)),
    "mnist": (60000, 10000, (1, 28, 28)),
    "fashion-mnist": (60000, 10000, (1, 28, 28)),
    "kmnist": (60000, 10000, (1, 28, 28)),
    "cifar10": (50000, 10000, (3, 32, 32)),
}
"""Of the named data sets, known without opening them."""


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

    Finished runs on the same data give each variant's pace, counted in operations of the article's network,
    so that fewer images or epochs take less; where the size of the data is not known, in epochs. Where a
    variant has none, arithmetic at a reference rate does. A network of the user's own, or data of unknown
    size, needs a finished run.

    Args:
        runs: what is to be trained.
        recorded: the columns `RECORDED` of the study's `runs` table.
        workers: how many train side by side.
    """
    if not runs:
        return Estimate(0.0, "nothing is left to train")
    paces = _paces(recorded)
    if all((run.dataset, run.cell.variant) in paces for run in runs):
        total = sum(paces[run.dataset, run.cell.variant] * _work_of(run) for run in runs)
        return Estimate(total / workers, "from the finished runs of this study")
    if any(run.dataset not in SIZES for run in runs):
        return Estimate(None, "unknown: the size of these data is not known before a run of each variant")
    own = {run.cell.variant for run in runs if run.build and (run.dataset, run.cell.variant) not in paces}
    if own:
        return Estimate(None, f"unknown until a run of {', '.join(sorted(own))} has finished")
    total = sum(operations(run) for run in runs) / (REFERENCE_GFLOPS * 1e9)
    return Estimate(total / workers, f"from arithmetic at {REFERENCE_GFLOPS:.0f} GFLOP/s a worker")


def predict_h200(runs: Sequence[Run]) -> Estimate:
    """The time on one H200 in packs, a prediction from arithmetic; None for what only a run here can tell.

    Args:
        runs: what is to be trained.
    """
    if not runs:
        return Estimate(0.0, "nothing is left to train")
    if any(run.build or run.dataset not in SIZES for run in runs):
        return Estimate(None, "unknown for a network or images of your own")
    total = sum(operations(run) for run in runs) / (H200_TFLOPS * 1e12)
    return Estimate(total, f"by arithmetic alone, at {H200_TFLOPS} TFLOP/s; not measured")


def size_of(dataset: Dataset) -> Size:
    """The size of data that are open."""
    channels, height, width = dataset.train.images.shape[1:]
    return len(dataset.train), len(dataset.test), (channels, height, width)


def operations(run: Run, size: Size | None = None) -> float:
    """Floating-point operations of a run of the article's network: training, measuring, and diagnosing.

    Args:
        run: which.
        size: of its data; None where they have a name that is known.
    """
    return _operations(run.settings, size or SIZES[run.dataset], epochs=run.epochs, tested=run.tested)


def _operations(settings: Mapping[str, Any], size: Size, *, epochs: int, tested: bool) -> float:
    train, test, shape = size
    forward, backward = _forward(settings, shape)
    learned = images_learned(settings, training=train)
    held_out = min(train, settings["train_images"] or train) - learned
    measured = min(settings["probe_size"], learned) + held_out
    measured += images_tested(settings, test=test) if tested else 0
    diagnosed = sum(epoch <= epochs for epoch in settings["diagnostics"])
    probed = diagnosed * DIAGNOSIS * min(settings["probe_size"], learned)
    seen = epochs * images_an_epoch(settings, learned=learned) + probed
    return float(seen * (forward + backward) + (epochs + 1) * measured * forward)


def _forward(settings: Mapping[str, Any], shape: tuple[int, int, int]) -> tuple[float, float]:
    """Operations an image, forward and backward; the first layer needs no gradient of its input."""
    channels, height, width = shape
    filters, kernel = settings["width"], settings["kernel"]
    first = 2.0 * height * width * channels * filters * kernel**2
    others = 2.0 * height * width * filters**2 * kernel**2 * (settings["depth"] - 1)
    head = 2.0 * filters * (height // 2) * (width // 2) * 10
    return first + others + head, first + 2 * (others + head)


def _paces(recorded: pa.Table | None) -> dict[tuple[str, str], float]:
    """Wall seconds for a unit of work, by data set and variant, over the finished runs."""
    if recorded is None:
        return {}
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    works: defaultdict[tuple[str, str], float] = defaultdict(float)

    @cache  # the seeds of a cell have their settings in common
    def work(settings: str, dataset: str, epochs: int, stage: str) -> float:
        known = {**DEFAULTS, **json.loads(settings)}
        return _work(known, dataset, epochs=epochs, tested=stage != "tuning")

    for row in recorded.select(RECORDED).to_pylist():
        if row["status"] == FINISHED[0]:
            key = row["dataset"], row["variant"]
            seconds[key] += row["wall_seconds"]
            works[key] += work(row["settings"], row["dataset"], row["epochs"], row["stage"])
    return {key: seconds[key] / works[key] for key in seconds}


def _work_of(run: Run) -> float:
    return _work(run.settings, run.dataset, epochs=run.epochs, tested=run.tested)


def _work(settings: Mapping[str, Any], dataset: str, *, epochs: int, tested: bool) -> float:
    """Operations; epochs where the size of the data is not known."""
    if dataset not in SIZES:
        return epochs
    return _operations(settings, SIZES[dataset], epochs=epochs, tested=tested)
