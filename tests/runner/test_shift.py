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
    """Ends its tasks at once, as it is told; it can be had until it ends one with a death."""

    def __init__(self, *ends: Any) -> None:
        self.task: str | None = None
        self.future: Future[Any] = Future()
        self.future.set_result(None)
        self.handed: list[str] = []
        self._ends = iter(ends)
        self._gone = False

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
        self._gone = isinstance(end, Death)
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
    told = []
    with pytest.raises(WorkerError, match=r"6 worker processes in a row died while they started: not begun"):
        looks = count()
        for pair in results(
            deque(["a", "b", "c"]),
            lambda: [StandIn(), StandIn()] if next(looks) == 0 else [StandIn(NOT_BEGUN), StandIn(NOT_BEGUN)],
        ):
            told.append(pair)
    assert told == [("a", "result of a"), ("b", "result of b")]


def test_a_result_is_told_before_the_workers_are_looked_at_again() -> None:
    def muster() -> Iterator[list[StandIn]]:
        yield [StandIn()]
        raise WorkerError("the scheduler is gone", rule="", remedy="")

    looks = muster()
    told = []
    with pytest.raises(WorkerError, match="the scheduler is gone"):
        for pair in results(deque(["a", "b"]), lambda: next(looks)):
            told.append(pair)
    assert told == [("a", "result of a")]
