"""One run, against a plain loop written here, and against itself under other circumstances."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.data.splitting import validation_indices
from harness.design.streams import stream
from harness.models.building import build_model
from harness.models.dropout import set_position
from harness.training.records import Records, Row
from harness.training.solo import train
from tests.conftest import tiny_run

CPU = torch.device("cpu")


def figures(records: Records, split: str, figure: str) -> list[float]:
    return [float(row[figure]) for row in records.curves if row["split"] == split]  # type: ignore[arg-type]


def without_times(records: Records) -> tuple[object, ...]:
    curves = [{k: v for k, v in row.items() if k != "seconds"} for row in records.curves]
    outcome = {k: v for k, v in records.outcome.items() if k != "train_seconds"}
    return records.status, outcome, curves, records.weights


@pytest.mark.parametrize("given", [{}, {"norm": "batch", "dropout": 0.25, "momentum": 0.9}])
def test_a_run_is_a_plain_loop(tiny: Dataset, given: dict[str, Any]) -> None:
    run = tiny_run(seed=3, epochs=2, **given)
    records = train(run, tiny, device=CPU)

    model = build_model(run, in_channels=1, classes=4, image_size=(8, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=given.get("momentum", 0.0))
    images = torch.tensor(tiny.train.images.astype(np.float32) / 255)
    labels = torch.tensor(tiny.train.labels)
    test_images = torch.tensor(tiny.test.images.astype(np.float32) / 255)
    train_losses, test_losses, accuracies = [], [], []
    for epoch in (1, 2):
        model.train()
        order = torch.randperm(96, generator=torch.Generator().manual_seed(stream(3, "order", epoch)))
        total, right = 0.0, 0
        for step in range(5):
            index = order[20 * step : 20 * step + 20]
            set_position(model, epoch=epoch, step=step)
            logits = model(images[index])
            loss = functional.cross_entropy(logits, labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
            right += int((logits.argmax(1) == labels[index]).sum())
        train_losses.append(total / 96)
        accuracies.append(right / 96)
        model.eval()
        with torch.no_grad():
            test_losses.append(
                functional.cross_entropy(model(test_images), torch.tensor(tiny.test.labels)).item()
            )
    assert figures(records, "train", "loss") == pytest.approx(train_losses, rel=1e-4)
    assert figures(records, "train", "accuracy") == pytest.approx(accuracies)
    assert figures(records, "test", "loss")[1:] == pytest.approx(test_losses, rel=1e-4)


@pytest.mark.parametrize("batch_size", [8, 64])
def test_a_run_in_epochs_of_updates_is_a_plain_loop(tiny: Dataset, batch_size: int) -> None:
    """96 images are three batches of 32: three updates an epoch, of images that follow each other."""
    run = tiny_run(seed=3, epochs=3, batch_size=batch_size, epoch_unit="updates", dropout=0.25)
    records = train(run, tiny, device=CPU)

    model = build_model(run, in_channels=1, classes=4, image_size=(8, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    images = torch.tensor(tiny.train.images.astype(np.float32) / 255)
    labels = torch.tensor(tiny.train.labels)
    sequence = torch.cat(
        [
            torch.randperm(96, generator=torch.Generator().manual_seed(stream(3, "order", n)))
            for n in range(1, 8)
        ]
    )
    losses, updates = [], iter(sequence.split(batch_size))
    for epoch in (1, 2, 3):
        means = []
        for step in range(3):
            index = next(updates)
            set_position(model, epoch=epoch, step=step)
            loss = functional.cross_entropy(model(images[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            means.append(loss.item())
        losses.append(sum(means) / 3)
    assert figures(records, "train", "loss") == pytest.approx(losses, rel=1e-4)


def test_a_tuning_run_learns_the_same_and_never_measures_the_test_images(tiny: Dataset) -> None:
    run = tiny_run(validation=0.25, dropout=0.5)
    whole, blind = (train(replace(run, stage=stage), tiny, device=CPU) for stage in ("evaluation", "tuning"))
    kept = [{k: v for k, v in row.items() if k != "seconds"} for row in blind.curves]
    assert kept == [
        {k: v for k, v in row.items() if k != "seconds"} for row in whole.curves if row["split"] != "test"
    ]
    assert blind.weights == whole.weights
    assert [name for name in blind.outcome if "test" in name] == []
    assert blind.outcome["best_validation_loss"] == whole.outcome["best_validation_loss"]


def test_the_same_run_gives_the_same_records_whatever_ran_before(tiny: Dataset) -> None:
    run = tiny_run(norm="batch", dropout=0.5)
    first = train(run, tiny, device=CPU)
    train(tiny_run(seed=9), tiny, device=CPU)
    torch.manual_seed(123)
    assert without_times(train(run, tiny, device=CPU)) == without_times(first)


def test_training_leaves_torchs_generator_alone(tiny: Dataset) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    train(tiny_run(epochs=1), tiny, device=CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_of_more_epochs_begins_as_the_shorter_one(tiny: Dataset) -> None:
    short, long = (train(tiny_run(epochs=n, dropout=0.5), tiny, device=CPU) for n in (1, 3))
    assert figures(long, "test", "loss")[:2] == figures(short, "test", "loss")


def test_epoch_zero_is_the_network_before_training(tiny: Dataset) -> None:
    run = tiny_run(epochs=1)
    records = train(run, tiny, device=CPU)
    model = build_model(run, in_channels=1, classes=4, image_size=(8, 8)).eval()
    images = torch.tensor(tiny.test.images.astype(np.float32) / 255)
    with torch.no_grad():
        expected = functional.cross_entropy(model(images), torch.tensor(tiny.test.labels)).item()
    assert figures(records, "test", "loss")[0] == pytest.approx(expected, rel=1e-5)
    assert {row["epoch"] for row in records.curves if row["split"] == "train"} == {1}
    starts = {
        row["index"]: row for row in records.weights if row["epoch"] == 0 and row["layer"] == "conv3.weight"
    }
    assert starts["3,4,1,0"]["value"] == float(model.get_parameter("conv3.weight").detach()[3, 4, 1, 0])
    assert starts["3,4,1,0"]["gradient"] is None


def test_the_probe_is_a_fixed_part_of_the_training_images(tiny: Dataset) -> None:
    run = tiny_run(epochs=1, probe_size=40)
    records = train(run, tiny, device=CPU)
    drawn = torch.randperm(96, generator=torch.Generator().manual_seed(stream(0, "probe")))[:40]
    model = build_model(run, in_channels=1, classes=4, image_size=(8, 8)).eval()
    images = torch.tensor(tiny.train.images.astype(np.float32) / 255)[drawn]
    with torch.no_grad():
        expected = functional.cross_entropy(model(images), torch.tensor(tiny.train.labels)[drawn]).item()
    assert figures(records, "probe", "loss")[0] == pytest.approx(expected, rel=1e-5)


def test_a_validation_split_is_held_out_and_best_means_best_there(tiny: Dataset) -> None:
    records = train(tiny_run(epochs=4, validation=0.25, lr=0.2), tiny, device=CPU)
    accuracy, loss = (figures(records, "validation", figure) for figure in ("accuracy", "loss"))
    best = sorted(range(5), key=lambda epoch: (-accuracy[epoch], loss[epoch]))[0]
    assert records.outcome["best_epoch"] == best
    assert records.outcome["best_test_accuracy"] == figures(records, "test", "accuracy")[best]
    assert records.outcome["best_validation_loss"] == loss[best]
    learn, hold = validation_indices(tiny.train.labels, fraction=0.25, seed=stream(0, "validation"))
    assert (len(learn), len(hold)) == (72, 24)


def test_training_ignores_what_is_held_out(tiny: Dataset) -> None:
    _, hold = validation_indices(tiny.train.labels, fraction=0.25, seed=stream(0, "validation"))
    images = tiny.train.images.copy()
    images[hold] = 255 - images[hold]
    spoilt = replace(tiny, train=replace(tiny.train, images=images))
    run = tiny_run(epochs=2, validation=0.25)
    clean, other = (train(run, data, device=CPU) for data in (tiny, spoilt))
    assert figures(other, "test", "loss") == figures(clean, "test", "loss")
    assert figures(other, "validation", "loss") != figures(clean, "validation", "loss")


def test_without_a_validation_split_there_is_no_best(tiny: Dataset) -> None:
    assert not [name for name in train(tiny_run(), tiny, device=CPU).outcome if name.startswith("best")]


def test_the_threshold_is_reached_in_the_first_epoch_at_or_below_it(tiny: Dataset) -> None:
    run = tiny_run(epochs=6, lr=0.3, norm="batch", threshold=0.5)
    records = train(run, tiny, device=CPU)
    expected = next(epoch for epoch, loss in enumerate(figures(records, "probe", "loss")) if loss <= 0.5)
    assert records.outcome["epochs_to_threshold"] == expected
    never = train(tiny_run(epochs=1, threshold=1e-9), tiny, device=CPU)
    assert never.outcome["epochs_to_threshold"] is None


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(tiny: Dataset) -> None:
    records = train(tiny_run(epochs=5, lr=1e30), tiny, device=CPU)
    assert records.status == "diverged"
    last = max(int(row["epoch"]) for row in records.curves)  # type: ignore[arg-type]
    assert last < 5
    assert not math.isfinite(figures(records, "train", "loss")[-1]) or not math.isfinite(
        figures(records, "test", "loss")[-1]
    )


def test_further_metrics_are_measured_on_every_split(tiny: Dataset) -> None:
    run = tiny_run(epochs=1, metrics=("top3_accuracy", "brier", "confidence"))
    records = train(run, tiny, device=CPU)
    for row in records.curves:
        assert 0 <= float(row["top3_accuracy"]) <= 1  # type: ignore[arg-type]
        assert float(row["top3_accuracy"]) >= float(row["accuracy"])  # type: ignore[arg-type]
        assert 0 <= float(row["brier"]) <= 2  # type: ignore[arg-type]
        assert 0.25 <= float(row["confidence"]) <= 1  # type: ignore[arg-type]


def test_each_epoch_tells_how_many_images_it_trained_on_and_its_rows(tiny: Dataset) -> None:
    told: list[tuple[int, list[Row]]] = []
    records = train(tiny_run(epochs=3), tiny, device=CPU, on_epoch=lambda *told_of: told.append(told_of))
    assert [images for images, _ in told] == [0, 96, 96, 96]
    assert [row for _, rows in told for row in rows] == records.curves
    told.clear()
    given: dict[str, Any] = {"epoch_unit": "updates", "train_images": 40}
    train(tiny_run(**given), tiny, device=CPU, on_epoch=lambda *told_of: told.append(told_of))
    assert [images for images, _ in told] == [0, 40, 40]  # two batches of 20


def test_a_part_of_the_test_images_is_what_accuracies_are_shares_of(tiny: Dataset) -> None:
    records = train(tiny_run(train_images=13, test_images=7, epochs=3), tiny, device=CPU)
    for split, count in (("train", 13), ("probe", 13), ("test", 7)):
        right = [count * share for share in figures(records, split, "accuracy")]
        assert right == pytest.approx([round(number) for number in right], abs=1e-9)
