"""A tuned study that is killed at random moments, and called again each time, ends as an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import left_of_group
from tests.tables import assert_equal, frame

DECLARATION = """
from harness import Range, Search, Study, Variant

study = Study(
    name="tuned",
    question="Does it run?",
    dataset="folder:images",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=6,
    epochs=4,
    settings={"probe_size": 20, "validation": 0.25, "depth": 1, "width": 4},
    search=Search(
        space={"lr": Range(0.001, 1.0, log=True), "batch_size": (4, 8, 16)}, budget=20, batch=3, halving=2
    ),
)
"""
LONGEST_WAIT = 20.0


def words(results: str, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "harness.cli", "run", "tuned", "--workers", str(workers), "--results", results
    ]  # fmt: skip


def written(results: str) -> int:
    """Files that were written so far, counted with those that were joined."""
    return sum(1 for _ in Path(results).rglob("runs/*.parquet"))


def kill(results: str, chance: random.Random) -> bool:
    """Start a call and kill it after a few more runs, or before its first; false where it ended by itself."""
    more, before, deadline = chance.randint(0, 8), written(results), time.monotonic() + LONGEST_WAIT
    call = subprocess.Popen(words(results, 2), stderr=subprocess.DEVNULL, start_new_session=True)
    while call.poll() is None and written(results) < before + more and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.3 if more else 5))
    if call.poll() is None:
        os.kill(call.pid, signal.SIGKILL)
    ended_itself = call.wait() == 0
    assert left_of_group(call.pid, seconds=30) == []  # one that was importing torch notices late
    return not ended_itself


@pytest.mark.faults
def test_a_tuned_study_killed_at_30_random_moments_equals_an_undisturbed_one(project: Path) -> None:
    (project / "studies" / "tuned.py").write_text(DECLARATION)
    chance = random.Random(30)
    killed = [kill("disturbed", chance) for _ in range(30)]
    assert any(killed)
    for results, workers in (("disturbed", 2), ("calm", 1)):
        assert subprocess.run(words(results, workers), capture_output=True, check=False).returncode == 0
    assert_equal(project / "calm" / "tuned", project / "disturbed" / "tuned", tuned=True)
    trials = frame(project / "calm" / "tuned", "trials")
    assert trials.groupby("variant")["number"].nunique().tolist() == [20, 20]
    assert not list((project / "disturbed").rglob(".*.tmp"))
    assert not list((project / "disturbed").rglob("*.damaged"))
