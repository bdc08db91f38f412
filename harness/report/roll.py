"""Computation: the runs of the study in one table, those that failed first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.report.words import NOTHING, number, percent
from harness.store.tables import FIGURES

FIRST = ("failed", "timeout", "oom", "diverged")

MOST = 2000
"""Runs that are shown: a browser sorts so many at once, and they take 1 MB of the page."""

TOLD = ("attempt", "seed", "dataset", "epochs", "status")
MEASURED = (*FIGURES, "train_seconds", "wall_seconds", "engine", "device", "pack_size", "error", "started_at")
"""What the file has of each run, beside its id, variant and levels: not what only the harness reads."""


@dataclass(frozen=True)
class RunRow:
    """One run as it is shown."""

    run_id: str
    variant: str
    levels: tuple[str, ...]
    seed: int
    status: str
    accuracy: str
    reached: str
    seconds: str
    error: str

    @property
    def kind(self) -> str:
        """How its row is set off: a word where it did not complete, else empty."""
        return "" if self.status == "completed" else "unfinished"


@dataclass(frozen=True)
class Roll:
    """All runs, or the first 2,000 of them.

    Attributes:
        factors: names, as column heads.
        rows: a run each.
        counts: declared, then how many ended in which way.
        recorded: how many there are.
        data: the same runs in the same order with all that was measured, columns without any value left out.
    """

    factors: tuple[str, ...]
    rows: list[RunRow]
    counts: list[tuple[str, int]]
    recorded: int
    data: pd.DataFrame


def call_roll(frames: StudyFrames) -> Roll:
    """Recorded runs: without outcome, diverged, completed; within these by seed, combination, variant.

    At most 2,000 of them, the first in this order.
    """
    factors = tuple(factor.name for factor in frames.study.factors)
    order = [variant.name for variant in frames.study.variants]
    urgency = frames.runs["status"].map({status: i for i, status in enumerate(FIRST)}).fillna(len(FIRST))
    place = frames.runs["variant"].map({name: i for i, name in enumerate(order)})
    by = np.lexsort((place, frames.runs["cell"], frames.runs["seed"], urgency))
    runs = frames.runs.iloc[by[:MOST]]
    columns = {
        "run_id": runs["run_id"],
        "variant": runs["variant"],
        "levels": list(zip(*(runs[name].astype(str) for name in factors), strict=True)) or [()] * len(runs),
        "seed": runs["seed"].astype(int),
        "status": runs["status"],
        "accuracy": [percent(value, 2) for value in _floats(runs["test_accuracy"])],
        "reached": [_epoch(value) for value in _floats(runs["epochs_to_threshold"])],
        "seconds": [number(value, 1) for value in _floats(runs["train_seconds"])],
        "error": [text if isinstance(text, str) else "" for text in runs["error"]],
    }
    rows = [RunRow(*values) for values in zip(*columns.values(), strict=True)]
    counts = [("declared", frames.study.size), *sorted(frames.ledger.counts().items())]
    names = ["run_id", "variant", *factors, *TOLD, *MEASURED]
    return Roll(factors, rows, counts, len(by), runs[names].dropna(axis="columns", how="all"))


def _floats(column: pd.Series) -> list[float]:
    return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan).tolist()


def _epoch(value: float) -> str:
    return f"{value:.0f}" if value == value else NOTHING
