"""Edge: what `harness dashboard` does before and beside serving."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from harness.dashboard.storage import FILE, default_url
from harness.dashboard.stored import Stored
from harness.dashboard.window import Window
from harness.design.study import Study
from harness.errors import InputError, StoreError
from harness.report.words import count
from harness.store.ledger import open_ledger
from harness.store.lock import study_lock
from harness.store.results import Results

WAIT_SECONDS = 20.0
"""How long a mirror is waited for that a run has just begun to write."""


def refresh(
    study: Study,
    folder: Path,
    *,
    report: Path,
    say: Callable[[str], None],
    storage: str | None = None,
    data_dir: Path | None = None,
    rebuild: bool = False,
) -> None:
    """Bring the mirror to where Parquet is.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        report: the HTML report, which may not be there yet.
        say: takes a line for the user.
        storage: the URL of a database, instead of the file beside the results.
        data_dir: where the user keeps data.
        rebuild: write it anew, whatever it holds.

    Raises:
        BusyError: a run is going on, and mirrors itself.
        InputError: only other runs than the declared ones are recorded; the mirror is left as it is.
        StoreError: a table can't be read.
    """
    with study_lock(folder):
        ledger = open_ledger(study, Results(folder), data_dir=data_dir)
        if not ledger.status and ledger.foreign:
            raise InputError(
                f"{count(ledger.foreign, 'run')} in {folder}, none of study {study.name!r} as it is declared",
                rule="the mirror shows the runs that the declaration expands to",
                remedy="after `run --set ...` give dashboard the same --set",
            )
        with Window(study, folder, say=say, storage=storage, data_dir=data_dir) as window:
            added = window.catch_up(rebuild=rebuild)
            if report.exists():
                window.stored.attach(report, folder)
            window.show()
    recorded = f"{len(ledger.status):,} of {count(len(ledger.runs), 'run')}"
    say(f"{study.name}: {recorded} recorded, {count(added, 'trial')} added to the mirror")


def await_mirror(study: str, folder: Path) -> None:
    """Wait until a run that is going on has made its mirror.

    Raises:
        StoreError: it has none beside its results.
    """
    until = time.monotonic() + WAIT_SECONDS
    while not _has_study(folder / FILE, study):
        if time.monotonic() > until:
            raise StoreError(
                f"a run is going on in {folder}, and mirrors nothing into {FILE} there",
                rule="while a run goes on it alone writes the mirror",
                remedy="give the same --storage as to the run, or wait until it has ended",
            )
        time.sleep(0.2)


def _has_study(file: Path, study: str) -> bool:
    """Whether a mirror is there; asked without Optuna, which would make what is missing."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT 1 FROM studies WHERE study_name = ?", (study,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return found is not None


class ReportKeeper:
    """Hangs a study's report on its mirror whenever it has been written anew."""

    def __init__(
        self, report: Path, *, study: str, folder: Path, storage: str | None, say: Callable[[str], None]
    ) -> None:
        """Look at nothing yet.

        Args:
            report: the file, which may not be there yet.
            study: its name.
            folder: `results/<study>`.
            storage: the URL of a database, instead of the file beside the results.
            say: takes a line for the user.
        """
        self._report, self._study, self._folder, self._say = report, study, folder, say
        self._url = storage or default_url(folder)
        self._seen, self._told = 0, False

    def look(self) -> None:
        """Attach the report, if it is there and has changed; what goes wrong is told once and tried again."""
        changed = self._report.stat().st_mtime_ns if self._report.exists() else 0
        if changed == self._seen:
            return
        try:
            with closing(Stored(self._study, self._url)) as stored:
                stored.attach(self._report, self._folder)
            self._seen = changed
        except Exception as error:
            if not self._told:
                self._say(f"{self._report} can't be attached to the mirror yet: {error}".splitlines()[0])
            self._told = True
