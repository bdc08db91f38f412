"""Computation: the smallest effect that pairs can detect, against the power worked out by integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.power import detectable_effect


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
