"""Edge: what a declaration expects, held against what is recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.data import known_sha256
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError
from harness.store.results import Results

FINISHED = ("completed", "diverged")
"""How a run can end so that it is not trained again: a divergence is an outcome."""

UNKNOWN_DATA = "0" * 64
"""Stands for the hash of data that were never here, where nothing is recorded either."""


@dataclass(frozen=True)
class Ledger:
    """The runs of a declaration, and how far each has come.

    Attributes:
        runs: all that the declaration expands to, in order.
        status: of the recorded ones, by run_id: completed, diverged, failed, timeout or oom.
        attempts: the highest attempt of the recorded ones, by run_id.
        foreign: recorded runs that the declaration does not expand to (other epochs, settings, data).
        data_sha256: the hash, or its first 16 digits, under which the runs were expanded.
    """

    runs: tuple[Run, ...]
    status: dict[str, str]
    attempts: dict[str, int]
    foreign: int
    data_sha256: str

    def unfinished(self, *, retry_failed: bool) -> list[Run]:
        """The runs to train: never tried, or, on request, tried without an outcome."""
        return [
            run
            for run in self.runs
            if run.run_id not in self.status or (retry_failed and self.status[run.run_id] not in FINISHED)
        ]

    def counts(self) -> Counter[str]:
        """How many runs are completed, diverged, failed, timeout, oom and missing."""
        return Counter(self.status.get(run.run_id, "missing") for run in self.runs)


def open_ledger(
    study: Study, results: Results, *, data_dir: Path | None = None, data_sha256: str | None = None
) -> Ledger:
    """Expand a study and look up its runs.

    The data's hash comes from the data set where it is known here; elsewhere (a report written on a
    machine without the data) from the recorded runs, the latest first.

    Args:
        study: the declaration.
        results: its folder.
        data_dir: where the user keeps data.
        data_sha256: the content hash, where the caller has the data open.

    Raises:
        InputError: an unknown data set.
        StoreError: a file of results is damaged.
    """
    recorded = results.runs(columns=("status", "dataset", "fingerprint", "started_at"))
    sha256 = data_sha256 or _data_sha256(study, recorded, data_dir=data_dir)
    runs = tuple(study.runs(sha256))
    expected = {run.run_id for run in runs}
    rows = [] if recorded is None else recorded.select(["run_id", "status", "attempt"]).to_pylist()
    known = [row for row in rows if row["run_id"] in expected]
    return Ledger(
        runs=runs,
        status={row["run_id"]: row["status"] for row in known},
        attempts={row["run_id"]: row["attempt"] for row in known},
        foreign=len(rows) - len(known),
        data_sha256=sha256,
    )


def _data_sha256(study: Study, recorded: pa.Table | None, *, data_dir: Path | None) -> str:
    same: list[dict[str, Any]] = []
    if recorded is not None:
        rows = recorded.select(["dataset", "fingerprint", "started_at"]).to_pylist()
        same = [row for row in rows if row["dataset"] == study.dataset]
    try:
        known = known_sha256(study.dataset, data_dir=data_dir)
    except InputError:
        if not same:
            raise
        known = None  # a folder of pictures that is no longer here, or was on another machine
    if known is not None or not same:
        return known or UNKNOWN_DATA
    latest = max(same, key=lambda row: row["started_at"])
    return str(latest["fingerprint"]).partition("-")[2]
