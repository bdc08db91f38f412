"""Edge: the thread that mirrors a study into Optuna while it runs, and never holds training up."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from harness.dashboard.endings import Ending, ending_of
from harness.design.study import Study
from harness.errors import HarnessError, StoreError
from harness.runner.events import Event, Recorded, Started
from harness.store.results import Results

if TYPE_CHECKING:  # Optuna and plotly are imported on the thread: that takes over a second
    from harness.dashboard.window import Window

SHOW_SECONDS = 30.0
"""Between two refreshments of note and figures, at least."""

SHOW_SHARE = 0.02
"""The most of a core's time that they may take."""

RETRY_SECONDS = 30.0
"""After a failure until the next try."""

CLOSING_SECONDS = 15.0
"""The longest that the end of a call waits for the mirror."""

STOPPING_SECONDS = 2.0
"""The same where the call was interrupted."""


class Mirror:
    """Mirrors a study while it runs; use as a context manager, and hand `on_event` to the runner.

    The thread starts with training, that of a search aside, and first adds what an earlier call left out. A
    failure is told once and tried again; training knows nothing of it, and Parquet has all that the mirror
    shows.
    """

    def __init__(
        self,
        study: Study,
        *,
        folder: Path,
        say: Callable[[str], None],
        storage: str | None = None,
        data_dir: Path | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            study: the declaration.
            folder: `results/<study>`.
            say: takes a line for the user, on any thread.
            storage: the URL of a database, instead of the file beside the results.
            data_dir: where the user keeps data.
        """
        self._study, self._folder, self._say = study, folder, say
        self._storage, self._data_dir = storage, data_dir
        self._endings: queue.SimpleQueue[Ending | None] = queue.SimpleQueue()
        self._closing, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._window: Window | None = None
        self._behind = self._told = False

    def __enter__(self) -> Mirror:
        if self._storage is not None:
            from harness.dashboard.storage import check_url

            check_url(self._storage)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until what is recorded is mirrored, but not for long; after an error, not at all."""
        if self._thread.ident is None:
            return
        if kind is not None:
            self._stopping.set()
        self._closing.set()
        self._endings.put(None)
        self._thread.join(CLOSING_SECONDS if kind is None else STOPPING_SECONDS)
        slow = self._thread.is_alive()
        if slow:  # the interpreter's end would abort the process where the thread is in Arrow or SQLite
            atexit.register(self._thread.join, CLOSING_SECONDS)
        self._stopping.set()
        if kind is None and (slow or self._behind):
            lag = self._lag
            runs = f" by {lag:,} run{'s' if lag != 1 else ''}" if lag else ""
            self._say(f"the mirror lags{runs}; `harness dashboard {self._study.name}` catches up")

    def on_event(self, event: Event) -> None:
        """Take in what the runner tells; returns at once."""
        if isinstance(event, Started):
            if event.stage == "evaluation" and self._thread.ident is None:
                self._thread.start()
        elif isinstance(event, Recorded):
            self._endings.put(ending_of(event.outcome))  # not the outcome: its weights are large

    @property
    def _lag(self) -> int:
        """How much is still to be added, as far as it is known."""
        waiting = max(0, self._endings.qsize() - 1)  # the last is the word that no more will come
        return waiting + (self._window.left if self._window else 0)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._mirror()
                self._behind = False
                return
            except Exception as error:
                self._behind = True
                self._tell(error)
            if self._closing.is_set():
                return
            self._closing.wait(RETRY_SECONDS)

    def _mirror(self) -> None:
        """Catch up, then add runs as they come, until there will be no more."""
        from harness.dashboard.window import Window
        from harness.search.recorded import resolve

        study = resolve(self._study, Results(self._folder), data_dir=self._data_dir)
        with Window(
            study, self._folder, say=self._say, storage=self._storage, data_dir=self._data_dir,
            ended=self._stopping.is_set,
        ) as window:  # fmt: skip
            self._window = window
            window.catch_up()
            show = _Show(window)
            while not self._stopping.is_set():
                show.if_due()
                try:
                    ending = self._endings.get(timeout=show.wait)
                except queue.Empty:
                    continue
                if ending is None:
                    break
                window.add(ending)
                show.stale = True
            if show.stale and not self._stopping.is_set():
                window.show()

    def _tell(self, error: Exception) -> None:
        if self._told:
            return
        self._told = True
        reason = error.received if isinstance(error, HarnessError) else _first_line(error)
        self._say(f"the mirror into Optuna does not work: {reason}; training goes on, nothing is lost")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]


class _Show:
    """When note and figures are written anew: at first, then now and then where runs have come in.

    Attributes:
        stale: something has come in since.
    """

    def __init__(self, window: Window) -> None:
        self._window, self._due = window, time.monotonic()
        self.stale = True

    @property
    def wait(self) -> float | None:
        """Seconds until it is time; None where nothing has come in."""
        return max(0.0, self._due - time.monotonic()) if self.stale else None

    def if_due(self) -> None:
        """Write them if it is time."""
        began = time.monotonic()
        if not self.stale or began < self._due:
            return
        self.stale = False
        try:
            self._window.show()
        except StoreError:
            self.stale = True  # the tables are being joined, or damaged; at the end it is told
        took = time.monotonic() - began
        self._due = time.monotonic() + max(SHOW_SECONDS, took / SHOW_SHARE)
