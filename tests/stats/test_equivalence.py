"""Computation: equivalence and meaning, against statsmodels, R and published figures."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import InputError
from harness.stats.equivalence import (
    Margin,
    bayesian_t,
    meaningful,
    pairs_for_improvement,
    two_one_sided_tests,
)
from harness.stats.results import Interval
from tests.stats.examples import MAIZE, SLEEP

# Fifteen pairs of a clinical trial and what R's equivalence::tost(paired = TRUE, epsilon = 0.6) says of them,
# as kept in statsmodels/stats/tests/test_tost.py.
CLINIC_FIRST = (
    (2.84, 2.51, 2.41, 2.95, 3.14, 3.79, 4.14, 3.85, 3.02, 3.45, 5.37, 3.81, 4.19, 3.16, 3.84),
    (2.60, 2.82, 2.18, 3.46, 4.01, 3.04, 3.47, 4.06, 2.91, 3.59, 4.51, 3.16, 3.86, 3.31, 3.02),
)
CLINIC_SECOND = (
    (4.00, 3.26, 4.14, 3.42, 3.25, 4.34, 4.97, 4.31, 3.11, 3.41, 5.02, 4.21, 4.59, 5.30, 4.32),
    (3.76, 3.66, 3.65, 3.60, 3.48, 2.87, 3.24, 3.92, 3.99, 4.21, 4.21, 3.31, 3.61, 2.97, 2.73),
)


@pytest.mark.parametrize(
    ("pairs", "p", "low", "high"),
    [
        (CLINIC_FIRST, 0.003166881489265175, -0.0744336620516462, 0.4037669953849797),
        (CLINIC_SECOND, 0.4412034046017588, 0.1261653305099018, 0.999168002823431),
    ],
)
def test_a_clinical_trial_gives_what_r_gives(
    pairs: tuple[tuple[float, ...], tuple[float, ...]], p: float, low: float, high: float
) -> None:
    found = two_one_sided_tests(np.subtract(*pairs), margin=0.6)
    assert found.p == pytest.approx(p, rel=1e-10)
    assert found.interval.low == pytest.approx(low, rel=1e-10)
    assert found.interval.high == pytest.approx(high, rel=1e-10)
    assert found.interval.level == 0.9
    assert (found.low, found.high, found.n) == (-0.6, 0.6, 15)


@pytest.mark.parametrize("n", [2, 3, 6, 10, 30])
@pytest.mark.parametrize("margin", [0.3, (-0.1, 0.4), (-2.0, 0.05)])
def test_both_tests_agree_with_statsmodels_and_scipy(n: int, margin: Margin) -> None:
    rng = np.random.default_rng(n)
    variant, baseline = rng.normal(0.1, 0.4, n), rng.normal(0, 0.4, n)
    low, high = margin if isinstance(margin, tuple) else (-margin, margin)
    p, (t_low, p_low, _), (t_high, p_high, _) = ttost_paired(variant, baseline, low, high)
    found = two_one_sided_tests(variant - baseline, margin=margin)
    assert found.p == pytest.approx(float(p), rel=1e-9)
    assert (found.p_low, found.p_high) == pytest.approx((float(p_low), float(p_high)), rel=1e-9)
    assert (found.t_low, found.t_high) == pytest.approx((float(t_low), float(t_high)), rel=1e-9)
    theirs = stats.ttest_1samp(variant - baseline, high, alternative="less")
    assert found.p_high == pytest.approx(float(theirs.pvalue), rel=1e-9)
    middle = stats.ttest_1samp(variant - baseline, 0).confidence_interval(0.9)
    assert (found.interval.low, found.interval.high) == pytest.approx((middle.low, middle.high), rel=1e-9)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_p_is_below_alpha_just_where_the_interval_lies_within_the_margin(alpha: float) -> None:
    rng = np.random.default_rng(4)
    verdicts = set()
    for _ in range(200):
        found = two_one_sided_tests(rng.normal(0.2, 0.5, 8), margin=(-0.5, 0.7), alpha=alpha)
        within = found.low < found.interval.low and found.interval.high < found.high
        assert (found.p < alpha) == within
        assert found.interval.level == pytest.approx(1 - 2 * alpha)
        verdicts.add(within)
    assert verdicts == {True, False}


def test_swapping_variant_and_baseline_mirrors_the_tests_and_the_posterior() -> None:
    differences = np.random.default_rng(5).normal(0.1, 0.3, 9)
    found = two_one_sided_tests(differences, margin=(-0.2, 0.5))
    swapped = two_one_sided_tests(-differences, margin=(-0.5, 0.2))
    assert swapped.p == found.p
    assert (swapped.p_low, swapped.p_high) == pytest.approx((found.p_high, found.p_low), rel=1e-12)
    assert (swapped.t_low, swapped.t_high) == (-found.t_high, -found.t_low)
    assert (swapped.interval.low, swapped.interval.high) == (-found.interval.high, -found.interval.low)
    ahead, behind = bayesian_t(differences, rope=(-0.2, 0.5)), bayesian_t(-differences, rope=(-0.5, 0.2))
    assert (behind.below, behind.within, behind.above) == (ahead.above, ahead.within, ahead.below)


def test_a_wider_margin_is_shown_at_least_as_easily() -> None:
    differences = np.random.default_rng(6).normal(0.05, 0.2, 10)
    found = [two_one_sided_tests(differences, margin=margin).p for margin in (0.01, 0.1, 0.2, 0.5, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.5
    assert found[-1] < 1e-4


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.0] * 6, 0.0),
        ([0.01] * 6, 0.0),
        ([0.91 - 0.90, 0.81 - 0.80, 0.31 - 0.30], 0.0),  # they differ by rounding
        ([0.02] * 6, 1.0),
        ([-0.02] * 6, 1.0),
        ([0.92 - 0.90, 0.82 - 0.80, 0.32 - 0.30], 1.0),  # on the margin, up to rounding
        ([0.03, 0.03], 1.0),
        ([-0.03, -0.03], 1.0),
    ],
)
def test_differences_without_spread_are_shown_to_lie_within_or_not(
    differences: list[float], p: float
) -> None:
    found = two_one_sided_tests(differences, margin=0.02)
    assert found.p == p
    mirrored = two_one_sided_tests([-one for one in differences], margin=0.02)
    assert (mirrored.p_low, mirrored.p_high) == (found.p_high, found.p_low)
    believed = bayesian_t(differences, rope=0.02)
    assert believed.within == 1 - p
    assert believed.below + believed.within + believed.above == 1
    assert believed.below == (p if sum(differences) < 0 else 0)


@pytest.mark.parametrize("n", [6, 10, 30])
@pytest.mark.parametrize("kind", ["normal", "tied", "skewed"])
def test_a_difference_as_large_as_the_margin_passes_for_equivalent_once_in_twenty(n: int, kind: str) -> None:
    repeats, rng = 800, np.random.default_rng(7)
    pairs = rng.exponential(size=(repeats, 2, n)) if kind == "skewed" else rng.normal(size=(repeats, 2, n))
    differences = pairs[:, 0] - pairs[:, 1]  # exchangeable pairs: symmetric about zero
    if kind == "tied":
        differences = differences.round()
    passed = sum(two_one_sided_tests(one + 3, margin=3).p <= 0.05 for one in differences)
    assert passed / repeats <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert passed > 0


def test_equivalence_is_shown_where_it_holds_and_seeds_suffice() -> None:
    rng = np.random.default_rng(8)
    shown = [two_one_sided_tests(rng.normal(0, 1, 20), margin=1.0).p < 0.05 for _ in range(100)]
    # Both |mean| < 1 − 1.729 s/√20: 0.984 for s = 1, by 2Φ(√20 − 1.729) − 1.
    assert sum(shown) >= 90


@pytest.mark.parametrize("margin", [0, -1.0, math.nan, math.inf, (0.1, 0.2), (0.2, -0.2), (-1.0, 0.0)])
def test_a_margin_without_zero_inside_is_refused(margin: Margin) -> None:
    with pytest.raises(InputError, match="with zero inside") as caught:
        two_one_sided_tests(SLEEP, margin=margin)
    assert caught.value.received.startswith("a margin from ")
    assert "low < 0 < high" in caught.value.remedy
    with pytest.raises(InputError, match="a region of practical equivalence from "):
        bayesian_t(SLEEP, rope=margin)


@pytest.mark.parametrize(
    ("differences", "received"),
    [
        ([0.1], "1 differences, 0 of them not finite"),
        ([0.1, math.nan, 1], "3 differences, 1 of them not finite"),
    ],
)
def test_too_few_differences_or_a_nan_are_refused(differences: list[float], received: str) -> None:
    for call in (
        lambda: two_one_sided_tests(differences, margin=1),
        lambda: bayesian_t(differences, rope=1),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.received == received


@pytest.mark.parametrize("alpha", [0.0, 0.5, -0.1, math.nan])
def test_an_alpha_that_is_no_error_rate_is_refused(alpha: float) -> None:
    for call in (
        lambda: two_one_sided_tests(SLEEP, margin=1, alpha=alpha),
        lambda: pairs_for_improvement(alpha=alpha),
        lambda: pairs_for_improvement(beta=alpha),
    ):
        with pytest.raises(InputError, match=r"an error rate must lie between 0 and 0\.5"):
            call()


def test_the_posterior_of_students_sleep_data_holds_half_the_published_p() -> None:
    # With a region of no width the share below zero is the one-sided p: 0.002833 / 2.
    found = bayesian_t(SLEEP, rope=1e-12)
    assert found.below == pytest.approx(0.002833 / 2, abs=5e-7)
    assert found.above == pytest.approx(1 - 0.002833 / 2, abs=5e-7)
    assert found.n == 10


@pytest.mark.parametrize(
    ("differences", "rope"), [(SLEEP, 0.7), (MAIZE, (-5.0, 12.0)), ([1.0, 3.0, 2.5], 1.5)]
)
def test_the_posterior_is_that_of_a_normal_mean_averaged_over_its_variance(
    differences: tuple[float, ...], rope: Margin
) -> None:
    """Given σ², the mean is normal with variance σ²/n; (n − 1)s²/σ² is χ² with n − 1 degrees of freedom."""
    n = len(differences)
    mean, s = float(np.mean(differences)), float(np.std(differences, ddof=1))
    low, high = rope if isinstance(rope, tuple) else (-rope, rope)
    shares = (np.arange(200_000) + 0.5) / 200_000
    sigma = s * np.sqrt((n - 1) / stats.chi2.ppf(shares, n - 1)) / math.sqrt(n)
    below, above = stats.norm.cdf((low - mean) / sigma).mean(), stats.norm.sf((high - mean) / sigma).mean()
    found = bayesian_t(differences, rope=rope)
    assert found.below == pytest.approx(float(below), abs=2e-5)
    assert found.above == pytest.approx(float(above), abs=2e-5)
    assert found.within == pytest.approx(1 - float(below) - float(above), abs=4e-5)


@pytest.mark.parametrize(
    ("low", "high", "meaning"),
    [
        (0.51, 0.90, "significant and meaningful"),
        (0.51, 0.75, "significant and meaningful"),  # γ is reached by the upper limit itself
        (0.51, 0.7499, "significant, not meaningful"),
        (0.50, 0.99, "not significant"),  # 0.5 itself is no improvement
        (0.40, 0.70, "not significant"),
        (0.40, 0.99, "not significant"),
        (0.10, 0.30, "not significant"),
        (0.80, 1.00, "significant and meaningful"),
        (1.00, 1.00, "significant and meaningful"),
    ],
)
def test_an_improvement_is_meaningful_where_its_interval_reaches_gamma_from_above_a_half(
    low: float, high: float, meaning: str
) -> None:
    assert meaningful(Interval((low + high) / 2, low, high, level=0.95, n=20)) == meaning


def test_the_rule_is_asked_of_the_baseline_by_the_mirrored_interval() -> None:
    worse = Interval(0.15, 0.05, 0.35, level=0.95, n=20)
    mirrored = Interval(0.85, 1 - 0.35, 1 - 0.05, level=0.95, n=20)
    assert meaningful(worse) == "not significant"
    assert meaningful(mirrored) == "significant and meaningful"


def test_another_gamma_can_be_declared() -> None:
    found = Interval(0.7, 0.6, 0.8, level=0.95, n=50)
    assert meaningful(found, gamma=0.8) == "significant and meaningful"
    assert meaningful(found, gamma=0.81) == "significant, not meaningful"


@pytest.mark.parametrize(("low", "high"), [(math.nan, math.nan), (0.6, 1.2), (0.9, 0.6), (-0.1, 0.9)])
def test_limits_that_are_no_probabilities_are_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match="both must be probabilities"):
        meaningful(Interval(0.7, low, high, level=0.95, n=3))


@pytest.mark.parametrize("gamma", [0.5, 0.3, 1.1, math.nan])
def test_a_gamma_that_is_no_improvement_is_refused(gamma: float) -> None:
    for call in (
        lambda: meaningful(Interval(0.7, 0.6, 0.8, level=0.95, n=50), gamma=gamma),
        lambda: pairs_for_improvement(gamma),
    ):
        with pytest.raises(InputError, match=r"must be above 0\.5 and at most 1") as caught:
            call()
        assert caught.value.received == f"gamma = {gamma}"


def test_29_runs_show_an_improvement_of_three_in_four() -> None:
    # Bouthillier et al. 2021: γ = 0.75 and α = β = 0.05 need 28.86 runs.
    assert pairs_for_improvement() == 29
    assert pairs_for_improvement(0.75, alpha=0.05, beta=0.05) == 29


@pytest.mark.parametrize("gamma", [0.55, 0.6, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize(("alpha", "beta"), [(0.05, 0.05), (0.05, 0.2), (0.01, 0.1)])
def test_the_runs_needed_are_noethers(gamma: float, alpha: float, beta: float) -> None:
    reach = NormalDist().inv_cdf(1 - alpha) - NormalDist().inv_cdf(beta)
    exact = (reach / (math.sqrt(6) * (0.5 - gamma))) ** 2
    assert exact <= pairs_for_improvement(gamma, alpha=alpha, beta=beta) < exact + 1


def test_29_runs_of_either_variant_do_show_it_by_a_rank_sum_test() -> None:
    rng = np.random.default_rng(9)
    shift = math.sqrt(2) * NormalDist().inv_cdf(0.75)  # P(A > B) = 0.75 for two normals so far apart
    a, b = rng.normal(shift, 1, (1500, 29)), rng.normal(0, 1, (1500, 29))
    power = float((stats.mannwhitneyu(a, b, alternative="greater", axis=1).pvalue <= 0.05).mean())
    # Noether takes the variance under no effect, so the true power lies a little above 0.95.
    assert 0.95 - 4 * math.sqrt(0.95 * 0.05 / 1500) <= power < 0.99
