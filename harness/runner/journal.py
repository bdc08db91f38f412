"""Edge: outcomes become rows of a study's tables."""

from __future__ import annotations

import json

from harness.design.settings import metric_names
from harness.design.study import Study
from harness.errors import StoreError
from harness.runner.events import Damaged, Notify
from harness.runner.outcome import Outcome
from harness.store.kept import Kept
from harness.store.ledger import Ledger
from harness.store.results import Results
from harness.store.tables import FIGURES, FINISHED

JOIN_AFTER = 256
"""Runs after which their single files are joined: `status` then stays quick while a study runs."""


class Journal:
    """Writes each outcome of a call, and counts the images that were trained on.

    Attributes:
        images: training images of the runs written so far.
    """

    def __init__(
        self, study: Study, results: Results, ledger: Ledger, *, call_id: str, notify: Notify
    ) -> None:
        self._study = study
        self._results = results
        self._kept = Kept(results)
        self._attempts = dict(ledger.attempts)
        self._call_id, self._notify = call_id, notify
        self._written = 0
        self.images = 0

    def write(self, outcome: Outcome, *, images: int) -> None:
        """Write an outcome's tables.

        Args:
            outcome: of a run of the study.
            images: training images that the run stands for.

        Raises:
            StoreError: the disk refuses.
        """
        run, records = outcome.run, outcome.records
        attempt = self._attempts.get(run.run_id, 0) + outcome.tries
        row = {
            "run_id": run.run_id,
            "attempt": attempt,
            "study": self._study.name,
            "stage": run.stage,
            "variant": run.cell.variant,
            **run.cell.levels,
            "settings": json.dumps(run.settings, sort_keys=True),
            "seed": run.seed,
            "dataset": run.dataset,
            "epochs": run.epochs,
            "status": records.status,
            **records.outcome,
            "wall_seconds": outcome.wall_seconds,
            "engine": outcome.engine,
            "device": outcome.device,
            "host": outcome.host,
            "pack_size": outcome.pack_size,
            "error": outcome.error,
            "fingerprint": run.fingerprint,
            "call_id": self._call_id,
            "started_at": outcome.started_at,
        }
        if records.kept:
            self._kept.write(records.kept, run_id=run.run_id, attempt=attempt)
        self._results.write_run(
            row,
            factors=self._study.factors,
            curves=records.curves,
            weights=records.weights,
            diagnostics=records.diagnostics,
            metrics=metric_names(run.settings["metrics"]),
        )
        self._attempts[run.run_id] = attempt
        self._written += 1
        if self._written % JOIN_AFTER == 0:
            join_files(self._results, self._notify)
        self.images += images

    def keep(self, outcome: Outcome) -> None:
        """Keep the weights of a finished run that was trained again; what is recorded of it stands.

        Raises:
            StoreError: it did not end as it is recorded, or the disk refuses.
        """
        run, records = outcome.run, outcome.records
        if not records.kept or records.status not in FINISHED:
            return
        recorded = self._results.runs(columns=("status", *FIGURES))
        rows = [] if recorded is None else recorded.to_pylist()
        (row,) = [row for row in rows if row["run_id"] == run.run_id]
        ended = {"status": records.status, **records.outcome}
        for name in ("status", *FIGURES):
            if not _same(row[name], ended.get(name)):
                raise _other_end(run.run_id, name, recorded=row[name], now=ended.get(name))
        self._kept.write(records.kept, run_id=run.run_id, attempt=row["attempt"])


def _same(one: object, other: object) -> bool:
    """Whether two figures are equal; not-a-number equals itself."""
    return one == other or (one != one and other != other)


def _other_end(run_id: str, name: str, *, recorded: object, now: object) -> StoreError:
    return StoreError(
        f"{run_id} was trained again, and its {name} is {now}; recorded is {recorded}",
        rule="weights are kept of the run that is recorded, figure for figure; another kind of device or "
        "processor, or other versions, change last digits",
        remedy="train it where it was trained before (the tables `runs` and `provenance` say where and with "
        "what); nothing was written",
    )


def join_files(results: Results, notify: Notify) -> None:
    """Join the files of single runs, and tell of those that turn out to be damaged.

    Raises:
        StoreError: the disk refuses.
    """
    for path, reason in results.compact():
        notify(Damaged(path, reason))
