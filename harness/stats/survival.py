"""Computation: times to a threshold, where some runs had not reached it at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite
from harness.stats.intervals import t_interval
from harness.stats.results import TestResult

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SurvivalCurve:
    """The share of runs that had not reached the threshold, after each time at which one left.

    Attributes:
        times: [time], distinct and ascending, those at which runs were only censored included.
        survival: [time], just after it; 1 before the first.
        at_risk: [time], runs that had neither reached it nor been censored before.
        events: [time], runs that reached it then.
    """

    times: Numbers
    survival: Numbers
    at_risk: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]


def censored_times(times: Values, *, end: float) -> tuple[Numbers, Flags]:
    """The times cut off at a common end, min(T, τ), and whether each was reached by then.

    A run that never reaches the threshold, diverged runs included, is censored at the end, the worst time
    there is. One that reaches it at the very end did reach it.

    Args:
        times: [n], in epochs or seconds; NaN, infinity or None where the threshold was never reached.
        end: τ, the same for every run.

    Returns:
        The times [n] and flags [n], true where observed.

    Raises:
        InputError: no times, a time below zero, or an end that is not finite and above zero.
    """
    _check_end(end)
    values = np.asarray(times, dtype=np.float64).ravel()
    reached = np.where(np.isnan(values), np.inf, values)
    _check_times(reached)
    observed: Flags = reached <= end
    return np.minimum(reached, end), observed


def kaplan_meier(times: Values, observed: npt.ArrayLike) -> SurvivalCurve:
    """The product-limit estimate of the share that has not reached the threshold (Kaplan & Meier 1958).

    A run censored at a time counts as at risk at that time.

    Args:
        times: [n], to the threshold or to censoring.
        observed: [n], true where the threshold was reached.

    Raises:
        InputError: no times, one that is not finite or below zero, or flags that do not fit.
    """
    values, flags = _sample(times, observed)
    curve = stats.ecdf(stats.CensoredData.right_censored(values, ~flags)).sf
    at = curve.quantiles
    left, reached = np.sort(values), np.sort(values[flags])
    return SurvivalCurve(
        times=at,
        survival=curve.probabilities,
        at_risk=(values.size - np.searchsorted(left, at)).astype(np.int64),
        events=(np.searchsorted(reached, at, "right") - np.searchsorted(reached, at)).astype(np.int64),
    )


def restricted_mean(times: Values, observed: npt.ArrayLike, *, end: float) -> float:
    """The mean time up to an end: the area under the survival curve from 0 to τ (Irwin 1949).

    Where runs are censored only at τ it is the mean of min(T, τ).

    Args:
        times: [n], to the threshold or to censoring.
        observed: [n], true where the threshold was reached.
        end: τ.

    Raises:
        InputError: times or flags that `kaplan_meier` refuses, an end that is not finite and above zero, or
            one beyond the last time where the curve has not come down to zero.
    """
    _check_end(end)
    curve = kaplan_meier(times, observed)
    if curve.survival[-1] > 0 and curve.times[-1] < end:
        raise InputError(
            f"an end at {end}, and runs still censored at {curve.times[-1]}, the last time of all",
            rule="the curve must be known up to the end",
            remedy="take an end that every run was followed to",
        )
    before = curve.times < end
    knots = np.concatenate(([0.0], curve.times[before], [end]))
    heights = np.concatenate(([1.0], curve.survival[before]))
    return float(heights @ np.diff(knots))


def log_rank(
    times_a: Values, observed_a: npt.ArrayLike, times_b: Values, observed_b: npt.ArrayLike
) -> TestResult:
    """The log-rank test of two survival curves, to display beside them (Mantel 1966).

    It ignores that runs are paired by seed, so the paired test of `paired_restricted_times` decides. χ² is
    its law in large samples: of independent arms of 6 runs 6.2 in 100 have p ≤ 0.05 without an effect, of 10
    runs 5.8, of 30 runs 5.2; where pairs are alike, fewer (2 to 4). The statistic is χ² with one degree of
    freedom (scipy's z squared), n the runs of both. Where the test has nothing to compare, since no run
    reached the threshold or all did at once, χ² is 0 and p is 1.

    Args:
        times_a: [n], to the threshold or to censoring.
        observed_a: [n], true where the threshold was reached.
        times_b: [m], of the other variant.
        observed_b: [m].

    Raises:
        InputError: times or flags that `kaplan_meier` refuses.
    """
    a, b = _sample(times_a, observed_a), _sample(times_b, observed_b)
    samples = [stats.CensoredData.right_censored(values, ~flags) for values, flags in (a, b)]
    with np.errstate(divide="ignore", invalid="ignore"):  # no variance: 0/0, or rounding over 0
        found = stats.logrank(samples[0], samples[1])
    n = a[0].size + b[0].size
    if not np.isfinite(found.statistic):
        return TestResult(0.0, 1.0, n, "log-rank, unpaired")
    return TestResult(float(found.statistic) ** 2, float(found.pvalue), n, "log-rank, unpaired")


def band_over_seeds(shares: Values, *, runs: int, level: float = 0.95) -> tuple[Numbers, Numbers]:
    """A confidence band, point by point, for the share that has not reached the threshold, the seed its unit.

    Runs of several combinations under one seed are not independent, so Greenwood's formula over all runs
    would be too narrow. With one run a seed the limits are those of Clopper & Pearson (1934); with more,
    Student's for the mean of the seeds' shares, cut at 0 and 1. These have no width where all seeds agree,
    which is more than the data say, and near 0 and 1 they miss too often: with four runs a seed, a share of
    5 % in 33 of 100 with 6 seeds and 8 of 100 with 30. They hold for one time, not for all at once.

    Args:
        shares: [seed, time], of a seed's runs, those that have not reached the threshold just after a time;
            runs are censored at the end alone.
        runs: that a seed has.
        level: confidence.

    Returns:
        The lower and the upper limits [time]; NaN for a single seed with several runs.

    Raises:
        InputError: a share that is not in [0, 1], or no runs.
    """
    values = np.atleast_2d(np.asarray(shares, dtype=np.float64))
    if not values.size or runs < 1 or not ((values >= 0) & (values <= 1)).all():
        raise InputError(
            f"{values.size} shares of {runs} runs a seed",
            rule="every share lies between 0 and 1, and is one of 1 run or more",
            remedy="count the runs of each seed that have not reached the threshold, and divide",
        )
    seeds = len(values)
    if runs == 1:
        low, high = proportion_confint(values.sum(axis=0), seeds, alpha=1 - level, method="beta")
        return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    columns = [t_interval(column, level=level) for column in values.T]
    low, high = ([getattr(column, side) for column in columns] for side in ("low", "high"))
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def paired_restricted_times(variant: Values, baseline: Values, *, end: float) -> Numbers:
    """One difference a seed: min(T, τ) of the variant minus min(T, τ) of the baseline.

    They are tested and estimated like any differences, `sign_flip_test` first; their mean is the difference
    in restricted mean times. Below zero the variant is faster. A pair censored on both sides is a tie.

    Args:
        variant: [n], times as `censored_times` takes them.
        baseline: [n], of the same seeds.
        end: τ, the same for every run.

    Raises:
        InputError: times that `censored_times` refuses, or more of one variant than of the other.
    """
    first, second = censored_times(variant, end=end)[0], censored_times(baseline, end=end)[0]
    if first.size != second.size:
        raise InputError(
            f"{first.size} times of the variant and {second.size} of the baseline",
            rule="there must be one of either for every seed",
            remedy="drop seeds without a partner and report how many",
        )
    return first - second


def _sample(times: Values, observed: npt.ArrayLike) -> tuple[Numbers, Flags]:
    """The times and their flags, checked."""
    values = finite(times, what="times")
    _check_times(values)
    flags = np.asarray(observed).ravel()
    if flags.size != values.size or not np.isin(flags, (0, 1)).all():
        raise InputError(
            f"{flags.size} flags for {values.size} times",
            rule="every time needs a flag, true or false: whether the threshold was reached",
            remedy="make both with censored_times",
        )
    return values, flags.astype(np.bool_)


def _check_times(values: Numbers) -> None:
    early = int(np.count_nonzero(values < 0))
    if not values.size or early:
        raise InputError(
            f"{values.size} times, {early} of them below zero",
            rule="there must be one or more, counted from the start of training",
            remedy="give NaN for a run that never reached the threshold",
        )


def _check_end(end: float) -> None:
    if not 0.0 < end < np.inf:
        raise InputError(
            f"an end at {end}",
            rule="it must be finite and above zero",
            remedy="give the number of epochs that every run was trained for",
        )
