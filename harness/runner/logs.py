"""Edge: one log a run, in which its worker and the parent write."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


def log_path(folder: Path, run_id: str) -> Path:
    """Where a run's log is."""
    return folder / f"{run_id}.log"


def note(path: Path, text: str) -> None:
    """Add a line under the time in UTC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    with path.open("a") as file:
        file.write(f"{moment} {text}\n")


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Let everything that this process prints, its crashes included, go to a log.

    For worker processes: the file descriptors 1 and 2 are turned, so that what C++ and CUDA say
    arrives as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(1), os.dup(2)
    with path.open("a") as file:
        try:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            faulthandler.enable(file=2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, old in zip((1, 2), kept, strict=True):
                os.dup2(old, descriptor)
                os.close(old)
