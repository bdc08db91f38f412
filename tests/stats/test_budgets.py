"""Computation: the best of k tried configurations, against every draw written down."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from harness.errors import InputError
from harness.stats.budgets import (
    expected_best,
    quantile_of_best,
    unbiased_expected_best,
    variance_of_best,
)

SAMPLES = [
    (5,),
    (3, 1),
    (2, 7, 4),
    (0, 0, 1),
    (9, -3, 9, 2),
    (1, 4, 2, 8, 5),
    (6, 6, 6, 6, 6),
    (0, 1, 1, 3, -2, 7),
]


def mean_of_maxima(draws: list[tuple[int, ...]]) -> Fraction:
    return Fraction(sum(max(draw) for draw in draws), len(draws))


@pytest.mark.parametrize("scores", SAMPLES)
def test_the_expected_best_is_the_mean_over_all_draws_with_replacement(scores: tuple[int, ...]) -> None:
    budgets = range(1, len(scores) + 1)
    found, spread = expected_best(scores, budgets), variance_of_best(scores, budgets)
    for k in budgets:
        draws = list(itertools.product(scores, repeat=k))
        mean = mean_of_maxima(draws)
        variance = sum(((max(draw) - mean) ** 2 for draw in draws), Fraction(0)) / len(draws)
        assert found[k - 1] == pytest.approx(float(mean), rel=1e-12, abs=1e-12)
        assert spread[k - 1] == pytest.approx(float(variance), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("scores", SAMPLES)
def test_a_quantile_is_the_smallest_end_that_this_share_of_all_draws_stays_at_or_below(
    scores: tuple[int, ...], share: float
) -> None:
    budgets = range(1, len(scores) + 1)
    found = quantile_of_best(scores, budgets, share=share)
    for k in budgets:
        ends = sorted(max(draw) for draw in itertools.product(scores, repeat=k))
        at = math.ceil(Fraction(str(share)) * len(ends)) - 1
        assert found[k - 1] == ends[at]


def test_a_share_that_is_met_but_for_rounding_is_met() -> None:
    assert 0.7**2 < 0.49  # yet 7 of 10 numbers stay at or below 6, so 49 of 100 draws of two do
    assert quantile_of_best(range(10), [2], share=0.49) == [6]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, math.nan])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(InputError) as caught:
        quantile_of_best([1.0, 2.0], [1], share=share)
    assert caught.value.received == f"share {share!r}"
    assert caught.value.rule == "a share lies between 0 and 1"
    assert caught.value.remedy == "for instance 0.25"


@pytest.mark.parametrize("scores", SAMPLES)
def test_the_unbiased_one_is_the_mean_over_all_sets_without_replacement(scores: tuple[int, ...]) -> None:
    budgets = range(1, len(scores) + 1)
    found = unbiased_expected_best(scores, budgets)
    for k in budgets:
        exact = mean_of_maxima(list(itertools.combinations(scores, k)))
        assert found[k - 1] == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_over_all_searches_only_the_second_meets_what_new_configurations_reach(k: int) -> None:
    """A search draws four configurations from three that are equally likely: 81 searches."""
    population = (0, 1, 5)
    truth = float(mean_of_maxima(list(itertools.product(population, repeat=k))))
    searches = list(itertools.product(population, repeat=4))
    unbiased = np.mean([unbiased_expected_best(search, [k])[0] for search in searches])
    plugged_in = np.mean([expected_best(search, [k])[0] for search in searches])
    assert float(unbiased) == pytest.approx(truth, rel=1e-12)
    if k == 1:
        assert float(plugged_in) == pytest.approx(truth, rel=1e-12)
    else:
        assert float(plugged_in) < truth - 0.05


def test_a_budget_of_one_expects_the_mean_and_its_variance() -> None:
    scores = np.random.default_rng(0).normal(0.9, 0.05, 40)
    assert expected_best(scores, [1])[0] == pytest.approx(scores.mean(), rel=1e-12)
    assert unbiased_expected_best(scores, [1])[0] == pytest.approx(scores.mean(), rel=1e-12)
    assert variance_of_best(scores, [1])[0] == pytest.approx(scores.var(), rel=1e-12)


def test_the_whole_budget_without_replacement_is_the_best_seen() -> None:
    scores = np.random.default_rng(1).normal(0.9, 0.05, 40)
    assert unbiased_expected_best(scores, [40])[0] == pytest.approx(scores.max(), rel=1e-12)
    assert expected_best(scores, [40])[0] < scores.max()


def test_more_tries_never_expect_less_and_with_replacement_expects_no_more() -> None:
    scores, budgets = np.random.default_rng(2).exponential(size=30), range(1, 31)
    with_it, without = expected_best(scores, budgets), unbiased_expected_best(scores, budgets)
    assert (np.diff(with_it) > 0).all()
    assert (np.diff(without) > 0).all()
    assert (with_it[1:] < without[1:]).all()


def test_a_shift_and_a_scale_pass_through() -> None:
    scores, budgets = np.random.default_rng(3).normal(size=12), [1, 3, 12]
    for call in (expected_best, unbiased_expected_best):
        np.testing.assert_allclose(call(3 * scores + 2, budgets), 3 * call(scores, budgets) + 2, rtol=1e-12)
    spread = variance_of_best(scores, budgets)
    np.testing.assert_allclose(variance_of_best(3 * scores + 2, budgets), 9 * spread, rtol=1e-10)


def test_the_order_of_scores_and_of_budgets_is_free() -> None:
    scores = np.random.default_rng(4).normal(size=15)
    for call in (expected_best, variance_of_best, unbiased_expected_best):
        forth, back = call(scores, [2, 9, 2, 15]), call(scores[::-1], [15, 2, 9, 2])
        assert forth[0] == forth[2]
        np.testing.assert_array_equal(forth[[3, 0, 1, 2]], back)


def test_equal_scores_expect_that_score_and_no_spread() -> None:
    for call in (expected_best, unbiased_expected_best):
        np.testing.assert_allclose(call([0.75] * 9, range(1, 10)), 0.75, rtol=1e-12)
    assert (variance_of_best([0.5] * 9, range(1, 10)) < 1e-30).all()


def test_the_best_of_k_uniform_draws_is_expected_at_k_over_k_plus_one() -> None:
    n = 4000
    scores, budgets = (np.arange(n) + 0.5) / n, np.array([1, 2, 5, 10, 50])
    exact = budgets / (budgets + 1)
    spread = budgets / ((budgets + 1.0) ** 2 * (budgets + 2))  # variance of a Beta(k, 1)
    np.testing.assert_allclose(expected_best(scores, budgets), exact, atol=1e-3)
    np.testing.assert_allclose(unbiased_expected_best(scores, budgets), exact, atol=1e-3)
    np.testing.assert_allclose(variance_of_best(scores, budgets), spread, rtol=0.01)


def test_a_thousand_scores_do_not_overflow() -> None:
    scores = np.arange(2000.0)
    # The best of k of the numbers 1 to n without replacement is expected at k(n + 1)/(k + 1).
    for k in (2, 1000, 1999, 2000):
        exact = k * 2001 / (k + 1) - 1
        assert unbiased_expected_best(scores, [k])[0] == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("budgets", [[0], [6], [2, 7], [1.5], [-1], [], [math.nan]])
def test_a_budget_beyond_the_scores_or_not_whole_is_refused(budgets: list[float]) -> None:
    for call in (expected_best, variance_of_best, unbiased_expected_best):
        with pytest.raises(InputError) as caught:
            call([1.0, 2.0, 3.0, 4.0, 5.0], budgets)
        assert caught.value.received == f"budgets {[float(one) for one in budgets]} for 5 scores"
        assert caught.value.rule == "each must be a whole number from 1 to 5"
        assert caught.value.remedy == "ask for no more configurations than were tried"


@pytest.mark.parametrize("scores", [[], [0.9, math.nan], [0.9, -math.inf]])
def test_no_scores_or_ones_that_are_not_finite_are_refused(scores: list[float]) -> None:
    for call in (expected_best, variance_of_best, unbiased_expected_best):
        with pytest.raises(InputError, match=r"\d scores, \d of them not finite"):
            call(scores, [1])
