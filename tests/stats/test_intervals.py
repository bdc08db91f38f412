"""Computation: intervals, against scipy, published examples and arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.intervals import t_interval
from tests.stats.examples import MAIZE, SLEEP


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
