"""Computation: the validation part is stratified, disjoint and the same every time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.data.splitting import validation_indices
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
