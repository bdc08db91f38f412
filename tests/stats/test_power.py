"""Computation: what pairs can show, against integration, statsmodels and the sign-flip test itself."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from harness.design.resolution import seeds_needed, smallest_p
from harness.errors import InputError
from harness.stats import power as module
from harness.stats.families import holm
from harness.stats.paired import sign_flip_test
from harness.stats.power import (
    attained_level,
    detectable_effect,
    pairs_needed,
    sign_flip_power,
    smallest_detectable,
    t_pairs_needed,
    t_power,
)


def power_by_integration(effect: float, *, pairs: int, alpha: float) -> float:
    """The probability that |t| exceeds its critical value, over the distribution of the variance."""
    freedom = pairs - 1
    critical = float(stats.t.isf(alpha / 2, freedom))
    shares = (np.arange(20_000) + 0.5) / 20_000
    spread = np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)  # of the standard deviation seen
    centre = effect * math.sqrt(pairs)
    either = stats.norm.sf(critical * spread - centre) + stats.norm.cdf(-critical * spread - centre)
    return float(np.mean(either))


@pytest.mark.parametrize(
    ("pairs", "effect"), [(5, 1.68), (6, 1.44), (8, 1.16), (10, 1.00), (20, 0.66), (30, 0.53)]
)
def test_the_effect_is_that_of_the_research_notes(pairs: int, effect: float) -> None:
    assert detectable_effect(pairs) == pytest.approx(effect, abs=0.0066)


@pytest.mark.parametrize("pairs", [2, 3, 4, 6, 7, 8, 10, 15, 20, 30, 50, 100, 1000])
def test_the_effect_is_detected_with_a_power_of_80_percent(pairs: int) -> None:
    effect = detectable_effect(pairs)
    assert power_by_integration(effect, pairs=pairs, alpha=0.05) == pytest.approx(0.8, abs=2e-4)


@pytest.mark.parametrize("family", [3, 6, 12, 36, 99])
@pytest.mark.parametrize("pairs", [6, 7, 8, 9, 10, 11, 12, 20, 30])
def test_the_effect_after_a_correction_is_detected_with_that_power_too(pairs: int, family: int) -> None:
    """`harness plan` says it for α divided by the tests in the family: 36 for 13 variants."""
    effect = detectable_effect(pairs, alpha=0.05 / family)
    assert power_by_integration(effect, pairs=pairs, alpha=0.05 / family) == pytest.approx(0.8, abs=2e-4)


@pytest.mark.parametrize("pairs", [6, 7, 8, 10, 20, 30, 60])
def test_the_effect_agrees_with_scipys_noncentral_t(pairs: int) -> None:
    shift = detectable_effect(pairs) * math.sqrt(pairs)
    critical = float(stats.t.isf(0.025, pairs - 1))
    power = stats.nct.sf(critical, pairs - 1, shift) + stats.nct.cdf(-critical, pairs - 1, shift)
    assert float(power) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("power", [0.5, 0.9, 0.95])
def test_another_power_can_be_asked_for(power: float) -> None:
    effect = detectable_effect(12, power=power)
    assert power_by_integration(effect, pairs=12, alpha=0.05) == pytest.approx(power, abs=2e-4)


def test_more_pairs_detect_less_and_a_stricter_test_needs_more() -> None:
    effects = [detectable_effect(pairs) for pairs in range(3, 41)]
    assert effects == sorted(effects, reverse=True)
    assert detectable_effect(10, alpha=0.05 / 3) > detectable_effect(10)


@pytest.mark.parametrize("pairs", [1, 2, 5, 6, 10, 30, 44])
def test_the_smallest_p_is_that_of_differences_of_one_sign(pairs: int) -> None:
    assert smallest_p(pairs) == Fraction(2, 2**pairs)
    assert smallest_p(pairs) == sign_flip_test(np.linspace(1, 2, pairs)).p


@pytest.mark.parametrize(("tests", "pairs"), [(1, 6), (2, 7), (3, 7), (4, 8), (12, 9), (36, 11), (99, 12)])
def test_the_pairs_for_a_family_are_the_fewest_with_a_small_enough_p(tests: int, pairs: int) -> None:
    assert seeds_needed(tests) == pairs
    assert Fraction(2 * tests, 2**pairs) <= Fraction(1, 20) < Fraction(2 * tests, 2 ** (pairs - 1))


def test_three_findings_survive_holm_with_seven_pairs_and_not_with_six() -> None:
    pairs, others = seeds_needed(3), [1.0, 1.0]
    assert holm([smallest_p(pairs), *others])[0] <= 0.05
    assert holm([smallest_p(pairs - 1), *others])[0] > 0.05


def test_p_must_be_below_the_level_and_not_on_it() -> None:
    assert seeds_needed(2, alpha=1 / 16) == 7  # at six p × 2 = 1/16 is not below α


def test_a_level_that_patterns_meet_exactly_is_attained() -> None:
    assert attained_level(6, alpha=1 / 32) == 1 / 32


@pytest.mark.parametrize("effect", [0.3, -0.9, 1.44, 1.79, 3.0])
@pytest.mark.parametrize("pairs", [6, 7, 9, 11, 14])
def test_power_with_one_pattern_is_the_chance_that_all_differences_have_one_sign(
    pairs: int, effect: float
) -> None:
    """The chance is Φ(dz)ⁿ + Φ(−dz)ⁿ: 0.63 at six pairs and dz = 1.44."""
    exact = float(stats.norm.cdf(effect)) ** pairs + float(stats.norm.cdf(-effect)) ** pairs
    found = sign_flip_power(effect, pairs=pairs, alpha=1.99 * smallest_p(pairs))
    assert found.error <= 0.006
    assert abs(found.power - exact) < 4.5 * found.error + 1e-4
    assert found.method == "10,000 simulated samples and their mirrors"


def test_six_pairs_have_63_percent_where_a_t_test_has_80() -> None:
    assert sign_flip_power(1.44, pairs=6).power == pytest.approx(0.63, abs=0.012)
    assert t_power(1.44, pairs=6) == pytest.approx(0.80, abs=0.005)
    assert smallest_detectable(6) == pytest.approx(1.79, abs=0.03)


@pytest.mark.parametrize(
    ("pairs", "alpha", "power"),
    [(6, 0.05, 0.8), (6, 0.05, 0.95), (7, 0.05 / 3, 0.8), (9, 0.05 / 12, 0.5), (11, 0.05 / 36, 0.8)],
)
def test_the_smallest_effect_with_one_pattern_is_a_root_of_the_normal_distribution(
    pairs: int, alpha: float, power: float
) -> None:
    assert attained_level(pairs, alpha=alpha) == smallest_p(pairs)
    exact = float(stats.norm.ppf(power ** (1 / pairs)))
    assert smallest_detectable(pairs, alpha=alpha, power=power) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("pairs", "alpha"), [(5, 0.4), (7, 0.05), (8, 0.05), (8, 0.3), (10, 0.02), (13, 0.05 / 36), (15, 0.002)]
)
@pytest.mark.parametrize("effect", [0.0, 0.7])
def test_simulated_power_is_the_share_that_the_sign_flip_test_finds_in_the_same_samples(
    pairs: int, alpha: float, effect: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLICATIONS", 300)
    found = sign_flip_power(effect, pairs=pairs, alpha=alpha, rng=np.random.default_rng(4))
    samples = np.random.default_rng(4).standard_normal((300, pairs))
    hits = [[sign_flip_test(side * sample + effect).p <= alpha for side in (1, -1)] for sample in samples]
    assert found.power == pytest.approx(np.mean(hits), abs=1e-12)
    assert found.error == pytest.approx(np.std(np.mean(hits, axis=1), ddof=1) / math.sqrt(300), rel=1e-9)


@pytest.mark.parametrize(("pairs", "alpha"), [(13, 0.05), (16, 0.05 / 3), (18, 0.05 / 36), (20, 0.05)])
def test_power_by_formula_is_that_of_counted_tests_within_a_hundredth(pairs: int, alpha: float) -> None:
    effect = detectable_effect(pairs, alpha=alpha)
    found = sign_flip_power(effect, pairs=pairs, alpha=alpha)
    assert found.method == "t-test at the attained level"
    assert found.error == 0
    samples = np.random.default_rng(pairs).normal(effect, 1, (1500, pairs))
    seen = np.array([sign_flip_test(sample).p <= alpha for sample in samples])
    # The t-test of the same samples takes most of the sampling error out.
    same = stats.ttest_1samp(samples, 0, axis=1).pvalue <= attained_level(pairs, alpha=alpha)
    gap = seen.astype(float) - np.asarray(same)
    assert abs(gap.mean()) < 0.01 + 3 * gap.std() / math.sqrt(1500)
    assert abs(float(np.mean(same)) - found.power) < 4 * math.sqrt(0.16 / 1500)


@pytest.mark.parametrize(("pairs", "level"), [(6, 2 / 64), (8, 12 / 256), (10, 50 / 1024), (60, 0.05)])
def test_without_an_effect_power_is_the_attained_level(pairs: int, level: float) -> None:
    assert attained_level(pairs) == pytest.approx(level, rel=1e-12)
    found = sign_flip_power(0.0, pairs=pairs)
    assert abs(found.power - level) <= 4 * found.error + 1e-4


def test_an_alpha_out_of_reach_has_no_power_and_no_smallest_effect() -> None:
    found = sign_flip_power(9.0, pairs=5)
    assert (found.power, found.error, found.method) == (0.0, 0.0, "no p is as small as α")
    assert smallest_detectable(5) == math.inf
    assert smallest_detectable(10, alpha=0.05 / 36) == math.inf
    assert smallest_detectable(11, alpha=0.05 / 36) < math.inf


def test_the_smallest_effect_has_that_power_and_rises_with_it_and_falls_with_pairs() -> None:
    for pairs in (7, 12, 16, 25):
        effect = smallest_detectable(pairs, power=0.9)
        assert sign_flip_power(effect, pairs=pairs).power == pytest.approx(0.9, abs=1e-3)
    by_power = [smallest_detectable(8, power=power) for power in np.linspace(0.1, 0.999, 20)]
    assert by_power == sorted(by_power)
    by_pairs = [smallest_detectable(pairs) for pairs in (6, 7, 8, 9, 10, 12, 13, 16, 23)]
    assert by_pairs == sorted(by_pairs, reverse=True)
    assert all(smallest_detectable(n) > 0.99 * detectable_effect(n) for n in (6, 8, 12, 16, 23))


def test_the_power_of_the_opposite_effect_is_the_same_and_the_generator_counts() -> None:
    found = sign_flip_power(0.8, pairs=9)
    assert sign_flip_power(-0.8, pairs=9) == found
    assert sign_flip_power(0.8, pairs=9) == found
    other = sign_flip_power(0.8, pairs=9, rng=np.random.default_rng(1))
    assert 0 < abs(other.power - found.power) < 5 * math.hypot(found.error, other.error)


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 20), (0.5, 34), (0.8, 10), (1.0, 6), (0.0, 12)])
def test_the_power_of_the_t_test_agrees_with_statsmodels(effect: float, pairs: int) -> None:
    for alpha in (0.05, 0.05 / 36):
        theirs = TTestPower().power(effect, pairs, alpha)
        assert t_power(effect, pairs=pairs, alpha=alpha) == pytest.approx(theirs, abs=1e-4)
        assert t_power(-effect, pairs=pairs, alpha=alpha) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("effect", [0.1, 0.2, 0.35, 0.5, 0.8, 1.2])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 12])
def test_the_pairs_a_t_test_needs_agree_with_statsmodels(effect: float, alpha: float) -> None:
    theirs = TTestPower().solve_power(effect_size=effect, alpha=alpha, power=0.8)
    assert t_pairs_needed(effect, alpha=alpha) == t_pairs_needed(-effect, alpha=alpha) == math.ceil(theirs)


@pytest.mark.parametrize(("effect", "alpha"), [(1.6, 0.05), (1.0, 0.05 / 3), (2.5, 0.05 / 36), (0.4, 0.05)])
def test_the_pairs_needed_are_the_fewest_with_that_power(effect: float, alpha: float) -> None:
    pairs = pairs_needed(effect, alpha=alpha)
    assert pairs is not None
    assert sign_flip_power(effect, pairs=pairs, alpha=alpha).power >= 0.8
    assert sign_flip_power(effect, pairs=pairs - 1, alpha=alpha).power < 0.8
    assert pairs_needed(-effect, alpha=alpha) == pairs


def test_a_huge_effect_needs_the_pairs_for_which_p_reaches_alpha() -> None:
    assert pairs_needed(50.0) == 6
    assert pairs_needed(50.0, alpha=0.05 / 36) == 11
    assert t_pairs_needed(50.0) == 2


def test_more_than_10000_pairs_are_not_told() -> None:
    # (1.959964 + 0.841621)² / dz² = 7.84888 / dz²: 9,966 pairs and 10,009
    for needed in (pairs_needed, t_pairs_needed):
        assert needed(0.02806) == pytest.approx(9970, abs=5)
        assert needed(0.0280) is None
        assert needed(0.0) is None


@pytest.mark.parametrize(
    ("pairs", "alpha", "power", "received"),
    [
        (8, 0.0, 0.8, "8 pairs, α = 0, power 0.8"),
        (8, 0.05, 1.0, "8 pairs, α = 0.05, power 1"),
        (8, 0.05, 0.04, "8 pairs, α = 0.05, power 0.04"),
        (0, 0.05, 0.8, "0 pairs, α = 0.05, power 0.8"),
    ],
)
def test_impossible_numbers_are_refused(pairs: int, alpha: float, power: float, received: str) -> None:
    with pytest.raises(InputError) as caught:
        smallest_detectable(pairs, alpha=alpha, power=power)
    assert caught.value.received == received
    assert caught.value.rule == "pairs: 1 or more; α above 0 and below the power; the power below 1"
    assert caught.value.remedy == "use for instance α = 0.05 and a power of 0.8"


def test_an_effect_that_is_no_number_is_refused() -> None:
    for call in (lambda: sign_flip_power(math.nan, pairs=8), lambda: pairs_needed(math.inf)):
        with pytest.raises(InputError, match="1 effects, 1 of them not finite"):
            call()
