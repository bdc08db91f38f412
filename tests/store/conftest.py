"""Declaration: a row of `runs` with every column, and a small study."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant

Row = dict[str, Any]


@pytest.fixture
def study() -> Study:
    """Two variants, two levels, three seeds: twelve runs."""
    return Study(
        name="small",
        question="Does it help?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(Factor("lr", (0.01, 0.1)),),
        seeds=3,
        epochs=2,
    )


def _row_of(run: Run, **changes: Any) -> Row:
    row = {
        "run_id": run.run_id,
        "attempt": 1,
        "study": "small",
        "stage": "evaluation",
        "variant": run.cell.variant,
        **run.cell.levels,
        "settings": "{}",
        "seed": run.seed,
        "dataset": run.dataset,
        "epochs": run.epochs,
        "status": "completed",
        "train_loss": 0.5,
        "test_loss": 0.25,
        "test_accuracy": 0.875,
        "train_seconds": 1.5,
        "wall_seconds": 2.5,
        "engine": "solo",
        "device": "cpu",
        "host": "here",
        "pack_size": 1,
        "fingerprint": run.fingerprint,
        "call_id": "c0ffee",
        "started_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    }
    return {**row, **changes}


@pytest.fixture
def row_of() -> Callable[..., Row]:
    """A function that makes the row of a run, with these columns changed."""
    return _row_of
