"""How quickly 100,000 runs are looked at, and in how much memory; `nox -s bench` prints the table."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.design.loading import load_study
from harness.design.run import Run
from harness.design.study import Study
from harness.store.results import Results
from harness.store.tables import DIAGNOSTICS, WEIGHTS, curves_schema
from tests.benchmarks.costs import benchmark_program, pedantic, record_costs
from tests.benchmarks.fabricated import batches, no_syncs, put, run_row, runs_of
from tests.benchmarks.figures import record
from tests.pace import slowness

RUNS = 100_000
SINGLE = 400
"""Runs, at least, that are not joined yet while one looks."""

DECLARATION = f"""
from harness import Factor, Study, Variant

study = Study(
    name="wide",
    question="Is it quick?",
    dataset="devanagari",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(
        Factor("batch_size", (8, 16, 32, 64, 128)),
        Factor("lr", (0.001, 0.003, 0.01, 0.1, 1.0)),
        Factor("dropout", (0.0, 0.25)),
    ),
    seeds={RUNS // 100},
    epochs=30,
)
"""

STATUS = "from harness.cli import main\nmain()"

RESUME = """
from harness.design.loading import load_study
from harness.store.ledger import open_ledger
from harness.store.results import Results
study = load_study(sys.argv[2])
ledger = open_ledger(study, Results(Path(sys.argv[4]) / study.name))
print("missing", len(ledger.unfinished(retry_failed=False)))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study `wide.py` and, in `results`, all of its runs but three."""
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("takes half a minute: `nox -s bench` runs it")
    folder = tmp_path_factory.mktemp("wide")
    (folder / "wide.py").write_text(DECLARATION)
    study = load_study(str(folder / "wide.py"))
    results = Results(folder / "results" / "wide")
    runs = runs_of(study)[:-3]
    assert len(runs) == RUNS - 3
    with no_syncs():
        for batch in batches(runs, single=SINGLE):
            put(results, study, [row_of(study, run) for run in batch], beside=brief(batch))
    return folder


def brief(runs: Sequence[Run]) -> dict[str, tuple[list[int], pa.Table]]:
    """Two rows a run of curves and weights, which stand for the many that there are."""
    ids = [run.run_id for run in runs for _ in range(2)]
    return {
        table: (
            [2] * len(runs),
            pa.table(
                {"run_id": ids, **{name: [None] * len(ids) for name in columns.names[1:]}}, schema=columns
            ),
        )
        for table, columns in (
            ("curves", curves_schema(())),
            ("weights", WEIGHTS),
            ("diagnostics", DIAGNOSTICS),
        )
    }


def row_of(study: Study, run: Run) -> dict[str, Any]:
    splits, figures = ("train", "test"), ("loss", "accuracy")
    return run_row(study, run, **{f"{split}_{what}": run.seed / 7 for split in splits for what in figures})


@pytest.mark.parametrize("what", ["status", "resume"])
def test_looking_at_a_hundred_thousand_runs(benchmark: BenchmarkFixture, wide: Path, what: str) -> None:
    """Wanted are 5 s of one core and 1 GB, the start of Python included; twice the time is an error."""
    program, missing = {"status": (STATUS, [f"{RUNS - 3}", "3"]), "resume": (RESUME, ["missing", "3"])}[what]
    words = ["status", str(wide / "wide.py"), "--results", str(wide / "results")]
    costs = benchmark_program(benchmark, program, words, rounds=3)
    assert costs.said[-2:] == missing
    record_costs(benchmark, f"{what}, {RUNS:,} runs recorded", costs, seconds=5, megabytes=1000)
    assert costs.seconds < 10 * slowness()
    assert costs.megabytes < 1000


def test_joining_the_files_of_some_runs(benchmark: BenchmarkFixture, wide: Path, tmp_path: Path) -> None:
    """What a runner does after every 256 runs, the other 99,600 beside it; with real syncs."""

    def afresh() -> tuple[tuple[Results], dict[str, Any]]:
        folder = tmp_path / "wide"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(wide / "results" / "wide", folder)
        return (Results(folder),), {}

    assert pedantic(benchmark, Results.compact, setup=afresh, rounds=2) == []
    if benchmark.stats is not None:
        least = benchmark.stats.stats.min
        record(benchmark, f"joining {SINGLE} runs' files beside {RUNS:,} runs", least, "s")
    for table in ("runs", "curves", "weights"):
        names = [path.name for path in (tmp_path / "wide" / table).iterdir()]
        assert all(name.startswith("joined-") for name in names)
