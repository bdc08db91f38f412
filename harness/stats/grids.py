"""Computation: a grid of runs, cells × seeds, in one number or one curve (Agarwal et al. 2021).

The bootstrap here draws seeds anew in every cell, as rliable does: it takes the runs of different cells for
independent. Where one seed means the same start in every cell, reduce the grid to one number per seed first
and use `intervals`; a bootstrap over cells would call the same luck many times evidence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite
from harness.stats.intervals import BOOTSTRAP_FROM, BootstrapInterval


def interquartile_mean(scores: Values) -> float:
    """The mean of the middle half of the scores, all cells and seeds together (Agarwal et al. 2021, §4.3).

    Each of N scores, in order, takes up 1/N of the unit interval and weighs what it has between ¼ and ¾. For
    N a multiple of 4 that is the mean without the lowest and the highest quarter, as in rliable. For other N
    the scores at the edges count in part, where scipy's `trim_mean` cuts too few (none at all below 4).

    Args:
        scores: of any shape.

    Raises:
        InputError: no scores, or one that is not finite.
    """
    ordered = np.sort(finite(scores, what="scores"))
    edges = np.clip(np.linspace(0.0, 1.0, ordered.size + 1), 0.25, 0.75)
    return float(2 * np.diff(edges) @ ordered)


def stratified_bootstrap(
    scores: Values,
    statistic: Callable[[Numbers], float] = interquartile_mean,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2_000,
) -> BootstrapInterval:
    """A statistic of a grid with its percentile interval, seeds drawn anew within every cell.

    Agarwal et al. (2021), §4.1. rliable ignores the `random_state` it is given; this generator is used. Of
    95 % intervals for the interquartile mean of 12 normal cells 85 % held it with 3 seeds, 91 % with 6 and
    94 % with 10 (500 samples each; with 4 cells of tied or censored scores 85, 89 and 92 %, and 93 % with
    30), so below 20 seeds a caution is given. With a single seed there is nothing to draw from: the limits
    are NaN.

    Args:
        scores: [cell, seed].
        statistic: of such an array.
        rng: draws the resamples; in the same state it gives the same interval.
        level: confidence.
        resamples: how many.

    Raises:
        InputError: scores that are not cells × seeds, none, or one that is not finite.
    """
    grid = _grid(scores)
    drawn = _resampled(grid, statistic, resamples=resamples, rng=rng)
    low, high = _limits(drawn, level)
    seeds = grid.shape[1]
    few = f"from {seeds} seeds a cell: holds less often than it says (95 %: 85 % at 3, 91 % at 6)"
    caution = few if seeds < BOOTSTRAP_FROM else ""
    return BootstrapInterval(float(statistic(grid)), float(low), float(high), level, grid.size, caution)


def performance_profile(scores: Values, thresholds: Values) -> Numbers:
    """The share of all runs that score above each threshold (Agarwal et al. 2021, §4.2; Dolan & Moré 2002).

    A score equal to the threshold is not above it. Every cell weighs the same.

    Args:
        scores: [cell, seed].
        thresholds: [threshold].

    Returns:
        Shares [threshold].

    Raises:
        InputError: scores that are not cells × seeds, none, or one that is not finite.
    """
    ordered = np.sort(_grid(scores), axis=None)
    reached = np.searchsorted(ordered, finite(thresholds, what="thresholds"), side="right")
    return np.asarray(1 - reached / ordered.size)


def profile_band(
    scores: Values,
    thresholds: Values,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 2_000,
) -> tuple[Numbers, Numbers]:
    """The pointwise limits of a performance profile, by the stratified bootstrap.

    At each threshold by itself, not of the curve as a whole. Where every run is above or every run below, the
    band has no width; with a single seed it is NaN. With four cells it held the share in the middle in 90 of
    100 with 6 seeds and 93 with 30; near the ends it misses more often, for lack of runs beyond: a share of
    3 % in 49 of 100 with 6 seeds, 30 with 10 and 12 with 30.

    Args:
        scores: [cell, seed].
        thresholds: [threshold].
        rng: draws the resamples.
        level: confidence.
        resamples: how many.

    Returns:
        The lower and the upper limits, [threshold] each.

    Raises:
        InputError: scores that are not cells × seeds, none, or one that is not finite.
    """
    drawn = _resampled(
        _grid(scores), lambda grid: performance_profile(grid, thresholds), resamples=resamples, rng=rng
    )
    low, high = _limits(drawn, level)
    return low, high


def _grid(scores: Values) -> Numbers:
    """The scores as [cell, seed]."""
    numbers = finite(scores, what="scores").reshape(np.shape(scores))
    if numbers.ndim != 2:
        raise InputError(
            f"scores of shape {numbers.shape}",
            rule="a grid is cells × seeds",
            remedy="give every cell the same seeds, and one row",
        )
    return numbers


def _resampled(
    grid: Numbers,
    statistic: Callable[[Numbers], float | Numbers],
    *,
    resamples: int,
    rng: np.random.Generator,
) -> Numbers:
    """The statistic of each resample [resample, ...]; NaN where there is one seed."""
    if grid.shape[1] == 1:
        return np.full((1, *np.shape(statistic(grid))), np.nan)
    draws = (rng.integers(0, grid.shape[1], grid.shape) for _ in range(resamples))
    return np.array([statistic(np.take_along_axis(grid, draw, axis=1)) for draw in draws])


def _limits(drawn: Numbers, level: float) -> Numbers:
    """The quantiles that hold the middle share of the resamples [2, ...]."""
    return np.asarray(np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0))
