"""Processes that are watched, and groups of them that have little memory, for tests that kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from harness.runner.memory import CGROUPS


def as_at_a_terminal() -> None:
    """For `preexec_fn`: heed what a shell's background job, or nohup's, ignores and hands down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def left_of_group(group: int, *, seconds: float) -> list[str]:
    """The process numbers of a group's living members, once it had some time to end."""
    deadline = time.monotonic() + seconds
    while True:
        living = [pid for pid, state, of in processes() if of == group and state != "Z"]
        if not living or time.monotonic() > deadline:
            return living
        time.sleep(0.05)


def processes() -> Iterator[tuple[str, str, int]]:
    """Number, state and group of every process (proc(5), /proc/PID/stat)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # it ended between the listing and the reading
            continue
        yield path.parent.name, state, int(group)


@contextmanager
def small_group(limit: int) -> Iterator[Callable[[], None]]:
    """A control group (cgroups(7)) of so many bytes, where this machine lets us make one; else skip.

    What it yields is called in a child process, which then belongs to the group.
    """
    for parent, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        group = CGROUPS / parent / f"harness-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / name).exists():  # the kernel made it: a group, and no folder
            (group / name).write_text(str(limit))
            try:
                yield partial(_join, group)
            finally:
                _leave(group)
            return
        group.rmdir()
    pytest.skip("no control group with a limit of memory can be made here")


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _leave(group: Path) -> None:
    deadline = time.monotonic() + 10
    while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    group.rmdir()
