"""Computation: how often each test claims what is not so, on data of four kinds and in three sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from harness.stats.divergence import mcnemar_exact, worst_ranks
from harness.stats.interactions import differences_in_differences, repeated_measures_anova, slopes
from harness.stats.paired import paired_t_test, sign_flip_test, wilcoxon_test
from harness.stats.results import TestResult
from harness.stats.survival import censored_times, log_rank, paired_restricted_times
from tests.simulations.conftest import Expect
from tests.simulations.pairs import KINDS, PAIRS, Kind, Numbers, differences, draw

SAMPLES = {6: 500, 10: 500, 30: 80}
"""Of a short simulation: at 30 pairs a sign-flip test takes 2 ms."""

UNTIED = ("normal", "skewed")

SIGN_FLIPS = {6: 2 / 64, 10: 50 / 1024, 30: 0.05}
"""What sign patterns attain without ties: the largest multiple of 2/2ⁿ up to 0.05."""

SIGNED_RANKS = {6: 2 / 64, 10: 50 / 1024, 30: 0.04971}
"""What signed ranks attain: T⁺ ≤ 0, 8 and 137 in Wilcoxon's table at 0.05, two-sided."""

LEVELS = (8, 32, 128)

each_n = pytest.mark.parametrize("n", PAIRS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def claims(found: Iterable[TestResult]) -> list[bool]:
    return [one.p <= 0.05 for one in found]


def speaks(n: int) -> float:
    """With 30 pairs a test must err now and then, or it would never find anything."""
    return 0.02 if n == 30 else 0.0


@each_n
@each_kind
@pytest.mark.parametrize(("test", "attained"), [(sign_flip_test, SIGN_FLIPS), (wilcoxon_test, SIGNED_RANKS)])
def test_exact_tests_err_as_often_as_their_patterns_allow(
    test: Callable[[Numbers], TestResult],
    attained: dict[int, float],
    kind: Kind,
    n: int,
    times: int,
    rng: np.random.Generator,
    expect: Expect,
) -> None:
    """Just as often without ties; with them at most in one sample of twenty."""
    found = claims(map(test, differences(kind, rng, (SAMPLES[n] * times, n))))
    exact = kind in UNTIED
    expect(
        found,
        method=test.__name__,
        kind=kind,
        n=n,
        at_most=attained[n] if exact else 0.05,
        at_least=attained[n] if exact else speaks(n),
    )


@pytest.mark.parametrize("n", PAIRS)
def test_skewed_differences_escape_the_exact_tests_as_their_docstrings_say(
    n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Lognormal differences with a mean of zero: no two draws of one law differ like that."""
    skewed = np.exp(1.5 * rng.normal(size=(SAMPLES[n] * times, n))) - np.exp(1.5**2 / 2)
    expect(
        claims(map(sign_flip_test, skewed)),
        method="sign_flip_test, mean of skewed differences",
        kind="lognormal",
        n=n,
        at_least=0.2,
        at_most=0.29,
    )
    assert "does not hold for the mean of skewed differences" in " ".join(str(sign_flip_test.__doc__).split())


@each_n
@each_kind
def test_the_paired_t_test_errs_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """As often on normal differences, and no more on others that are symmetric."""
    found = claims(map(paired_t_test, differences(kind, rng, (400 * times, n))))
    expect(found, method="paired_t_test", kind=kind, n=n, at_least=0.05 if kind == "normal" else 0.02)


def test_the_t_test_of_six_differences_of_three_levels_errs_six_times_in_a_hundred(
    times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """−1, 0 and 1, a quarter of them 0: 5.93 % by hand, over the numbers of zeros and of signs."""
    samples = rng.choice((-1.0, 0.0, 1.0), size=(400 * times, 6), p=(0.375, 0.25, 0.375))
    # One zero and five of one sign: t = 5. Two zeros and four of one sign: t = 3.16. No others reach 2.571.
    rate = 6 * 0.25 * 0.75**5 * 2 / 32 + 15 * 0.25**2 * 0.75**4 * 2 / 16
    expect(
        claims(map(paired_t_test, samples)),
        method="paired_t_test",
        kind="three levels",
        n=6,
        at_most=rate,
        at_least=rate,
    )


@each_n
@each_kind
def test_worst_ranks_with_diverged_runs_err_at_most_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    variant, baseline = draw(kind, rng, (SAMPLES[n] * times, n))
    fifth = np.quantile(baseline, 0.2)
    for arm in (variant, baseline):
        arm[arm <= fifth] = np.nan
    ranks = (worst_ranks(*pair, better="higher") for pair in zip(variant, baseline, strict=True))
    found = claims(sign_flip_test(ours - theirs) for ours, theirs in ranks)
    expect(found, method="worst_ranks, sign_flip_test", kind=kind, n=n, at_least=speaks(n))


@each_n
@each_kind
def test_mcnemars_test_errs_at_most_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Half of the runs diverge: a pair tells the arms apart in up to half of all cases."""
    variant, baseline = draw(kind, rng, (400 * times, n))
    middle = np.median(baseline)
    only_variant = np.sum((variant <= middle) & (baseline > middle), axis=1)
    only_baseline = np.sum((baseline <= middle) & (variant > middle), axis=1)
    found = claims(
        mcnemar_exact(int(ours), int(theirs))
        for ours, theirs in zip(only_variant, only_baseline, strict=True)
    )
    expect(found, method="mcnemar_exact", kind=kind, n=n, at_least=speaks(n) / 4)


@each_n
@each_kind
def test_restricted_times_err_at_most_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Three runs of ten are cut off."""
    variant, baseline = draw(kind, rng, (SAMPLES[n] * times, n))
    end = float(np.quantile(baseline, 0.7))
    found = claims(
        sign_flip_test(paired_restricted_times(*pair, end=end))
        for pair in zip(variant, baseline, strict=True)
    )
    expect(found, method="paired_restricted_times, sign_flip_test", kind=kind, n=n, at_least=speaks(n))


@each_n
@each_kind
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_the_log_rank_test_errs_less_on_pairs_and_a_little_more_without(
    paired: bool, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """It takes the arms for independent, and χ² for its law: too small a p with six runs an arm."""
    variant, baseline = draw(kind, rng, (200 * times, n))
    if not paired:
        baseline = draw(kind, rng, (200 * times, n))[1]
    end = float(np.quantile(baseline, 0.7))
    found = claims(
        log_rank(*censored_times(ours, end=end), *censored_times(theirs, end=end))
        for ours, theirs in zip(variant, baseline, strict=True)
    )
    most = 0.05 if paired else {6: 0.063, 10: 0.059, 30: 0.053}[n]
    method = "log_rank, pairs alike" if paired else "log_rank, independent"
    expect(found, method=method, kind=kind, n=n, at_most=most, at_least=0.01 if paired else 0.045)


@each_n
@each_kind
@pytest.mark.parametrize("contrast", ["slopes", "differences_in_differences"])
def test_contrasts_of_an_effect_equal_at_all_levels_err_at_most_once_in_twenty(
    contrast: str, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    tables = 1 + differences(kind, rng, (SAMPLES[n] * times, n, len(LEVELS)))
    contrasts: Iterable[Numbers] = (
        (slopes(one, LEVELS, scale="log2") for one in tables)
        if contrast == "slopes"
        else map(differences_in_differences, tables)
    )
    found = claims(map(sign_flip_test, contrasts))
    expect(found, method=f"{contrast}, sign_flip_test", kind=kind, n=n, at_least=speaks(n))


@each_n
@each_kind
def test_the_omnibus_test_errs_at_most_once_in_twenty_when_corrected(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """On normal values of equal spread its first p is exact; the corrected one lies above it."""
    tables = np.stack(
        draw(kind, rng, (400 * times, n, len(LEVELS))), axis=2
    )  # [sample, seed, variant, level]
    found = [repeated_measures_anova(one) for one in tables]
    method = "repeated_measures_anova"
    if kind == "normal":
        raw = [one.p <= 0.05 for one in found]
        expect(raw, method=f"{method}, sphericity", kind=kind, n=n, at_least=0.05)
    corrected = [one.corrected_p <= 0.05 for one in found]
    expect(corrected, method=f"{method}, corrected", kind=kind, n=n, at_least=0.01)
