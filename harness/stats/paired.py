"""Computation: tests and intervals for paired differences, one number per seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.errors import InputError

EXACT_UP_TO = 44
"""Pairs up to which the sign-flip distribution is counted in full: 2 × 2²² half sums, about a second."""

RESAMPLES = 200_000
"""Random sign patterns beyond that; the standard error of p is at most √(0.25 / 200,000) = 0.0011."""

Values = npt.ArrayLike


@dataclass(frozen=True)
class TestResult:
    """What a test found.

    Attributes:
        statistic: the mean difference.
        p: two-sided.
        n: pairs.
        method: how p was computed, to be printed.
    """

    __test__ = False

    statistic: float
    p: float
    n: int
    method: str


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: of the differences.
        low: lower limit; NaN for a single difference.
        high: upper limit.
        level: confidence, 0.95 unless told otherwise.
        n: differences.
    """

    mean: float
    low: float
    high: float
    level: float
    n: int


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
    values = _checked(differences)
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
    return TestResult(float(values.mean()), p, values.size, f"sign-flip, {RESAMPLES:,} random patterns")


def _exact_p(values: npt.NDArray[np.float64], bound: float) -> float:
    """The share of sign patterns whose sum is at least `bound` in magnitude."""
    if bound <= 0:
        return 1.0
    half = values.size // 2
    first, second = _sums(values[:half]), np.sort(_sums(values[half:]))
    # The distribution is symmetric, so the upper tail is counted and doubled.
    reaching = second.size - np.searchsorted(second, bound - first, side="left")
    return min(1.0, 2.0 * float(reaching.sum()) / 2.0**values.size)


def _sums(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sums of all sign patterns of some values [2ᵏ]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def t_interval(differences: Values, *, level: float = 0.95) -> Interval:
    """Student's interval for the mean difference (Student 1908).

    Args:
        differences: [n].
        level: confidence.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = _checked(differences)
    mean = float(values.mean())
    if values.size < 2:
        return Interval(mean, float("nan"), float("nan"), level, values.size)
    margin = stats.t.ppf((1 + level) / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return Interval(mean, float(mean - margin), float(mean + margin), level, values.size)


def _checked(differences: Values) -> npt.NDArray[np.float64]:
    values = np.asarray(differences, dtype=np.float64).ravel()
    if values.size == 0 or not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise InputError(
            f"{values.size} differences, {bad} of them not finite",
            rule="a paired test needs one finite difference or more",
            remedy="drop pairs without a value and report how many, or give them a rank of their own",
        )
    return values
