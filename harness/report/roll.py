"""Computation: every run of the study in one table, those that failed first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.report.words import NOTHING, number, percent

FIRST = ("failed", "timeout", "oom", "diverged")


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
    """All runs.

    Attributes:
        factors: names, as column heads.
        rows: a run each.
        counts: declared, then how many ended in which way.
    """

    factors: tuple[str, ...]
    rows: list[RunRow]
    counts: list[tuple[str, int]]


def call_roll(frames: StudyFrames) -> Roll:
    """Recorded runs: without outcome, diverged, completed; within these by seed, combination, variant."""
    factors = tuple(factor.name for factor in frames.study.factors)
    order = [variant.name for variant in frames.study.variants]
    urgency = frames.runs["status"].map({status: i for i, status in enumerate(FIRST)}).fillna(len(FIRST))
    place = frames.runs["variant"].map({name: i for i, name in enumerate(order)})
    by = np.lexsort((place, frames.runs["cell"], frames.runs["seed"], urgency))
    runs = frames.runs.iloc[by]
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
    return Roll(factors, rows, counts)


def _floats(column: pd.Series) -> list[float]:
    return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan).tolist()


def _epoch(value: float) -> str:
    return f"{value:.0f}" if value == value else NOTHING
