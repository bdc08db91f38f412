"""Computation: grids in one number or curve, against scipy, exact fractions and plain loops."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.grids import (
    interquartile_mean,
    performance_profile,
    profile_band,
    stratified_bootstrap,
)


def middle_half(scores: list[int]) -> Fraction:
    """The mean of the middle half of the scores, each written down four times: quarters are whole."""
    written = sorted(score for score in scores for _ in range(4))
    return Fraction(sum(written[len(scores) : 3 * len(scores)]), 2 * len(scores))


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        # Wikipedia, "Interquartile mean": 39 / 6, and (0.75 · 5 + 7 + 9 + 11 + 0.75 · 13) / 4.5
        ([5, 8, 4, 38, 8, 6, 9, 7, 7, 3, 1, 6], 6.5),
        ([1, 3, 5, 7, 9, 11, 13, 15, 17], 9.0),
        ([7], 7.0),
        ([1, 4], 2.5),
        ([0, 0, 6], 1.0),  # (0 + 4 · 0 + 6) / 6
        ([0, 1, 3, 100], 2.0),
    ],
)
def test_the_interquartile_mean_is_that_worked_by_hand(scores: list[int], mean: float) -> None:
    assert interquartile_mean(scores) == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("n", [4, 8, 12, 120])
def test_for_multiples_of_four_it_is_scipys_trimmed_mean_as_in_rliable(n: int) -> None:
    scores = np.random.default_rng(n).exponential(size=n)
    assert interquartile_mean(scores) == pytest.approx(float(stats.trim_mean(scores, 0.25)), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 9, 10, 31, 50])
def test_for_other_numbers_it_is_the_mean_of_the_middle_half_written_down_four_times(n: int) -> None:
    scores = [int(one) for one in np.random.default_rng(n).integers(0, 1000, n)]
    assert interquartile_mean(scores) == pytest.approx(float(middle_half(scores)), rel=1e-12)


def test_three_scores_are_not_their_plain_mean() -> None:
    scores = [0.0, 1.0, 8.0]
    assert interquartile_mean(scores) == pytest.approx((0 + 4 * 1 + 8) / 6)
    assert float(stats.trim_mean(scores, 0.25)) == 3.0  # what it would be


def test_one_run_that_failed_moves_the_interquartile_mean_no_further_than_the_next_score() -> None:
    scores = np.linspace(0.9, 0.95, 20)
    assert interquartile_mean(np.concatenate((scores[1:], [-1e9]))) == pytest.approx(
        interquartile_mean(scores)
    )


def test_scores_mirrored_moved_or_shuffled_move_their_mean_along() -> None:
    scores = np.random.default_rng(3).normal(size=(3, 7))
    mean = interquartile_mean(scores)
    assert interquartile_mean(-scores) == pytest.approx(-mean, rel=1e-12)
    assert interquartile_mean(3 * scores + 2) == pytest.approx(3 * mean + 2, rel=1e-12)
    assert interquartile_mean(np.random.default_rng(0).permutation(scores.ravel())) == mean
    assert interquartile_mean([0.7] * 5) == pytest.approx(0.7, rel=1e-15)


def test_the_stratified_bootstrap_draws_from_the_generator_it_is_given() -> None:
    scores = np.random.default_rng(1).normal(size=(4, 6))
    rng = np.random.default_rng(5)
    first, second = (stratified_bootstrap(scores, rng=rng, resamples=200) for _ in range(2))
    assert first != second
    assert stratified_bootstrap(scores, rng=np.random.default_rng(5), resamples=200) == first
    assert first.estimate == interquartile_mean(scores)
    assert (first.level, first.n) == (0.95, 24)


def test_stratified_limits_are_those_of_every_resample_listed() -> None:
    """Two cells of three seeds: 27 × 27 resamples, each as probable."""
    scores = np.array([[0.0, 1.0, 5.0], [10.0, 10.5, 13.0]])
    every = [
        float(np.mean([*first, *second]))
        for first in itertools.product(scores[0], repeat=3)
        for second in itertools.product(scores[1], repeat=3)
    ]
    found = stratified_bootstrap(
        scores, lambda grid: float(grid.mean()), rng=np.random.default_rng(2), resamples=20_000
    )
    assert found.estimate == pytest.approx(scores.mean())
    for limit, share in ((found.low, 0.025), (found.high, 0.975)):
        assert np.quantile(every, share - 0.0035) <= limit <= np.quantile(every, share + 0.0035)


def test_cells_keep_their_number_of_runs_in_every_resample() -> None:
    """Cells far apart, each of equal scores: nothing varies, where a plain bootstrap would."""
    scores = np.repeat([[0.1], [0.5], [0.9]], 5, axis=1)
    found = stratified_bootstrap(scores, rng=np.random.default_rng(0), resamples=100)
    assert (found.low, found.high) == (found.estimate, found.estimate)


def test_mirrored_scores_mirror_the_stratified_interval() -> None:
    scores = np.random.default_rng(1).exponential(size=(4, 6))
    found, mirrored = (
        stratified_bootstrap(sign * scores, rng=np.random.default_rng(3), resamples=201) for sign in (1, -1)
    )
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), rel=1e-9)


def test_a_single_seed_gives_no_limits_and_few_seeds_a_caution() -> None:
    rng = np.random.default_rng(0)
    single = stratified_bootstrap([[0.1], [0.4]], rng=rng)
    assert single.estimate == pytest.approx(0.25)
    assert math.isnan(single.low)
    assert math.isnan(single.high)
    low, high = profile_band([[0.1], [0.4]], [0.2, 0.3, 0.5], rng=rng)
    assert low.shape == high.shape == (3,)
    assert np.isnan([low, high]).all()
    few = stratified_bootstrap(np.ones((2, 19)), rng=rng, resamples=10)
    assert few.caution == "from 19 seeds a cell: holds less often than it says (95 %: 85 % at 3, 91 % at 6)"
    assert stratified_bootstrap(np.ones((2, 20)), rng=rng, resamples=10).caution == ""


@pytest.mark.parametrize(("seeds", "share"), [(3, 0.85), (6, 0.91)])
def test_the_stratified_interval_holds_as_often_as_its_caution_says(seeds: int, share: float) -> None:
    repeats = 200
    rng = np.random.default_rng(seeds)
    cells = rng.normal(size=(12, 1))
    true = interquartile_mean(cells + rng.normal(size=(12, 50_000)))
    grids = cells + rng.normal(size=(repeats, 12, seeds))
    found = [stratified_bootstrap(grid, rng=rng, resamples=200) for grid in grids]
    held = sum(one.low <= true <= one.high for one in found) / repeats
    assert abs(held - share) < 4 * math.sqrt(share * (1 - share) / repeats)


def test_a_profile_is_the_share_of_runs_above_each_threshold() -> None:
    scores = [[0.2, 0.4, 0.4], [0.6, 0.8, 1.0]]
    thresholds = [0.9, 0.0, 0.2, 0.4, 0.5, 1.0]
    assert performance_profile(scores, thresholds) == pytest.approx([1 / 6, 1, 5 / 6, 3 / 6, 3 / 6, 0])


def test_a_profile_counts_as_a_plain_loop_does_and_falls() -> None:
    rng = np.random.default_rng(8)
    scores, thresholds = rng.integers(0, 20, (5, 9)) / 20, np.linspace(-0.1, 1.1, 37)
    counted = [sum(score > one for score in scores.ravel()) / 45 for one in thresholds]
    found = performance_profile(scores, thresholds)
    assert found == pytest.approx(counted, abs=1e-15)
    assert np.all(np.diff(found) <= 0)


def test_the_mean_score_is_the_area_under_the_profile() -> None:
    """Agarwal et al. 2021, §4.2, for scores in [0, 1]."""
    scores = np.random.default_rng(4).uniform(size=(6, 10))
    middles = (np.arange(20_000) + 0.5) / 20_000
    assert performance_profile(scores, middles).mean() == pytest.approx(scores.mean(), abs=1e-4)


def test_the_band_of_a_profile_is_the_bootstrap_of_each_threshold_alone() -> None:
    scores = np.random.default_rng(6).uniform(size=(3, 8))
    thresholds = [0.0, 0.3, 0.7, 1.0]
    low, high = profile_band(scores, thresholds, rng=np.random.default_rng(9), level=0.9, resamples=300)
    for index, one in enumerate(thresholds):
        alone = stratified_bootstrap(
            scores - one,
            lambda above: float(np.mean(above > 0)),
            rng=np.random.default_rng(9),
            level=0.9,
            resamples=300,
        )
        assert (low[index], high[index]) == pytest.approx((alone.low, alone.high), abs=1e-12)
    assert (low[0], high[0], low[3], high[3]) == (1.0, 1.0, 0.0, 0.0)
    assert np.all(low[1:3] < high[1:3])


@pytest.mark.parametrize(
    ("scores", "received"),
    [
        ([0.1, 0.2], "scores of shape (2,)"),
        ([[[0.1]]], "scores of shape (1, 1, 1)"),
        ([[]], "0 scores, 0 of them not finite"),
        ([[0.1, math.nan]], "2 scores, 1 of them not finite"),
    ],
)
def test_scores_that_are_no_grid_are_refused(scores: Any, received: str) -> None:
    rng = np.random.default_rng(0)
    for call in (
        lambda: stratified_bootstrap(scores, rng=rng),
        lambda: performance_profile(scores, [0.5]),
        lambda: profile_band(scores, [0.5], rng=rng),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.received == received


def test_no_scores_have_no_interquartile_mean() -> None:
    with pytest.raises(InputError, match="0 scores"):
        interquartile_mean([])
