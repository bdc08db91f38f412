"""A dask scheduler and its workers, as processes of their own on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from distributed import Client

from tests.processes import left_of_group


@dataclass
class Loopback:
    """A scheduler, and workers under dask's nanny, which starts a dead one anew.

    Attributes:
        folder: for what the processes leave behind, named to them by the environment variable ON_LOOPBACK;
            each worker has a cache of its own in it.
        address: of the scheduler.
        nannies: a process for each worker, in a group of its own.
    """

    folder: Path
    address: str = ""
    nannies: list[subprocess.Popen[bytes]] = field(default_factory=list)
    scheduler: subprocess.Popen[bytes] | None = None

    def start_scheduler(self) -> None:
        told = self.folder / "scheduler.json"
        self.scheduler = self._dask("scheduler", "--port", "0", "--scheduler-file", str(told))
        wait_until(told.exists, "the scheduler is up")
        self.address = json.loads(told.read_text())["address"]

    def start_worker(self, *, threads: int = 1, environment: Mapping[str, str] | None = None) -> None:
        words = ("worker", self.address, "--nthreads", str(threads))
        self.nannies.append(self._dask(*words, number=len(self.nannies), environment=environment))
        self.wait_for_workers(len(self.nannies))

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def at_work(self) -> dict[int, int]:
        """Our worker processes, each with the dask worker that it belongs to."""
        found = {}
        for nanny in self.nannies:
            for child in psutil.Process(nanny.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if "popen_loky_posix" in " ".join(child.cmdline()):
                        found[child.pid] = child.ppid()
        return found

    def kill_a_dask_worker(self) -> int:
        """SIGKILL a dask worker, while its nanny stays; the number of worker processes that it had."""
        dask_workers = list(self.at_work().values())
        os.kill(dask_workers[0], signal.SIGKILL)
        return dask_workers.count(dask_workers[0])

    def stop(self) -> None:
        for process in (*self.nannies, *([self.scheduler] if self.scheduler else [])):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert left_of_group(process.pid, seconds=5) == []

    def _dask(
        self, *words: str, number: int | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        name = words[0] if number is None else f"worker-{number}"
        more = ["--host", "127.0.0.1"] if number is None else ["--local-directory", str(self.folder / name)]
        cache = str(self.folder / f"cache-{number}")
        own = {"HARNESS_CACHE": cache, "ON_LOOPBACK": str(self.folder), **(environment or {})}
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard", *more],
                cwd=self.folder,
                env={**os.environ, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def loopback(folder: Path, *, threads: tuple[int, ...]) -> Iterator[Loopback]:
    """A scheduler with workers of so many threads each."""
    cluster = Loopback(folder)
    try:
        cluster.start_scheduler()
        for count in threads:
            cluster.start_worker(threads=count)
        yield cluster
    finally:
        cluster.stop()


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}"
        time.sleep(0.05)
