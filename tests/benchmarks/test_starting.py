"""What starts: commands, the package, a worker and its runs one after another; `nox -s bench` prints it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data import open_dataset
from harness.design.run import Cell, Run
from harness.runner.crew import Crew
from harness.runner.desk import Desk
from harness.runner.executing import execute
from harness.runner.outcome import Outcome
from tests.benchmarks.costs import pedantic
from tests.benchmarks.figures import record

ROOT = Path(__file__).parents[2]

MAIN = "from harness.cli import main; main()"

STARTS: dict[str, tuple[list[str], float | None]] = {
    "harness --help": ([MAIN, "--help"], None),
    "harness list": ([MAIN, "list"], 0.6),
    "harness plan article": ([MAIN, "plan", "article"], 3.0),
    "import harness": (["import harness"], None),
    "import torch": (["import torch"], None),
}
"""Programs, and the seconds that they may take."""

RUNS = 4


@pytest.mark.parametrize("name", STARTS)
def test_a_start(benchmark: BenchmarkFixture, name: str) -> None:
    """By the clock, the start of Python included."""
    if benchmark.disabled:
        pytest.skip("a matter of `nox -s bench`")
    words, most = STARTS[name]
    pedantic(benchmark, lambda: _seconds(words), rounds=5)
    assert benchmark.stats is not None
    seconds = benchmark.stats.stats.min
    record(
        benchmark,
        f"start: {name}",
        seconds,
        "s",
        ratio=seconds / min(_seconds(["pass"]) for _ in range(5)),
        baseline="python -c pass",
        target="" if most is None else f"≤ {most} s",
        met=None if most is None else seconds <= most,
    )


def _seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", *words], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def test_a_worker_starts_once(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Torch and data are there for its first run; a later one costs no start, only being handed over."""
    if benchmark.disabled:
        pytest.skip("a matter of `nox -s bench`")
    runs = [_run(seed) for seed in range(RUNS)]
    took: list[tuple[float, Outcome]] = []
    pedantic(benchmark, lambda: took.extend(_handed(runs, tmp_path)), rounds=1)
    assert [outcome.records.status for _, outcome in took] == ["completed"] * RUNS
    beside = [seconds - outcome.wall_seconds for seconds, outcome in took]
    record(benchmark, "worker: start, torch included", beside[0], "s")
    record(
        benchmark,
        "worker: from one run to the next",
        1000 * min(beside[1:]),
        "ms",
        ratio=min(beside[1:]) / beside[0],
        baseline="its start",
    )
    walls = [outcome.wall_seconds for _, outcome in took]
    record(
        benchmark,
        "worker: what its first run takes longer (data)",
        1000 * (walls[0] - min(walls[1:])),
        "ms",
    )
    assert max(beside[1:]) < beside[0] / 2


def _run(seed: int) -> Run:
    given = {"batch_size": 32, "lr": 0.05, "probe_size": 200}
    return Run(Cell("plain", {}), seed, "digits", open_dataset("digits").sha256, 1, {**given})


def _handed(runs: list[Run], folder: Path) -> list[tuple[float, Outcome]]:
    """Each run's outcome, with the seconds since the one before it, or since the start."""
    desk = Desk(beacon=folder, logs=folder / "logs", checkpoints=folder / "checkpoints")
    took, last = [], time.perf_counter()
    with Crew[Run](("cpu",), desk=desk) as crew:
        for _, end in crew.results(deque(runs), lambda run: partial(execute, (run,), engine="solo")):
            now = time.perf_counter()
            took.append((now - last, end.outcomes[0]))
            last = now
    return took
