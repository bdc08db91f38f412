"""Edge: a study's copy in Optuna's storage, kept equal to what Parquet holds of the declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from optuna.trial import FrozenTrial, TrialState

from harness.dashboard.endings import Ending
from harness.dashboard.entries import MOST_RUNS, Entry, Grain, grain_of
from harness.dashboard.figures import draw
from harness.dashboard.note import compose_note
from harness.dashboard.recorded import read_endings, with_curves
from harness.dashboard.storage import FILE, default_url, is_damage, set_aside
from harness.dashboard.stored import Stored
from harness.dashboard.trials import fits, key_of, parameters_of, trial_of
from harness.design.run import Run
from harness.design.study import Study
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.findings.looks import at_last_look
from harness.store.ledger import open_ledger
from harness.store.results import Results

Gist = tuple[TrialState, float | None]
"""What tells an entry from another one under the same key."""


class DamagedError(Exception):
    """The file of the mirror is not what was written."""


class Window:
    """A study's copy in Optuna's storage; use as a context manager, on one thread.

    Optuna changes no trial that has ended. So trials are added, or, where a stored one is not what Parquet
    and the declaration say, the copy is deleted and written anew.

    Attributes:
        declared: the runs of the declaration, by run_id.
        left: entries that a catching up in progress has still to add.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        *,
        say: Callable[[str], None],
        storage: str | None = None,
        data_dir: Path | None = None,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is opened yet; `catch_up` comes first.

        Args:
            study: the declaration.
            folder: `results/<study>`.
            say: takes a line for the user.
            storage: the URL of a database, instead of the file beside the results.
            data_dir: where the user keeps data.
            ended: asked between two entries whether to stop.
        """
        self._study, self._folder, self._data_dir = study, folder, data_dir
        self._say, self._ended = say, ended
        self._file = folder / FILE if storage is None else None
        self._url = storage or default_url(folder)
        self._parameters = parameters_of(study)
        self._mirrored: dict[str, Gist] = {}
        self._stored: Stored | None = None
        self.declared: dict[str, Run] = {}
        self.left = 0

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def stored(self) -> Stored:
        """The copy, once it is open."""
        assert self._stored is not None, "catch_up comes first"
        return self._stored

    def catch_up(self, *, rebuild: bool = False) -> int:
        """Bring the copy to where Parquet is.

        Args:
            rebuild: write it anew, whatever it holds.

        Returns:
            How many entries were added.

        Raises:
            InputError: the storage has a study of that name which the harness did not write.
            StoreError: a table can't be read.
            Exception: whatever the database says.
        """
        try:
            return self._catch_up(rebuild=rebuild)
        except DamagedError:
            assert self._file is not None
            self._close()
            aside = set_aside(self._file)
            self._say(f"{self._file} was damaged: set aside as {aside.name}, rebuilt from Parquet")
            return self._catch_up(rebuild=False)

    def add(self, ending: Ending) -> None:
        """Add the end of a run, if it is declared, where its entry is whole and not there yet."""
        if ending.run.run_id in self.declared:
            self._add(self._grain.take(ending))

    def show(self) -> None:
        """Write note and figures anew.

        Raises:
            StoreError: a table can't be read.
        """
        ledger = open_ledger(self._study, Results(self._folder), data_sha256=self._data_sha256)
        few, frames, contrasts = len(ledger.runs) <= MOST_RUNS, None, []
        if ledger.status:
            # For the findings it reads weights and diagnostics: 1.8 s of a core instead of 0.9 at 1,440 runs
            # (AMD EPYC 9R14), and with so many more runs 2 GB.
            splits = None if few else ("test",)
            frames = load_frames(self._study, self._folder, weights=few, splits=splits, ledger=ledger)
            contrasts = compare(at_last_look(frames)) if few and len(frames.calls) else []
        note = compose_note(
            self._study, ledger, frames, contrasts, at=datetime.now(UTC), report=self.stored.report
        )
        self.stored.show(note, draw(frames, contrasts) if frames else {})

    def _catch_up(self, *, rebuild: bool) -> int:
        ledger = open_ledger(self._study, Results(self._folder), data_dir=self._data_dir)
        endings = read_endings(ledger, self._folder)
        self._data_sha256 = ledger.data_sha256
        self.declared = {run.run_id: run for run in ledger.runs}
        self._grain = grain_of(ledger.runs)
        whole = _entries(endings, grain_of(ledger.runs))
        with self._noticing_damage():
            self._open()
            due = self._prepare(whole, rebuild=rebuild)
        self._mirrored = {entry.key: _gist(entry) for entry in whole if entry.key not in due}
        missing = [ending for ending in endings if self._grain.key_of(ending.run) not in self._mirrored]
        with_their_curves = with_curves(missing, self._folder)
        self.left = len(due)
        with self._noticing_damage():
            for ending in with_their_curves:
                if self._ended():
                    break
                self._add(self._grain.take(ending))
        return len(due) - self.left

    def _prepare(self, whole: list[Entry], *, rebuild: bool) -> set[str]:
        """The keys of the entries to add, once the copy holds nothing but what fits."""
        due = None if rebuild else self._due(whole, self.stored.trials())
        if due is not None:
            return due
        if not rebuild:
            self._say(f"the mirror did not fit {self._study.name} as it now stands: rebuilt from Parquet")
        self.stored.delete()
        return {entry.key for entry in whole}

    def _due(self, whole: Iterable[Entry], trials: Iterable[FrozenTrial]) -> set[str] | None:
        """The keys of the entries to add; None where a stored one is not as it should be."""
        latest = {key_of(trial): trial for trial in trials}
        due = set()
        for entry in whole:
            trial = latest.pop(entry.key, None)
            # A run that failed and was tried again stands twice; the later trial counts.
            if trial is None or (trial.state == TrialState.FAIL and entry.state != TrialState.FAIL):
                due.add(entry.key)
            elif not fits(trial, entry, self._parameters):
                return None
        return None if latest else due

    def _add(self, entry: Entry | None) -> None:
        if entry is not None and self._mirrored.get(entry.key) != _gist(entry):
            self.stored.add(trial_of(entry, self._parameters))
            self._mirrored[entry.key] = _gist(entry)
            self.left = max(0, self.left - 1)

    def _open(self) -> None:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stored = Stored(self._study.name, self._url)

    def _close(self) -> None:
        if self._stored is not None:
            self._stored.close()
            self._stored = None

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """Tell a damaged file from other errors; around what touches Optuna's storage and nothing else."""
        try:
            yield
        except Exception as error:
            if self._file is None or not self._file.exists() or not is_damage(error):
                raise
            raise DamagedError(f"{self._file}: {error}") from error


def _entries(endings: Iterable[Ending], grain: Grain) -> list[Entry]:
    """The entries that are whole."""
    return [entry for ending in endings if (entry := grain.take(ending)) is not None]


def _gist(entry: Entry) -> Gist:
    return entry.state, entry.value
