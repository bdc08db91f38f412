"""Computation: how often each interval misses what it estimates, on data of four kinds in three sizes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.effects import paired_improvement
from harness.stats.grids import interquartile_mean, profile_band, stratified_bootstrap
from harness.stats.intervals import bootstrap_interval, t_interval
from harness.stats.paired import hodges_lehmann
from harness.stats.results import Interval
from harness.stats.survival import band_over_seeds, paired_restricted_times
from tests.simulations.conftest import Expect
from tests.simulations.pairs import KINDS, PAIRS, SCALES, Kind, differences, draw, truth

CELLS = 4

each_n = pytest.mark.parametrize("n", PAIRS)
each_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without = pytest.mark.parametrize("effect", [0.0, 1.0], ids=["no-effect", "effect"])


def misses(found: Iterable[Interval], true: float) -> list[bool]:
    return [not one.low <= true <= one.high for one in found]


def named(method: str, effect: float) -> str:
    return f"{method}, with an effect" if effect else method


@each_n
@each_kind
@with_and_without
def test_students_interval_misses_the_mean_once_in_twenty_and_more_often_if_it_is_skewed(
    effect: float, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    samples = differences(kind, rng, (800 * times, n), effect=effect)
    found = misses(map(t_interval, samples), truth(kind, effect=effect).mean)
    least, most = 0.05 if kind == "normal" else 0.02, 0.05
    if kind == "skewed" and effect:
        least, most = 0.06, {6: 0.09, 10: 0.09, 30: 0.07}[n]
    expect(found, method=named("t_interval", effect), kind=kind, n=n, at_most=most, at_least=least)
    assert "91 of 100 with 6 and with 10 pairs, 93 with 30" in " ".join(str(t_interval.__doc__).split())


@each_n
@with_and_without
@pytest.mark.parametrize("end", [5.0, 15.0, 60.0])
def test_students_interval_of_restricted_times_misses_their_mean_difference_once_in_twenty(
    end: float, effect: float, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Half to a hundredth of the times are cut off; the less is cut off, the more skewed is an effect."""
    means = [
        float(np.mean(scales * -np.expm1(-end / scales))) for scales in (SCALES * (1 - effect / 2), SCALES)
    ]
    found = [
        t_interval(paired_restricted_times(*pair, end=end))
        for pair in zip(*draw("skewed", rng, (300 * times, n), effect=effect), strict=True)
    ]
    expect(
        misses(found, means[0] - means[1]),
        method=named("paired_restricted_times, t_interval", effect),
        kind=f"cut off at {end:g}",
        n=n,
        at_most={5.0: 0.055, 15.0: 0.055, 60.0: {6: 0.09, 10: 0.09, 30: 0.07}[n]}[end] if effect else 0.055,
        at_least=0.01,
    )


@each_n
@pytest.mark.parametrize("runs", [1, 4])
def test_the_band_over_seeds_misses_too_often_only_near_its_end_and_with_several_runs(
    runs: int, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Exponential times, slow or fast by seed: the share left after 8 epochs, and after 40."""
    at = np.array([8.0, 40.0])
    shares = np.exp(-at / SCALES[:, None]).mean(axis=0)  # 0.44 and 0.05
    missed = []
    for _ in range(100 * times):
        scales = SCALES[rng.integers(0, 3, n)][:, None]
        left = rng.exponential(scales, (n, runs))[:, :, None] > at
        low, high = band_over_seeds(left.mean(axis=1), runs=runs)
        missed.append(~((low <= shares) & (shares <= high)))
    middle, end = np.transpose(missed)
    kind = f"times, {runs} a seed"
    expect(middle, method="band_over_seeds, middle", kind=kind, n=n, at_most=0.05 if runs == 1 else 0.08)
    few = {6: 0.35, 10: 0.18, 30: 0.09}[n]
    expect(end, method="band_over_seeds, 5 % left", kind=kind, n=n, at_most=0.05 if runs == 1 else few)


@each_n
@each_kind
def test_the_signed_rank_interval_misses_the_centre_as_often_as_its_test_errs(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Two draws of one law differ symmetrically about zero."""
    found = misses(map(hodges_lehmann, differences(kind, rng, (600 * times, n))), 0.0)
    attained = {6: 2 / 64, 10: 50 / 1024, 30: 0.04971}[n]  # as of the test
    untied = kind in ("normal", "skewed")
    expect(
        found, method="hodges_lehmann", kind=kind, n=n, at_most=attained, at_least=attained if untied else 0.0
    )


@each_n
@each_kind
@with_and_without
def test_the_interval_of_wins_misses_at_most_once_in_twenty(
    effect: float, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """As often as numbers of wins come whose limits leave their probability out; with ties less often."""
    probability = truth(kind, effect=effect).improvement
    samples = differences(kind, rng, (400 * times, n), effect=effect)
    found = misses(map(paired_improvement, samples), probability)
    law = stats.binom(n, probability)
    wins = np.arange(n + 1)
    outside = (law.sf(wins - 1) < 0.025) | (law.cdf(wins) < 0.025)
    exact = float(law.pmf(wins)[outside].sum())
    untied = kind in ("normal", "skewed")
    expect(
        found,
        method=named("paired_improvement", effect),
        kind=kind,
        n=n,
        at_most=exact if untied else 0.05,
        at_least=exact if untied else 0.0,
    )


@each_n
@each_kind
@with_and_without
def test_the_percentile_interval_of_few_values_misses_more_often_and_says_so(
    effect: float, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    samples = differences(kind, rng, (100 * times, n), effect=effect)
    found = [bootstrap_interval(one, rng=rng, method="percentile", resamples=1000) for one in samples]
    expect(
        misses(found, truth(kind, effect=effect).mean),
        method=named("bootstrap_interval, percentile", effect),
        kind=kind,
        n=n,
        at_most={6: 0.2, 10: 0.16, 30: 0.1}[n],
        at_least=0.03,
    )
    assert all(("holds less often than it says" in one.caution) == (n < 20) for one in found)


@each_kind
@with_and_without
def test_bca_is_refused_below_20_values_and_misses_up_to_one_in_nine_beyond(
    effect: float, kind: Kind, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    for n in (6, 10):
        with pytest.raises(InputError, match="it needs 20"):
            bootstrap_interval(np.arange(n), rng=rng)
    samples = differences(kind, rng, (100 * times, 30), effect=effect)
    found = [bootstrap_interval(one, rng=rng, resamples=1000) for one in samples]
    true = truth(kind, effect=effect).mean
    method = named("bootstrap_interval, BCa", effect)
    expect(misses(found, true), method=method, kind=kind, n=30, at_most=0.11, at_least=0.03)


@each_n
@each_kind
def test_the_bootstraps_of_a_grid_miss_more_often_with_few_seeds_and_at_the_ends(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Four cells of one law: the interquartile mean, and the profile in the middle and near its end."""
    many = draw(kind, rng, (CELLS, 200_000))[0]
    centre = interquartile_mean(many)
    at = [float(np.median(many)), float(np.quantile(many, 0.97))]
    shares = [float(np.mean(many > one)) for one in at]
    missed: list[list[bool]] = [[], [], []]
    for grid in draw(kind, rng, (25 * times, CELLS, n))[0]:
        found = stratified_bootstrap(grid, rng=rng, resamples=200)
        assert bool(found.caution) == (n < 20)
        low, high = profile_band(grid, at, rng=rng, resamples=200)
        missed[0].append(not found.low <= centre <= found.high)
        for place, share in enumerate(shares):
            missed[place + 1].append(not low[place] <= share <= high[place])
    few = {6: 0.12, 10: 0.1, 30: 0.08}[n]
    expect(missed[0], method="stratified_bootstrap", kind=kind, n=n, at_most=few, at_least=0.03)
    expect(missed[1], method="profile_band, middle", kind=kind, n=n, at_most=few, at_least=0.03)
    if kind in ("normal", "skewed"):
        none_above = 0.97 ** (CELLS * n)  # then the band has no width
        method = "profile_band, 3 % above"
        expect(missed[2], method=method, kind=kind, n=n, at_most=none_above + 0.11, at_least=none_above)
