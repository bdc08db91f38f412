"""Computation: tests of paired differences, one number per seed."""

from __future__ import annotations

import numpy as np

from harness.stats.checks import Numbers, Values, finite
from harness.stats.results import TestResult

EXACT_UP_TO = 44
"""Pairs up to which the sign-flip distribution is counted in full: 2 × 2²² half sums, about a second."""

RESAMPLES = 200_000
"""Random sign patterns beyond that; the standard error of p is at most √(0.25 / 200,000) = 0.0011."""


def sign_flip_test(differences: Values, *, rng: np.random.Generator | None = None) -> TestResult:
    """Test whether paired differences are symmetric about zero, by flipping signs (Fisher 1935, §21).

    p is the share of the 2ⁿ sign patterns whose mean is at least as far from zero as the one seen. Up to
    44 pairs all patterns are counted: the sums of either half are listed and sorted, and pairs of half
    sums are counted by bisection (Horowitz & Sahni 1974), so nothing is sampled. Beyond, 200,000 random
    patterns, with p = (hits + 1)/(patterns + 1) (Phipson & Smyth 2010). Sums that agree to 10⁻⁹ of the sum
    of magnitudes count as equal, so ties among rounded accuracies stay ties.

    Args:
        differences: [n], variant minus baseline, one a seed.
        rng: for more than 44 pairs; a fixed generator unless given.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = finite(differences)
    total, slack = abs(values.sum()), 1e-9 * np.abs(values).sum()
    if values.size <= EXACT_UP_TO:
        p = _exact_p(values, total - slack)
        return TestResult(float(values.mean()), p, values.size, "sign-flip, exact")
    generator = rng or np.random.default_rng(0)
    hits = 0
    for _ in range(RESAMPLES // 1000):
        signs = generator.integers(0, 2, (1000, values.size)) * 2 - 1
        hits += int(np.count_nonzero(np.abs(signs @ values) >= total - slack))
    p = (hits + 1) / (RESAMPLES + 1)
    method = f"sign-flip, {RESAMPLES:,} random patterns"
    return TestResult(
        float(values.mean()), p, values.size, method, error=float(np.sqrt(p * (1 - p) / RESAMPLES))
    )


def _exact_p(values: Numbers, bound: float) -> float:
    """The share of sign patterns whose sum is at least `bound` in magnitude."""
    if bound <= 0:
        return 1.0
    half = values.size // 2
    first, second = _sums(values[:half]), np.sort(_sums(values[half:]))
    # The distribution is symmetric, so the upper tail is counted and doubled.
    reaching = second.size - np.searchsorted(second, bound - first, side="left")
    return min(1.0, 2.0 * float(reaching.sum()) / 2.0**values.size)


def _sums(values: Numbers) -> Numbers:
    """The sums of all sign patterns of some values [2ᵏ]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums
