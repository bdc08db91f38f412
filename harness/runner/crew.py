"""Edge: worker processes that work side by side on this machine, each on a device of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, TypeVar

from harness.runner.beacons import Beacon
from harness.runner.desk import Desk
from harness.runner.memory import MemoryKills
from harness.runner.post import Post, Work
from harness.runner.shift import work_off

T = TypeVar("T")


class Crew(Generic[T]):
    """Workers, one a slot, that live as long as the call: torch and the data are loaded once each.

    Use as a context manager; on the way out every process is ended, whatever it does.
    """

    def __init__(self, slots: tuple[str, ...], *, desk: Desk, limit: float | None = None) -> None:
        """Prepare the posts; processes start with the first work.

        Args:
            slots: the device of each worker.
            desk: of every worker, but for its beacon: that is a folder, in which each has a file.
            limit: seconds that a piece of work may take.
        """
        kills = MemoryKills()
        self._posts: list[Post[T]] = [
            Post(device, replace(desk, beacon=desk.beacon / f"{number}.json"), kills=kills, limit=limit)
            for number, device in enumerate(slots)
        ]

    def __enter__(self) -> Crew[T]:
        return self

    def __exit__(self, *_: object) -> None:
        for post in self._posts:
            post.close()

    def shrink(self, count: int) -> None:
        """Have no more workers than so many; the first stay."""
        self._posts, others = self._posts[:count], self._posts[count:]
        for post in others:
            post.close()

    @property
    def beacons(self) -> list[Beacon]:
        """What every busy worker last said."""
        return [beacon for beacon in (post.beacon for post in self._posts) if beacon]

    def results(self, tasks: deque[T], work: Callable[[T], Work]) -> Iterator[tuple[T, Any]]:
        """Each task with what came of it, in the order in which they end: a result, or a `Death`.

        See `work_off`, and for what is raised too.
        """
        return work_off(tasks, work, muster=lambda: self._posts)


@contextmanager
def ticking(tick: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call a function at intervals, on a thread of its own, while the block runs."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(seconds):
            tick()

    thread = threading.Thread(target=loop, name="ticker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
