"""Tasks worked off by workers that die, come and go; the workers are stand-ins."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from typing import Any

import pytest

from harness.errors import WorkerError
from harness.runner import shift
from harness.runner.post import Death, Work
from harness.runner.shift import work_off

LOST = Death("lost", 1.0, begun=True)
NOT_BEGUN = Death("not begun", 0.0, begun=False)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift, "LOOK_SECONDS", 0.0)


class StandIn:
    """Ends its tasks at once, as it is told; after a death it is gone, unless it is renewed."""

    def __init__(self, *ends: Any, renewed: bool = False) -> None:
        self.task: str | None = None
        self.future: Future[Any] = Future()
        self.future.set_result(None)
        self.handed: list[str] = []
        self._ends = iter(ends)
        self._gone, self._renewed = False, renewed

    @property
    def free(self) -> bool:
        return self.task is None and not self._gone

    def hand(self, task: str, work: Work) -> None:
        del work
        assert self.free
        self.task = task
        self.handed.append(task)

    def collect(self) -> Any:
        end = next(self._ends, f"result of {self.task}")
        self._gone = isinstance(end, Death) and not self._renewed
        return end


def results(tasks: deque[str], muster: Callable[[], list[StandIn]]) -> Iterator[tuple[str, Any]]:
    return work_off(tasks, lambda _: print, muster=muster)


def test_a_task_whose_worker_had_not_begun_goes_to_the_next_and_is_not_told() -> None:
    first, second = StandIn(NOT_BEGUN), StandIn()
    workers = [[first], [second]]
    ended = list(results(deque(["a"]), lambda: workers.pop(0) if len(workers) > 1 else workers[0]))
    assert ended == [("a", "result of a")]
    assert first.handed == second.handed == ["a"]


def test_a_worker_that_is_gone_is_given_nothing_more() -> None:
    gone, other = StandIn(LOST), StandIn()
    ended = list(results(deque(["a", "b", "c", "d"]), lambda: [gone, other]))
    assert ended[0] == ("a", LOST)
    assert [task for task, _ in ended[1:]] == ["b", "c", "d"]
    assert gone.handed == ["a"]


def test_tasks_wait_while_there_is_no_worker() -> None:
    looks = count()
    worker = StandIn()
    ended = list(results(deque(["a"]), lambda: [worker] if next(looks) > 5 else []))
    assert ended == [("a", "result of a")]


def test_workers_that_never_start_end_the_call_and_what_ended_is_told_first() -> None:
    workers = [StandIn("done", *[NOT_BEGUN] * 9, renewed=True) for _ in range(2)]
    never = WorkerError("6 worker processes in a row died while they started: not begun", rule="", remedy="")
    assert told_until(never, deque(["a", "b", "c", "d"]), lambda: workers) == ["a", "b"]


def test_a_result_is_told_before_the_workers_are_looked_at_again() -> None:
    gone = WorkerError("the scheduler is gone", rule="", remedy="")

    def muster() -> Iterator[list[StandIn]]:
        yield [StandIn()]
        raise gone

    looks = muster()
    assert told_until(gone, deque(["a", "b"]), lambda: next(looks)) == ["a"]


def told_until(error: WorkerError, tasks: deque[str], muster: Callable[[], list[StandIn]]) -> list[str]:
    """The tasks whose end was told before an error."""
    told: list[str] = []

    def collect() -> None:
        for task, _ in results(tasks, muster):
            told.append(task)

    with pytest.raises(WorkerError, match=error.received):
        collect()
    return told
