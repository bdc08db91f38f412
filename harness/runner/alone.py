"""Edge: this process as the only worker, for a debugger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from harness.runner.beacons import Beacon, read_beacon
from harness.runner.desk import Desk
from harness.runner.devices import pin
from harness.runner.post import Work

T = TypeVar("T")


class Alone(Generic[T]):
    """Works off tasks in this process; to those who hand it work it is a `Crew`."""

    def __init__(self, slot: str, *, desk: Desk) -> None:
        """Pin this process to a device.

        Args:
            slot: the device.
            desk: of this process.
        """
        pin(slot)
        self._desk = desk

    @property
    def beacons(self) -> list[Beacon]:
        """What the work in hand last said."""
        beacon = read_beacon(self._desk.beacon)
        return [beacon] if beacon else []

    def results(self, tasks: deque[T], work: Callable[[T], Work]) -> Iterator[tuple[T, Any]]:
        """Each task with what came of it; tasks that are added while this goes on are done as well.

        Raises:
            Exception: what the work lets out.
        """
        while tasks:
            task = tasks.popleft()
            yield task, work(task)(self._desk)
