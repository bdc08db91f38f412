"""Computation: how a run ended, as far as the mirror shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.design.run import Run
from harness.runner.outcome import Outcome


@dataclass(frozen=True)
class Ending:
    """How a run ended, as far as the mirror shows it.

    Attributes:
        run: which.
        status: completed, diverged, failed, timeout or oom.
        accuracy: on the test images after the last epoch; None for a run that did not complete.
        curve: the same by epoch.
        seconds: from start to end.
        engine: what trained it.
        device: cpu or cuda.
        error: why it failed, if it did.
        started_at: UTC.
    """

    run: Run
    status: str
    accuracy: float | None
    curve: Mapping[int, float]
    seconds: float
    engine: str
    device: str
    error: str | None
    started_at: datetime


def ending_of(outcome: Outcome) -> Ending:
    """The end of a run, from what it left behind."""
    records = outcome.records
    curve = {row["epoch"]: row["accuracy"] for row in records.curves if row["split"] == "test"}
    row = {
        "status": records.status,
        "test_accuracy": records.outcome.get("test_accuracy"),
        "wall_seconds": outcome.wall_seconds,
        "engine": outcome.engine,
        "device": outcome.device,
        "error": outcome.error,
        "started_at": outcome.started_at,
    }
    return ending_from(row, run=outcome.run, curve=curve)


def ending_from(row: Mapping[str, Any], *, run: Run, curve: Mapping[Any, Any]) -> Ending:
    """The end of a run, from its row of `runs` and its test accuracy by epoch."""
    return Ending(
        run=run,
        status=row["status"],
        accuracy=row["test_accuracy"] if row["status"] == "completed" else None,
        curve={epoch: accuracy for epoch, accuracy in curve.items() if accuracy is not None},
        seconds=row["wall_seconds"] or 0.0,
        engine=row["engine"],
        device=row["device"],
        error=row["error"],
        started_at=row["started_at"],
    )
