"""Computation: parts that are drawn are stratified, disjoint and the same every time."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from harness.data.dataset import Split
from harness.data.splitting import split_anew, take_part, validation_indices
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


# A part of a split.


def by_webster(sizes: list[int], count: int) -> list[int]:
    """Images of each class, seat by seat: one for each, then to the largest m / (2s + 1), in fractions."""
    seats = [1] * len(sizes)
    while sum(seats) < count:
        claims = [
            Fraction(size, 2 * s + 1) if s < size else Fraction(0)
            for size, s in zip(sizes, seats, strict=True)
        ]
        seats[claims.index(max(claims))] += 1
    return seats


@pytest.mark.parametrize("sizes", [[25, 25, 10], [1, 1, 97], [40, 39, 3, 2], [7], [10] * 10])
def test_a_part_has_every_class_in_proportion(sizes: list[int]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)[np.random.default_rng(0).permutation(sum(sizes))]
    whole = numbered(labels.tolist(), first=0)
    for count in range(len(sizes), sum(sizes)):
        part = take_part(whole, most=count, name="n", seed=3)
        seats = by_webster(sizes, count)
        assert np.bincount(part.labels, minlength=len(sizes)).tolist() == seats
        if min(seats) > 1:
            assert all(abs(seat - count * m / sum(sizes)) < 1 for seat, m in zip(seats, sizes, strict=True))


def test_a_part_has_images_of_the_whole_in_their_order_with_their_labels() -> None:
    part = take_part(TRAIN, most=31, name="n", seed=3)
    assert len(set(numbers_of(part))) == len(part) == 31
    assert numbers_of(part) == sorted(numbers_of(part))
    assert part.labels.tolist() == [TRAIN.labels[number] for number in numbers_of(part)]


def test_a_part_holds_what_a_validation_part_of_as_many_would() -> None:
    _, held_back = validation_indices(TRAIN.labels, fraction=0.25, seed=3)  # 6, 6 and 3 of 25, 25 and 10
    assert numbers_of(take_part(TRAIN, most=15, name="n", seed=3)) == held_back.tolist()


def test_a_part_follows_from_the_seed() -> None:
    one, two, other = (numbers_of(take_part(TRAIN, most=30, name="n", seed=seed)) for seed in (7, 7, 8))
    assert one == two
    assert one != other


def test_a_part_of_a_part_is_a_matter_of_its_size_alone() -> None:
    parts = [set(numbers_of(take_part(TRAIN, most=count, name="n", seed=3))) for count in range(3, 60)]
    assert all(small < large for small, large in pairwise(parts))


def test_every_image_is_equally_likely_to_be_in_a_part() -> None:
    counts = np.zeros(60)
    for seed in range(1000):
        counts[numbers_of(take_part(TRAIN, most=12, name="n", seed=seed))] += 1
    # 1000 draws of 1 in 5: standard deviation 12.6; five of them leave no room for chance
    assert np.abs(counts - 200).max() < 64


def test_all_images_or_more_are_the_split_itself() -> None:
    assert all(take_part(TRAIN, most=most, name="n", seed=3) is TRAIN for most in (None, 60, 61))


def test_a_part_without_a_class_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        take_part(TRAIN, most=2, name="train_images", seed=3)
    assert caught.value.received == "train_images = 2 of images of 3 classes"
    assert caught.value.rule == "every class has at least one image"
    assert caught.value.remedy == "ask for 3 images or more, or leave train_images out for all"
