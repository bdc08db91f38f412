"""Computation: how long a study will take here, from runs recorded or from arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.store.tables import FINISHED

REFERENCE_GFLOPS = 50.0
"""What one thread reaches on the article's network, batch 32, in channels-last float32.

64 (plain) and 53 (bn) GFLOP/s were measured on a Zen 4 core, more on a Zen 5 core; small batches and
dropout take some of it.
"""

Size = tuple[int, int, tuple[int, int, int]]
"""Training images, test images, and the shape of an image (channels, height, width)."""

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

    Finished runs give the seconds of an epoch, by variant; where a variant has none, arithmetic at a
    reference rate does. A network of the user's own, or data of unknown size, needs a finished run.

    Args:
        runs: what is to be trained.
        recorded: the study's `runs` table.
        workers: how many train side by side.
    """
    if not runs:
        return Estimate(0.0, "nothing is left to train")
    seconds = _seconds_per_run(recorded)
    if {run.cell.variant for run in runs} <= set(seconds):
        total = sum(seconds[run.cell.variant] * run.epochs for run in runs)
        return Estimate(total / workers, "from the finished runs of this study")
    if any(run.dataset not in SIZES for run in runs):
        return Estimate(None, "unknown: the size of these data is not known before a run of each variant")
    own = {run.cell.variant for run in runs if run.build} - set(seconds)
    if own:
        return Estimate(None, f"unknown until a run of {', '.join(sorted(own))} has finished")
    total = sum(operations(run) for run in runs) / (REFERENCE_GFLOPS * 1e9)
    return Estimate(total / workers, f"from arithmetic at {REFERENCE_GFLOPS:.0f} GFLOP/s a worker")


def size_of(dataset: Dataset) -> Size:
    """The size of data that are open."""
    channels, height, width = dataset.train.images.shape[1:]
    return len(dataset.train), len(dataset.test), (channels, height, width)


def operations(run: Run, size: Size | None = None) -> float:
    """Floating-point operations of a run of the article's network: training, and measuring each epoch.

    Args:
        run: which.
        size: of its data; None where they have a name that is known.
    """
    train, test, shape = size or SIZES[run.dataset]
    forward, backward = _forward(run.settings, shape)
    held_out = int(train * run.settings["validation"])
    measured = min(run.settings["probe_size"], train) + held_out + (test if run.tested else 0)
    learned = run.epochs * (train - held_out) * (forward + backward)
    return float(learned + (run.epochs + 1) * measured * forward)


def _forward(settings: dict[str, Any], shape: tuple[int, int, int]) -> tuple[float, float]:
    """Operations an image, forward and backward; the first layer needs no gradient of its input."""
    channels, height, width = shape
    filters, kernel = settings["width"], settings["kernel"]
    first = 2.0 * height * width * channels * filters * kernel**2
    others = 2.0 * height * width * filters**2 * kernel**2 * (settings["depth"] - 1)
    head = 2.0 * filters * (height // 2) * (width // 2) * 10
    return first + others + head, first + 2 * (others + head)


def _seconds_per_run(recorded: pa.Table | None) -> dict[str, float]:
    """Mean wall seconds of an epoch, by variant, over the finished runs."""
    if recorded is None:
        return {}
    rows = recorded.select(["variant", "status", "wall_seconds", "epochs"]).to_pylist()
    by_variant: dict[str, list[float]] = {}
    for row in rows:
        if row["status"] in FINISHED[:1]:
            by_variant.setdefault(row["variant"], []).append(row["wall_seconds"] / row["epochs"])
    return {name: _mean(values) for name, values in by_variant.items()}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
