"""Edge: progress on a terminal as a live line, elsewhere as plain lines now and then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from harness.console.words import duration
from harness.runner.events import (
    Advanced,
    Chosen,
    Damaged,
    Event,
    Finished,
    LeftOut,
    Preparing,
    Retried,
    Started,
)
from harness.store.tables import FINISHED

PLAIN_SECONDS = 10.0
"""Between two plain lines of progress, where there is no terminal."""


class ProgressView:
    """Shows the runner's events: a live line on a terminal, plain lines elsewhere.

    Use as a context manager, and hand `on_event` to the runner.
    """

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self._say = say
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._task = self._progress.add_task("looking at what is done", total=None)
        self._started: Started | None = None
        self._counts: Counter[str] = Counter()
        self._before = 0
        self._images, self._first_images = 0, 0
        self._began, self._spoke = time.monotonic(), time.monotonic()

    def __enter__(self) -> ProgressView:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def finished(self) -> int:
        """Runs that ended in this call."""
        return self._counts.total()

    def on_event(self, event: Event) -> None:
        """Take in what the runner tells."""
        if isinstance(event, Preparing):
            self._progress.update(self._task, total=event.total, completed=event.done, description=event.what)
            return
        if isinstance(event, Chosen):
            self._say(f"engine {event.choice.engine}: {event.choice.why}")
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Advanced):
            self._advance(event.images)
        elif isinstance(event, Damaged):
            self._say(f"damaged, set aside as {event.path}: {event.reason}; that is missing now")
        elif isinstance(event, LeftOut):
            self._say(f"the worker {event.worker} is left out: {event.reason}")
        elif isinstance(event, Retried):
            self._say(_again(event))
        elif isinstance(event, Finished):
            self._counts[event.status] += 1
            if event.error:
                self._say(f"{event.run_id} {event.status}: {event.error.strip().splitlines()[-1]}")
        self._show()

    def _start(self, event: Started) -> None:
        self._started, self._before = event, self.finished
        self._images, self._first_images = 0, 0
        self._began = self._spoke = time.monotonic()
        self._progress.update(self._task, total=event.images, completed=0)
        where = "in this process"
        if event.workers:
            where = f"on {event.workers} {event.device} worker{'s' if event.workers > 1 else ''}"
        before = f"; {event.done:,} were done before" if event.done else ""
        kind = "tuning run" if event.stage == "tuning" else "run"
        self._say(f"{event.runs:,} {kind}{'s' if event.runs > 1 else ''} to train {where}{before}")

    def _advance(self, images: int) -> None:
        if self._images == 0 and images > 0:  # the clock starts when the first epoch is done
            self._began, self._first_images = time.monotonic(), images
        self._images = max(self._images, images)

    def _show(self) -> None:
        line = self._line()
        self._progress.update(self._task, completed=self._images, description=line)
        if not self._live and time.monotonic() - self._spoke >= PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self._say(line)

    def _line(self) -> str:
        """Runs done, failed and diverged, speed and time to go."""
        if self._started is None:
            return ""
        failed = sum(count for status, count in self._counts.items() if status not in FINISHED)
        parts = [f"{self.finished - self._before:,}/{self._started.runs:,} runs"]
        parts += [f"{failed} failed · {self._counts['diverged']} diverged"]
        elapsed = time.monotonic() - self._began
        seen = self._images - self._first_images
        if seen > 0 and elapsed > 0:
            rate = seen / elapsed
            to_go = max(0, self._started.images - self._images) / rate
            parts += [f"{rate:,.0f} images/s", f"{duration(to_go)} left"]
        elif not self._images:
            parts.append("workers are starting")
        return " · ".join(parts)


def _again(event: Retried) -> str:
    if not event.others:
        return f"{event.run_id} will be tried again: {event.reason}"
    return f"the pack of {event.run_id} and {event.others:,} more is halved: {event.reason}"


class WorkProgress:
    """Shows on a terminal how far each piece of work is, such as decoding a data set.

    Use as a context manager.

    Attributes:
        done: how far each has come, by its name.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self.done: Counter[str] = Counter()

    def __enter__(self) -> WorkProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def report(self, what: str, done: int, total: int | None) -> None:
        """Take in what is told: what, how much is done, of how much."""
        self.done[what] = done
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
