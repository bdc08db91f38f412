"""A process that the kernel killed for want of memory is told from one that a person killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from harness.runner.memory import MemoryKills
from tests.processes import small_group

ROOT = Path(__file__).parents[2]
SCRIPT = """
import subprocess, sys
from harness.runner.memory import MemoryKills
kills = MemoryKills()
killed = subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
print(killed.returncode, kills.one_more())
greedy = subprocess.run([sys.executable, "-c", "x = bytearray(10**9)"])
print(greedy.returncode, kills.one_more(), kills.one_more())
"""


def test_each_kill_is_told_once(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 4\noom_group_kill 0\n")  # cgroups(7), v2
    kills = MemoryKills(events)
    assert not kills.one_more()
    events.write_text("low 0\nhigh 0\nmax 12\noom 9\noom_kill 6\noom_group_kill 0\n")
    assert [kills.one_more() for _ in range(3)] == [True, True, False]


def test_a_machine_that_does_not_count_has_no_kills(tmp_path: Path) -> None:
    assert not MemoryKills(tmp_path / "nothing").one_more()


def test_the_kernels_memory_killer_is_told_from_a_signal() -> None:
    words = [sys.executable, "-c", SCRIPT]
    with small_group(300_000_000) as join:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=join)
    died = -signal.SIGKILL
    assert done.stdout.splitlines() == [f"{died} False", f"{died} True False"]
