"""Computation: what a number of pairs can show, and how many pairs show an effect.

Effects are standardised mean differences (Cohen's dz: mean over standard deviation of the differences), and
the differences are taken as normal. α is the error rate of the one test, after any correction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from harness.design.resolution import seeds_needed, smallest_p
from harness.errors import InputError
from harness.stats.checks import Numbers, finite

REPLICATIONS = 10_000
"""Simulated samples, each with its mirror image: at a power of 0.8 the standard error is at most 0.004."""

LISTED_PAIRS = 12
LISTED_PATTERNS = 128
"""Up to so many pairs, or patterns within α, the test is simulated; beyond, it is taken as a t-test."""

MOST_PAIRS = 10_000
"""Beyond so many, the pairs needed are not told."""


@dataclass(frozen=True)
class PowerEstimate:
    """The probability that a test finds an effect.

    Attributes:
        power: the probability.
        method: how it was computed, to be printed.
        error: the standard error where it was simulated, 0 where it follows from a formula.
    """

    power: float
    method: str
    error: float = 0.0


def t_power(effect_dz: float, *, pairs: int, alpha: float = 0.05) -> float:
    """The probability that a two-sided paired t-test finds an effect, in either direction.

    |t| exceeds its critical value: averaged over the variance, at 20,000 quantiles of its distribution.
    (scipy's noncentral t gives NaN for large effects, and solve_power then stops where it started.)

    Args:
        effect_dz: of the differences.
        pairs: 2 or more.
        alpha: error rate.
    """
    _check(alpha=alpha, pairs=pairs, least=2)
    critical, spread = _t_distribution(pairs, alpha)
    return _exceeding(float(finite([effect_dz], what="effects")[0]) * math.sqrt(pairs), critical, spread)


def detectable_effect(pairs: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest standardised mean difference (Cohen's dz) that a two-sided paired t-test detects.

    The exact sign-flip test needs more with few pairs (1.79 instead of 1.44 at six): `smallest_detectable`.

    Args:
        pairs: number of seeds; 2 or more.
        alpha: error rate of the one test, after any correction.
        power: probability of detecting it.
    """
    critical, spread = _t_distribution(pairs, alpha)

    def missing(effect: float) -> float:
        return _exceeding(effect * math.sqrt(pairs), critical, spread) - power

    return float(optimize.brentq(missing, 0.0, 10.0 * critical + 100.0))


def t_pairs_needed(effect_dz: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The fewest pairs with which a two-sided paired t-test detects an effect; None above 10,000.

    Args:
        effect_dz: of the differences; its sign does not matter.
        alpha: error rate.
        power: probability of detecting it.
    """
    _check(alpha=alpha, power=power)
    effect = abs(float(finite([effect_dz], what="effects")[0]))
    critical = float(stats.norm.isf(alpha / 2))
    # No test needs fewer than the one that knows the variance.
    known = float(
        optimize.brentq(lambda z: _exceeding(z, critical, np.ones(1)) - power, 0.0, critical + 10.0)
    )
    if known > effect * math.sqrt(MOST_PAIRS):
        return None
    for pairs in range(max(2, math.floor((known / effect) ** 2)), MOST_PAIRS + 1):
        if t_power(effect, pairs=pairs, alpha=alpha) >= power:
            return pairs
    return None


def sign_flip_power(
    effect_dz: float, *, pairs: int, alpha: float = 0.05, rng: np.random.Generator | None = None
) -> PowerEstimate:
    """The probability that the exact sign-flip test finds an effect, in either direction.

    Simulated with 10,000 normal samples and their mirror images where there are 12 pairs at most, or 128
    patterns at most within α. Beyond, the power of the t-test at the level the sign-flip test attains (they
    agree in large samples: Hoeffding 1952). Against counted tests that is too high by 0.003 at 13 pairs
    and α = 0.05, by about 0.01 at most for α ≥ 0.001, and by up to 0.06 for an α of 10⁻⁵.

    Args:
        effect_dz: of the differences; its sign does not matter.
        pairs: number of differences.
        alpha: error rate; below the smallest attainable p the power is 0.
        rng: for the simulation; a fixed generator unless given.
    """
    _check(alpha=alpha, pairs=pairs, least=1)
    effect = abs(float(finite([effect_dz], what="effects")[0]))
    level = attained_level(pairs, alpha=alpha)
    if level == 0:
        return PowerEstimate(0.0, "no p is as small as α")
    if not _simulated(pairs, level):
        return PowerEstimate(t_power(effect, pairs=pairs, alpha=level), "t-test at the attained level")
    limits = _limits(pairs, level=level, rng=rng)
    found = np.mean(limits < effect, axis=1) + np.mean(limits < -effect, axis=1)
    error = float(found.std(ddof=1) / math.sqrt(REPLICATIONS))
    return PowerEstimate(float(found.mean()), f"{REPLICATIONS:,} simulated samples and their mirrors", error)


def smallest_detectable(
    pairs: int, *, alpha: float = 0.05, power: float = 0.8, rng: np.random.Generator | None = None
) -> float:
    """The smallest effect (Cohen's dz) that the exact sign-flip test detects; inf where α is out of reach.

    A simulated sample has one limit that the effect must exceed, so all effects share the samples and a
    quantile of the limits is the answer: more power always needs more effect. Its standard error is about
    0.5 % of the effect at a power of 0.8; for what is not simulated see `sign_flip_power`.

    Args:
        pairs: number of differences.
        alpha: error rate; below the smallest attainable p no effect is large enough.
        power: probability of detecting it, above α.
        rng: for the simulation; a fixed generator unless given.
    """
    _check(alpha=alpha, pairs=pairs, least=1, power=power)
    level = attained_level(pairs, alpha=alpha)
    if level == 0:
        return math.inf
    if not _simulated(pairs, level):
        return detectable_effect(pairs, alpha=level, power=power)
    limits = np.sort(_limits(pairs, level=level, rng=rng), axis=None)
    effects = limits[limits > 0]
    reached = (
        np.searchsorted(limits, effects, side="right") + np.searchsorted(limits, -effects)
    ) / limits.size
    return float(effects[np.argmax(reached >= power)])


def pairs_needed(
    effect_dz: float, *, alpha: float = 0.05, power: float = 0.8, rng: np.random.Generator | None = None
) -> int | None:
    """The fewest pairs with which the exact sign-flip test detects an effect; None above 10,000.

    They are no fewer than the t-test needs, and enough for p to reach α at all. Where the test is
    simulated, a power within about 0.01 of the one asked for may fall on either side.

    Args:
        effect_dz: of the differences; its sign does not matter.
        alpha: error rate.
        power: probability of detecting it.
        rng: for the simulation; a fixed generator unless given.
    """
    fewest = t_pairs_needed(effect_dz, alpha=alpha, power=power)
    if fewest is None:
        return None
    for pairs in range(max(fewest, seeds_needed(1, alpha=alpha)), MOST_PAIRS + 1):
        if sign_flip_power(effect_dz, pairs=pairs, alpha=alpha, rng=rng).power >= power:
            return pairs
    return None


def attained_level(pairs: int, *, alpha: float = 0.05) -> float:
    """The error rate that the exact sign-flip test has at α where no sums tie: whole patterns of 2ⁿ⁻¹."""
    patterns = 2.0 ** min(pairs - 1, 60)
    return math.floor(alpha * patterns) / patterns


def _simulated(pairs: int, level: float) -> bool:
    """Whether there are few enough patterns to list those that matter."""
    return pairs <= LISTED_PAIRS or level <= LISTED_PATTERNS * smallest_p(pairs)


def _limits(pairs: int, *, level: float, rng: np.random.Generator | None) -> Numbers:
    """The effect that a sample, and its mirror image, must exceed to be found [replication, 2].

    For the sample z + effect, flipping a subset M leaves a sum as far from zero as the one seen, and above
    zero, if the mean of z over M is at most −effect (Hartigan 1969). With k patterns within α the k-th
    lowest subset mean decides.
    """
    most = round(level * 2.0 ** (pairs - 1))
    subsets = _subsets(pairs, most)
    shares = np.zeros((pairs, len(subsets)))
    for column, members in enumerate(subsets):
        shares[list(members), column] = 1 / len(members)
    samples = np.sort((rng or np.random.default_rng(0)).standard_normal((REPLICATIONS, pairs)), axis=1)
    limits = np.empty((REPLICATIONS, 2))
    for start in range(0, REPLICATIONS, 500):
        rows = slice(start, start + 500)
        for side, ordered in enumerate((samples[rows], -samples[rows, ::-1])):
            means = ordered @ shares
            means.partition(most - 1, axis=1)
            limits[rows, side] = -means[:, most - 1]
    return limits


def _subsets(pairs: int, most: int) -> list[tuple[int, ...]]:
    """The subsets of sorted numbers whose mean may be among the `most` lowest of all.

    A subset is left out where `most` others are lower whatever the numbers: those that begin like it, and
    those with numbers no higher in every place.
    """
    found: list[tuple[int, ...]] = []
    places = np.arange(pairs)

    def grow(members: tuple[int, ...], lower: float, ways: Numbers) -> None:
        """Add a number; `ways` [place]: subsets of one more, lower in every place, that end there."""
        counts = lower + np.cumsum(ways)
        for last in range(members[-1] + 1 if members else 0, pairs):
            if counts[last] > most:
                break
            found.append((*members, last))
            ends = np.cumsum(np.where(places <= last, ways, 0.0))
            grow(found[-1], float(counts[last]), np.concatenate(([0.0], ends[:-1])))

    grow((), 0.0, np.ones(pairs))
    return found


def _t_distribution(pairs: int, alpha: float) -> tuple[float, Numbers]:
    """The critical value of |t|, and the spreads that may be seen."""
    return float(stats.t.isf(alpha / 2, pairs - 1)), _spreads(pairs)


@lru_cache(maxsize=64)
def _spreads(pairs: int) -> Numbers:
    """20,000 quantiles of the standard deviation seen over the true one: 15 ms, and asked for again."""
    shares = (np.arange(20_000) + 0.5) / 20_000
    spreads = np.sqrt(stats.chi2.ppf(shares, pairs - 1) / (pairs - 1))
    spreads.setflags(write=False)
    return spreads


def _exceeding(centre: float, critical: float, spread: Numbers) -> float:
    """The probability that |t| exceeds its critical value about a centre."""
    reached = stats.norm.sf(critical * spread - centre) + stats.norm.cdf(-critical * spread - centre)
    return float(reached.mean())


def _check(*, alpha: float, pairs: int = 2, least: int = 2, power: float = 0.8) -> None:
    """Refuse numbers for which there is no power."""
    if not (0 < alpha < 1 and alpha < power < 1 and pairs >= least):
        raise InputError(
            f"{pairs} pairs, α = {alpha:g}, power {power:g}",
            rule=f"pairs: {least} or more; α above 0 and below the power; the power below 1",
            remedy="use for instance α = 0.05 and a power of 0.8",
        )
