"""Edge: the small file by which a worker says which run it is at and how far it has come."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Beacon:
    """What a worker last said.

    Attributes:
        run_id: what it is training.
        since: when it began, in seconds of the machine's monotonic clock.
        images: training images it has seen of that run.
        pid: of the worker.
    """

    run_id: str
    since: float
    images: int
    pid: int

    @property
    def seconds(self) -> float:
        """How long the worker has been at it."""
        return time.monotonic() - self.since


def light(path: Path, *, run_id: str, since: float, images: int) -> None:
    """Say, from a worker, where it is; a reader sees the old word or the new one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(Beacon(run_id, since, images, os.getpid()))))
    temporary.replace(path)


def put_out(path: Path) -> None:
    """Say that the run is over."""
    path.unlink(missing_ok=True)


def read_beacon(path: Path) -> Beacon | None:
    """What the worker last said; None between two runs."""
    try:
        return Beacon(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
