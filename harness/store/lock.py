"""Edge: one process at a time writes a study's results."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import BusyError, StoreError
from harness.store.files import write_whole

LOCK = ".lock"
"""The file that the kernel locks for its holder, and frees when the holder is gone, killed or not."""

HOLDER = ".holder.json"
"""Who the holder is, for those who come second; a killed one leaves it, and it locks nothing."""


@contextmanager
def study_lock(folder: Path) -> Iterator[None]:
    """Be the only process that writes `results/<study>`.

    Raises:
        BusyError: another process does.
        StoreError: the disk refuses.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise _busy(folder) from None
    except OSError as error:
        raise StoreError(
            f"{folder / LOCK} can't be locked: {error}",
            rule="who writes results holds a lock in their folder",
            remedy="see to the folder's rights, or give another folder with --results",
        ) from error
    try:
        _sign(folder)
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _sign(folder: Path) -> None:
    facts = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_whole(folder / HOLDER, lambda file: file.write(json.dumps(facts).encode()), option="--results")


def _busy(folder: Path) -> BusyError:
    try:
        facts = json.loads((folder / HOLDER).read_text())
        who = f"process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "a process that has not said yet which it is"
    return BusyError(
        f"{folder} is written by {who}",
        rule="one process at a time writes the results of a study",
        remedy="wait until it has ended, or end it; `harness status` can be called meanwhile",
    )
