"""Edge: what a declaration expects, held against what is recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import known_sha256, open_dataset
from harness.data.opening import FOLDER_PREFIX
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError
from harness.store.results import Results, latest, member_name
from harness.store.tables import BESIDE_RUNS, FINISHED

UNKNOWN_DATA = "0" * 64
"""Stands for the hash of data that were never here, where nothing is recorded either."""


@dataclass(frozen=True)
class Ledger:
    """The runs of a declaration, and how far each has come.

    Attributes:
        runs: all that the declaration expands to, in order.
        status: of the recorded ones, by run_id: completed, diverged, failed, timeout or oom. A finished
            run that one of the tables has lost is missing here.
        attempts: the highest attempt that any table knows, by run_id.
        foreign: recorded runs that the declaration does not expand to (other epochs, settings, data), those
            of a search aside.
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
    machine without the data) from the recorded runs, the latest first. A folder of pictures that is here is
    decoded where it has changed since, for then nothing that is recorded says what is in it.

    Args:
        study: the declaration.
        results: its folder.
        data_dir: where the user keeps data.
        data_sha256: the content hash, where the caller has the data open.

    Raises:
        InputError: an unknown data set.
        DataError: a picture of a folder that is here can't be read.
        StoreError: a file of results is damaged.
    """
    recorded = look_up(results)
    sha256 = data_sha256 or _data_sha256(study, results, data_dir=data_dir)
    runs = tuple(study.runs(sha256))
    expected = {run.run_id for run in runs}
    return Ledger(
        runs=runs,
        status={run_id: status for run_id, status in recorded.status.items() if run_id in expected},
        attempts={run_id: attempt for run_id, attempt in recorded.attempts.items() if run_id in expected},
        foreign=sum(
            stage == "evaluation" and run_id not in expected for run_id, stage in recorded.stage.items()
        ),
        data_sha256=sha256,
    )


@dataclass(frozen=True)
class Recorded:
    """What is recorded of runs, whoever declared them; all by run_id.

    Attributes:
        stage: of every run that has a row: evaluation, tuning or calibration.
        counting: the attempt that counts, of every run that has a row.
        status: how that attempt ended. A finished run that one of the tables has lost is not among them,
            since it must be trained again.
        attempts: the highest attempt that any table knows; what is tried next stands above it.
    """

    stage: dict[str, str]
    counting: dict[str, int]
    status: dict[str, str]
    attempts: dict[str, int]


def look_up(results: Results) -> Recorded:
    """Every recorded run.

    Raises:
        StoreError: a file of results is damaged, and is now set aside.
    """
    rows = results.runs(columns=("stage", "status"))
    # After `runs`, which name nothing that the other tables did not have before.
    beside = [results.members(table) for table in BESIDE_RUNS]
    whole, attempts = set.intersection(*beside), latest(set.union(*beside))
    recorded = Recorded({}, {}, {}, attempts)
    columns = () if rows is None else (rows[name].to_pylist() for name in rows.column_names)
    for run_id, attempt, stage, status in zip(*columns, strict=True):
        recorded.stage[run_id] = stage
        recorded.counting[run_id] = attempt
        attempts[run_id] = max(attempt, attempts.get(run_id, 0))
        if status not in FINISHED or member_name(run_id, attempt) in whole:
            recorded.status[run_id] = status
    return recorded


def _data_sha256(study: Study, results: Results, *, data_dir: Path | None) -> str:
    try:
        known = known_sha256(study.dataset, data_dir=data_dir)
        if known:
            return known
        recorded = _recorded_sha256(study, results)
        if recorded and study.dataset.startswith(FOLDER_PREFIX):
            return open_dataset(study.dataset, data_dir=data_dir).sha256
        return recorded or UNKNOWN_DATA
    except InputError:
        recorded = _recorded_sha256(study, results)
        if recorded is None:
            raise
        return recorded  # a folder of pictures that is no longer here, or was on another machine


def _recorded_sha256(study: Study, results: Results) -> str | None:
    """The first digits of the hash of the data that the latest run on data of this name was trained on."""
    recorded = results.runs(columns=("dataset", "fingerprint", "started_at"))
    rows: list[dict[str, Any]] = [] if recorded is None else recorded.to_pylist()
    same = [row for row in rows if row["dataset"] == study.dataset]
    if not same:
        return None
    last = max(same, key=lambda row: row["started_at"])
    return str(last["fingerprint"]).partition("-")[2]
