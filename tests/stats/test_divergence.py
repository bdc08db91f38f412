"""Computation: runs that diverged, against statsmodels, published examples and ranks counted by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from harness.errors import InputError
from harness.stats.divergence import mcnemar_exact, worst_ranks
from harness.stats.paired import sign_flip_test

NAN, INF = math.nan, math.inf


def test_approval_ratings_give_the_published_exact_p() -> None:
    # Agresti 1990, p. 350: 150 went from approval to disapproval, 86 back. R's exact2x2: p = 3.716e-05
    found = mcnemar_exact(150, 86)
    assert found.p == pytest.approx(3.716e-05, abs=5e-9)
    assert (found.statistic, found.n, found.method) == (64.0, 236, "McNemar, exact")


@pytest.mark.parametrize(
    ("ours", "theirs"), [(0, 1), (1, 1), (0, 5), (0, 6), (1, 8), (4, 4), (7, 3), (30, 12), (500, 430)]
)
def test_the_test_agrees_with_statsmodels_and_with_counting(ours: int, theirs: int) -> None:
    found = mcnemar_exact(ours, theirs)
    table = mcnemar([[17, ours], [theirs, 5]], exact=True)
    assert found.p == pytest.approx(float(table.pvalue), rel=1e-9)
    n = ours + theirs
    tail = sum(math.comb(n, k) for k in range(min(ours, theirs) + 1))
    assert found.p == pytest.approx(float(min(Fraction(1), Fraction(2 * tail, 2**n))), rel=1e-9)


def test_five_pairs_cannot_show_a_difference_and_six_can() -> None:
    assert mcnemar_exact(5, 0).p == pytest.approx(0.0625)
    assert mcnemar_exact(6, 0).p == pytest.approx(0.03125)


def test_without_a_pair_that_tells_them_apart_p_is_one() -> None:
    found = mcnemar_exact(0, 0)
    assert (found.p, found.statistic, found.n) == (1.0, 0.0, 0)


def test_with_the_arms_swapped_only_the_sign_changes() -> None:
    for ours, theirs in ((3, 9), (0, 7), (5, 5)):
        found, mirrored = mcnemar_exact(ours, theirs), mcnemar_exact(theirs, ours)
        assert (mirrored.p, mirrored.n, mirrored.statistic) == (found.p, found.n, -found.statistic)


def test_numbers_below_zero_are_refused() -> None:
    for counts in ((-1, 3), (3, -1)):
        with pytest.raises(InputError, match="numbers of pairs are 0 or more"):
            mcnemar_exact(*counts)


def test_the_size_is_held_when_both_arms_diverge_alike() -> None:
    rng = np.random.default_rng(5)
    repeats = 1000
    diverged = rng.random((repeats, 2, 30)) < 0.3
    only = [(int((a & ~b).sum()), int((b & ~a).sum())) for a, b in diverged]
    rejected = sum(mcnemar_exact(*one).p <= 0.05 for one in only)
    assert 0 < rejected <= repeats * 0.05 + 4 * math.sqrt(repeats * 0.05 * 0.95)


def test_ranks_are_those_counted_by_hand() -> None:
    # Losses: the four that are not finite share 1 to 4, then 0.9 is 5, 0.4 twice shares 6 and 7, 0.2 is 8
    variant, baseline = worst_ranks([0.2, NAN, 0.4, INF], [0.9, 0.4, -INF, NAN], better="lower")
    assert variant.tolist() == [8.0, 2.5, 6.5, 2.5]
    assert baseline.tolist() == [5.0, 6.5, 2.5, 2.5]


def test_for_accuracies_the_highest_has_the_highest_rank() -> None:
    variant, baseline = worst_ranks([0.99, NAN, 0.97], [0.95, 0.96, 0.97], better="higher")
    assert variant.tolist() == [6.0, 1.0, 4.5]
    assert baseline.tolist() == [2.0, 3.0, 4.5]


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_finite_outcomes_have_the_ranks_of_scipy(better: Literal["higher", "lower"]) -> None:
    outcomes = np.random.default_rng(2).integers(0, 9, (2, 12)) / 8
    together = stats.rankdata(outcomes.ravel() * (1 if better == "higher" else -1))
    found = worst_ranks(outcomes[0], outcomes[1], better=better)
    assert np.concatenate(found).tolist() == together.tolist()


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_what_is_not_finite_is_worst_whichever_way_it_went(better: Literal["higher", "lower"]) -> None:
    for bad in (NAN, INF, -INF):
        variant, baseline = worst_ranks([bad, 1e300, bad], [-1e300, bad, NAN], better=better)
        assert variant[0] < baseline[0]
        assert variant[1] > baseline[1]
        assert variant[2] == baseline[2]


def test_when_every_run_diverged_nothing_differs() -> None:
    variant, baseline = worst_ranks([NAN, INF], [-INF, NAN], better="lower")
    assert (variant - baseline).tolist() == [0.0, 0.0]
    assert sign_flip_test(variant - baseline).p == 1.0


def test_a_variant_that_never_diverges_wins_every_pair_of_a_baseline_that_always_does() -> None:
    variant, baseline = worst_ranks([0.3, 0.9, 0.5, 0.1, 0.8, 0.7], [NAN] * 6, better="higher")
    assert sign_flip_test(variant - baseline).p == 2 / 64


def test_swapped_or_shuffled_arms_swap_or_shuffle_the_ranks() -> None:
    ours, theirs = [0.1, NAN, 0.3, 0.2], [0.2, 0.5, INF, 0.4]
    found = worst_ranks(ours, theirs, better="lower")
    swapped = worst_ranks(theirs, ours, better="lower")
    assert np.array_equal(swapped[0], found[1])
    assert np.array_equal(swapped[1], found[0])
    shuffled = worst_ranks(ours[::-1], theirs[::-1], better="lower")
    assert np.array_equal(shuffled[0], found[0][::-1])


def test_the_outcomes_given_are_left_alone() -> None:
    outcomes = np.array([1.0, NAN])
    worst_ranks(outcomes, outcomes, better="lower")
    assert outcomes == pytest.approx([1.0, NAN], nan_ok=True)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([0.1], [0.1, 0.2])])
def test_outcomes_that_are_no_pairs_are_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(InputError) as caught:
        worst_ranks(ours, theirs, better="higher")
    assert caught.value.received == (f"{len(ours)} outcomes of the variant and {len(theirs)} of the baseline")
    assert caught.value.remedy == "keep only seeds that both have; a run that diverged stays, as NaN"


def test_ranks_with_diverged_runs_keep_the_size_of_the_sign_flip_test() -> None:
    rng = np.random.default_rng(6)
    repeats = 500
    rejected = 0
    for _ in range(repeats):
        losses = rng.exponential(size=(2, 8))
        losses[rng.random((2, 8)) < 0.25] = NAN
        ours, theirs = worst_ranks(losses[0], losses[1], better="lower")
        rejected += sign_flip_test(ours - theirs).p <= 0.05
    assert 0 < rejected <= repeats * 0.05 + 4 * math.sqrt(repeats * 0.05 * 0.95)
