"""How quickly 100,000 runs are looked at, and in how much memory; `nox -s bench` prints the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.data import known_sha256
from harness.design.loading import load_study
from harness.design.run import Run
from harness.store.results import Results, member_name
from harness.store.tables import WEIGHTS, curves_schema, runs_schema
from tests.pace import slowness

RUNS = 100_000
JOINED = 256
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

COSTS = """
import atexit, re, sys, time
from pathlib import Path
status = Path("/proc/self/status")
peak = lambda: re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]
atexit.register(lambda: print(time.process_time(), peak()))
"""
"""Prints the CPU seconds of a process, and the most memory that it had: wait4(2) would tell that of its
parent, where it was more. Seconds of the clock depend on what else this machine does.
"""

STATUS = f"{COSTS}\nfrom harness.cli import main\nmain()"

RESUME = f"""{COSTS}
from harness.design.loading import load_study
from harness.store.ledger import open_ledger
from harness.store.results import Results
study = load_study(sys.argv[2])
ledger = open_ledger(study, Results(Path(sys.argv[4]) / study.name))
print("missing", len(ledger.unfinished(retry_failed=False)))
"""

pytestmark = pytest.mark.slow

Result = TypeVar("Result")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study `wide.py` and, in `results`, all of its runs but three."""
    folder = tmp_path_factory.mktemp("wide")
    (folder / "wide.py").write_text(DECLARATION)
    study = load_study(str(folder / "wide.py"))
    results = Results(folder / "results" / "wide")
    runs = study.runs(known_sha256(study.dataset) or "")[:-3]
    assert len(runs) == RUNS - 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        ends = range(0, len(runs) - SINGLE - JOINED, JOINED)
        for start in ends:
            put(results, runs[start : start + JOINED], runs_schema(study.factors))
        for run in runs[ends[-1] + JOINED :]:
            put(results, [run], runs_schema(study.factors))
    return folder


def put(results: Results, runs: Sequence[Run], schema: pa.Schema) -> None:
    """Write some runs as the runner leaves them, joined where they are several: two rows a run of curves
    and weights stand for the many that there are.
    """
    runs = sorted(runs, key=lambda run: run.run_id)
    names = [member_name(run.run_id, 1) for run in runs]
    ids = [run.run_id for run in runs for _ in range(2)]
    for table, columns in (("curves", curves_schema(())), ("weights", WEIGHTS)):
        empty = {name: [None] * len(ids) for name in columns.names[1:]}
        rows = pa.table({"run_id": ids, **empty}, schema=columns)
        results.shelf(table).put(dict.fromkeys(names, 2), rows)
    rows = pa.Table.from_pylist([row_of(run) for run in runs], schema=schema)
    results.shelf("runs").put(dict.fromkeys(names, 1), rows)


def row_of(run: Run) -> dict[str, Any]:
    figures = {
        f"{split}_{what}": run.seed / 7 for split in ("train", "test") for what in ("loss", "accuracy")
    }
    return {
        "run_id": run.run_id,
        "attempt": 1,
        "study": "wide",
        "stage": "evaluation",
        "variant": run.cell.variant,
        **run.cell.levels,
        "settings": json.dumps(run.settings, sort_keys=True),
        "seed": run.seed,
        "dataset": run.dataset,
        "epochs": run.epochs,
        "status": "completed",
        **figures,
        "wall_seconds": 100.0 + run.seed,
        "engine": "solo",
        "device": "cpu",
        "host": "here",
        "pack_size": 1,
        "fingerprint": run.fingerprint,
        "call_id": "c0ffee",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=run.seed),
    }


@pytest.mark.parametrize("what", ["status", "resume"])
def test_looking_at_a_hundred_thousand_runs(benchmark: BenchmarkFixture, wide: Path, what: str) -> None:
    """At most 5 s of one core and 1 GB, the start of Python included."""
    program, missing = {"status": (STATUS, [f"{RUNS - 3}", "3"]), "resume": (RESUME, ["missing", "3"])}[what]
    words = ["status", str(wide / "wide.py"), "--results", str(wide / "results")]
    costs: list[tuple[float, float]] = []

    def look() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        *said, seconds, kilobytes = done.stdout.split()
        costs.append((float(seconds), int(kilobytes) * 1024 / 1e6))
        return said

    said = pedantic(benchmark, look, rounds=3)
    assert said[-2:] == missing
    note_peak(benchmark, max(peak for _, peak in costs))
    assert min(seconds for seconds, _ in costs) < 5 * slowness()
    assert max(peak for _, peak in costs) < 1000


def test_joining_the_files_of_some_runs(benchmark: BenchmarkFixture, wide: Path, tmp_path: Path) -> None:
    """What a runner does after every 256 runs, the other 99,600 beside it; with real syncs."""

    def afresh() -> tuple[tuple[Results], dict[str, Any]]:
        folder = tmp_path / "wide"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(wide / "results" / "wide", folder)
        return (Results(folder),), {}

    assert pedantic(benchmark, Results.compact, setup=afresh, rounds=2) == []
    for table in ("runs", "curves", "weights"):
        names = [path.name for path in (tmp_path / "wide" / table).iterdir()]
        assert all(name.startswith("joined-") for name in names)


def pedantic(benchmark: BenchmarkFixture, work: Callable[..., Result], **how: Any) -> Result:
    """`benchmark.pedantic`, with a type."""
    result: Result = benchmark.pedantic(work, **how)  # type: ignore[no-untyped-call]
    return result


def note_peak(benchmark: BenchmarkFixture, megabytes: float) -> None:
    """Show the memory beside the times."""
    if benchmark.stats is not None:
        benchmark.extra_info["peak_mb"] = round(megabytes)
        benchmark.stats.name += f" peak {megabytes:.0f} MB"
