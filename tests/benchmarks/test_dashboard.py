"""What the mirror costs a run, and what note and figures cost now and then; `nox -s bench` prints the table.

On an AMD EPYC 9R14, 31 points a curve: 20 ms a run into SQLite, nearly all of it in Optuna. Measured are
CPU seconds: those of the clock depend on what else the machine does.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.dashboard.endings import Ending
from harness.dashboard.window import Window
from harness.data import known_sha256
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from tests.benchmarks.figures import record as record_figure
from tests.pace import slowness
from tests.report.conftest import record

MOST_SECONDS = 0.025
"""What a run may cost; see the issue of the dashboard."""


@pytest.fixture
def study() -> Study:
    """The grid of `factorial`, with seeds enough for every round."""
    return Study(
        name="factorial",
        question="What does a run cost?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(
            Factor("batch_size", (8, 32, 128)),
            Factor("lr", (0.001, 0.01, 0.1, 1.0)),
            Factor("dropout", (0.0, 0.25, 0.5)),
        ),
        seeds=60,
        epochs=30,
    )


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(before)


def endings(study: Study) -> Iterator[Ending]:
    """Runs that completed, with a curve of 31 points."""
    for run in study.runs(known_sha256("digits") or ""):
        curve = {epoch: 1 - 0.9**epoch for epoch in range(study.epochs + 1)}
        now = datetime.now(UTC)
        yield Ending(run, "completed", curve[study.epochs], curve, 1.0, "solo", "cpu", None, now)


@pytest.mark.benchmark(timer=time.process_time)
def test_a_run_is_mirrored(benchmark: BenchmarkFixture, study: Study, tmp_path: Path) -> None:
    ended = endings(study)
    with Window(study, tmp_path / "factorial", say=print) as window:
        window.catch_up()
        for ending in itertools.islice(ended, 20):
            window.add(ending)
        benchmark.pedantic(lambda: window.add(next(ended)), rounds=200)  # type: ignore[no-untyped-call]
        assert len(window.stored.trials()) >= 21
    if benchmark.stats is not None:
        least = benchmark.stats.stats.min
        record_ms(benchmark, "mirror: a run", least, most=MOST_SECONDS)
        assert benchmark.stats.stats.min < 2 * MOST_SECONDS * slowness()


@pytest.mark.benchmark(timer=time.process_time)
def test_note_and_figures_are_written(benchmark: BenchmarkFixture, study: Study, tmp_path: Path) -> None:
    def first_seeds(run: Run) -> str:
        return "completed" if run.seed < 2 else "missing"

    recorded = record(study, tmp_path / "factorial", statuses=first_seeds, weights=0)
    with Window(study, recorded.folder, say=print) as window:
        window.catch_up()
        benchmark.pedantic(window.show, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]
        assert window.stored.number == 1
    if benchmark.stats is not None:
        record_ms(benchmark, "mirror: note and figures", benchmark.stats.stats.min)


def record_ms(benchmark: BenchmarkFixture, what: str, seconds: float, *, most: float | None = None) -> None:
    """A row of the table, in milliseconds of a core."""
    unit = "ms of a core"
    if most is None:
        record_figure(benchmark, what, 1000 * seconds, unit)
    else:
        target = f"≤ {1000 * most:g} ms"
        record_figure(benchmark, what, 1000 * seconds, unit, target=target, met=seconds <= most)
