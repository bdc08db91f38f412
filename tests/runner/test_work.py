"""What a run takes: operations and updates counted by hand, bytes as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.design.run import Cell, Run
from harness.runner.work import Work, work_of_run
from tests.benchmarks.rates import completed

ROOT = Path(__file__).parents[2]
MIB = 2**20


def run(**given: Any) -> Run:
    return Run(Cell("plain", {}), 0, "devanagari", "0" * 64, 30, given)


def test_operations_are_those_of_the_articles_network() -> None:
    # Counted by hand: conv1 2·1024·16·9, conv2 and conv3 2·1024·16·16·9 each, head 2·4096·10; backward
    # twice as much, but no gradient of the images: 9.81 MFLOP forward, 29.15 MFLOP an image trained on.
    forward = 2 * 1024 * 16 * 9 + 2 * (2 * 1024 * 16 * 16 * 9) + 2 * 4096 * 10
    backward = 2 * forward - 2 * 1024 * 16 * 9
    assert forward == pytest.approx(9.81e6, rel=1e-3)
    assert forward + backward == pytest.approx(29.15e6, rel=2e-3)
    # Six times, after epochs 1, 2, 4, 8, 16 and 30, what seven training passes over the probe take.
    expected = (30 * 17000 + 6 * 7 * 1024) * (forward + backward) + 31 * (1024 + 3000) * forward
    assert work_of_run(run()).operations == expected


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
    work = work_of_run(run(diagnostics=(), **given))
    assert work.operations == 30 * seen * LEARNED + 31 * measured * FORWARD


@pytest.mark.parametrize(
    ("given", "updates"),
    [({}, 532), ({"batch_size": 2}, 8500), ({"batch_size": 64, "epoch_unit": "updates"}, 532)],
)
def test_updates_are_the_batches_of_all_epochs_the_last_short_one_too(
    given: dict[str, Any], updates: int
) -> None:
    assert work_of_run(run(**given)).updates == 30 * updates


@pytest.mark.parametrize(
    ("given", "mib"),
    [
        ({}, 2.65),  # op by op, an activation of 64 KiB each, as worked out for the article's networks
        ({"norm": "batch"}, 4.15),
        ({"dropout": 0.5, "dropout_place": "activation"}, 2.65 + 3 * 10 / 16),
        ({"dropout": 0.5, "dropout_place": "between"}, 2.65 + 2 * 10 / 16),
        ({"dropout": 0.5, "dropout_place": "head"}, 2.65 + 10 / 64),
        ({"depth": 1}, 2.65 / 3),
    ],
)
def test_an_image_moves_its_maps_as_often_as_operations_read_and_write_them(
    given: dict[str, Any], mib: float
) -> None:
    all_images = work_of_run(run(diagnostics=(), **given)).moved
    half = work_of_run(run(diagnostics=(), train_images=8500, **given)).moved
    assert (all_images - half) / (30 * 8500 * MIB) == pytest.approx(mib, rel=0.02)


@pytest.mark.parametrize("study", ["article_one_conv", "batch_size", "dropout", "factorial", "placement"])
def test_reckoned_seconds_are_those_that_published_runs_took(study: str) -> None:
    runs = completed(ROOT / "results" / f"{study}-small")
    runs["reckoned"] = [Work(*row).seconds for row in runs[["operations", "moved", "updates"]].to_numpy()]
    runs["ratio"] = runs["reckoned"] / runs["wall_seconds"]
    medians = runs.groupby(["variant", "batch_size"])["ratio"].median()
    assert medians.between(0.85, 1.1).all(), medians


def test_seconds_grow_with_small_batches_norms_and_dropout() -> None:
    usual = work_of_run(run()).seconds
    for given in ({"batch_size": 2}, {"norm": "batch"}, {"dropout": 0.5}):
        assert work_of_run(run(**given)).seconds > 1.1 * usual
