"""Edge: one process at a time writes a study's results, and a killed one is no obstacle."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import BusyError, StoreError
from harness.store.lock import study_lock

ROOT = Path(__file__).parents[2]

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from harness.store.lock import study_lock
with study_lock(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    sys.stdin.readline()
print("released", flush=True)
sys.stdin.readline()
child.kill()
"""


@contextmanager
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lock until it reads a line, and a child of it that sleeps."""
    words = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)


def taken_by_another(folder: Path) -> BusyError:
    with pytest.raises(BusyError) as caught, study_lock(folder):
        pass
    return caught.value


def test_a_second_process_is_refused_at_once_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "small"
    with holder(folder) as (process, _):
        began = time.monotonic()
        error = taken_by_another(folder)
        assert time.monotonic() - began < 1
        who = rf"process {process.pid} on {re.escape(socket.gethostname())} since (\S+)"
        told = re.fullmatch(rf"{re.escape(str(folder))} is written by {who}", error.received)
        assert told
        age = datetime.now(UTC) - datetime.fromisoformat(told[1])
        assert timedelta(0) <= age < timedelta(minutes=1)
        assert error.rule == "one process at a time writes the results of a study"
        assert error.remedy == (
            "wait until it has ended, or end it; `harness status` can be called meanwhile"
        )
        assert error.exit_status == 1


def test_the_lock_is_free_again_once_its_holder_lets_go(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        taken_by_another(tmp_path)
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "released\n"
        with study_lock(tmp_path):
            pass


def test_a_killed_holder_is_no_obstacle_though_its_child_lives_on(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, child):
        process.kill()
        process.wait()
        assert {path.name for path in tmp_path.iterdir()} == {".lock", ".holder.json"}
        assert json.loads((tmp_path / ".holder.json").read_text())["pid"] == process.pid
        os.kill(child, 0)  # raises where it has ended
        with study_lock(tmp_path):
            assert json.loads((tmp_path / ".holder.json").read_text())["pid"] == os.getpid()
        assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_an_error_under_the_lock_frees_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), study_lock(tmp_path):
        raise ZeroDivisionError
    with study_lock(tmp_path):
        pass


def test_the_same_process_can_hold_it_once_only(tmp_path: Path) -> None:
    with study_lock(tmp_path):
        assert f"process {os.getpid()} on" in taken_by_another(tmp_path).received
        with study_lock(tmp_path / "another study"):
            pass


@pytest.mark.parametrize("facts", [None, "", "{}", "[1]", '{"pid": 7}'])
def test_a_holder_that_has_not_said_who_it_is_is_told_as_such(tmp_path: Path, facts: str | None) -> None:
    with holder(tmp_path):
        if facts is None:
            (tmp_path / ".holder.json").unlink()
        else:
            (tmp_path / ".holder.json").write_text(facts)
        assert (
            "is written by a process that has not said yet which it is" in taken_by_another(tmp_path).received
        )


def test_a_folder_that_cannot_be_made_is_a_refusal_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file of the user's")
    with pytest.raises(StoreError) as caught, study_lock(tmp_path / "results" / "small"):
        pass
    assert f"{tmp_path / 'results' / 'small' / '.lock'} can't be locked: " in caught.value.received
    assert caught.value.rule == "who writes results holds a lock in their folder"
    assert "give another folder with --results" in caught.value.remedy


def test_two_processes_that_come_at_once_do_not_both_write(tmp_path: Path) -> None:
    """Eight at a time add one to a number, ten times each; whoever finds the lock taken tries again."""
    program = """
import sys, time
from pathlib import Path
from harness.errors import BusyError
from harness.store.lock import study_lock
folder, done = Path(sys.argv[1]), 0
while done < 10:
    try:
        with study_lock(folder):
            number = int((folder / "number").read_text())
            time.sleep(0.002)
            (folder / "number").write_text(str(number + 1))
            done += 1
    except BusyError:
        time.sleep(0.001)
"""
    (tmp_path / "number").write_text("0")
    words = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(words, cwd=ROOT) for _ in range(8)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 8
    assert (tmp_path / "number").read_text() == "80"
