"""Edge: what Parquet holds of a declaration, as endings of runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc

from harness.dashboard.endings import Ending, ending_from
from harness.store.ledger import Ledger
from harness.store.results import Results

COLUMNS = ("status", "test_accuracy", "wall_seconds", "engine", "device", "error", "started_at")


def read_endings(ledger: Ledger, folder: Path) -> list[Ending]:
    """How every run of a declaration that counts as recorded ended, in order of time, without its curve.

    Args:
        ledger: of the declaration.
        folder: `results/<study>`.

    Raises:
        StoreError: a table can't be read.
    """
    recorded = {run.run_id: run for run in ledger.runs if run.run_id in ledger.status}
    table = Results(folder).runs(columns=COLUMNS) if recorded else None
    rows = [] if table is None else table.to_pylist()
    endings = [
        ending_from(row, run=recorded[row["run_id"]], curve={}) for row in rows if row["run_id"] in recorded
    ]
    return sorted(endings, key=lambda ending: (ending.started_at, ending.run.run_id))


def with_curves(endings: Iterable[Ending], folder: Path) -> list[Ending]:
    """The same endings with test accuracy by epoch.

    Raises:
        StoreError: a table can't be read.
    """
    listed = list(endings)
    curves: dict[str, dict[int, float]] = {ending.run.run_id: {} for ending in listed}
    columns = ["run_id", "epoch", "split", "accuracy"]
    table = Results(folder).read("curves", run_ids=curves, columns=columns) if listed else None
    if table is not None:
        for row in table.filter(pc.equal(table["split"], "test")).to_pylist():
            if row["accuracy"] is not None:
                curves[row["run_id"]][row["epoch"]] = row["accuracy"]
    return [replace(ending, curve=curves[ending.run.run_id]) for ending in listed]
