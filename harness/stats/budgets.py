"""Computation: the best score to expect from a budget of tried configurations.

Scores are better when higher: give the negative of a loss. A configuration that diverged counts with the
score of chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite


def expected_best(scores: Values, budgets: npt.ArrayLike) -> Numbers:
    """The expected best of k configurations drawn as the search drew them (Dodge et al. 2019, §3).

    Σ vᵢ (F(vᵢ)ᵏ − F(vᵢ₋₁)ᵏ) with F the distribution seen: the mean over all draws of k with replacement. It
    is biased downwards for what k new configurations would reach (Tang et al. 2020).

    Args:
        scores: [n], validation scores of the configurations tried, independent draws, in any order.
        budgets: [k], each from 1 to n: beyond n there is nothing to learn from n scores.

    Raises:
        InputError: no scores, one that is not finite, or a budget that is not a whole number from 1 to n.
    """
    values, draws = _checked(scores, budgets)
    return _chances(values.size, draws) @ values


def variance_of_best(scores: Values, budgets: npt.ArrayLike) -> Numbers:
    """The variance of the best of k configurations under the same plug-in (Dodge et al. 2019, §3).

    It is that of one search of k configurations, not that of the estimated mean, which `expected_best` gives.

    Args:
        scores: [n], as for `expected_best`.
        budgets: [k], as for `expected_best`.

    Raises:
        InputError: as `expected_best`.
    """
    values, draws = _checked(scores, budgets)
    chances = _chances(values.size, draws)
    variances: Numbers = (chances * (values - (chances @ values)[:, None]) ** 2).sum(1)
    return variances


def quantile_of_best(scores: Values, budgets: npt.ArrayLike, *, share: float) -> Numbers:
    """The score that the best of k configurations stays at or below in this share of all draws.

    The smallest v with F(v)ᵏ ≥ share, F the distribution seen, as for `expected_best`: like its variance it
    tells how one search of k configurations ends, not how sure the expectation is.

    Args:
        scores: [n], as for `expected_best`.
        budgets: [k], as for `expected_best`.
        share: of the draws, above 0 and below 1.

    Raises:
        InputError: as `expected_best`, or a share that is out of range.
    """
    values, draws = _checked(scores, budgets)
    if not 0 < share < 1:
        raise InputError(f"share {share!r}", rule="a share lies between 0 and 1", remedy="for instance 0.25")
    reached = (np.arange(1, values.size + 1) / values.size) ** draws[:, None]  # [draw, rank]
    # A hair below, for a power may miss by a rounding the share that it equals.
    first: Numbers = values[(reached >= share * (1 - 1e-12)).argmax(axis=1)]
    return first


def unbiased_expected_best(scores: Values, budgets: npt.ArrayLike) -> Numbers:
    """The expected best of k new configurations, without bias (Tang et al. 2020).

    The mean over all sets of k among the n scores, drawn without replacement: the i-th smallest is the best
    of C(i − 1, k − 1) of the C(n, k) sets. It varies more from search to search than `expected_best` does.

    Args:
        scores: [n], as for `expected_best`.
        budgets: [k], as for `expected_best`.

    Raises:
        InputError: as `expected_best`.
    """
    values, draws = _checked(scores, budgets)
    n = values.size
    ranks, drawn = np.arange(n + 1)[:, None], np.arange(int(draws.max()))
    # C(i, k)/C(n, k), the chance that all k are among the i smallest, as a running product; 0 where k > i.
    shares = np.cumprod((ranks - drawn) / (n - drawn), axis=1)  # [rank, draw]
    return np.diff(shares[:, draws - 1], axis=0).T @ values


def _chances(n: int, draws: npt.NDArray[np.int64]) -> Numbers:
    """How probably the i-th smallest of n is the best of k, drawn with replacement [draw, rank]."""
    return np.diff((np.arange(n + 1) / n) ** draws[:, None], axis=1)


def _checked(scores: Values, budgets: npt.ArrayLike) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """The scores in ascending order, and the budgets."""
    values = np.sort(finite(scores, what="scores"))
    asked = np.asarray(budgets, dtype=np.float64).ravel()
    if not asked.size or not ((asked >= 1) & (asked <= values.size) & (asked == np.floor(asked))).all():
        raise InputError(
            f"budgets {asked.tolist()} for {values.size} scores",
            rule=f"each must be a whole number from 1 to {values.size}",
            remedy="ask for no more configurations than were tried",
        )
    return values, asked.astype(np.int64)
