"""Computation: paired tests, against scipy, published examples and plain counting."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.intervals import t_interval
from harness.stats.paired import EXACT_UP_TO, RESAMPLES, sign_flip_test
from tests.stats.examples import MAIZE, SLEEP


def p_by_listing(differences: Sequence[int]) -> Fraction:
    """The share of all sign patterns whose sum is at least as far from zero, by writing each down."""
    seen = abs(sum(differences))
    patterns = list(itertools.product((1, -1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in patterns]
    return Fraction(sum(abs(one) >= seen for one in sums), len(patterns))


def p_by_counting(differences: Sequence[int]) -> Fraction:
    """The same share for many whole numbers: how many patterns reach each sum, one number at a time."""
    ways = {0: 1}
    for value in differences:
        grown: dict[int, int] = {}
        for reached, count in ways.items():
            for step in (value, -value):
                grown[reached + step] = grown.get(reached + step, 0) + count
        ways = grown
    seen = abs(sum(differences))
    return Fraction(
        sum(count for reached, count in ways.items() if abs(reached) >= seen), 2 ** len(differences)
    )


def whole_numbers(n: int, *, seed: int, shift: float = 0.0) -> list[int]:
    return [int(value) for value in np.random.default_rng(seed).normal(shift * 100, 100, n).round()]


def test_darwins_maize_gives_fishers_count() -> None:
    found = sign_flip_test(MAIZE)
    assert found.p == 1726 / 32768
    assert found.statistic == pytest.approx(314 / 15, rel=1e-15)
    assert found.n == 15
    assert found.method == "sign-flip, exact"


def test_students_sleep_data_give_four_patterns_in_1024() -> None:
    # No difference is below zero and one is zero: only its sign is free in either tail.
    found = sign_flip_test(SLEEP)
    assert found.p == 4 / 1024
    assert found.statistic == pytest.approx(1.58)


@pytest.mark.parametrize("n", range(2, 13))
def test_the_test_agrees_with_scipys_exact_one(n: int) -> None:
    for seed in range(3):
        differences = np.random.default_rng(100 * n + seed).normal(0.4, 1, n)
        theirs = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=2**n, alternative="two-sided"
        )
        assert len(theirs.null_distribution) == 2**n  # scipy lists them all
        found = sign_flip_test(differences)
        assert found.p == pytest.approx(float(theirs.pvalue), rel=1e-12)
        assert found.statistic == pytest.approx(float(theirs.statistic), rel=1e-12)


@pytest.mark.parametrize(
    "differences",
    [
        (1,),
        (0,),
        (0, 0, 0),
        (1, 1, 1, 1, 1, 1),
        (1, -1),
        (2, -1, -1),
        (0, 0, 5, 0),
        (3, 3, -3, 1, 1, -1, 0, 2),
        (1, 2, 4, 8, 16, 32, -64),
        (5, 5, 5, 5, 5, 5, 5, -5, -5),
        (-7, -7, -7, 0, 0, 1),
    ],
)
def test_ties_and_zeros_are_counted_as_every_pattern_counts_them(differences: tuple[int, ...]) -> None:
    assert sign_flip_test(differences).p == p_by_listing(differences)


def test_ties_among_rounded_accuracies_stay_ties() -> None:
    """Accuracies of 3,000 images as floats: sums that are equal miss each other by rounding."""
    rng = np.random.default_rng(8)
    broken = 0
    for _ in range(40):
        hits = rng.integers(2960, 2975, (2, 10))
        differences = hits[0] / 3000 - hits[1] / 3000
        exact = p_by_listing([int(one) for one in hits[0] - hits[1]])
        sums = [float(np.dot(signs, differences)) for signs in itertools.product((1, -1), repeat=10)]
        naive = sum(abs(one) >= abs(differences.sum()) for one in sums) / len(sums)
        broken += naive != exact
        assert sign_flip_test(differences).p == exact
    assert broken > 5  # without a tolerance it goes wrong


def test_a_sum_of_zero_gives_p_one() -> None:
    assert sign_flip_test([0.1, 0.2, -0.3]).p == 1.0
    assert sign_flip_test([0.0] * 44).p == 1.0


@pytest.mark.parametrize("n", [6, 11, 20, 60])
def test_mirrored_shuffled_or_rescaled_differences_have_the_same_p(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.2, 1, n)
    found = sign_flip_test(differences)
    mirrored = sign_flip_test(-differences)
    assert mirrored.p == found.p
    assert mirrored.statistic == -found.statistic
    assert sign_flip_test(differences * 1e-6).p == found.p
    assert sign_flip_test(differences * 1e6).p == found.p
    if n <= EXACT_UP_TO:
        assert sign_flip_test(np.sort(differences)).p == found.p


@pytest.mark.parametrize("n", [6, 7, 8, 10, 20, 30, 44])
def test_differences_of_one_sign_give_the_smallest_p_there_is(n: int) -> None:
    assert sign_flip_test(np.linspace(0.01, 0.02, n)).p == 2.0 ** (1 - n)


@pytest.mark.parametrize("n", [13, 21, 30, 37, 43])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_many_pairs_are_counted_exactly(n: int, shift: float) -> None:
    differences = whole_numbers(n, seed=n, shift=shift)
    assert sign_flip_test(differences).p == float(p_by_counting(differences))


def test_44_pairs_are_still_counted_exactly_and_45_are_not() -> None:
    assert EXACT_UP_TO == 44
    differences = whole_numbers(44, seed=3, shift=0.2)
    found = sign_flip_test(differences)
    assert found.p == float(p_by_counting(differences))
    assert found.method == "sign-flip, exact"
    assert sign_flip_test(whole_numbers(45, seed=3)).method == "sign-flip, 200,000 random patterns"


@pytest.mark.parametrize(("n", "shift"), [(45, 0.0), (50, 0.2), (64, 0.3), (100, 0.0), (300, 0.1)])
def test_beyond_44_pairs_p_is_within_its_sampling_error(n: int, shift: float) -> None:
    differences = whole_numbers(n, seed=n, shift=shift)
    exact = float(p_by_counting(differences))
    error = math.sqrt(exact * (1 - exact) / RESAMPLES)
    assert error <= 0.0012
    assert abs(sign_flip_test(differences).p - exact) < 4.5 * error + 1 / RESAMPLES


def test_beyond_44_pairs_p_is_never_zero() -> None:
    assert sign_flip_test(np.linspace(1, 2, 60)).p == 1 / 200_001


def test_beyond_44_pairs_the_same_numbers_come_every_time() -> None:
    differences = whole_numbers(80, seed=1, shift=0.1)
    first = sign_flip_test(differences)
    np.random.default_rng(0).normal(size=10)
    assert sign_flip_test(differences) == first
    own = [sign_flip_test(differences, rng=np.random.default_rng(seed)).p for seed in (5, 5, 6)]
    assert own[0] == own[1] != own[2]


def test_up_to_44_pairs_the_generator_does_not_matter() -> None:
    differences = whole_numbers(20, seed=1)
    assert sign_flip_test(differences, rng=np.random.default_rng(9)) == sign_flip_test(differences)


def test_the_tests_size_is_held_for_skewed_exchangeable_pairs() -> None:
    """Two draws of one skewed distribution: p ≤ 0.05 in at most one case of twenty."""
    rng = np.random.default_rng(12)
    repeats = 2000
    samples = rng.exponential(size=(repeats, 8)) - rng.exponential(size=(repeats, 8))
    rejected = sum(sign_flip_test(differences).p <= 0.05 for differences in samples)
    # 12 of 256 patterns: 0.0469 of the cases
    assert abs(rejected / repeats - 12 / 256) < 4 * math.sqrt(0.0469 * 0.9531 / repeats)


@pytest.mark.parametrize(
    ("differences", "received"),
    [
        ([], "0 differences, 0 of them not finite"),
        ([0.1, math.nan, 0.2], "3 differences, 1 of them not finite"),
        ([math.inf, 0.1, -math.inf, math.nan], "4 differences, 3 of them not finite"),
        ([math.nan] * 50, "50 differences, 50 of them not finite"),
    ],
)
def test_no_differences_or_ones_that_are_not_finite_are_refused(
    differences: list[float], received: str
) -> None:
    for call in (sign_flip_test, t_interval):
        with pytest.raises(InputError) as caught:
            call(differences)
        assert caught.value.received == received
        assert caught.value.rule == "every one must be a finite number, and there must be 1 or more"
        assert caught.value.remedy == (
            "drop pairs without a value and report how many, or give them a rank of their own"
        )
