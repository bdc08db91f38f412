"""Edge: one worker process, where one piece of work at a time is done."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from joblib.externals.loky import ProcessPoolExecutor

from harness.runner.beacons import Beacon, put_out, read_beacon
from harness.runner.desk import Desk
from harness.runner.devices import settle
from harness.runner.memory import MemoryKills

T = TypeVar("T")

WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc keeps freed memory instead of giving it back and faulting it in again at every step.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"
    ":glibc.malloc.top_pad=67108864:glibc.malloc.hugetlb=1",
}
"""Set before a worker starts, for it is read once: by thread pools, and by glibc's allocator."""

STARTING_SECONDS = 120.0
"""How long a worker may take to import torch before its time counts as the work's."""

Work = Callable[[Desk], Any]
"""Done in a worker, with what lies on its desk."""


@dataclass(frozen=True)
class Death:
    """A worker process ended before its work.

    Attributes:
        reason: what is known of it, such as the signal.
        seconds: how long the work had taken.
        begun: whether the work had begun; a process can also die while it starts.
        overdue: it was ended because the work took too long.
        starved: the kernel ended it for want of memory.
        host: the machine.
    """

    reason: str
    seconds: float
    begun: bool
    overdue: bool = False
    starved: bool = False
    host: str = field(default_factory=socket.gethostname)


class Post(Generic[T]):
    """A worker process on one device, renewed after its death.

    A pool of joblib's loky with one worker: whose death it was is then never in doubt, and no other
    work is lost with it.

    Attributes:
        desk: of its worker.
        task: what the work in hand is for, None between two.
    """

    def __init__(
        self,
        device: str,
        desk: Desk,
        *,
        kills: MemoryKills,
        limit: float | None = None,
        import_first: tuple[str, ...] = (),
        idle: float | None = None,
    ) -> None:
        """Prepare the post; its process starts with the first work.

        Args:
            device: of the worker.
            desk: of the worker.
            kills: told of processes that the kernel ended; one for all posts of this process.
            limit: seconds that a piece of work may take.
            import_first: folders that come first on the worker's import path.
            idle: seconds without work after which the process ends; None for never.
        """
        self.desk = desk
        self.task: T | None = None
        self._device, self._kills, self._limit = device, kills, limit
        self._import_first, self._idle = import_first, idle
        self._handed = 0.0
        self._open()

    def hand(self, task: T, work: Work) -> None:
        """Give the worker something to do; the process starts with the first."""
        self.task, self._handed = task, time.monotonic()
        self.future: Future[Any] = Future()
        try:
            self.future = self._pool.submit(work, self.desk)
        except BrokenProcessPool as error:  # it died since its last work
            self.future.set_exception(error)

    @property
    def free(self) -> bool:
        """Whether it can be given something to do."""
        return self.task is None

    @property
    def beacon(self) -> Beacon | None:
        """What the worker last said; None between two runs."""
        return read_beacon(self.desk.beacon)

    def collect(self) -> Any:
        """The result of the work, or the worker's death; None while it goes on.

        Raises:
            Exception: what the work let out.
        """
        if self.future.done():
            try:
                result = self.future.result()
            except BrokenProcessPool as error:
                return self._death(_exit_code(error))
            if getattr(result, "spent", False):
                self.renew()
            return result
        if self._limit is None:
            return None
        beacon = self.beacon
        spent = beacon.seconds if beacon else time.monotonic() - self._handed - STARTING_SECONDS
        if spent <= self._limit:
            return None
        return self._death(f"ended after {self._limit:g} s (--timeout)", overdue=True)

    def renew(self) -> None:
        """End the process, whatever it does; the next work starts another."""
        self.close()
        self._open()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._pool.shutdown(wait=True, kill_workers=True)
        put_out(self.desk.beacon)

    def _death(self, reason: str, *, overdue: bool = False) -> Death:
        beacon = self.beacon
        self.renew()
        starved = "SIGKILL" in reason and self._kills.one_more()
        return Death(
            f"{reason}: the kernel ended it for want of memory" if starved else reason,
            beacon.seconds if beacon else 0.0,
            begun=beacon is not None,
            overdue=overdue,
            starved=starved,
        )

    def _open(self) -> None:
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            timeout=self._idle,
            initializer=settle,
            initargs=(self._device, (*self._import_first, *sys.path), os.getpid()),
            env=WORKER_ENVIRONMENT,
        )


def _exit_code(error: BrokenProcessPool) -> str:
    """How the process ended, from loky's message: `SIGKILL(-9)`, `EXIT(1)`."""
    code = re.search(r"\{(.+)\}", str(error))
    return f"its process ended with {code[1]}" if code else f"its process ended: {error}"
