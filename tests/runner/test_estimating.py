"""How long a study will take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from harness.design.run import Cell, Run
from harness.runner.estimating import REFERENCE_GFLOPS, estimate, operations, predict_h200


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
    # Six times, after epochs 1, 2, 4, 8, 16 and 30, what seven training passes over the probe take.
    expected = (30 * 17000 + 6 * 7 * 1024) * (forward + backward) + 31 * (1024 + 3000) * forward
    assert operations(run()) == expected


FORWARD = 2 * 1024 * 16 * 9 + 2 * (2 * 1024 * 16 * 16 * 9) + 2 * 4096 * 10
LEARNED = 3 * FORWARD - 2 * 1024 * 16 * 9
"""Operations an image that is measured or learned from, as counted above."""


@pytest.mark.parametrize(
    ("given", "seen", "measured"),
    [
        ({"train_images": 2000}, 2000, 1024 + 3000),
        ({"train_images": 500, "test_images": 100}, 500, 500 + 100),
        ({"train_images": 10**6, "test_images": 10**6}, 17000, 1024 + 3000),
        ({"train_images": 2000, "validation": 0.25}, 1500, 1024 + 500 + 3000),
        # 17,000 / 32 = 531.25: 532 updates, and 32 of 1,000 images.
        ({"epoch_unit": "updates", "batch_size": 64}, 532 * 64, 1024 + 3000),
        ({"epoch_unit": "updates", "batch_size": 2, "train_images": 1000}, 32 * 2, 1000 + 3000),
    ],
)
def test_operations_are_those_of_the_images_that_are_used(
    given: dict[str, Any], seen: int, measured: int
) -> None:
    assert operations(run(diagnostics=(), **given)) == 30 * seen * LEARNED + 31 * measured * FORWARD


def test_the_prediction_for_an_h200_is_arithmetic_and_says_so() -> None:
    guess = predict_h200([run()] * 1440)
    assert guess.seconds == pytest.approx(1440 * operations(run()) / 33.5e12)
    assert guess.basis == "by arithmetic alone, at 33.5 TFLOP/s; not measured"
    assert predict_h200([run(build="nets:make")]).seconds is None
    assert predict_h200([]).basis == "nothing is left to train"


def test_an_estimate_rests_on_arithmetic_first() -> None:
    guess = estimate([run()] * 4, recorded=None, workers=2)
    assert guess.seconds == pytest.approx(2 * operations(run()) / (REFERENCE_GFLOPS * 1e9))
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
    # Diagnosed after epochs 1, 2 and 4, in full after 8, 16 and 30 as well: seven passes over the probe each.
    work = (5 * 2000 + 3 * 7 * 300) * LEARNED + 6 * (300 + 500) * FORWARD
    whole = (30 * 17000 + 6 * 7 * 1024) * LEARNED + 31 * (1024 + 3000) * FORWARD
    assert estimate([small], recorded=rows, workers=1).seconds == pytest.approx(7.0)
    assert estimate([run()], recorded=rows, workers=1).seconds == pytest.approx(7.0 * whole / work)
    tuning = recorded({"variant": "plain", "wall_seconds": 7.0, "stage": "tuning"})  # measures no test images
    blind = (30 * 17000 + 6 * 7 * 1024) * LEARNED + 31 * 1024 * FORWARD
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
