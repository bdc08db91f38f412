"""Computation: intervals, against scipy, published examples and arithmetic by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.checks import Values
from harness.stats.intervals import BootstrapInterval, bootstrap_interval, t_interval
from tests.stats.examples import MAIZE, SLEEP

Statistic = Callable[..., Any]


@pytest.mark.parametrize("n", [2, 3, 6, 10, 30, 100])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_the_interval_agrees_with_scipys_paired_t_test(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    variant, baseline = rng.normal(0.9, 0.1, n), rng.normal(0.8, 0.1, n)
    paired = stats.ttest_rel(variant, baseline).confidence_interval(level)
    alone = stats.ttest_1samp(variant - baseline, 0).confidence_interval(level)
    found = t_interval(variant - baseline, level=level)
    assert found.low == pytest.approx(float(paired.low), rel=1e-10)
    assert found.high == pytest.approx(float(paired.high), rel=1e-10)
    assert found.low == pytest.approx(float(alone.low), rel=1e-10)
    assert found.estimate == pytest.approx(float(np.mean(variant) - np.mean(baseline)), rel=1e-10)
    assert (found.level, found.n) == (level, n)


def test_students_sleep_data_give_the_published_interval() -> None:
    # R: t.test(extra ~ group, data = sleep, paired = TRUE): -2.4598858 -0.7001142
    found = t_interval(SLEEP)
    assert found.estimate == pytest.approx(1.58, abs=1e-12)
    assert found.low == pytest.approx(0.7001142, abs=5e-8)
    assert found.high == pytest.approx(2.4598858, abs=5e-8)
    assert found.level == 0.95


def test_darwins_maize_gives_the_interval_worked_by_hand() -> None:
    # Σd = 314, Σd² = 26,518, so s² = 19,944.93 / 14 and the standard error of the mean is 9.746 (Fisher
    # 1935, §17); t = 2.145 for 14 degrees of freedom.
    found = t_interval(MAIZE)
    assert found.estimate == pytest.approx(20.933, abs=5e-4)
    assert (found.high - found.low) / 2 == pytest.approx(9.746 * 2.145, abs=0.01)


def test_a_single_difference_has_no_interval() -> None:
    found = t_interval([0.25])
    assert found.estimate == 0.25
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.n == 1


def test_equal_differences_have_an_interval_of_no_width() -> None:
    found = t_interval([0.5, 0.5, 0.5])
    assert (found.low, found.estimate, found.high) == (0.5, 0.5, 0.5)


def test_mirrored_differences_mirror_the_interval() -> None:
    differences = np.random.default_rng(2).normal(size=9)
    found, mirrored = t_interval(differences), t_interval(-differences)
    assert (mirrored.low, mirrored.estimate, mirrored.high) == (-found.high, -found.estimate, -found.low)


def percentile(values: Values, *, seed: int = 0, resamples: int = 2000) -> BootstrapInterval:
    rng = np.random.default_rng(seed)
    return bootstrap_interval(values, rng=rng, method="percentile", resamples=resamples)


def test_the_bootstrap_draws_from_the_generator_it_is_given() -> None:
    values = np.random.default_rng(1).normal(size=25)
    rng = np.random.default_rng(7)
    first, second = (bootstrap_interval(values, rng=rng, resamples=500) for _ in range(2))
    assert first != second  # its state has moved
    again = bootstrap_interval(values, rng=np.random.default_rng(7), resamples=500)
    assert again == first
    np.random.default_rng(0).normal(size=10)
    assert bootstrap_interval(values, rng=np.random.default_rng(8), resamples=500) != first


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_percentile_limits_are_those_of_the_whole_bootstrap_distribution(statistic: Statistic) -> None:
    """Five values can be drawn in 3,125 ways: all of them, listed."""
    values = [0.3, 1.1, 1.9, 4.2, 8.0]
    every = [statistic(draw) for draw in itertools.product(values, repeat=5)]
    found = bootstrap_interval(
        values, rng=np.random.default_rng(2), method="percentile", statistic=statistic, resamples=20_000
    )
    assert found.estimate == statistic(values)
    # A share of 0.025 of 20,000 is known to ± 0.0011: three of those either side
    for limit, share in ((found.low, 0.025), (found.high, 0.975)):
        assert np.quantile(every, share - 0.0035) <= limit <= np.quantile(every, share + 0.0035)


def bca_by_hand(values: Values, means: Values, *, level: float) -> tuple[float, float]:
    """Efron & Tibshirani 1993, (14.9), (14.10), (14.14) and (14.15), in scipy's convention for ties."""
    numbers, drawn = np.asarray(values, dtype=float), np.asarray(means, dtype=float)
    at = (np.mean(drawn < numbers.mean()) + np.mean(drawn <= numbers.mean())) / 2
    bias = stats.norm.ppf(at)
    without = np.array([np.delete(numbers, index).mean() for index in range(numbers.size)])
    pulls = without.mean() - without
    acceleration = (pulls**3).sum() / (6 * (pulls**2).sum() ** 1.5)
    z = bias + np.asarray(stats.norm.ppf([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(drawn, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_bca_limits_follow_efron_and_tibshirani(level: float) -> None:
    """Own resamples, other ones: the limits agree but for Monte Carlo error, and percentile limits don't."""
    values = np.random.default_rng(11).exponential(size=24) ** 1.5
    found = bootstrap_interval(values, rng=np.random.default_rng(3), level=level, resamples=40_000)
    draws = np.random.default_rng(4).integers(0, 24, (40_000, 24))
    means = values[draws].mean(axis=1)
    low, high = bca_by_hand(values, means, level=level)
    error = 0.02 * values.std()
    assert (found.low, found.high) == pytest.approx((low, high), abs=error)
    assert abs(found.high - np.quantile(means, (1 + level) / 2)) > 3 * error
    assert (found.level, found.n, found.caution) == (level, 24, "")


def test_the_spatial_test_data_have_the_bca_interval_of_efron_and_tibshirani() -> None:
    """The variance of A in Table 14.1: 171.5; from 2,000 resamples 90 % limits of 115.8 and 259.6 (§14.3)."""
    scores = (
        *(48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6),
        *(0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41),
    )
    rng = np.random.default_rng(14)
    found = bootstrap_interval(scores, rng=rng, statistic=np.var, level=0.9, resamples=20_000)
    assert found.estimate == pytest.approx(171.5, abs=0.05)
    # Theirs have Monte Carlo errors of 1.9 and 3.4; without the corrections the limits are 97 and 236.
    assert (found.low, found.high) == pytest.approx((115.8, 259.6), abs=4.5)


def test_a_statistic_without_an_axis_serves_too() -> None:
    def spread(values: Values) -> float:
        return float(np.max(values) - np.min(values))

    values = np.random.default_rng(5).uniform(size=30)
    found = bootstrap_interval(
        values, rng=np.random.default_rng(0), method="percentile", statistic=spread, resamples=200
    )
    assert found.estimate == values.max() - values.min()
    assert found.low < found.high <= found.estimate


@pytest.mark.parametrize("n", [2, 6, 19])
def test_bca_is_refused_for_few_values(n: int) -> None:
    with pytest.raises(InputError) as caught:
        bootstrap_interval(np.arange(n), rng=np.random.default_rng(0))
    assert caught.value.received == f"a BCa interval from {n} values"
    assert caught.value.rule == "it needs 20: at 95 %, 84 % hold the mean of 5 normal values, 90 % of 10"
    assert caught.value.remedy == "take Student's interval or that of Hodges and Lehmann"


def test_the_percentile_interval_of_few_values_carries_a_caution() -> None:
    values = np.random.default_rng(0).normal(size=20)
    assert percentile(values).caution == ""
    few = percentile(values[:19])
    assert few.caution == "from 19 values: holds less often than it says (95 %: 84 % at 5, 90 % at 10)"
    assert few.low < few.high


@pytest.mark.parametrize(("n", "share"), [(5, 0.84), (10, 0.90), (20, 0.93)])
def test_the_percentile_interval_holds_as_often_as_its_caution_says(n: int, share: float) -> None:
    repeats = 500
    samples = np.random.default_rng(n).normal(size=(repeats, n))
    found = [percentile(sample, seed=index, resamples=400) for index, sample in enumerate(samples)]
    held = sum(one.low <= 0 <= one.high for one in found) / repeats
    assert abs(held - share) < 4 * math.sqrt(share * (1 - share) / repeats)


def test_equal_values_have_a_bootstrap_interval_of_no_width_and_a_single_one_has_none() -> None:
    for value, method, n in ((0.25, "bca", 20), (0.0, "bca", 20), (0.3, "bca", 20), (0.3, "percentile", 2)):
        found = bootstrap_interval(
            [value] * n, rng=np.random.default_rng(0), method="bca" if method == "bca" else "percentile"
        )
        assert (found.low, found.estimate, found.high) == (found.estimate,) * 3
        assert found.estimate == pytest.approx(value, rel=1e-15)
        assert found.caution == ("" if n == 20 else percentile([0.3, 0.3]).caution)
    single = percentile([0.25])
    assert single.estimate == 0.25
    assert math.isnan(single.low)
    assert math.isnan(single.high)


def test_where_bca_is_not_defined_the_limits_are_missing_and_the_caution_says_so() -> None:
    """Leaving out any one value, the median stays: no acceleration to estimate."""
    values = [0.0] * 10 + [0.5] * 5 + [1.0] * 10
    found = bootstrap_interval(values, rng=np.random.default_rng(0), statistic=np.median, resamples=200)
    assert found.estimate == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.caution == "BCa is not defined for this statistic of these values"


def test_mirrored_values_mirror_the_bootstrap_interval() -> None:
    values = np.random.default_rng(2).exponential(size=21)
    for method in ("bca", "percentile"):
        found, mirrored = (
            bootstrap_interval(
                sign * values,
                rng=np.random.default_rng(1),
                method="bca" if method == "bca" else "percentile",
                resamples=999,
            )
            for sign in (1, -1)
        )
        assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), rel=1e-9)
        assert mirrored.estimate == -found.estimate


def test_values_that_are_not_finite_are_refused_by_the_bootstrap() -> None:
    with pytest.raises(InputError, match="3 values, 1 of them not finite"):
        percentile([0.1, math.nan, 0.2])
