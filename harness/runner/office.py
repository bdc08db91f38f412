"""Edge: the part of a call that lives in a worker of dask: it keeps worker processes and hands them work.

Runs are not trained in the dask worker itself but in a process of its own for each of its threads, as on
the parent's machine: a run that crashes or hangs, in C too, is ended without the dask worker, threads never
share torch's global state, and the environment is the one that training needs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from concurrent.futures import wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from harness.runner.beacons import Beacon
from harness.runner.checkpoint import checkpoint_path, is_marked
from harness.runner.desk import Desk
from harness.runner.memory import MemoryKills
from harness.runner.outcome import PackEnd
from harness.runner.post import Post, Work
from harness.store.tables import FINISHED

LOOK_SECONDS = 0.5
"""Between two looks at work that has not ended; progress is told as often."""

IDLE_SECONDS = 60.0
"""A process without work ends after so long: that of a call that was killed would stay for ever."""

LOG_BYTES = 1_000_000
"""Of a log that is longer, the end is sent home."""


@dataclass(frozen=True)
class Brief:
    """What the parent lays down for all offices of a call.

    Attributes:
        topic: under which progress is told.
        kind: of the devices, cpu or cuda.
        sources: the user's own modules by path.
        sent: content hash of the data.
        checkpoints: the parent's folder of the runs' states, used where it is the same folder here.
        checkpoint_seconds: between two states of a run.
        limit: seconds that a piece of work may take.
    """

    topic: str
    kind: str
    sources: dict[str, bytes] = field(repr=False)
    sent: str
    checkpoints: Path
    checkpoint_seconds: float
    limit: float | None


@dataclass(frozen=True)
class Delivery:
    """What comes home of a piece of work.

    Attributes:
        end: the result, the worker's `Death`, or the error that the work let out.
        logs: what was written meanwhile, by the name of the file.
    """

    end: Any
    logs: dict[str, bytes]


class Office(WorkerPlugin):
    """The worker processes of one call in one dask worker; known there by its token."""

    def __init__(self, token: str, brief: Brief) -> None:
        self.token = token
        self._brief = brief
        self._dropped: set[str] = set()

    def setup(self, worker: Worker) -> None:
        """Lay out the folders; the processes start with the first work."""
        # dask's nanny starts its workers as daemons, which may have no children of their own.
        if multiprocessing.current_process().daemon:
            multiprocessing.current_process().daemon = False
        self._worker = worker
        self._folder = folder = Path(worker.local_directory) / self.token
        for name, source in self._brief.sources.items():
            path = folder / "sources" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source)
        kills = MemoryKills()
        self._posts: list[Post[str]] = [
            Post(
                _device(self._brief.kind, slot),
                self._desk(folder, slot),
                kills=kills,
                limit=self._brief.limit,
                import_first=(str(folder / "sources"),),
                idle=IDLE_SECONDS,
            )
            for slot in range(worker.state.nthreads)
        ]

    def _desk(self, folder: Path, slot: int) -> Desk:
        own = folder / str(slot)
        own.mkdir(parents=True)
        shared = is_marked(self._brief.checkpoints, mark=self._brief.topic)
        return Desk(
            beacon=own / "beacon.json",
            logs=own / "logs",
            checkpoints=self._brief.checkpoints if shared else folder / "checkpoints",
            checkpoint_seconds=self._brief.checkpoint_seconds,
            sent=self._brief.sent,
        )

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """End the processes, whatever they do."""
        for post in self._posts:
            await asyncio.to_thread(post.close)
        shutil.rmtree(self._folder, ignore_errors=True)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Notice, told by dask, that nobody wants the result of a task any more."""
        if start == "executing" and finish in ("released", "cancelled", "forgotten"):
            self._dropped.add(key)

    def serve(self, slot: int, key: str, work: Work) -> Delivery:
        """Have a piece of work done; ended early where the task is cancelled or its client is gone.

        Args:
            slot: which of the worker processes.
            key: of the task, as dask names it.
            work: what to do.
        """
        post, told = self._posts[slot], None
        post.hand(key, work)
        while (end := _collect(post)) is None:
            wait([post.future], timeout=LOOK_SECONDS)
            if key in self._dropped:
                self._dropped.remove(key)
                post.renew()
                return Delivery(None, {})
            beacon = post.beacon
            if beacon != told:
                told = beacon
                self._tell(key, beacon)
        for outcome in end.outcomes if isinstance(end, PackEnd) else ():
            if outcome.records.status in FINISHED:
                checkpoint_path(post.desk.checkpoints, outcome.run.run_id).unlink(missing_ok=True)
        return Delivery(end, _take_logs(post.desk.logs))

    def _tell(self, key: str, beacon: Beacon | None) -> None:
        if beacon:
            message = {"key": key, "run_id": beacon.run_id, "images": beacon.images, "others": beacon.others}
            self._worker.log_event(self._brief.topic, message)


async def open_office(token: str, brief: Brief, dask_worker: Worker) -> None:
    """Open an office in a dask worker, on its event loop.

    Raises:
        OSError: its folders can't be made.
    """
    await dask_worker.plugin_add(Office(token, brief), name=token, catch_errors=False)


async def close_office(token: str, dask_worker: Worker) -> None:
    """Close an office, if it is open, and end what it does."""
    if token in dask_worker.plugins:
        await dask_worker.plugin_remove(name=token)


def serve(token: str, slot: int, work: Work) -> Delivery | None:
    """A task of dask: have work done by an office; None where this process has no such office."""
    worker = get_worker()
    office = worker.plugins.get(token)
    return office.serve(slot, str(worker.get_current_task()), work) if isinstance(office, Office) else None


def _device(kind: str, slot: int) -> str:
    if kind == "cpu":
        return "cpu"
    import torch

    return f"cuda:{slot % torch.cuda.device_count()}"


def _collect(post: Post[str]) -> Any:
    """The end of the work, an error that it let out included; None while it goes on."""
    try:
        return post.collect()
    except Exception as error:
        return error


def _take_logs(folder: Path) -> dict[str, bytes]:
    """The logs in a folder, which is empty afterwards."""
    logs = {}
    for path in folder.glob("*"):
        logs[path.name] = path.read_bytes()[-LOG_BYTES:]
        path.unlink()
    return logs
