"""How long a study will take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from harness.design.run import Cell, Run
from harness.runner.estimating import estimate, predict_h200
from harness.runner.work import work_of_run


def run(
    variant: str = "plain", *, dataset: str = "devanagari", build: str | None = None, **given: object
) -> Run:
    return Run(Cell(variant, {}), 0, dataset, "0" * 64, 30, given, build=build)  # type: ignore[arg-type]


def test_the_prediction_for_an_h200_is_arithmetic_and_says_so() -> None:
    guess = predict_h200([run()] * 1440)
    assert guess.seconds == pytest.approx(1440 * work_of_run(run()).operations / 33.5e12)
    assert guess.basis == "by arithmetic alone, at 33.5 TFLOP/s or 4.3 TB/s; not measured"
    small = run(depth=1)  # multiplies little, and moves a third
    assert predict_h200([small]).seconds == pytest.approx(work_of_run(small).moved / 4.3e12)
    assert predict_h200([run(build="nets:make")]).seconds is None
    assert predict_h200([]).basis == "nothing is left to train"


def test_an_estimate_rests_on_arithmetic_first() -> None:
    guess = estimate([run()] * 4, recorded=None, workers=2)
    assert guess.seconds == pytest.approx(2 * work_of_run(run()).seconds)
    assert "arithmetic" in guess.basis


def recorded(*rows: dict[str, object], dataset: str = "devanagari") -> pa.Table:
    """Rows of `runs`: 30 epochs on all images, unless they say otherwise."""
    usual = {"stage": "evaluation", "dataset": dataset, "settings": "{}", "epochs": 30, "status": "completed"}
    return pa.Table.from_pylist([{**usual, **row} for row in rows])


def test_an_estimate_rests_on_finished_runs_when_there_are_any() -> None:
    rows = recorded(
        {"variant": "plain", "wall_seconds": 90.0},
        {"variant": "plain", "wall_seconds": 150.0},
        {"variant": "bn", "wall_seconds": 300.0},
        {"variant": "bn", "wall_seconds": 1.0, "status": "diverged"},
    )
    guess = estimate([run("plain"), run("bn")], recorded=rows, workers=2)
    assert guess.seconds == pytest.approx((120.0 + 300.0) / 2)
    assert "finished runs" in guess.basis


def test_an_estimate_from_finished_runs_takes_their_images_and_epochs_into_account() -> None:
    given: dict[str, Any] = {"train_images": 2000, "test_images": 500, "probe_size": 300}
    small = replace(run(**given), epochs=5)
    rows = recorded({"variant": "plain", "wall_seconds": 7.0, "settings": json.dumps(given), "epochs": 5})
    work, whole = work_of_run(small).seconds, work_of_run(run()).seconds
    assert estimate([small], recorded=rows, workers=1).seconds == pytest.approx(7.0)
    assert estimate([run()], recorded=rows, workers=1).seconds == pytest.approx(7.0 * whole / work)
    tuning = recorded({"variant": "plain", "wall_seconds": 7.0, "stage": "tuning"})  # measures no test images
    blind = work_of_run(replace(run(), stage="tuning")).seconds
    assert blind < whole
    assert estimate([run()], recorded=tuning, workers=1).seconds == pytest.approx(7.0 * whole / blind)


def test_an_estimate_for_data_of_unknown_size_rests_on_epochs() -> None:
    rows = recorded({"variant": "plain", "wall_seconds": 60.0}, dataset="folder:x")
    unknown = replace(run(dataset="folder:x"), epochs=10)
    assert estimate([unknown], recorded=rows, workers=1).seconds == pytest.approx(20.0)
    other = estimate([replace(unknown, dataset="folder:y")], recorded=rows, workers=1)
    assert other.seconds is None


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [(run(dataset="folder:x"), "size of these data"), (run("mine", build="a:b"), "until a run of mine")],
)
def test_what_is_not_known_is_called_unknown(unknown: Run, reason: str) -> None:
    guess = estimate([unknown], recorded=None, workers=2)
    assert guess.seconds is None
    assert reason in guess.basis
