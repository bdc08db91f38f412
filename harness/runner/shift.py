"""Edge: tasks worked off by workers that may die, on this machine or another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, TypeVar

from harness.errors import WorkerError
from harness.runner.beacons import Beacon
from harness.runner.post import Death, Work

T = TypeVar("T")

LOOK_SECONDS = 0.2
"""Between two looks at workers that have not ended their work."""

FALSE_STARTS = 3
"""Processes that may die in a row while they start, before it is no accident."""


class Worker(Protocol[T]):
    """One worker, as long as it can be had.

    Attributes:
        task: what the work in hand is for, None between two.
        future: done when the work has ended, however.
    """

    task: T | None
    future: Future[Any]

    @property
    def free(self) -> bool:
        """Whether it can be given something to do."""

    def hand(self, task: T, work: Work) -> None:
        """Give the worker something to do."""

    def collect(self) -> Any:
        """The result of the work, or the worker's `Death`; None while it goes on."""


class Workers(Protocol[T]):
    """All workers of a call: a `Crew` here, or a `Cluster`."""

    @property
    def beacons(self) -> list[Beacon]:
        """What every busy worker last said."""

    def results(self, tasks: deque[T], work: Callable[[T], Work]) -> Iterator[tuple[T, Any]]:
        """See `work_off`."""


def work_off(
    tasks: deque[T], work: Callable[[T], Work], *, muster: Callable[[], Sequence[Worker[T]]]
) -> Iterator[tuple[T, Any]]:
    """Each task with what came of it, in the order in which they end: a result, or a `Death`.

    Tasks that are added while this goes on are done as well. A process that died while it started
    has harmed no task: the task is handed to the next.

    Args:
        tasks: emptied from the left, as workers have time.
        work: what a worker is to do for a task; can be pickled.
        muster: the workers that there are now, the busy ones among them until they were collected from.

    Raises:
        WorkerError: no worker process starts.
    """
    false_starts = 0
    while True:
        workers = muster()
        _hand_out(tasks, work, workers)
        busy = [worker for worker in workers if worker.task is not None]
        if not busy and not tasks:
            return
        if busy:
            wait([worker.future for worker in busy], timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        else:
            time.sleep(LOOK_SECONDS)
        ended = list(_ended(busy))
        harmless = [(task, end) for task, end in ended if _is_false_start(end)]
        tasks.extendleft(task for task, _ in reversed(harmless))
        false_starts = false_starts + len(harmless) if len(harmless) == len(ended) else 0
        _hand_out(tasks, work, workers)  # before the results are looked at: workers need not wait for that
        yield from ((task, end) for task, end in ended if not _is_false_start(end))
        if harmless and false_starts >= FALSE_STARTS * len(workers):
            raise _never_starts(false_starts, harmless[-1][1])


def _hand_out(tasks: deque[T], work: Callable[[T], Work], workers: Sequence[Worker[T]]) -> None:
    for worker in workers:
        if worker.free and tasks:
            task = tasks.popleft()
            worker.hand(task, work(task))


def _ended(busy: Sequence[Worker[T]]) -> Iterator[tuple[T, Any]]:
    for worker in busy:
        end = worker.collect()
        if end is not None and worker.task is not None:
            task, worker.task = worker.task, None
            yield task, end


def _is_false_start(end: Any) -> bool:
    return isinstance(end, Death) and not end.begun and not end.overdue


def _never_starts(count: int, death: Death) -> WorkerError:
    return WorkerError(
        f"{count} worker processes in a row died while they started: {death.reason}",
        rule="a worker imports torch and claims its device before it trains",
        remedy="look for the reason with --workers 0, which trains in this process; "
        "with fewer --workers if memory is short",
    )
