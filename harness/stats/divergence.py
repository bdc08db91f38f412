"""Computation: runs that diverged, compared pair by pair."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from harness.errors import InputError
from harness.stats.checks import Numbers, Values
from harness.stats.results import TestResult


def mcnemar_exact(only_variant: int, only_baseline: int) -> TestResult:
    """Test whether variant and baseline diverge equally often, on the pairs where one of them did.

    McNemar's test (1947) with the exact two-sided binomial p: pairs in which both or neither diverged say
    nothing. Without a pair where only one did, p = 1.

    Args:
        only_variant: pairs in which the variant diverged and the baseline did not.
        only_baseline: pairs in which the baseline diverged and the variant did not.

    Returns:
        The test; its statistic is `only_variant` minus `only_baseline`, its n the sum of both.

    Raises:
        InputError: a number below zero.
    """
    if only_variant < 0 or only_baseline < 0:
        raise InputError(
            f"{only_variant} and {only_baseline} pairs in which one run diverged",
            rule="numbers of pairs are 0 or more",
            remedy="count the pairs in which only the one diverged, and those in which only the other did",
        )
    n = only_variant + only_baseline
    p = float(stats.binomtest(only_variant, n).pvalue) if n else 1.0
    return TestResult(float(only_variant - only_baseline), p, n, "McNemar, exact")


def worst_ranks(
    variant: Values, baseline: Values, *, better: Literal["higher", "lower"]
) -> tuple[Numbers, Numbers]:
    """Ranks of paired outcomes among all of both arms, where what is not finite is worst (Lachin 1999).

    1 is the worst, 2n the best, whichever way is better; ties share the mean of their ranks. NaN and both
    infinities tie below every finite outcome, so that a pair in which both diverged differs by 0. The
    differences of the ranks, variant minus baseline, go into any paired test; under exchange within pairs
    they are symmetric about zero, as the sign-flip test asks. They say which arm is better, not by how much.

    Args:
        variant: [n], one a seed; NaN or infinite where the run diverged.
        baseline: [n], of the same seeds.
        better: which outcomes are.

    Returns:
        The ranks of the variant [n] and of the baseline [n], more being better.

    Raises:
        InputError: no outcomes, or not as many of the one as of the other.
    """
    outcomes = [np.asarray(arm, dtype=np.float64).ravel() for arm in (variant, baseline)]
    if outcomes[0].size != outcomes[1].size or not outcomes[0].size:
        raise InputError(
            f"{outcomes[0].size} outcomes of the variant and {outcomes[1].size} of the baseline",
            rule="they come in pairs, 1 or more",
            remedy="keep only seeds that both have; a run that diverged stays, as NaN",
        )
    goodness = np.concatenate(outcomes) * (1.0 if better == "higher" else -1.0)
    goodness[~np.isfinite(goodness)] = -np.inf
    ranks = stats.rankdata(goodness)
    return ranks[: outcomes[0].size], ranks[outcomes[0].size :]
