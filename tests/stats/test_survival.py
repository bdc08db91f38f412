"""Computation: times to a threshold, against published examples, R and plain counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from harness.errors import InputError
from harness.stats.paired import sign_flip_test
from harness.stats.survival import (
    band_over_seeds,
    censored_times,
    kaplan_meier,
    log_rank,
    paired_restricted_times,
    restricted_mean,
)

Sample = tuple[list[int], list[bool]]

# Weeks in remission of leukaemia under 6-MP and under placebo (Freireich et al. 1963; Gehan 1965; Cox 1972).
TREATED: Sample = (
    [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35],
    [True] * 9 + [False] * 12,
)
CONTROL: Sample = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [True] * 21)

# Gliomas (Bland & Altman 2004: χ² = 7.5, P = 0.006) and a trial of chemotherapy (Boston University's course
# notes), with R's survdiff as kept in scipy/stats/tests/test_survival.py.
ASTROCYTOMA: Sample = (
    [6, 13, 21, 30, 37, 38, 49, 50, 63, 79, 86, 98, 202, 219, 31, 47, 80, 82, 82, 149],
    [True] * 14 + [False] * 6,
)
GLIOBLASTOMA: Sample = (
    [
        *(10, 10, 12, 13, 14, 15, 16, 17, 18, 20, 24, 24, 25, 28, 30, 33, 35, 37, 40, 40, 46, 48, 76, 81),
        *(82, 91, 112, 181, 34, 40, 70),
    ],
    [True] * 28 + [False] * 3,
)
BEFORE: Sample = ([8, 12, 26, 14, 21, 27, 8, 32, 20, 40], [True] * 6 + [False] * 4)
AFTER: Sample = ([33, 28, 41, 48, 48, 25, 37, 48, 25, 43], [True] * 3 + [False] * 7)


def survival_by_loop(times: Sequence[int], observed: Sequence[bool]) -> dict[int, Fraction]:
    """The product-limit estimate after each time, in fractions."""
    left, found = Fraction(1), {}
    for at in sorted(set(times)):
        risk = sum(time >= at for time in times)
        events = sum(time == at and flag for time, flag in zip(times, observed, strict=True))
        left *= Fraction(risk - events, risk)
        found[at] = left
    return found


def area_by_weeks(times: Sequence[int], observed: Sequence[bool], *, end: int) -> Fraction:
    """The area under the curve week by week."""
    curve, left, area = survival_by_loop(times, observed), Fraction(1), Fraction(0)
    for week in range(end):
        left = curve.get(week, left)
        area += left
    return area


def chi_square_by_tables(a: Sample, b: Sample) -> float:
    """Mantel's χ²: one 2 × 2 table at each time, its hypergeometric mean and variance."""
    gap, variance = Fraction(0), Fraction(0)
    for at in sorted(
        {time for times, flags in (a, b) for time, flag in zip(times, flags, strict=True) if flag}
    ):
        risk = [sum(time >= at for time in times) for times, _ in (a, b)]
        events = [sum(t == at and f for t, f in zip(*one, strict=True)) for one in (a, b)]
        n, d = sum(risk), sum(events)
        gap += events[0] - Fraction(d * risk[0], n)
        if n > 1:
            variance += Fraction(d * risk[0] * risk[1] * (n - d), n**2 * (n - 1))
    return float(gap**2 / variance)


def test_times_are_cut_at_the_end_and_flagged() -> None:
    times, observed = censored_times([3, 30, math.nan, math.inf, 31, 0], end=30)
    assert times.tolist() == [3, 30, 30, 30, 30, 0]
    assert observed.tolist() == [True, True, False, False, False, True]
    assert observed.dtype == np.bool_


def test_none_is_a_threshold_never_reached() -> None:
    times, observed = censored_times(np.array([None, 2.5], dtype=object), end=8)
    assert times.tolist() == [8, 2.5]
    assert observed.tolist() == [False, True]


def test_all_or_none_can_be_censored() -> None:
    times, observed = censored_times([math.nan] * 4, end=12)
    assert times.tolist() == [12] * 4
    assert not observed.any()
    times, observed = censored_times([1, 2, 3], end=12)
    assert times.tolist() == [1, 2, 3]
    assert observed.all()


@pytest.mark.parametrize(
    ("times", "received"),
    [([], "0 times, 0 of them below zero"), ([1, -1, -math.inf, math.nan], "4 times, 2 of them below zero")],
)
def test_no_times_or_one_below_zero_is_refused(times: list[float], received: str) -> None:
    with pytest.raises(InputError) as caught:
        censored_times(times, end=10)
    assert caught.value.received == received
    assert caught.value.remedy == "give NaN for a run that never reached the threshold"


@pytest.mark.parametrize("end", [0.0, -1.0, math.nan, math.inf])
def test_an_end_that_is_no_time_is_refused(end: float) -> None:
    for call in (
        lambda: censored_times([1.0], end=end),
        lambda: restricted_mean([1.0], [True], end=end),
        lambda: paired_restricted_times([1.0], [1.0], end=end),
    ):
        with pytest.raises(InputError, match="it must be finite and above zero") as caught:
            call()
        assert caught.value.received == f"an end at {end}"


def test_the_leukaemia_patients_survive_as_published() -> None:
    # Gehan 1965; the table is in every textbook: weeks, at risk, remissions ended, share still in remission.
    found = kaplan_meier(*TREATED)
    ended = found.events > 0
    assert found.times[ended].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found.at_risk[ended].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert found.events[ended].tolist() == [3, 1, 1, 1, 1, 1, 1]
    published = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert found.survival[ended] == pytest.approx(published, abs=5.1e-4)


@pytest.mark.parametrize("sample", [TREATED, CONTROL, ASTROCYTOMA, GLIOBLASTOMA, BEFORE, AFTER])
def test_the_curve_is_that_of_a_plain_loop(sample: Sample) -> None:
    found, exact = kaplan_meier(*sample), survival_by_loop(*sample)
    assert found.times.tolist() == list(exact)
    assert found.survival == pytest.approx([float(one) for one in exact.values()], rel=1e-12, abs=1e-15)
    times, flags = sample
    assert found.at_risk.tolist() == [sum(time >= at for time in times) for at in exact]
    assert found.events.tolist() == [
        sum(time == at and flag for time, flag in zip(times, flags, strict=True)) for at in exact
    ]


def test_without_censoring_the_curve_is_the_share_still_waiting() -> None:
    times = np.random.default_rng(0).integers(1, 20, 30).astype(float)
    found = kaplan_meier(times, np.ones(30, dtype=bool))
    assert found.survival == pytest.approx([(times > at).mean() for at in found.times], abs=1e-12)
    assert found.survival[-1] == 0


def test_with_all_censored_the_curve_stays_at_one() -> None:
    found = kaplan_meier([30.0, 30.0, 12.0], [False] * 3)
    assert found.times.tolist() == [12, 30]
    assert found.survival.tolist() == [1, 1]
    assert found.events.tolist() == [0, 0]
    assert found.at_risk.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("sample", "end"),
    [
        (TREATED, 35),
        (TREATED, 23),
        (TREATED, 10),
        (CONTROL, 23),
        (CONTROL, 35),
        (GLIOBLASTOMA, 181),
        (AFTER, 48),
    ],
)
def test_the_restricted_mean_is_the_area_under_the_curve(sample: Sample, end: int) -> None:
    found = restricted_mean(*sample, end=end)
    assert found == pytest.approx(float(area_by_weeks(*sample, end=end)), rel=1e-12)


def test_the_controls_restricted_mean_is_their_mean() -> None:
    assert restricted_mean(*CONTROL, end=35) == pytest.approx(182 / 21, rel=1e-12)
    assert restricted_mean([4.0, 4.0], [True, True], end=2.5) == 2.5


@pytest.mark.parametrize("never", [0, 5, 12])
def test_where_runs_are_censored_only_at_the_end_it_is_the_mean_of_the_cut_times(never: int) -> None:
    raw = np.random.default_rng(never).exponential(15, 12).round(1)
    raw[:never] = math.nan
    times, observed = censored_times(raw, end=20)
    assert restricted_mean(times, observed, end=20) == pytest.approx(float(times.mean()), rel=1e-12)


def test_an_end_beyond_what_was_followed_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        restricted_mean(*TREATED, end=36)
    assert caught.value.received == "an end at 36, and runs still censored at 35.0, the last time of all"
    assert caught.value.remedy == "take an end that every run was followed to"


def test_the_log_rank_of_the_leukaemia_patients_is_as_published() -> None:
    # χ² = 16.79: R's survdiff and the textbooks.
    found = log_rank(*TREATED, *CONTROL)
    assert found.statistic == pytest.approx(16.79, abs=0.005)
    assert found.statistic == pytest.approx(chi_square_by_tables(TREATED, CONTROL), rel=1e-12)
    assert found.p == pytest.approx(float(stats.chi2.sf(found.statistic, 1)), rel=1e-9)
    assert (found.n, found.method) == (42, "log-rank, unpaired")


@pytest.mark.parametrize(
    ("a", "b", "chi_square", "p"),
    [
        (ASTROCYTOMA, GLIOBLASTOMA, 7.49659416854, 0.006181578637),
        (BEFORE, AFTER, 6.91598157449, 0.008542873404),
    ],
)
def test_the_log_rank_is_rs(a: Sample, b: Sample, chi_square: float, p: float) -> None:
    found = log_rank(*a, *b)
    assert found.statistic == pytest.approx(chi_square, rel=1e-10)
    assert found.p == pytest.approx(p, rel=1e-9)


def test_scipys_log_rank_is_still_the_signed_root_of_chi_square() -> None:
    treated = stats.CensoredData.right_censored(TREATED[0], [not flag for flag in TREATED[1]])
    z = float(stats.logrank(treated, stats.CensoredData(CONTROL[0])).statistic)
    assert z == pytest.approx(-math.sqrt(chi_square_by_tables(TREATED, CONTROL)), rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_log_rank_is_that_of_plain_tables_on_tied_and_censored_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    for n in (6, 9):
        times, flags = censored_times(rng.integers(1, 12, n), end=8)
        samples.append(([int(time) for time in times], flags.tolist()))
    a, b = samples
    assert log_rank(*a, *b).statistic == pytest.approx(chi_square_by_tables(a, b), rel=1e-9)


def test_swapping_the_variants_leaves_the_log_rank_alone() -> None:
    found, swapped = log_rank(*TREATED, *CONTROL), log_rank(*CONTROL, *TREATED)
    assert swapped.statistic == pytest.approx(found.statistic, rel=1e-12)
    assert swapped.p == pytest.approx(found.p, rel=1e-9)


def test_where_there_is_nothing_to_compare_p_is_one() -> None:
    never = ([30.0] * 5, [False] * 5)
    at_once = ([3.0] * 7, [True] * 7)
    # One of the 49 that are left reaches it, and 49 × (1/49) misses 1 by rounding.
    alone = ([5.0] + [9.0] * 48, [True] + [False] * 48)
    gone = ([2.0, 3.0], [False, False])
    for a, b in ((never, never), (at_once, at_once), (alone, gone), (gone, alone)):
        found = log_rank(*a, *b)
        assert (found.statistic, found.p) == (0.0, 1.0)
        assert found.n == len(a[0]) + len(b[0])


def test_one_variant_always_and_the_other_never_reaching_it_is_the_clearest_there_is() -> None:
    reached: Sample = ([1, 2, 3, 4, 5, 6], [True] * 6)
    never: Sample = ([30] * 6, [False] * 6)
    assert log_rank(*reached, *never).statistic == pytest.approx(
        chi_square_by_tables(reached, never), rel=1e-9
    )
    assert sign_flip_test(paired_restricted_times(reached[0], [math.nan] * 6, end=30)).p == 2 / 64


@pytest.mark.parametrize(
    "flags", [[True, False], [], [True, False, 2], [True, False, math.nan], ["a", "b", "c"]]
)
def test_flags_that_do_not_fit_are_refused(flags: npt.ArrayLike) -> None:
    for call in (
        lambda: kaplan_meier([1.0, 2.0, 3.0], flags),
        lambda: restricted_mean([1.0, 2.0, 3.0], flags, end=3),
        lambda: log_rank([1.0, 2.0, 3.0], flags, [1.0], [True]),
        lambda: log_rank([1.0], [True], [1.0, 2.0, 3.0], flags),
    ):
        with pytest.raises(InputError, match="every time needs a flag, true or false") as caught:
            call()
        assert caught.value.remedy == "make both with censored_times"


@pytest.mark.parametrize("times", [[], [1.0, math.nan], [math.inf]])
def test_times_that_are_not_finite_are_refused_by_the_curve(times: list[float]) -> None:
    with pytest.raises(InputError, match=r"\d times, \d of them not finite"):
        kaplan_meier(times, [True] * len(times))
    with pytest.raises(InputError, match=r"\d times, \d of them not finite"):
        log_rank([1.0], [True], times, [True] * len(times))


def test_a_curve_of_times_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="1 of them below zero"):
        kaplan_meier([1.0, -1.0], [True, True])


def test_the_paired_differences_are_those_of_the_cut_times() -> None:
    found = paired_restricted_times([3, math.nan, 12, math.nan, 40], [5, 10, math.inf, math.nan, 30], end=30)
    assert found.tolist() == [-2, 20, -18, 0, 0]
    swapped = paired_restricted_times(
        [5, 10, math.inf, math.nan, 30], [3, math.nan, 12, math.nan, 40], end=30
    )
    assert (swapped == -found).all()
    assert sign_flip_test(swapped).p == sign_flip_test(found).p


def test_their_mean_is_the_difference_in_restricted_means() -> None:
    rng = np.random.default_rng(3)
    variant, baseline = rng.exponential(8, 15), rng.exponential(20, 15)
    ends = [restricted_mean(*censored_times(times, end=12), end=12) for times in (variant, baseline)]
    found = paired_restricted_times(variant, baseline, end=12)
    assert float(found.mean()) == pytest.approx(ends[0] - ends[1], rel=1e-12)


def test_pairs_all_censored_say_nothing() -> None:
    found = paired_restricted_times([math.nan] * 6, [math.nan] * 6, end=30)
    assert sign_flip_test(found).p == 1.0


def test_a_missing_partner_is_refused() -> None:
    with pytest.raises(InputError, match="one of either for every seed") as caught:
        paired_restricted_times([1, 2, 3], [1, 2], end=30)
    assert caught.value.received == "3 times of the variant and 2 of the baseline"


@pytest.mark.parametrize(("n", "repeats"), [(6, 800), (10, 800), (30, 250)])
def test_exchangeable_censored_pairs_are_told_apart_once_in_twenty(n: int, repeats: int) -> None:
    rng = np.random.default_rng(n)
    speed = rng.exponential(size=(repeats, 1, n))  # shared by the pair
    times = np.ceil(10 * speed * rng.exponential(size=(repeats, 2, n)))
    censored, told = 0.0, 0
    for variant, baseline in times:
        told += sign_flip_test(paired_restricted_times(variant, baseline, end=12)).p <= 0.05
        censored += float((variant > 12).mean()) / repeats
    assert 0.2 < censored < 0.4
    assert told / repeats <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)


def test_with_one_run_a_seed_the_band_is_clopper_and_pearsons() -> None:
    shares = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    low, high = band_over_seeds(shares, runs=1)
    for place, waiting in enumerate((6, 3, 1, 0)):
        expected = stats.binomtest(waiting, 6).proportion_ci(0.95, method="exact")
        assert (low[place], high[place]) == pytest.approx((expected.low, expected.high))
    low, high = band_over_seeds([[1.0, 0.0]], runs=1)  # of one seed: 0.025 and 0.975
    assert (low.tolist(), high.tolist()) == (pytest.approx([0.025, 0.0]), pytest.approx([1.0, 0.975]))


def test_with_more_the_band_is_students_over_seeds_cut_at_0_and_1() -> None:
    shares = np.array([[1.0, 0.75, 0.0], [1.0, 0.25, 0.5], [1.0, 0.5, 0.0], [1.0, 0.25, 0.0]])
    low, high = band_over_seeds(shares, runs=4)
    for place in (1, 2):
        limits = stats.ttest_1samp(shares[:, place], 0).confidence_interval(0.95)
        assert low[place] == pytest.approx(max(0.0, float(limits.low)))
        assert high[place] == pytest.approx(float(limits.high))
    assert low[2] == 0.0
    assert (low[0], high[0]) == (1.0, 1.0)  # all seeds agree
    mirrored = band_over_seeds(1 - shares, runs=4)
    assert mirrored[0].tolist() == pytest.approx((1 - high).tolist())
    assert mirrored[1].tolist() == pytest.approx((1 - low).tolist())


def test_a_single_seed_of_several_runs_has_no_band() -> None:
    low, high = band_over_seeds([[0.5, 0.25]], runs=4)
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize(
    ("shares", "runs"), [([], 1), ([[0.5, 1.5]], 2), ([[-0.1]], 2), ([[math.nan]], 2), ([[0.5]], 0)]
)
def test_shares_that_are_none_are_refused(shares: list[list[float]], runs: int) -> None:
    with pytest.raises(InputError, match="every share lies between 0 and 1"):
        band_over_seeds(shares, runs=runs)


def test_the_band_holds_though_runs_of_a_seed_go_together() -> None:
    rng = np.random.default_rng(13)
    repeats, seeds, runs = 2000, 10, 8
    chance = rng.uniform(0.2, 0.8, (seeds, repeats))  # of a seed, whose runs share it; on average one half
    waiting = rng.binomial(runs, chance)
    low, high = band_over_seeds(waiting / runs, runs=runs)
    held = float(((low <= 0.5) & (high >= 0.5)).mean())
    assert held == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / repeats))
    # Greenwood's formula takes the 80 runs for independent; without earlier censoring it is the binomial's.
    share = waiting.sum(axis=0) / (seeds * runs)
    margin = 1.96 * np.sqrt(share * (1 - share) / (seeds * runs))
    assert float((np.abs(share - 0.5) <= margin).mean()) < 0.9
