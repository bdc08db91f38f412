"""Computation: whether a difference is too small, or large enough, to matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite
from harness.stats.intervals import t_interval
from harness.stats.results import Interval

Margin = float | tuple[float, float]
"""Half a width around zero, or (low, high) with zero between them, in the unit of the differences."""

Meaning = Literal["significant and meaningful", "significant, not meaningful", "not significant"]
"""What Bouthillier et al.'s rule says of "A is better than B"."""


@dataclass(frozen=True)
class Equivalence:
    """What two one-sided tests found.

    Attributes:
        p: the larger of the two: small if the mean difference lies within the margin.
        p_low: of the test that the mean lies above the lower margin.
        p_high: of the test that the mean lies below the upper margin.
        t_low: Student's t against the lower margin; infinite where the differences do not vary.
        t_high: against the upper margin.
        interval: for the mean, at 1 − 2α; it lies within the margin where p < α.
        low: the lower margin.
        high: the upper margin.
        n: pairs.
    """

    p: float
    p_low: float
    p_high: float
    t_low: float
    t_high: float
    interval: Interval
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Posterior:
    """Where the mean difference lies, as three probabilities that add up to 1.

    Attributes:
        below: the region of practical equivalence.
        within: it.
        above: it.
        n: pairs.
    """

    below: float
    within: float
    above: float
    n: int


def two_one_sided_tests(differences: Values, *, margin: Margin, alpha: float = 0.05) -> Equivalence:
    """Test whether the mean difference lies within a margin, by two one-sided t-tests (Schuirmann 1987).

    It holds its level for symmetric differences that are about normal. Where a variant halves exponential
    times, and so skews the differences, one on the margin passed for equivalent in 14 of 100 with 6 pairs, 13
    with 10 and 10 with 30, at α = 0.05. Differences that agree to 10⁻⁹ of the largest have no spread: p is
    then 0 if they lie within the margin, and 1 if they lie on it or beyond.

    Args:
        differences: [n], variant minus baseline, one a seed.
        margin: declared before the data are seen, in the unit of the differences.
        alpha: level of the test; the interval's is 1 − 2α.

    Raises:
        InputError: fewer than two differences, one that is not finite, or a margin without zero inside.
    """
    values = finite(differences, least=2)
    low, high = _bounds(margin, what="a margin")
    _check_share(alpha, what="alpha")
    t_low, t_high = _distance(values, low), -_distance(-values, -high)
    p_low = float(stats.t.sf(t_low, values.size - 1))
    p_high = float(stats.t.cdf(t_high, values.size - 1))
    interval = t_interval(values, level=1 - 2 * alpha)
    return Equivalence(
        max(p_low, p_high), p_low, p_high, t_low, t_high, interval, low=low, high=high, n=values.size
    )


def bayesian_t(differences: Values, *, rope: Margin) -> Posterior:
    """How probably the mean difference lies below, within and above a region (Benavoli et al. 2017).

    The posterior of the mean under the prior 1/σ is Student's t with n − 1 degrees of freedom, centred on the
    mean seen, with scale √(s²/n). Seeds are independent, so the term that Nadeau & Bengio (2003) add for
    overlapping training sets is left out. With a mean on an edge of the region, a probability of 0.95 or more
    beyond it or within comes once in twenty if differences are normal, and up to three times in twenty if
    they are skewed, as for `two_one_sided_tests`. Differences that agree to 10⁻⁹ of the largest put all
    probability on one point; a point on an edge counts as outside.

    Args:
        differences: [n], variant minus baseline, one a seed.
        rope: region of practical equivalence, in the unit of the differences.

    Raises:
        InputError: fewer than two differences, one that is not finite, or a region without zero inside.
    """
    values = finite(differences, least=2)
    low, high = _bounds(rope, what="a region of practical equivalence")
    below = float(stats.t.sf(_distance(values, low), values.size - 1))
    above = float(stats.t.sf(_distance(-values, -high), values.size - 1))
    return Posterior(below, max(0.0, 1.0 - below - above), above, values.size)


def meaningful(improvement: Interval, *, gamma: float = 0.75) -> Meaning:
    """Whether A is better than B, and by enough to matter, by P(A > B) (Bouthillier et al. 2021).

    Significant where 0.5 < lower limit, and then meaningful where γ ≤ upper limit. The rule is one-sided: to
    ask whether B is better than A, give it the interval from 1 − high to 1 − low.

    Args:
        improvement: P(A > B) with its limits.
        gamma: the smallest P(A > B) that matters.

    Raises:
        InputError: limits that are no probabilities, or a γ that is not between 0.5 and 1.
    """
    if not 0.0 <= improvement.low <= improvement.high <= 1.0:
        raise InputError(
            f"limits of P(A > B) from {improvement.low} to {improvement.high}",
            rule="both must be probabilities, the lower one first",
            remedy="give the interval of the probability of improvement, from enough pairs to have one",
        )
    _check_gamma(gamma)
    if not improvement.low > 0.5:
        return "not significant"
    return "significant and meaningful" if gamma <= improvement.high else "significant, not meaningful"


def pairs_for_improvement(gamma: float = 0.75, *, alpha: float = 0.05, beta: float = 0.05) -> int:
    """The runs of each variant that show P(A > B) = γ (Noether 1987): 29 at these settings.

    ((z₁₋α + z₁₋β) / (√6 (γ − ½)))², rounded up: Noether's size of each of two equal groups for a one-sided
    Wilcoxon rank-sum test, taken for pairs by Bouthillier et al. (2021). It is an approximation.

    Args:
        gamma: the P(A > B) to show.
        alpha: one-sided error rate.
        beta: probability of missing it.

    Raises:
        InputError: a γ that is not between 0.5 and 1, or an α or β that is not between 0 and 0.5.
    """
    _check_gamma(gamma)
    _check_share(alpha, what="alpha")
    _check_share(beta, what="beta")
    reach = float(stats.norm.isf(alpha) + stats.norm.isf(beta))
    return math.ceil((reach / (gamma - 0.5)) ** 2 / 6)


def _distance(values: Numbers, bound: float) -> float:
    """How many standard errors the mean lies above a bound."""
    gap = float(values.mean()) - bound
    largest = float(np.abs(values).max())
    if np.ptp(values) <= 1e-9 * largest:
        return math.inf if gap > 1e-9 * max(largest, abs(bound)) else -math.inf
    return gap / float(values.std(ddof=1)) * math.sqrt(values.size)


def _bounds(margin: Margin, *, what: str) -> tuple[float, float]:
    """The lower and the upper limit that a margin stands for."""
    low, high = margin if isinstance(margin, tuple) else (-margin, margin)
    if not -math.inf < low < 0 < high < math.inf:
        raise InputError(
            f"{what} from {low} to {high}",
            rule="it must be finite, with zero inside",
            remedy="give one number above zero or (low, high) with low < 0 < high, in the differences' unit",
        )
    return low, high


def _check_gamma(gamma: float) -> None:
    if not 0.5 < gamma <= 1.0:
        raise InputError(
            f"gamma = {gamma}",
            rule="the smallest P(A > B) that matters must be above 0.5 and at most 1",
            remedy="0.75 is what Bouthillier et al. (2021) recommend",
        )


def _check_share(share: float, *, what: str) -> None:
    if not 0.0 < share < 0.5:
        raise InputError(
            f"{what} = {share}", rule="an error rate must lie between 0 and 0.5", remedy="0.05 is usual"
        )
