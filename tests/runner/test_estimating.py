"""How long a study will take."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harness.design.run import Cell, Run
from harness.runner.estimating import REFERENCE_GFLOPS, estimate, operations


def run(
    variant: str = "plain", *, dataset: str = "devanagari", build: str | None = None, **given: object
) -> Run:
    return Run(Cell(variant, {}), 0, dataset, "0" * 64, 30, given, build=build)  # type: ignore[arg-type]


def test_operations_are_those_of_the_articles_network() -> None:
    # Counted by hand: conv1 2·1024·16·9, conv2 and conv3 2·1024·16·16·9 each, head 2·4096·10; backward
    # twice as much, but no gradient of the images: 9.81 MFLOP forward, 29.15 MFLOP an image trained on.
    forward = 2 * 1024 * 16 * 9 + 2 * (2 * 1024 * 16 * 16 * 9) + 2 * 4096 * 10
    backward = 2 * forward - 2 * 1024 * 16 * 9
    assert forward == pytest.approx(9.81e6, rel=1e-3)
    assert forward + backward == pytest.approx(29.15e6, rel=2e-3)
    expected = 30 * 17000 * (forward + backward) + 31 * (1024 + 3000) * forward
    assert operations(run()) == expected


def test_an_estimate_rests_on_arithmetic_first() -> None:
    guess = estimate([run()] * 4, recorded=None, workers=2)
    assert guess.seconds == pytest.approx(2 * operations(run()) / (REFERENCE_GFLOPS * 1e9))
    assert "arithmetic" in guess.basis


def test_an_estimate_rests_on_finished_runs_when_there_are_any() -> None:
    rows = {
        "variant": ["plain", "plain", "bn", "bn"],
        "status": ["completed", "completed", "completed", "diverged"],
        "wall_seconds": [30.0, 50.0, 100.0, 1.0],
        "epochs": [10, 10, 10, 10],
    }
    guess = estimate([run("plain"), run("bn")], recorded=pa.table(rows), workers=2)
    assert guess.seconds == pytest.approx((30 * 4.0 + 30 * 10.0) / 2)  # 4 and 10 seconds an epoch
    assert "finished runs" in guess.basis


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [(run(dataset="folder:x"), "size of these data"), (run("mine", build="a:b"), "until a run of mine")],
)
def test_what_is_not_known_is_called_unknown(unknown: Run, reason: str) -> None:
    guess = estimate([unknown], recorded=None, workers=2)
    assert guess.seconds is None
    assert reason in guess.basis
