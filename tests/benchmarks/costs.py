"""What a process costs, start of Python included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.figures import record

Result = TypeVar("Result")

_TOLD = """
import atexit, re, sys, time
from pathlib import Path
status = Path("/proc/self/status")
peak = lambda: re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]
atexit.register(lambda: print(time.process_time(), peak()))
"""
"""wait4(2) would tell the memory of the parent, where that was more."""


@dataclass(frozen=True)
class Costs:
    """What a process said, and what it took.

    Attributes:
        said: the words on its standard output.
        seconds: of the CPU, on all threads: those of the clock depend on what else the machine does.
        megabytes: the most memory that it had.
    """

    said: list[str]
    seconds: float
    megabytes: float


def run_program(program: str, words: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Costs:
    """Run a Python program by itself.

    Args:
        program: its text.
        words: of its command line.
        environment: variables that it has beside those of this process.
    """
    command = [sys.executable, "-c", f"{_TOLD}\n{program}", *words]
    whole = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=whole)
    *said, seconds, kilobytes = done.stdout.split()
    return Costs(said, float(seconds), int(kilobytes) * 1024 / 1e6)


def benchmark_program(
    benchmark: BenchmarkFixture, program: str, words: Sequence[str], *, rounds: int
) -> Costs:
    """The same some times over, timed: the fewest seconds and the most memory."""
    costs: list[Costs] = []
    pedantic(benchmark, lambda: costs.append(run_program(program, words)), rounds=rounds)
    megabytes = max(cost.megabytes for cost in costs)
    if benchmark.stats is not None:
        benchmark.extra_info["peak_mb"] = round(megabytes)
    return Costs(costs[-1].said, min(cost.seconds for cost in costs), megabytes)


def record_costs(
    benchmark: BenchmarkFixture, what: str, costs: Costs, *, seconds: float, megabytes: float
) -> None:
    """Two rows of the table: the seconds and the memory of a program, each beside what it may take."""
    for value, unit, most in ((costs.seconds, "s", seconds), (costs.megabytes, "MB", megabytes)):
        record(benchmark, what, value, unit, target=f"≤ {most:,g} {unit}", met=value <= most)


def pedantic(benchmark: BenchmarkFixture, work: Callable[..., Result], **how: Any) -> Result:
    """`benchmark.pedantic`, with a type."""
    result: Result = benchmark.pedantic(work, **how)  # type: ignore[no-untyped-call]
    return result
