"""Computation: parts that are drawn are stratified, disjoint and the same every time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.data.dataset import Split
from harness.data.splitting import split_anew, validation_indices
from harness.errors import InputError

LABELS = np.repeat(np.arange(4), [10, 25, 40, 5]).astype(np.int64)[np.random.default_rng(3).permutation(80)]


def test_parts_are_disjoint_ascending_and_together_everything() -> None:
    train, held_back = validation_indices(LABELS, fraction=0.2, seed=7)
    for part in (train, held_back):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_back])), np.arange(80))


def test_every_class_gives_its_share() -> None:
    _, held_back = validation_indices(LABELS, fraction=0.2, seed=7)
    np.testing.assert_array_equal(np.bincount(LABELS[held_back]), [2, 5, 8, 1])


def test_shares_are_rounded_half_up() -> None:
    labels = np.repeat([0, 1, 2], [5, 6, 7]).astype(np.int64)
    _, held_back = validation_indices(labels, fraction=0.25, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[held_back]), [1, 2, 2])  # 1.25, 1.5, 1.75


def test_fraction_zero_holds_nothing_back() -> None:
    train, held_back = validation_indices(LABELS, fraction=0, seed=7)
    np.testing.assert_array_equal(train, np.arange(80))
    assert held_back.shape == (0,)
    assert held_back.dtype == np.int64


def test_the_draw_follows_from_the_seed() -> None:
    one, two, other = (validation_indices(LABELS, fraction=0.2, seed=seed)[1] for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_draw_is_pinned() -> None:
    labels = np.arange(20, dtype=np.int64) % 2
    assert validation_indices(labels, fraction=0.3, seed=2026)[1].tolist() == [0, 14, 15, 17, 18, 19]


def test_the_draw_ignores_global_random_state() -> None:
    np.random.seed(1)
    before = validation_indices(LABELS, fraction=0.2, seed=7)[1]
    np.random.seed(2)
    np.testing.assert_array_equal(validation_indices(LABELS, fraction=0.2, seed=7)[1], before)


def test_every_image_is_equally_likely() -> None:
    labels = np.zeros(10, dtype=np.int64)
    counts = np.zeros(10)
    for seed in range(2000):
        counts[validation_indices(labels, fraction=0.3, seed=seed)[1]] += 1
    # 2000 draws of 0.3: standard deviation 20.5; five of them leave no room for chance
    assert np.abs(counts - 600).max() < 103


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(InputError) as caught:
        validation_indices(LABELS, fraction=fraction, seed=7)
    assert caught.value.received == f"validation fraction {fraction!r}"
    assert caught.value.rule == "it is at least 0 and less than 1"
    assert "0.1" in caught.value.remedy


@pytest.mark.parametrize(("fraction", "part"), [(0.05, "validation"), (0.95, "training")])
def test_a_class_without_images_in_a_part_is_refused(fraction: float, part: str) -> None:
    with pytest.raises(InputError) as caught:
        validation_indices(LABELS, fraction=fraction, seed=7)
    assert f"validation fraction {fraction}" in caught.value.received
    assert f"{part} would have none" in caught.value.rule
    assert "choose another fraction" in caught.value.remedy


def test_declaring_and_hashing_import_no_torch_and_no_scikit_learn() -> None:
    code = (
        "import sys, harness.data, harness.data.splitting, harness.data.sheet;"
        "harness.data.known_sha256('digits'); harness.data.known_sha256('mnist');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'sklearn', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# A new split of all images.


def numbered(labels: list[int], *, first: int) -> Split:
    """Images that bear their number in every pixel."""
    numbers = np.arange(first, first + len(labels), dtype=np.uint8)
    return Split(np.tile(numbers[:, None, None, None], (1, 1, 2, 3)), np.array(labels, dtype=np.int64))


TRAIN = numbered([0, 1, 2, 0, 1, 2, 0, 1, 0, 1, 0, 1] * 5, first=0)  # 25, 25 and 10 of a class
TEST = numbered([2, 2, 0, 2, 1, 2, 0, 2, 2, 2], first=60)  # 2, 1 and 7


def numbers_of(split: Split) -> list[int]:
    assert (split.images == split.images[:, :1, :1, :1]).all()
    return [int(image[0, 0, 0]) for image in split.images]


def test_a_new_split_has_every_image_once_with_its_label() -> None:
    train, test = split_anew(TRAIN, TEST, seed=5)
    assert sorted(numbers_of(train) + numbers_of(test)) == list(range(70))
    labels = TRAIN.labels.tolist() + TEST.labels.tolist()
    for part in (train, test):
        assert [labels[number] for number in numbers_of(part)] == part.labels.tolist()


def test_a_new_split_has_as_many_images_of_every_class_in_each_part() -> None:
    for seed in range(20):
        train, test = split_anew(TRAIN, TEST, seed=seed)
        assert [train.labels.tolist().count(label) for label in range(3)] == [25, 25, 10]
        assert [test.labels.tolist().count(label) for label in range(3)] == [2, 1, 7]


def test_the_test_images_are_those_of_the_smallest_numbers_of_the_generator() -> None:
    """As the docstring has it, by a plain loop."""
    labels = TRAIN.labels.tolist() + TEST.labels.tolist()
    generator, drawn = np.random.PCG64(5), []
    for label, count in ((0, 2), (1, 1), (2, 7)):
        members = [number for number in range(70) if labels[number] == label]
        raw = {member: generator.random_raw() for member in members}
        drawn += sorted(members, key=lambda member: raw[member])[:count]
    train, test = split_anew(TRAIN, TEST, seed=5)
    assert numbers_of(test) == sorted(drawn)
    assert numbers_of(train) == sorted(set(range(70)) - set(drawn))


def test_another_seed_is_another_split() -> None:
    drawn = [tuple(numbers_of(split_anew(TRAIN, TEST, seed=seed)[1])) for seed in range(10)]
    assert len(set(drawn)) == 10
    assert tuple(numbers_of(split_anew(TRAIN, TEST, seed=3)[1])) == drawn[3]


def test_a_class_of_one_part_alone_stays_there() -> None:
    train, test = split_anew(numbered([0, 0, 1, 0], first=0), numbered([0, 4, 0], first=4), seed=1)
    assert 2 in numbers_of(train)
    assert 5 in numbers_of(test)
    assert test.labels.tolist().count(0) == 2


def test_a_new_split_leaves_the_old_one_as_it_was() -> None:
    images = TRAIN.images.copy()
    train, _ = split_anew(TRAIN, TEST, seed=5)
    train.images[:] = 0
    np.testing.assert_array_equal(TRAIN.images, images)
