"""The figures of all benchmarks, gathered for the table at the end; and a worker to measure in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from joblib.externals.loky import ProcessPoolExecutor

from harness.runner.devices import settle
from harness.runner.post import WORKER_ENVIRONMENT
from tests.benchmarks.figures import KEY, Figure, written

FIGURES = pytest.StashKey[list[Figure]]()

NARROWEST = 150
"""Columns of the table where the terminal has fewer: it goes into files and logs as well."""

Call = Callable[..., Any]
"""Calls a function, the first argument, with the others."""


@pytest.fixture(autouse=True)
def _gathered(request: pytest.FixtureRequest) -> Iterator[None]:
    benchmark = request.getfixturevalue("benchmark") if "benchmark" in request.fixturenames else None
    yield
    if benchmark is not None and benchmark.enabled:
        gathered = request.config.stash.setdefault(FIGURES, [])
        gathered += [Figure(**fields) for fields in benchmark.extra_info.get(KEY, [])]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, where there is anything to print."""
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.ensure_newline()
        width = max(shutil.get_terminal_size().columns, NARROWEST)
        terminalreporter.write(written(figures, width=width))


@pytest.fixture(scope="module")
def worker(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Calls functions in a process such as the runner's are; without timing, in this one.

    What it takes beside the function's own time is a millisecond.
    """
    if request.config.getoption("benchmark_enable"):
        with process(WORKER_ENVIRONMENT) as call:
            yield call
    else:
        yield lambda function, *arguments: function(*arguments)


@contextmanager
def process(environment: Mapping[str, str]) -> Iterator[Call]:
    """Calls functions in a process of one thread, with some variables of the environment of its own."""
    pool = ProcessPoolExecutor(
        max_workers=1,
        timeout=None,
        initializer=settle,
        initargs=("cpu", tuple(sys.path), os.getpid()),
        env=environment,
    )
    yield lambda function, *arguments: pool.submit(function, *arguments).result()
    pool.shutdown(wait=True, kill_workers=True)
