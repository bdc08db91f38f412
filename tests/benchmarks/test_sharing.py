"""Workers share the pages of their data: two need hardly more memory for them than one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data import cache
from harness.data.dataset import Dataset, Split
from tests.benchmarks.costs import pedantic
from tests.benchmarks.figures import record

TRAIN, TEST = 17_000, 3_000
PICTURES = (TRAIN + TEST) * 32 * 32
"""Bytes of the images."""

MOST = 1.2
"""Of one worker's memory for the data, what two may have together."""

PROGRAM = """
import sys
from pathlib import Path
import torch
from harness.data import cache
from harness.design.run import Cell, Run
from harness.training.batches import Resident
from harness.training.splits import splits_of

def own():
    "Kilobytes of this process; of pages that it shares with others its part."
    return int(Path("/proc/self/smaps_rollup").read_text().split("Pss:")[1].split()[0])

def told():
    print(own(), flush=True)
    sys.stdin.readline()

torch.zeros(4096)[torch.arange(2048)].sum().item()
told()
dataset = cache.load(Path(sys.argv[1]), name="made up")
run = Run(Cell("plain", {}), int(sys.argv[2]), "made up", dataset.sha256, 1, {})
training, measured = splits_of(run, dataset, torch.device("cpu"))
seen = 0
for part in (training, *measured.values()):
    for index in torch.arange(len(part)).split(32):
        seen += len(part.batch(index)[1])
told()
"""
"""Opens data from the cache and passes over them as a run does; tells its memory before and after."""


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 decoded images in a cache."""
    rng = np.random.default_rng(0)
    train, test = (
        Split(rng.integers(0, 256, (count, 1, 32, 32), dtype=np.uint8), rng.integers(0, 10, count))
        for count in (TRAIN, TEST)
    )
    folder = tmp_path_factory.mktemp("cache") / "made up"
    cache.store(Dataset("made up", train, test, tuple("0123456789"), ""), folder=folder, stamp="")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells what is shared")
def test_two_workers_share_their_data(benchmark: BenchmarkFixture, entry: Path) -> None:
    """By the proportional set size, smaps(5): a page of two processes counts half in each."""
    alone = grown(entry, workers=1)
    together = pedantic(benchmark, lambda: grown(entry, workers=2), rounds=1)
    record(
        benchmark,
        "data of 20,000 images, two workers",
        together / 1e6,
        "MB",
        ratio=together / alone,
        baseline="one worker's",
        share=together / PICTURES,
        floor="its pixels",
        target=f"≤ {MOST} × one worker's",
        met=together <= MOST * alone,
    )
    assert alone > PICTURES
    assert together <= MOST * alone


def grown(entry: Path, *, workers: int) -> int:
    """Bytes by which processes grow that open the data side by side."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(entry), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for seed in range(workers)
    ]
    before = [_told(process) for process in processes]
    for process in processes:
        _go_on(process)
    # Each has to have opened the data before the first number counts: a page's share falls with its users.
    for process in processes:
        _told(process)
    after = [_own(process.pid) for process in processes]
    for process in processes:
        process.communicate("\n", timeout=60)
        assert process.returncode == 0
    return 1024 * (sum(after) - sum(before))


def _told(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _own(pid: int) -> int:
    """Kilobytes of a process; of pages that it shares with others its part."""
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
