"""A study that is killed at random moments, and called again each time, loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from harness.design.loading import load_study
from tests.processes import as_at_a_terminal, left_of_group
from tests.tables import KEYS, assert_equal

pytestmark = pytest.mark.slow

LONGEST_CALL = 6.0
"""Seconds within which the moment of a kill lies; a call takes about 4 to import torch and begin."""


def words(results: str, seeds: int) -> list[str]:
    return [
        sys.executable, "-m", "harness.cli", "run", "tiny", "--workers", "2", "--seeds", str(seeds),
        "--retries", "1000", "--results", results, "--checkpoint", "0.05", "--set", "epochs=8", "--set",
        "diagnostics=1,8",
    ]  # fmt: skip


def start(results: str, seeds: int) -> subprocess.Popen[bytes]:
    """A call in a group of its own, as a terminal starts it."""
    return subprocess.Popen(
        words(results, seeds),
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=as_at_a_terminal,
    )


def disturb(call: subprocess.Popen[bytes], chance: random.Random) -> str:
    """Kill a worker, or end the call, at a random moment; what was done."""
    time.sleep(chance.uniform(0, LONGEST_CALL))
    how = chance.choices(["worker", "SIGKILL", "SIGTERM", "SIGINT"], weights=[4, 4, 1, 1])[0]
    if how != "worker":
        os.kill(call.pid, signal.Signals[how])
        return how
    try:
        children = psutil.Process(call.pid).children()
        workers = [child for child in children if "LokyProcess" in " ".join(child.cmdline())]
        chance.choice(workers).kill()
    except (psutil.NoSuchProcess, IndexError):  # there is none yet, or none any more
        return "nobody"
    return "worker"


def survive(kills: int, chance: random.Random) -> tuple[int, Counter[str]]:
    """Disturb calls until there were enough kills; how many seeds the study then has, and what was done."""
    seeds, done = 6, Counter[str]()
    call = start("disturbed", seeds)
    while done.total() - done["nobody"] - done["finished"] < kills:
        if call.poll() == 0:
            call.communicate()
            seeds += 10
            done["finished"] += 1
            call = start("disturbed", seeds)
        done[how := disturb(call, chance)] += 1
        if how.startswith("SIG"):
            _, err = call.communicate(timeout=60)
            assert left_of_group(call.pid, seconds=2) == [], how
            assert b"Traceback" not in err or b"to train" not in err, err.decode()
            assert call.returncode in {0, -9, 143, 130, -15, -2}, (how, call.returncode, err.decode())
            call = start("disturbed", seeds)
    call.communicate()
    return seeds, done


def rows_on_disk(results: str, table: str) -> Counter[tuple[Any, ...]]:
    """Every row of a table's files, by its key, without the harness's own reader."""
    found: Counter[tuple[Any, ...]] = Counter()
    for path in (Path(results) / "tiny" / table).glob("*.parquet"):
        rows = pq.read_table(path, columns=KEYS[table]).to_pylist()
        found.update(tuple(row.values()) for row in rows)
    return found


@pytest.mark.parametrize(
    "kills",
    [2, pytest.param(200, marks=pytest.mark.faults)],
)
def test_a_study_killed_at_random_moments_equals_an_undisturbed_one(kills: int, project: Path) -> None:
    seeds, done = survive(kills, random.Random(kills))
    sys.stdout.write(f"{dict(done)}, {seeds} seeds\n")
    for results in ("disturbed", "calm"):
        assert subprocess.run(words(results, seeds), capture_output=True, check=False).returncode == 0
    declared = len(load_study("tiny").variants) * 2 * seeds
    assert_equal(project / "disturbed" / "tiny", project / "calm" / "tiny")
    for table in KEYS:
        on_disk = rows_on_disk("disturbed", table)
        assert set(on_disk.values()) == {1}
        assert len({key[0] for key in on_disk}) == declared
    folder = project / "disturbed" / "tiny"
    assert not list(folder.rglob(".*.tmp"))
    assert not list(folder.rglob("*.damaged"))
    assert not list((folder / "checkpoints").iterdir())
