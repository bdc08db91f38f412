"""Packs: each run as if it were alone, whatever the others are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.training import solo
from harness.training.fused.images import PackImages
from harness.training.fused.training import pace, train_pack
from harness.training.records import Records, Row
from harness.training.splits import epoch_order, splits_of
from tests.conftest import tiny_run


def without_times(records: Records) -> tuple[object, ...]:
    curves = [{k: v for k, v in row.items() if k != "seconds"} for row in records.curves]
    outcome = {k: v for k, v in records.outcome.items() if k != "train_seconds"}
    kept = {name: array.tobytes() for name, array in records.kept.items()}
    return records.status, repr(outcome), repr(curves), repr(records.weights), repr(records.diagnostics), kept


def alone(run: Run, tiny: Dataset, device: torch.device) -> Records:
    (records,) = train_pack([run], tiny, device=device)
    return records


VARIED: list[dict[str, Any]] = [
    {"lr": 0.05, "dropout": 0.2},
    {"lr": 0.3, "dropout": 0.5, "weight_decay": 0.01},
    {"lr": 0.1, "dropout": 0.1, "momentum": 0.9, "init": "kaiming"},
    {"lr": 0.02, "dropout": 0.3, "sampled_weights": 7, "diagnostics": ()},
    {"lr": 0.2, "dropout": 0.2},
]


@pytest.mark.parametrize("net", [{}, {"norm": "batch"}, {"norm": "group", "placement": "after"}])
def test_a_run_is_bit_equal_alone_and_in_any_pack(
    tiny: Dataset, device: torch.device, net: dict[str, Any]
) -> None:
    runs = [
        replace(tiny_run(seed=i, epochs=3, validation=0.25, **net, **own), keep=True)
        for i, own in enumerate(VARIED)
    ]
    expected = [without_times(alone(run, tiny, device)) for run in runs]
    for members in ([0, 1, 2, 3, 4], [3, 1], [4, 2, 0]):
        found = train_pack([runs[i] for i in members], tiny, device=device)
        assert [without_times(records) for records in found] == [expected[i] for i in members]


def rows_without_figures(rows: Sequence[Row], figures: set[str]) -> list[Row]:
    return [{k: v for k, v in row.items() if k not in figures} for row in rows]


@pytest.mark.parametrize(
    "net",
    [
        {},
        {"norm": "batch", "dropout": 0.25, "validation": 0.25},
        {"depth": 2, "dropout": 0.4, "dropout_place": "between"},
        {"epoch_unit": "updates", "batch_size": 64, "train_images": 40, "test_images": 12, "dropout": 0.25},
        {"epoch_unit": "updates", "batch_size": 8, "norm": "batch", "validation": 0.25},
    ],
)
def test_a_pack_records_what_solo_records(tiny: Dataset, device: torch.device, net: dict[str, Any]) -> None:
    runs = [
        replace(tiny_run(seed=i, epochs=2, metrics=("brier", "top3_accuracy"), **net), keep=True)
        for i in range(2)
    ]
    for fused, run in zip(train_pack(runs, tiny, device=device), runs, strict=True):
        single = solo.train(run, tiny, device=device)
        assert fused.status == single.status == "completed"
        assert set(fused.outcome) == set(single.outcome)
        for table, figures in (
            ("curves", {"loss", "accuracy", "seconds", "brier", "top3_accuracy"}),
            ("weights", {"value", "gradient"}),
            ("diagnostics", {"value"}),
        ):
            found, expected = getattr(fused, table), getattr(single, table)
            assert rows_without_figures(found, figures) == rows_without_figures(expected, figures)
        for found, expected in zip(fused.curves, single.curves, strict=True):
            for figure in ("loss", "accuracy", "brier", "top3_accuracy"):
                assert found[figure] == pytest.approx(expected[figure], rel=1e-4)
        for found, expected in zip(fused.weights, single.weights, strict=True):
            assert found["value"] == pytest.approx(expected["value"], rel=1e-3, abs=1e-6)
            if expected["gradient"] is None:  # before any step
                assert found["gradient"] is None
            else:
                assert found["gradient"] == pytest.approx(expected["gradient"], rel=1e-2, abs=1e-5)
        assert set(fused.kept) == set(single.kept)
        for name, array in single.kept.items():
            assert fused.kept[name].dtype == array.dtype
            np.testing.assert_allclose(fused.kept[name], array, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("batch_size", "images"), [(8, 16), (64, 128)])
def test_an_epoch_of_updates_is_the_same_in_a_pack(
    tiny: Dataset, device: torch.device, batch_size: int, images: int
) -> None:
    """Two updates an epoch: 40 images are more than a batch of 32."""
    runs = [
        tiny_run(seed=i, batch_size=batch_size, epoch_unit="updates", train_images=40, test_images=12)
        for i in range(3)
    ]
    pack = PackImages(runs, tiny, device)
    for epoch in (1, 2, 3):
        orders = pack.orders([2, 0], epoch)
        assert orders.shape == (2, images)
        for own, run in zip(orders.cpu(), (runs[2], runs[0]), strict=True):
            assert torch.equal(own, epoch_order(run, epoch, 40))
    alike, _ = solo_splits = splits_of(runs[1], tiny, device)
    assert torch.equal(pack.training.images, alike.images)
    assert torch.equal(pack.measured["test"].images, solo_splits[1]["test"].images)
    seen: list[int] = []
    train_pack(runs, tiny, device=device, on_epoch=lambda run, n, rows: seen.append(n))  # noqa: ARG005
    assert seen == [0] * 3 + [images] * 6


def test_a_run_that_diverges_leaves_its_neighbours_untouched(tiny: Dataset, device: torch.device) -> None:
    runs = [tiny_run(seed=i, epochs=4, lr=lr) for i, lr in enumerate((0.05, 1e30, 0.1, 1e30))]
    found = train_pack(runs, tiny, device=device)
    assert [records.status for records in found] == ["completed", "diverged", "completed", "diverged"]
    assert [len(records.curves) for records in found] == [2 + 3 * 4, 5, 2 + 3 * 4, 5]
    assert not math.isfinite(float(found[1].curves[-1]["loss"] or 0.0))
    for records, run in zip(found, runs, strict=True):
        assert without_times(records) == without_times(alone(run, tiny, device))


def test_a_pack_ends_when_all_have_diverged(tiny: Dataset, device: torch.device) -> None:
    found = train_pack([tiny_run(seed=i, epochs=4, lr=1e30) for i in range(2)], tiny, device=device)
    assert [max(int(row["epoch"] or 0) for row in records.curves) for records in found] == [1, 1]


def test_a_loss_and_a_metric_of_ones_own_are_asked_run_by_run(tiny: Dataset, device: torch.device) -> None:
    given: dict[str, Any] = {"loss": "multi_margin_loss", "metrics": ("confidence",)}
    runs = [tiny_run(seed=i, epochs=1, **given) for i in range(2)]
    for fused, run in zip(train_pack(runs, tiny, device=device), runs, strict=True):
        for found, expected in zip(fused.curves, solo.train(run, tiny, device=device).curves, strict=True):
            assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
            assert found["confidence"] == pytest.approx(expected["confidence"], rel=1e-4)


def test_tuning_runs_see_no_test_images(tiny: Dataset, device: torch.device) -> None:
    (records,) = train_pack(
        [replace(tiny_run(epochs=1, validation=0.25), stage="tuning")], tiny, device=device
    )
    assert {row["split"] for row in records.curves} == {"train", "probe", "validation"}


def test_each_run_tells_of_its_epochs(tiny: Dataset, device: torch.device) -> None:
    told: list[tuple[Run, int, int]] = []
    runs = [tiny_run(seed=i, epochs=1) for i in range(2)]
    train_pack(runs, tiny, device=device, on_epoch=lambda run, n, rows: told.append((run, n, len(rows))))
    assert told == [(runs[0], 0, 2), (runs[1], 0, 2), (runs[0], 96, 3), (runs[1], 96, 3)]


def test_seconds_are_a_runs_share_of_the_pack(
    tiny: Dataset, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 12))
    monkeypatch.setattr("harness.training.passes.time.perf_counter", lambda: float(next(clock)))
    for records in train_pack([tiny_run(seed=i, epochs=1) for i in range(3)], tiny, device=device):
        assert {row["seconds"] for row in records.curves} == {4.0}


def test_the_pace_counts_the_images_of_all_runs(
    tiny: Dataset, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 102.0))
    monkeypatch.setattr("harness.training.fused.training.time.perf_counter", lambda: next(clock))
    assert pace([tiny_run(seed=i) for i in range(3)], tiny, device=device, steps=5) == 5 * 3 * 20 / 2.0
