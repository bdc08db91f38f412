"""Computation: tests of paired differences, one number per seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.stats.checks import Numbers, Values, finite
from harness.stats.results import Interval, TestResult

EXACT_UP_TO = 44
"""Pairs up to which the sign-flip distribution is counted in full: 2 × 2²² half sums, about a second."""

RESAMPLES = 200_000
"""Random sign patterns beyond that; the standard error of p is at most √(0.25 / 200,000) = 0.0011."""

RANKS_EXACT_UP_TO = 500
"""Pairs up to which signed ranks are counted in full: n³/3 additions, a third of a second."""

SAME = 1e-9
"""Differences that agree to this part of themselves count as equal: rounding alone has parted them."""


def sign_flip_test(differences: Values, *, rng: np.random.Generator | None = None) -> TestResult:
    """Test whether paired differences are symmetric about zero, by flipping signs (Fisher 1935, §21).

    p is the share of the 2ⁿ sign patterns whose mean is at least as far from zero as the one seen. Up to
    44 pairs all patterns are counted: the sums of either half are listed and sorted, and pairs of half
    sums are counted by bisection (Horowitz & Sahni 1974), so nothing is sampled. Beyond, 200,000 random
    patterns, with p = (hits + 1)/(patterns + 1) (Phipson & Smyth 2010). Sums that agree to 10⁻⁹ of the sum
    of magnitudes count as equal, so ties among rounded accuracies stay ties.

    Pairs that are exchangeable without an effect have symmetric differences, however skewed or censored their
    outcomes: it then errs at most as often as α says, and less with few pairs (α = 0.05: 0.031 with 6, 0.049
    with 10). Its level does not hold for the mean of skewed differences, which no two draws of one law have:
    at 0.05 it rejected a mean of zero in 7, 10 and 7 of 100 exponential samples of 6, 10 and 30, and in 21,
    28 and 22 of 100 lognormal ones (σ = 1.5).

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
    reaching = np.abs(_random_sums(values, rng or np.random.default_rng(0))) >= total - slack
    p = (int(np.count_nonzero(reaching)) + 1) / (RESAMPLES + 1)
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


def _random_sums(values: Numbers, rng: np.random.Generator) -> Numbers:
    """The sums of `RESAMPLES` random sign patterns.

    A random byte draws the signs of eight values: their 256 sums are listed first. At 1,000 values that takes
    0.06 s; a matrix of signs times the values takes 1.7 s (AMD EPYC, one core).
    """
    eights = np.concatenate((values, np.zeros(-values.size % 8))).reshape(-1, 8)
    signs = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * 2.0 - 1.0  # [byte, 8]
    sums, drawn = np.zeros(RESAMPLES), np.empty(RESAMPLES)
    for eight in eights:
        byte = rng.integers(0, 256, RESAMPLES, dtype=np.uint8)
        sums += np.take(signs @ eight, byte, out=drawn, mode="clip")  # no index lies outside: none is checked
    return sums


def _sums(values: Numbers) -> Numbers:
    """The sums of all sign patterns of some values [2ᵏ]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def wilcoxon_test(differences: Values) -> TestResult:
    """Test whether paired differences are symmetric about zero, by signed ranks (Wilcoxon 1945).

    Differences of zero are dropped and tied magnitudes share the mean of their ranks; `level_ties` says what
    counts as zero and as tied. The statistic is T⁺, the sum of the ranks of the positive differences. p is
    exact and conditional on the ties: the share of all sign patterns of these very ranks whose T⁺ is at least
    as far from its mean, that is, the sign-flip distribution of the signed ranks (Hollander & Wolfe 1999,
    §3.1, comment on ties). Tables, R and scipy's `method="exact"` hold for ranks without ties only. With no
    difference but zeros, p = 1 and n = 0. Beyond 500 pairs, the normal approximation with the variance of
    these ranks, a quarter of the sum of their squares. Like `sign_flip_test` it holds its level for symmetric
    differences alone: a mean of zero of exponential ones it rejected in 15 of 100 samples of 30.

    Args:
        differences: [n], variant minus baseline, one a seed.

    Returns:
        The test; its n leaves out the zeros.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = level_ties(finite(differences))
    values = values[values != 0]
    if values.size == 0:
        return TestResult(0.0, 1.0, 0, "Wilcoxon signed-rank, every difference zero")
    ranks = stats.rankdata(np.abs(values))
    positive = float(ranks[values > 0].sum())
    if values.size > RANKS_EXACT_UP_TO:
        z = (positive - ranks.sum() / 2) / (np.sqrt(ranks @ ranks) / 2)
        p = 2 * float(stats.norm.sf(abs(z)))
        return TestResult(positive, p, values.size, "Wilcoxon signed-rank, normal approximation")
    # Midranks are halves at most: twice a rank is a whole number.
    shares = _sum_shares(np.sort(np.rint(2 * ranks).astype(np.int64)))
    farther = round(2 * max(positive, ranks.sum() - positive))
    p = min(1.0, 2.0 * float(shares[farther:].sum()))
    return TestResult(positive, p, values.size, "Wilcoxon signed-rank, exact")


def paired_t_test(differences: Values) -> TestResult:
    """Test whether the mean of paired differences is zero, taking them for normal (Student 1908).

    Two or more differences with some spread are needed. Without, the test can't be made: t and p are NaN,
    which the corrections for families leave out. On symmetric differences it errs no more often than α says,
    save on a few levels: of samples of six from −1, 0 and 1 it rejects up to 6 in 100 at α = 0.05. On skewed
    differences it errs more often: 11 in 100 of 6 exponential ones, 10 of 10, 7 of 30. Differences that agree
    to 10⁻⁹ of the largest have no spread (there scipy gives p = 0 for a mean that is not zero, a certainty
    that no data give; R refuses too).

    Args:
        differences: [n], variant minus baseline, one a seed.

    Returns:
        The test; its statistic is t with n − 1 degrees of freedom.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = finite(differences)
    method = "paired t-test"
    if values.size < 2 or not has_spread(values):
        return TestResult(float("nan"), float("nan"), values.size, f"{method}, not possible without spread")
    found = stats.ttest_1samp(scaled(values), 0.0)
    return TestResult(float(found.statistic), float(found.pvalue), values.size, method)


def hodges_lehmann(differences: Values, *, level: float = 0.95) -> Interval:
    """The median of the Walsh averages of paired differences, with its exact signed-rank interval.

    The estimate and the interval of Hollander & Wolfe (1999), §3.2 and §3.3 (Hodges & Lehmann 1963; Tukey
    1949): the limits are the C-th smallest and the C-th largest of the n(n + 1)/2 averages of two
    differences, each difference with itself included, for the largest C with 2 P(T⁺ < C) ≤ 1 − level. It
    covers the centre of symmetry at least as often as `level` says, with ties too: breaking ties at random
    would only move averages away from the centre. Skewed differences have no such centre, and neither their
    mean nor their median is held that often. Too few differences for the level (five or fewer for 0.95)
    have an estimate and no limits: both are NaN.

    Args:
        differences: [n], variant minus baseline, one a seed.
        level: confidence.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = finite(differences)
    first, second = np.triu_indices(values.size)
    averages = np.sort(values[first] / 2 + values[second] / 2)
    below = np.cumsum(_sum_shares(np.arange(1, values.size + 1)))
    # A level that is attained exactly, such as 1 − 2/2ⁿ, must not be lost to rounding.
    depth = int(np.searchsorted(below, (1 - level) / 2 * (1 + SAME), side="right"))
    low, high = (averages[depth - 1], averages[-depth]) if depth else (np.nan, np.nan)
    return Interval(float(np.median(averages)), float(low), float(high), level, values.size)


def level_ties(differences: Numbers) -> Numbers:
    """The differences with those made equal that rounding alone has parted, and zero where they are.

    0.98 − 0.95 and 0.95 − 0.92 are both 0.03, and floats say otherwise. Magnitudes count as equal that
    agree to 10⁻⁹ of themselves or of the median magnitude (zeros left out), and as zero below that. The
    median, not the largest, so that one enormous difference doesn't make the others equal.

    Args:
        differences: [n], finite.
    """
    sizes = np.abs(differences)
    if not sizes.any():
        return differences
    order = np.argsort(sizes)
    rising = sizes[order]
    apart = np.diff(rising, prepend=0.0) > SAME * np.maximum(rising, np.median(sizes[sizes > 0]))
    levels = np.concatenate(([0.0], rising[apart]))
    level = np.empty_like(sizes)
    level[order] = levels[np.cumsum(apart)]
    return np.copysign(level, differences)


def has_spread(values: Numbers) -> bool:
    """Whether values differ by more than rounding: 10⁻⁹ of the largest magnitude."""
    return bool(np.ptp(scaled(values)) > SAME)


def scaled(values: Numbers) -> Numbers:
    """Values by their largest magnitude, so that no square overflows; zeros stay."""
    largest = np.abs(values).max()
    return values / largest if largest > 0 else values


def _sum_shares(weights: npt.NDArray[np.int64]) -> Numbers:
    """The shares of all sign patterns in which the weights with a plus sum to 0, 1, 2, ...

    Args:
        weights: [n], whole and positive, rising.
    """
    shares = np.ones(1)
    for weight in weights:
        grown = np.zeros(shares.size + int(weight))
        grown[: shares.size] += shares
        grown[int(weight) :] += shares
        shares = grown / 2
    return shares
