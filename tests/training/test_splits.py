"""The images of an epoch, and the part of the data that is used, against plain loops written here."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from harness.data.dataset import Dataset
from harness.data.splitting import take_part, validation_indices
from harness.design.run import Run
from harness.design.streams import stream
from harness.errors import InputError
from harness.training.batches import Resident
from harness.training.splits import epoch_order, splits_of
from tests.conftest import tiny_run, tiny_split

CPU = torch.device("cpu")


def permutation(seed: int, number: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(stream(seed, "order", number))
    found: list[int] = torch.randperm(count, generator=generator).tolist()
    return found


@pytest.mark.parametrize("count", [96, 97, 20])
@pytest.mark.parametrize("batch_size", [1, 2, 32, 64, 250])
def test_epochs_of_updates_are_consecutive_parts_of_one_sequence_of_passes(
    count: int, batch_size: int
) -> None:
    run = tiny_run(seed=3, batch_size=batch_size, epoch_unit="updates")
    updates = {96: 3, 97: 4, 20: 1}[count]  # batches of 32 in a pass, the last of them short
    sequence: list[int] = []
    number = 1
    while len(sequence) < 5 * updates * batch_size:
        sequence += permutation(3, number, count)
        number += 1
    for epoch in range(1, 6):
        begin = (epoch - 1) * updates * batch_size
        expected = sequence[begin : begin + updates * batch_size]
        assert epoch_order(run, epoch, count).tolist() == expected


def test_an_epoch_that_is_a_pass_has_each_image_once_in_the_order_of_its_own_stream() -> None:
    for given in ({}, {"epoch_unit": "pass"}):
        run = tiny_run(seed=3, batch_size=64, **given)  # type: ignore[arg-type]
        assert [epoch_order(run, epoch, 97).tolist() for epoch in (1, 2, 3)] == [
            permutation(3, epoch, 97) for epoch in (1, 2, 3)
        ]


def test_an_epoch_of_updates_takes_as_many_steps_at_every_batch_size() -> None:
    for batch_size in (2, 8, 64):
        batches = epoch_order(tiny_run(batch_size=batch_size, epoch_unit="updates"), 2, 90).split(batch_size)
        assert [len(batch) for batch in batches] == [batch_size] * 3
    passes = [epoch_order(tiny_run(batch_size=b), 2, 90).split(b) for b in (2, 8, 64)]
    assert [len(batches) for batches in passes] == [45, 12, 2]


# A part of the images.


@pytest.fixture(scope="module")
def uneven() -> Dataset:
    """Images of 2 × 2 that bear their number: 80 to train on, in classes of 40, 24 and 16; 40 to test on."""

    def part(counts: list[int], first: int) -> Any:
        labels = np.repeat(np.arange(3), counts).astype(np.int64)
        labels = labels[np.random.default_rng(first).permutation(len(labels))]
        numbers = np.arange(first, first + len(labels), dtype=np.uint8)
        return replace(
            tiny_split(4, seed=0), images=np.tile(numbers[:, None, None, None], (1, 1, 2, 2)), labels=labels
        )

    return Dataset("uneven", part([40, 24, 16], 0), part([10, 20, 10], 80), ("a", "b", "c"), "0" * 64)


def numbers(images: Resident) -> list[int]:
    return [int(number) for number in images.images[:, 0, 0, 0]]


def class_counts(images: Resident) -> list[int]:
    return [int((images.labels == label).sum()) for label in range(3)]


def test_a_run_uses_as_many_images_as_it_is_given_every_class_in_proportion(uneven: Dataset) -> None:
    training, measured = splits_of(tiny_run(train_images=20, test_images=12), uneven, CPU)
    assert class_counts(training) == [10, 6, 4]
    assert class_counts(measured["test"]) == [3, 6, 3]
    assert sorted(numbers(measured["probe"])) == numbers(training)  # 40 were asked for
    labels = np.concatenate([uneven.train.labels, uneven.test.labels])
    for images in (training, measured["test"]):
        assert images.labels.tolist() == labels[numbers(images)].tolist()
    assert max(numbers(training)) < 80 <= min(numbers(measured["test"]))


def test_each_part_is_drawn_by_a_stream_of_its_own(uneven: Dataset) -> None:
    training, measured = splits_of(tiny_run(5, train_images=20, test_images=12), uneven, CPU)
    for images, whole, split in (
        (training, uneven.train, "train"),
        (measured["test"], uneven.test, "test"),
    ):
        drawn = take_part(whole, most=len(images), name="n", seed=stream(0, "part", split))
        assert images.labels.tolist() == drawn.labels.tolist()
        assert numbers(images) == drawn.images[:, 0, 0, 0].tolist()


def test_all_seeds_and_variants_use_the_same_images(uneven: Dataset) -> None:
    def used(run: Run) -> tuple[list[int], list[int]]:
        training, measured = splits_of(run, uneven, CPU)
        return numbers(training), numbers(measured["test"])

    given: dict[str, Any] = {"train_images": 20, "test_images": 12}
    first = used(tiny_run(0, **given))
    for other in (
        tiny_run(1, **given),
        tiny_run(7, variant="bn", norm="batch", batch_size=5, **given),
        replace(tiny_run(2, **given), stage="calibration", vary=("init",)),
        replace(tiny_run(3, **given), stage="calibration"),
    ):
        assert used(other) == first


def test_a_smaller_part_lies_within_a_larger_one(uneven: Dataset) -> None:
    parts = [set(numbers(splits_of(tiny_run(train_images=n), uneven, CPU)[0])) for n in (3, 9, 10, 33, 80)]
    assert [len(part) for part in parts] == [3, 9, 10, 33, 80]
    assert all(small < large for small, large in pairwise(parts))


@pytest.mark.parametrize("most", [None, 80, 81, 10**9])
def test_more_than_there_are_is_all_in_the_memory_of_the_data_set(uneven: Dataset, most: int | None) -> None:
    training, measured = splits_of(tiny_run(train_images=most, test_images=most), uneven, CPU)
    assert training.images.data_ptr() == uneven.train.images.ctypes.data
    assert measured["test"].images.data_ptr() == uneven.test.images.ctypes.data


def test_validation_is_a_share_of_the_part(uneven: Dataset) -> None:
    training, measured = splits_of(tiny_run(train_images=40, validation=0.25), uneven, CPU)
    whole = numbers(splits_of(tiny_run(train_images=40), uneven, CPU)[0])
    learn, hold = validation_indices(uneven.train.labels[whole], fraction=0.25, seed=stream(0, "validation"))
    assert numbers(training) == [whole[i] for i in learn]
    assert numbers(measured["validation"]) == [whole[i] for i in hold]
    assert class_counts(measured["validation"]) == [5, 3, 2]


def test_where_the_split_varies_each_seed_draws_its_part_of_its_own_split(uneven: Dataset) -> None:
    seen: list[tuple[int, ...]] = []
    for seed in range(3):
        run = replace(tiny_run(seed, train_images=20, test_images=12), vary=("init", "split"))
        whole, divided = splits_of(replace(run, given={}), uneven, CPU)
        training, measured = splits_of(run, uneven, CPU)
        assert set(numbers(training)) < set(numbers(whole))
        assert set(numbers(measured["test"])) < set(numbers(divided["test"]))
        assert (class_counts(training), class_counts(measured["test"])) == ([10, 6, 4], [3, 6, 3])
        seen.append(tuple(numbers(training)))
        other, _ = splits_of(replace(run, given={**run.given, "norm": "batch"}), uneven, CPU)
        assert numbers(other) == numbers(training)
    assert len(set(seen)) == 3


@pytest.mark.parametrize("name", ["train_images", "test_images"])
def test_fewer_images_than_classes_are_refused(uneven: Dataset, name: str) -> None:
    with pytest.raises(InputError) as caught:
        splits_of(tiny_run(**{name: 2}), uneven, CPU)  # type: ignore[arg-type]
    assert caught.value.received == f"{name} = 2 of images of 3 classes"
    assert caught.value.rule == "every class has at least one image"
    assert caught.value.remedy == f"ask for 3 images or more, or leave {name} out for all"
