"""Computation: effect sizes, against published examples, scipy, plain loops and exact fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.effects import (
    all_pairs_improvement,
    cliffs_delta,
    cohens_dz,
    log_error,
    log_error_ratio,
    paired_improvement,
)
from tests.stats.examples import MAIZE, SLEEP

TREATED = (10, 10, 20, 20, 20, 30, 30, 30, 40, 50)
CONTROL = (10, 20, 30, 40, 40, 50)
"""The example of `cliff.delta` in R's effsize: delta −0.25."""


def outcomes(*, wins: int, ties: int, losses: int) -> list[float]:
    return [0.02] * wins + [0.0] * ties + [-0.01] * losses


@pytest.mark.parametrize("differences", [SLEEP, MAIZE])
def test_dz_is_t_by_the_root_of_n(differences: Sequence[float]) -> None:
    t = float(stats.ttest_1samp(differences, 0).statistic)
    assert cohens_dz(differences) == pytest.approx(t / math.sqrt(len(differences)), rel=1e-12)


def test_dz_of_the_sleep_data_is_that_of_the_research_notes() -> None:
    assert cohens_dz(SLEEP) == pytest.approx(1.2846, abs=5e-5)  # 4.0621 / √10


def test_dz_is_worked_by_hand_and_has_no_unit() -> None:
    # mean 2, squares of deviations 1 + 0 + 1 over n − 1 = 2
    for unit in (1.0, 1e-300, 1e300, 1 / 3):
        assert cohens_dz(np.array([1.0, 2.0, 3.0]) * unit) == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("differences", [[0.3], [0.0, 0.0], [0.25] * 5, [0.3, 0.1 + 0.2]])
def test_dz_without_spread_is_not_a_number(differences: list[float]) -> None:
    assert math.isnan(cohens_dz(differences))


def test_cliffs_delta_gives_the_example_of_effsize() -> None:
    assert cliffs_delta(TREATED, CONTROL) == -0.25


def test_cliffs_delta_counts_every_pair() -> None:
    rng = np.random.default_rng(3)
    for n, m in ((1, 1), (1, 5), (7, 4), (12, 12)):
        ours, theirs = rng.integers(0, 6, n), rng.integers(0, 6, m)
        signs = [(a > b) - (a < b) for a in ours.tolist() for b in theirs.tolist()]
        assert cliffs_delta(ours, theirs) == pytest.approx(float(Fraction(sum(signs), n * m)), abs=1e-15)


def test_all_pairs_improvement_is_the_mann_whitney_statistic_by_nm() -> None:
    rng = np.random.default_rng(4)
    for n, m in ((3, 9), (10, 10), (25, 8)):
        ours, theirs = rng.integers(0, 8, n) / 7, rng.integers(0, 6, m) / 7
        u = float(stats.mannwhitneyu(ours, theirs).statistic)
        assert all_pairs_improvement(ours, theirs) == pytest.approx(u / (n * m), rel=1e-12)


def test_arms_of_enormous_numbers_are_compared_without_subtracting_them() -> None:
    assert cliffs_delta([1.7e308, 5e-324], [-1.7e308]) == 1.0
    assert all_pairs_improvement([0.0], [5e-324]) == 0.0


def test_all_pairs_and_equal_seeds_give_different_answers() -> None:
    """Each run a little above its partner, and far from the runs of other seeds."""
    baseline = np.arange(10.0)
    assert paired_improvement(baseline + 0.5 - baseline).estimate == 1.0
    assert all_pairs_improvement(baseline + 0.5, baseline) == 0.55  # 55 of 100


@pytest.mark.parametrize(
    ("n", "low"), [(5, 0.478), (6, 0.541), (8, 0.631), (10, 0.692), (20, 0.832), (30, 0.884)]
)
def test_when_every_seed_wins_the_lower_limit_is_the_nth_root(n: int, low: float) -> None:
    """Clopper & Pearson: (α/2)^(1/n); the rounded figures are those of the research notes."""
    found = paired_improvement(np.linspace(0.01, 0.02, n))
    assert found.low == pytest.approx(0.025 ** (1 / n), rel=1e-9)
    assert found.low == pytest.approx(low, abs=6e-4)
    assert (found.estimate, found.high, found.n) == (1.0, 1.0, n)


def test_mendels_peas_give_the_interval_of_r() -> None:
    # binom.test(682, 925), after Conover 1971, p. 97: 0.7076683 0.7654066
    found = paired_improvement(outcomes(wins=682, ties=0, losses=243))
    assert found.estimate == pytest.approx(682 / 925, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)


@pytest.mark.parametrize(("wins", "losses"), [(0, 6), (1, 5), (3, 3), (9, 1), (40, 60)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_without_ties_the_interval_is_scipys_exact_one(wins: int, losses: int, level: float) -> None:
    theirs = stats.binomtest(wins, wins + losses).proportion_ci(level, method="exact")
    found = paired_improvement(outcomes(wins=wins, ties=0, losses=losses), level=level)
    assert (found.low, found.high) == pytest.approx((float(theirs.low), float(theirs.high)), rel=1e-9)


def test_ties_count_half() -> None:
    even = paired_improvement(outcomes(wins=5, ties=2, losses=3))
    assert even == paired_improvement(outcomes(wins=6, ties=0, losses=4))
    odd = paired_improvement(outcomes(wins=5, ties=1, losses=4))
    below, above = (paired_improvement(outcomes(wins=w, ties=0, losses=10 - w)) for w in (5, 6))
    assert odd.estimate == 0.55
    assert below.low < odd.low < above.low
    assert below.high < odd.high < above.high
    every = paired_improvement([0.0] * 8)
    assert every.estimate == 0.5
    assert every.low == pytest.approx(1 - every.high)


@pytest.mark.parametrize("n", [1, 2, 6, 10, 30])
def test_the_interval_of_wins_holds_as_often_as_it_says_with_any_share_of_ties(n: int) -> None:
    """By summing the probabilities of all numbers of wins and ties."""
    wins, ties = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    wins, ties = wins[wins + ties <= n], ties[wins + ties <= n]
    halves = [
        paired_improvement(outcomes(wins=k // 2, ties=k % 2, losses=n - k // 2 - k % 2))
        for k in range(2 * n + 1)
    ]
    low, high = (np.array([getattr(halves[k], limit) for k in 2 * wins + ties]) for limit in ("low", "high"))
    for tie in (0.0, 0.1, 0.4, 0.9):
        for centre in np.linspace(tie / 2 + 1e-6, 1 - tie / 2 - 1e-6, 41):
            shares = [centre - tie / 2, tie, 1 - centre - tie / 2]
            chance = stats.multinomial.pmf(np.stack([wins, ties, n - wins - ties], axis=-1), n, shares)
            assert chance[(low <= centre) & (centre <= high)].sum() >= 0.95


def test_the_articles_accuracies_have_the_error_ratio_of_the_research_notes() -> None:
    # 92.4 and 99.1 % of 3,000 images: 228 and 27 errors, 8.44 to 1; with the halves 228.5 / 27.5
    found = log_error_ratio(0.991, 0.924, images=3000)
    assert float(found) == pytest.approx(math.log(228.5 / 27.5), rel=1e-12)
    assert math.exp(float(found)) == pytest.approx(8.44, abs=0.14)


def test_the_error_ratio_follows_its_formula_pair_by_pair() -> None:
    errors = np.array([[0, 3, 10], [100, 7, 7]])
    others = np.array([[4, 3, 0], [50, 0, 100]])
    found = log_error_ratio(1 - errors / 100, 1 - others / 100, images=100)
    assert found.shape == (2, 3)
    for index, value in np.ndenumerate(found):
        by = Fraction(2 * int(others[index]) + 1, 2 * 101) / Fraction(2 * int(errors[index]) + 1, 2 * 101)
        assert value == pytest.approx(math.log(by), rel=1e-9, abs=1e-12)


def test_the_log_error_of_one_arm_follows_its_formula() -> None:
    # no error and 7 errors of 100 images: 0.5 / 101 and 7.5 / 101
    found = log_error([[1.0, 0.93]], images=100)
    assert found == pytest.approx(np.log([[0.5 / 101, 7.5 / 101]]), rel=1e-12)
    with pytest.raises(InputError, match="an accuracy is a share"):
        log_error([93.0], images=100)


def test_no_error_at_all_stays_finite_and_fewer_errors_are_always_better() -> None:
    accuracies = np.arange(0, 201) / 200
    rising = log_error_ratio(accuracies, np.full(201, 0.5), images=200)
    assert np.all(np.isfinite(rising))
    assert np.all(np.diff(rising) > 0)
    assert rising[100] == 0.0
    assert log_error_ratio([1.0], [1.0], images=200) == [0.0]
    assert rising[-1] == pytest.approx(math.log(100.5 / 0.5))


@pytest.mark.parametrize(
    ("variant", "baseline", "images", "received"),
    [
        ([0.9, 0.8], [0.9], 100, "accuracies of shape (2,) and (1,), measured on 100 images"),
        ([0.9], [0.9], 0, "accuracies of shape (1,) and (1,), measured on 0 images"),
        ([99.1], [92.4], 100, "accuracies from 99.1 to 99.1"),
        ([0.5, -0.1], [0.5, 0.5], 100, "accuracies from -0.1 to 0.5"),
        ([0.5, math.nan], [0.5, 0.5], 100, "2 accuracies, 1 of them not finite"),
    ],
)
def test_accuracies_that_are_no_shares_or_no_pairs_are_refused(
    variant: list[float], baseline: list[float], images: int, received: str
) -> None:
    with pytest.raises(InputError) as caught:
        log_error_ratio(variant, baseline, images=images)
    assert caught.value.received == received


@pytest.mark.parametrize("arms", [([], [1.0]), ([1.0], []), ([math.nan], [1.0]), ([1.0], [math.inf])])
def test_arms_without_values_or_with_ones_that_are_not_finite_are_refused(
    arms: tuple[list[float], list[float]],
) -> None:
    for call in (cliffs_delta, all_pairs_improvement):
        with pytest.raises(InputError, match=r"values, \d of them not finite"):
            call(*arms)


@pytest.mark.parametrize("n", [2, 7, 30])
def test_with_the_arms_swapped_every_effect_is_mirrored(n: int) -> None:
    rng = np.random.default_rng(n)
    ours, theirs = rng.integers(80, 100, n) / 100, rng.integers(78, 98, n) / 100
    assert cliffs_delta(theirs, ours) == -cliffs_delta(ours, theirs)
    assert all_pairs_improvement(theirs, ours) == pytest.approx(1 - all_pairs_improvement(ours, theirs))
    assert cohens_dz(theirs - ours) == -cohens_dz(ours - theirs)
    swapped = log_error_ratio(theirs, ours, images=100)
    assert np.array_equal(swapped, -log_error_ratio(ours, theirs, images=100))
    found, mirrored = paired_improvement(ours - theirs), paired_improvement(theirs - ours)
    assert mirrored.estimate == pytest.approx(1 - found.estimate)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), rel=1e-9)


def test_the_order_of_the_seeds_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(size=12).round(1), rng.normal(size=12).round(1)
    order = rng.permutation(12)
    assert cliffs_delta(ours[order], theirs) == cliffs_delta(ours, theirs)
    assert paired_improvement((ours - theirs)[order]) == paired_improvement(ours - theirs)
    assert cohens_dz((ours - theirs)[order]) == pytest.approx(cohens_dz(ours - theirs), rel=1e-12)
