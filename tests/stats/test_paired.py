"""Computation: paired tests, against scipy, published examples and plain counting."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.effects import cohens_dz, paired_improvement
from harness.stats.intervals import t_interval
from harness.stats.paired import (
    EXACT_UP_TO,
    RANKS_EXACT_UP_TO,
    RESAMPLES,
    hodges_lehmann,
    paired_t_test,
    sign_flip_test,
    wilcoxon_test,
)
from tests.stats.examples import AFTER, BEFORE, C45, C45_M, MAIZE, SLEEP

DEPRESSION = np.subtract(BEFORE, AFTER)


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


def signed_ranks(differences: Sequence[int]) -> list[int]:
    """Twice the midrank of each whole number that is not zero, by counting those below it, with its sign."""
    sizes = [abs(one) for one in differences if one]
    twice = {size: 2 * sum(other < size for other in sizes) + sizes.count(size) + 1 for size in sizes}
    return [twice[abs(one)] * (1 if one > 0 else -1) for one in differences if one]


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


def test_the_depression_scale_gives_the_signed_rank_test_and_interval_of_hollander_and_wolfe() -> None:
    # R: V = 40, one-sided p = 0.01953 (10 of 512); the book's estimate 0.46, limits 0.010 and 0.786
    found = wilcoxon_test(DEPRESSION)
    assert (found.statistic, found.p, found.n) == (40.0, 2 * 10 / 512, 9)
    assert found.method == "Wilcoxon signed-rank, exact"
    interval = hodges_lehmann(DEPRESSION)
    assert interval.estimate == pytest.approx(0.46, abs=1e-12)
    assert (interval.low, interval.high) == pytest.approx((0.010, 0.786), abs=1e-12)
    assert (interval.level, interval.n) == (0.95, 9)


def test_students_sleep_data_drop_the_patient_without_a_difference() -> None:
    # Nine positive differences: two patterns of 512 are as extreme. Approximations give 0.0091.
    found = wilcoxon_test(SLEEP)
    assert (found.statistic, found.p, found.n) == (45.0, 2 / 512, 9)


def test_darwins_maize_gives_the_signed_ranks_counted_one_by_one() -> None:
    # −48 and −67 rank tenth and fourteenth of 15
    found = wilcoxon_test(MAIZE)
    assert found.statistic == 15 * 16 / 2 - 10 - 14
    assert found.p == p_by_counting(signed_ranks(MAIZE))


def test_differences_that_rounding_has_parted_share_their_rank() -> None:
    differences = [0.3 - 0.2, 0.1 - 0.2, 0.95 - 0.92, 0.98 - 0.95, -0.5]
    assert len({abs(one) for one in differences}) == 5  # floats see no tie
    found = wilcoxon_test(differences)
    assert found.statistic == 3.5 + 1.5 + 1.5
    assert found.p == p_by_listing((7, -7, 3, 3, -10))


def test_areas_under_the_curve_are_ranked_as_in_demsars_table() -> None:
    """He gives two zeros rank 1.5; without them 0.005, twice, ranks 1.5 and 0.008, the other loss, 5."""
    differences = np.subtract(C45_M, C45)
    thousandths = [round(1000 * one) for one in differences]
    found = wilcoxon_test(differences)
    assert found.statistic == 12 * 13 / 2 - (1.5 + 5)
    assert found.n == 12
    assert found.p == p_by_listing(signed_ranks(thousandths))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 10, 20, 33, 44, 60, 100])
def test_signed_ranks_without_ties_agree_with_scipys_exact_test(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    theirs = stats.wilcoxon(differences, method="exact")
    found = wilcoxon_test(differences)
    assert found.p == pytest.approx(float(theirs.pvalue), rel=1e-9)
    assert min(found.statistic, n * (n + 1) / 2 - found.statistic) == float(theirs.statistic)


@pytest.mark.parametrize("n", range(3, 11))
def test_signed_ranks_with_ties_agree_with_scipys_permutation_test_of_the_midranks(n: int) -> None:
    differences = np.random.default_rng(n).integers(1, 4, n) * np.random.default_rng(n + 1).choice(
        [-1, 1, 1], n
    )
    signed = stats.rankdata(np.abs(differences)) * np.sign(differences)
    theirs = stats.permutation_test((signed,), np.sum, permutation_type="samples", n_resamples=2**n)
    assert len(theirs.null_distribution) == 2**n
    assert wilcoxon_test(differences).p == pytest.approx(float(theirs.pvalue), rel=1e-12)


@pytest.mark.parametrize(
    "differences",
    [
        (1,),
        (0, 0, 5, 0),
        (1, -1),
        (2, -1, -1),
        (3, 3, -3, 1, 1, -1, 0, 2),
        (5, 5, 5, 5, 5, 5, 5, -5, -5),
        (-7, -7, -7, 0, 0, 1),
        (1, 2, 2, 3, 3, 3, 4, 4, -4, -4),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 1 / 3000, 1e-12, 1e200, 5e-324])
def test_ranks_of_any_size_are_counted_as_every_pattern_counts_them(
    differences: tuple[int, ...], unit: float
) -> None:
    signed = signed_ranks(differences)
    found = wilcoxon_test(np.multiply(differences, unit))
    assert found.p == p_by_listing(signed)
    assert found.statistic == sum(one for one in signed if one > 0) / 2
    assert found.n == len(signed)


@pytest.mark.parametrize("n", [45, 150])
def test_many_tied_ranks_are_still_counted_exactly(n: int) -> None:
    rng = np.random.default_rng(n)
    differences = [int(one) for one in rng.integers(-6, 8, n)]
    found = wilcoxon_test(differences)
    assert found.method == "Wilcoxon signed-rank, exact"
    assert found.p == pytest.approx(float(p_by_counting(signed_ranks(differences))), rel=1e-12)


def test_beyond_500_pairs_ranks_take_the_normal_approximation_of_scipy() -> None:
    assert RANKS_EXACT_UP_TO == 500
    assert wilcoxon_test(np.linspace(1, 2, 500)).p == 2.0**-499
    assert wilcoxon_test(np.linspace(1, 2, 501)).method == "Wilcoxon signed-rank, normal approximation"
    differences = np.random.default_rng(0).integers(-20, 22, 1000)
    theirs = stats.wilcoxon(differences, zero_method="wilcox", correction=False)
    found = wilcoxon_test(differences)
    assert found.method == "Wilcoxon signed-rank, normal approximation"
    assert found.p == pytest.approx(float(theirs.pvalue), rel=1e-9)


def test_all_zero_differences_have_p_one() -> None:
    found = wilcoxon_test([0.0] * 8)
    assert (found.statistic, found.p, found.n) == (0.0, 1.0, 0)
    assert found.method == "Wilcoxon signed-rank, every difference zero"


def test_one_enormous_difference_leaves_the_ranks_of_the_others_alone() -> None:
    assert wilcoxon_test([1e30, -0.1, 0.2, 0.3, 0.4, 0.5]).p == wilcoxon_test([6, -1, 2, 3, 4, 5]).p


def test_a_sum_that_rounding_keeps_from_zero_is_zero() -> None:
    rounded = 0.1 + 0.2 - 0.3
    assert rounded != 0
    assert wilcoxon_test([rounded, 0.1, 0.2, 0.4]).n == 3
    assert paired_improvement([rounded, 0.1, 0.2, 0.4]).estimate == 3.5 / 4


def test_the_paired_t_test_gives_the_published_figures() -> None:
    # R's `sleep`: t = -4.0621, p = 0.002833 (first minus second); Fisher 1935, §17: t = 2.148
    sleep, maize = paired_t_test(SLEEP), paired_t_test(MAIZE)
    assert sleep.statistic == pytest.approx(4.0621, abs=5e-5)
    assert sleep.p == pytest.approx(0.002833, abs=5e-7)
    assert (sleep.n, sleep.method) == (10, "paired t-test")
    assert maize.statistic == pytest.approx(2.148, abs=5e-4)
    assert maize.p == pytest.approx(0.0497, abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 6, 30, 200])
def test_the_paired_t_test_agrees_with_scipys_of_both_arms(n: int) -> None:
    rng = np.random.default_rng(n)
    variant, baseline = rng.normal(0.95, 0.02, n), rng.normal(0.93, 0.02, n)
    theirs = stats.ttest_rel(variant, baseline)
    for unit in (1.0, 1e-200, 1e200):  # squares of these overflow or vanish
        found = paired_t_test((variant - baseline) * unit)
        assert found.statistic == pytest.approx(float(theirs.statistic), rel=1e-9)
        assert found.p == pytest.approx(float(theirs.pvalue), rel=1e-9)


@pytest.mark.parametrize("differences", [[0.3], [0.0] * 6, [0.25] * 6, [0.3, 0.1 + 0.2, 0.3], [-2e300] * 3])
def test_a_t_test_without_spread_is_no_test(differences: list[float]) -> None:
    found = paired_t_test(differences)
    assert math.isnan(found.statistic)
    assert math.isnan(found.p)
    assert found.method == "paired t-test, not possible without spread"


@pytest.mark.parametrize("n", [6, 7, 9, 10])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_signed_rank_interval_holds_every_centre_that_the_test_lets_stand(n: int, level: float) -> None:
    """A centre between two neighbouring averages is inside exactly where the listed p exceeds 1 − level."""
    differences = np.random.default_rng(n).normal(0.2, 1, n)
    averages = sorted({(a + b) / 2 for a, b in itertools.product(differences, repeat=2)})
    found = hodges_lehmann(differences, level=level)
    centres = [averages[0] - 1, *np.convolve(averages, [0.5, 0.5], "valid"), averages[-1] + 1]
    assert len(centres) == n * (n + 1) // 2 + 1
    for centre in centres:
        moved = differences - centre
        signed = [int(one) for one in stats.rankdata(np.abs(moved)) * np.sign(moved)]
        assert (found.low < centre < found.high) == (p_by_listing(signed) > 1 - level)


def test_the_estimate_is_the_median_of_all_averages_of_two() -> None:
    # 1, 1.5, 2, 5.5, 6, 10: the median lies between 2 and 5.5
    assert hodges_lehmann([10, 1, 2]).estimate == 3.75
    assert hodges_lehmann([0.25]).estimate == 0.25


@pytest.mark.parametrize("n", [1, 2, 5])
def test_five_differences_are_too_few_for_limits(n: int) -> None:
    found = hodges_lehmann(np.linspace(1, 2, n))
    assert found.estimate == pytest.approx(np.linspace(1, 2, n).mean())
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_six_differences_have_their_extremes_as_limits_up_to_the_level_they_attain() -> None:
    differences = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    for level in (0.95, 1 - 2 / 64):
        found = hodges_lehmann(differences, level=level)
        assert (found.low, found.high) == (1.0, 9.0)
    assert math.isnan(hodges_lehmann(differences, level=0.97).low)
    # 0.9 leaves out 3 of 64 patterns in each tail, T⁺ up to 2: the third of 1, 1.25, 1.5 and of 9, 6.5, 6
    found = hodges_lehmann(differences, level=0.9)
    assert (found.low, found.high) == (1.5, 6.0)


def test_equal_differences_have_a_signed_rank_interval_of_no_width() -> None:
    found = hodges_lehmann([0.5] * 7)
    assert (found.low, found.estimate, found.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("n", [6, 11, 60, 501])
@pytest.mark.parametrize("tied", ["tied", "continuous"])
def test_mirrored_shuffled_or_rescaled_differences_change_no_other_answer(n: int, tied: str) -> None:
    rng = np.random.default_rng(n)
    differences = rng.integers(-3, 6, n).astype(float) if tied == "tied" else rng.normal(0.3, 1, n)
    ranked, t, centre = wilcoxon_test(differences), paired_t_test(differences), hodges_lehmann(differences)
    mirrored = wilcoxon_test(-differences)
    assert (mirrored.p, mirrored.n) == (ranked.p, ranked.n)
    assert mirrored.statistic == ranked.n * (ranked.n + 1) / 2 - ranked.statistic
    assert (paired_t_test(-differences).p, paired_t_test(-differences).statistic) == (t.p, -t.statistic)
    other = hodges_lehmann(-differences)
    assert (other.low, other.estimate, other.high) == (-centre.high, -centre.estimate, -centre.low)
    shuffled = rng.permutation(differences)
    assert wilcoxon_test(shuffled) == ranked
    assert hodges_lehmann(shuffled) == centre
    assert paired_t_test(shuffled).statistic == pytest.approx(t.statistic, rel=1e-12)
    assert wilcoxon_test(differences * 1e-6) == ranked
    assert hodges_lehmann(differences * 1024).low == centre.low * 1024


def draw(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Differences of exchangeable pairs: normal, of skewed margins, or tied."""
    if kind == "tied":
        return (rng.binomial(20, 0.9, shape) - rng.binomial(20, 0.9, shape)) / 20
    return np.asarray(
        rng.exponential(size=shape) - rng.exponential(size=shape)
        if kind == "skewed"
        else rng.normal(size=shape)
    )


@pytest.mark.parametrize("kind", ["normal", "skewed", "tied"])
@pytest.mark.parametrize("n", [6, 10, 30])
def test_the_tests_and_intervals_keep_their_level(kind: str, n: int) -> None:
    """In 600 samples without an effect, within four Monte Carlo errors."""
    repeats = 600
    samples = draw(kind, (repeats, n), np.random.default_rng(n))
    most = repeats * 0.05 + 4 * math.sqrt(repeats * 0.05 * 0.95)
    assert sum(wilcoxon_test(sample).p <= 0.05 for sample in samples) <= most
    assert sum(paired_t_test(sample).p <= 0.05 for sample in samples) <= most
    limits = [hodges_lehmann(sample) for sample in samples]
    assert sum(not one.low <= 0 <= one.high for one in limits) <= most


def test_the_rank_test_rejects_as_often_as_its_distribution_says() -> None:
    """T⁺ ≤ 8 in 25 of 1,024 patterns of ten ranks (Wilcoxon's table: 8 at 0.05, two-sided)."""
    attained = 2 * 25 / 1024
    samples = np.random.default_rng(4).normal(size=(2000, 10))
    rejected = sum(wilcoxon_test(sample).p <= 0.05 for sample in samples)
    assert abs(rejected / 2000 - attained) < 4 * math.sqrt(attained * (1 - attained) / 2000)


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
    calls = (sign_flip_test, wilcoxon_test, paired_t_test, hodges_lehmann, t_interval)
    for call in (*calls, cohens_dz, paired_improvement):
        with pytest.raises(InputError) as caught:
            call(differences)
        assert caught.value.received == received
        assert caught.value.rule == "every one must be a finite number, and there must be 1 or more"
        assert caught.value.remedy == (
            "drop pairs without a value and report how many, or give them a rank of their own"
        )
