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
        images: training images it has seen since.
        pid: of the worker.
        others: runs that it trains together with that one; the images are those of all.
    """

    run_id: str
    since: float
    images: int
    pid: int
    others: int = 0

    @property
    def name(self) -> str:
        """What the worker is at: `bn-s000-0123456789 and 7 more`."""
        return f"{self.run_id} and {self.others:,} more" if self.others else self.run_id

    @property
    def seconds(self) -> float:
        """How long the worker has been at it."""
        return time.monotonic() - self.since


def light(path: Path, *, run_id: str, since: float, images: int, others: int = 0) -> None:
    """Say, from a worker, where it is; a reader sees the old word or the new one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(Beacon(run_id, since, images, os.getpid(), others))))
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
