"""What the tests record at once is what the runner leaves: otherwise they would test another harness."""

from __future__ import annotations

from pathlib import Path

from harness.design.factor import Factor
from harness.store.results import Results
from tests.recording import Attempt, write_runs

FACTORS = (Factor("lr", (0.01, 0.1)),)


def attempt(number: int, status: str) -> Attempt:
    """A run of two epochs, or one without; `number` tells it from others."""
    run = {"run_id": f"{number:012x}", "attempt": 1 + number % 2, "status": status, "seed": number, "lr": 0.1}
    if status == "failed":
        return Attempt(run)
    curve = {"split": "test", "accuracy": 0.5, "seconds": 0.1}
    weight = {"layer": "conv1.weight", "index": "0,0,0,0", "value": 0.25 * number, "sampled": True}
    return Attempt(
        run,
        curves=[{"epoch": epoch, "loss": number + epoch / 8, **curve} for epoch in (0, 1)],
        weights=[{"epoch": epoch, "gradient": None, **weight} for epoch in (0, 1)] if number != 2 else (),
        diagnostics=[{"epoch": 1, "layer": "conv", "measure": "cosine", "step": 1.0, "value": 0.5}],
    )


def test_runs_recorded_at_once_read_as_those_that_the_runner_records_and_joins(tmp_path: Path) -> None:
    endings = ("completed", "failed", "completed", "diverged")
    attempts = [attempt(number, status) for number, status in enumerate(endings)]
    write_runs(Results(tmp_path / "at once"), attempts, factors=FACTORS)
    singly = Results(tmp_path / "singly")
    for one in attempts:
        singly.write_run(
            one.run,
            factors=FACTORS,
            curves=one.curves,
            weights=one.weights,
            diagnostics=one.diagnostics,
        )
    singly.compact()
    for table in ("runs", "curves", "weights", "diagnostics"):
        found, expected = (Results(tmp_path / name) for name in ("at once", "singly"))
        assert found.members(table) == expected.members(table)
        assert len(found.members(table)) == (4 if table == "runs" else 3)
        assert found.read(table) == expected.read(table)
        assert [path.name for path in (found.folder / table).iterdir()] == [
            path.name for path in (expected.folder / table).iterdir()
        ]
