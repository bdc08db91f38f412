"""Computation: the sign-flip test with looks, against whole-number counting, subset means and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from harness.design.looks import Spending
from harness.errors import InputError
from harness.stats.checks import Numbers
from harness.stats.paired import sign_flip_test
from harness.stats.sequential import PATTERNS, attainable, repeated_interval, sequential_test
from tests.stats.examples import MAIZE, SLEEP

Draw = Callable[[np.random.Generator, int], Numbers]


def normal(rng: np.random.Generator, n: int) -> Numbers:
    return rng.normal(size=n)


def tied(rng: np.random.Generator, n: int) -> Numbers:
    """Accuracies of 50 images, either side with the same chance."""
    hits = rng.binomial(50, 0.97, (2, n))
    return np.asarray((hits[0] - hits[1]) / 50)


def skewed(rng: np.random.Generator, n: int) -> Numbers:
    """Exchangeable pairs with skewed margins."""
    return rng.lognormal(0, 1.5, n) - rng.lognormal(0, 1.5, n)


KINDS: tuple[Spending, ...] = ("obrien-fleming", "pocock")
MARGINS: dict[str, Draw] = {"normal": normal, "tied": tied, "skewed": skewed}


def spent_by(share: Fraction, *, alpha: float, kind: Spending) -> float:
    """α spent at a fraction of the pairs, both tails."""
    if share == 1:
        return alpha
    if kind == "pocock":
        return alpha * math.log(1 + (math.e - 1) * float(share))
    return 4 * (1 - float(stats.norm.cdf(stats.norm.ppf(1 - alpha / 4) / math.sqrt(share))))


def by_counting(
    differences: Sequence[int], *, looks: Sequence[int], alpha: float, kind: Spending
) -> tuple[int, bool, Fraction]:
    """Look, decision and stagewise p of whole numbers: how many unrejected patterns reach each sum."""
    ways, gone = {0: 1}, 0
    for pair, value in enumerate(differences, start=1):
        grown: dict[int, int] = {}
        for reached, count in ways.items():
            for step in (value, -value):
                grown[reached + step] = grown.get(reached + step, 0) + count
        ways, gone = grown, 2 * gone
        if pair not in looks:
            continue
        seen = abs(sum(differences[:pair]))
        p = Fraction(gone + sum(count for one, count in ways.items() if abs(one) >= seen), 2**pair)
        allowed = spent_by(Fraction(pair, looks[-1]), alpha=alpha, kind=kind)
        if p <= allowed or pair == looks[-1]:
            return looks.index(pair) + 1, p <= allowed, p
        for size in sorted({abs(one) for one in ways}, reverse=True):
            leaving = sum(count for one, count in ways.items() if abs(one) == size)
            if Fraction(gone + leaving, 2**pair) > allowed:
                break
            gone += leaving
            ways = {one: count for one, count in ways.items() if abs(one) != size}
    raise AssertionError("no last look")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("looks", "alpha"), [((4, 7, 10), 0.2), ((7, 10), 0.1), ((3, 5, 6, 9), 0.5)])
@pytest.mark.parametrize("scale", [2, 100])  # 2: nearly all sums tie; zeros too
def test_look_decision_and_p_are_those_of_whole_number_counting(
    kind: Spending, looks: tuple[int, ...], alpha: float, scale: int
) -> None:
    rng = np.random.default_rng(scale)
    stopped = set()
    for _ in range(60):
        differences = [int(one) for one in rng.normal(0.7 * scale, scale, looks[-1]).round()]
        look, decided, p = by_counting(differences, looks=looks, alpha=alpha, kind=kind)
        found = sequential_test(np.array(differences) / 3000, looks=looks, alpha=alpha, kind=kind)
        assert (found.look, found.decided, found.p) == (look, decided, float(p))
        assert found.finished
        means = [abs(sum(differences[:pairs])) / pairs / 3000 for pairs in looks[:look]]
        beyond = [mean > bound for mean, bound in zip(means, found.bounds, strict=True)]
        assert beyond == [False] * (look - 1) + [decided]
        assert found.n == looks[look - 1]
        assert found.statistic == pytest.approx(sum(differences[: found.n]) / found.n / 3000)
        stopped.add((look, decided))
    assert len(stopped) >= 3  # early, late and never


def test_looks_at_12_20_and_30_pairs_agree_with_whole_number_counting() -> None:
    rng = np.random.default_rng(3)
    looks, stopped = (12, 20, 30), set()
    for shift in (250, 65, 65, 45, 25, 0):
        differences = [int(one) for one in rng.normal(shift, 100, 30).round()]
        for kind in KINDS:
            look, decided, p = by_counting(differences, looks=looks, alpha=0.05, kind=kind)
            found = sequential_test(differences, looks=looks, kind=kind)
            exact = float(p)
            error = math.sqrt(exact * (1 - exact) / PATTERNS) if look == 3 else 0.0
            assert (found.look, found.decided) == (look, decided)
            assert abs(found.p - exact) <= 4.5 * error
            assert found.error == pytest.approx(error, rel=0.05)
            assert found.method == (
                f"sequential sign-flip, look {look} of 3, {kind} spending, "
                + ("200,000 random patterns" if look == 3 else "exact")
            )
            stopped.add(look)
    assert stopped == {1, 2, 3}


@pytest.mark.parametrize("n", [2, 6, 7, 11, 15, 20])
def test_one_look_is_the_sign_flip_test(n: int) -> None:
    for seed in range(4):
        differences = np.random.default_rng(seed).normal(0.6, 1, n)
        fixed = sign_flip_test(differences)
        for kind in KINDS:
            found = sequential_test(differences, looks=(n,), kind=kind)
            assert found.p == fixed.p
            assert found.statistic == fixed.statistic
            assert found.decided == (fixed.p <= 0.05)
            assert found.finished
            assert found.error == 0


def test_published_data_in_one_look_give_the_published_counts() -> None:
    """Darwin's maize: 1726 of 32768 (Fisher 1935, §21); Student's sleep data: 4 of 1024."""
    assert sequential_test(MAIZE, looks=(15,)).p == 1726 / 32768
    assert sequential_test(SLEEP, looks=(10,)).p == 4 / 1024


def test_one_look_at_more_than_20_pairs_is_the_sign_flip_test_within_the_error_it_states() -> None:
    for seed in range(5):
        differences = np.random.default_rng(seed).normal(0.3, 1, 30)
        found = sequential_test(differences, looks=(30,))
        assert 0 < found.error < 0.0012
        assert abs(found.p - sign_flip_test(differences).p) < 4.5 * found.error + 1 / PATTERNS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("magnitudes", [(4, 1, 256, 2, 16, 128, 8, 32, 64), (1, 1, 2, 1, 0, 1, 3, 1, 1)])
def test_of_all_sign_patterns_no_more_than_alpha_are_rejected_and_p_is_a_p_value(
    kind: Spending, magnitudes: tuple[int, ...]
) -> None:
    looks, alpha = (5, 7, 9), 0.15
    found = [
        sequential_test(np.multiply(signs, magnitudes), looks=looks, alpha=alpha, kind=kind)
        for signs in itertools.product((1, -1), repeat=9)
    ]
    p = np.array([one.p for one in found])
    assert all((one.p <= alpha) == one.decided for one in found)
    assert all(np.mean(p <= level) <= level for level in p)
    for look, plan in enumerate(attainable(looks, alpha=alpha, kind=kind), start=1):
        rejected = np.mean([one.decided and one.look <= look for one in found])
        assert rejected <= plan.spent
        if len(set(magnitudes)) == 9:  # powers of two, whose sums never tie
            assert rejected == plan.attained
    early = {one.p for one in found if one.decided and one.look < 3}
    assert early
    assert max(early) < min(one.p for one in found if one.look == 3)  # an earlier stop is more extreme


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize(("looks", "repeats"), [((6, 10), 1200), ((8, 12, 16), 500)])
def test_the_error_rate_is_held(looks: tuple[int, ...], repeats: int, margin: str) -> None:
    """At most α + 4 standard errors of claims without an effect: 0.075 and 0.089."""
    rng = np.random.default_rng(5)
    for kind in KINDS:
        found = [
            sequential_test(MARGINS[margin](rng, looks[-1]), looks=looks, kind=kind) for _ in range(repeats)
        ]
        claims = np.mean([one.decided for one in found])
        assert claims <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
        assert claims >= 0.01  # or the test never speaks


def test_testing_at_every_look_without_spending_errs_too_often() -> None:
    """What the looks are for: the simulation sees it when α is not held."""
    rng = np.random.default_rng(5)
    claims = [
        any(sign_flip_test(differences[:look]).p <= 0.05 for look in (8, 12, 16))
        for differences in rng.normal(size=(1500, 16))
    ]
    assert np.mean(claims) > 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1500)


def test_power_is_close_to_that_of_the_test_without_looks_and_pairs_are_saved() -> None:
    rng = np.random.default_rng(8)
    samples = rng.normal(0.85, 1, (300, 16))
    found = [sequential_test(differences, looks=(8, 12, 16)) for differences in samples]
    fixed = np.mean([sign_flip_test(differences).p <= 0.05 for differences in samples])
    assert 0.8 < fixed < 0.95
    assert np.mean([one.decided for one in found]) > fixed - 0.04
    assert np.mean([one.n for one in found]) < 14


@pytest.mark.parametrize("margin", MARGINS)
def test_the_interval_holds_the_centre_in_95_of_100_studies_wherever_they_stop(margin: str) -> None:
    """Coverage at least 0.95 − 4 standard errors: 0.898."""
    rng, repeats = np.random.default_rng(6), 280
    spread = float(np.std(MARGINS[margin](rng, 1000)))
    inside, stopped = 0, set()
    for study in range(repeats):
        shift = (0.1, 1.5)[study % 2] * spread  # it stops late or early
        found = repeated_interval(MARGINS[margin](rng, 10) + shift, looks=(7, 10), kind="pocock")
        inside += found.low <= shift <= found.high
        stopped.add(found.n)
    assert stopped == {7, 10}
    assert inside / repeats >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize(("n", "alpha"), [(6, 0.05), (8, 0.05), (9, 0.2), (10, 0.01)])
def test_the_interval_of_one_look_ends_at_subset_means(n: int, alpha: float) -> None:
    """Hartigan 1969: the k-th lowest and highest mean of a subset, k of 2ⁿ⁻¹ patterns within α."""
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    means = sorted(
        float(np.mean(members))
        for size in range(1, n + 1)
        for members in itertools.combinations(differences, size)
    )
    k = math.floor(alpha * 2 ** (n - 1))
    found = repeated_interval(differences, looks=(n,), alpha=alpha)
    assert found.low == pytest.approx(means[k - 1], abs=1e-5)
    assert found.high == pytest.approx(means[-k], abs=1e-5)
    assert found.low <= means[k - 1]  # rounded outwards
    assert found.high >= means[-k]
    assert found.estimate == float(differences.mean())
    assert found.level == 1 - alpha
    assert found.n == n


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("looks", [(7, 10), (6, 8, 11)])
def test_the_interval_leaves_out_zero_if_and_only_if_the_test_rejects(
    kind: Spending, looks: tuple[int, ...]
) -> None:
    rng, seen = np.random.default_rng(11), set()
    for shift in np.linspace(0, 1.6, 25):
        differences = rng.normal(shift, 1, looks[-1])
        test = sequential_test(differences, looks=looks, alpha=0.15, kind=kind)
        found = repeated_interval(differences, looks=looks, alpha=0.15, kind=kind)
        assert test.decided == (not found.low < 0 < found.high)
        assert found.n == test.n
        seen.add((test.decided, test.look))
    assert len(seen) >= 3


def test_a_limit_at_zero_itself_agrees_with_the_test() -> None:
    """Rounded accuracies: the sums tie at a shift of zero, and the limit is there to the last digit."""
    hits = [1, -3, 1, -1, -1, 1, 5, 1, 7, 5, 5]
    differences = np.array(hits) / 100
    look, decided, _ = by_counting(hits, looks=(5, 8, 11), alpha=0.1, kind="obrien-fleming")
    assert (look, decided) == (3, True)
    assert sequential_test(differences, looks=(5, 8, 11), alpha=0.1).decided
    found = repeated_interval(differences, looks=(5, 8, 11), alpha=0.1)
    assert 0 <= found.low < 1e-6


def test_shifts_inside_the_interval_of_two_looks_are_kept_and_those_outside_rejected() -> None:
    rng = np.random.default_rng(21)
    for _ in range(5):
        whole = rng.normal(5000, 10_000, 10).round().astype(int)  # in units of 10⁻⁴
        found = repeated_interval(whole / 10_000, looks=(6, 10), alpha=0.1, kind="pocock")
        if found.n < 10:
            continue
        for shift in np.linspace(whole.min() - 5, whole.max() + 5, 60).round().astype(int):
            differences = [int(one) for one in whole - shift]
            look, decided, _ = by_counting(differences, looks=(6, 10), alpha=0.1, kind="pocock")
            if look == 2:  # or the shifted differences are rejected before
                assert decided == (not found.low <= shift / 10_000 <= found.high)


def test_differences_that_are_all_equal_have_an_interval_around_them() -> None:
    found = repeated_interval([0.25] * 8, looks=(8,))
    assert found.low == pytest.approx(0.25, abs=1e-6)
    assert found.high == pytest.approx(0.25, abs=1e-6)
    assert found.low < 0.25 < found.high


def test_a_look_that_cannot_stop_has_an_infinite_bound_and_interval() -> None:
    differences = np.linspace(1, 2, 12)
    for given in (5, 12):
        found = sequential_test(differences[:given], looks=(5, 12, 16))
        assert found.bounds[0] == math.inf
    interval = repeated_interval(differences[:5], looks=(5, 12, 16))
    assert (interval.low, interval.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("given", [10, 13, 16, 30])
def test_mirrored_differences_give_mirrored_answers_and_their_unit_does_not_matter(given: int) -> None:
    differences = np.random.default_rng(given).normal(0.9, 1, given)
    looks = (8, 12, 30) if given == 30 else (8, 12, 16)
    found = sequential_test(differences, looks=looks, alpha=0.02)
    mirrored = sequential_test(-differences, looks=looks, alpha=0.02)
    assert (mirrored.look, mirrored.decided, mirrored.p) == (found.look, found.decided, found.p)
    assert mirrored.statistic == -found.statistic
    assert mirrored.bounds == pytest.approx(found.bounds, rel=1e-9)
    for scale in (1e-6, 1e6):
        scaled = sequential_test(differences * scale, looks=looks, alpha=0.02)
        assert (scaled.look, scaled.decided, scaled.p) == (found.look, found.decided, found.p)
    interval = repeated_interval(differences, looks=looks, alpha=0.02)
    turned = repeated_interval(-1e3 * differences, looks=looks, alpha=0.02)
    assert turned.low == pytest.approx(-1e3 * interval.high, rel=1e-6)
    assert turned.high == pytest.approx(-1e3 * interval.low, rel=1e-6)


def test_between_looks_the_last_one_reached_speaks_and_later_pairs_do_not_change_a_decision() -> None:
    rng = np.random.default_rng(2)
    differences = np.concatenate((np.linspace(0.5, 1.5, 8), rng.normal(-3, 1, 20)))
    at_look = sequential_test(differences[:8], looks=(8, 12, 24), kind="pocock")
    assert (at_look.look, at_look.decided, at_look.n) == (1, True, 8)
    for given in (9, 12, 13, 24, 28):
        assert sequential_test(differences[:given], looks=(8, 12, 24), kind="pocock") == at_look
    weak = np.tile([1.0, -1.0], 6)
    assert sequential_test(weak[:11], looks=(8, 12)) == sequential_test(weak[:8], looks=(8, 12))


def test_while_looks_are_left_an_undecided_test_claims_nothing() -> None:
    found = sequential_test([1, 2, 3, 4, -5, 6, 7, 8], looks=(8, 12))
    assert not found.decided
    assert not found.finished
    assert found.p == 1.0
    assert found.error == 0
    assert len(found.bounds) == 1


def test_what_an_early_look_found_stays_when_patterns_are_sampled() -> None:
    differences = np.random.default_rng(4).normal(0.1, 1, 40)
    early = sequential_test(differences[:25], looks=(12, 25, 40))
    late = sequential_test(differences, looks=(12, 25, 40))
    assert late.bounds[:2] == early.bounds
    assert sequential_test(differences, looks=(12, 25, 40)) == late
    own = [
        sequential_test(differences, looks=(12, 25, 40), rng=np.random.default_rng(seed)).p
        for seed in (5, 5, 6)
    ]
    assert own[0] == own[1] != own[2]


def test_sampled_p_is_never_zero() -> None:
    found = sequential_test(np.linspace(1, 2, 30), looks=(30,))
    assert found.p == 1 / 200_001


@pytest.mark.parametrize(
    ("findings", "kind", "stops"),
    [
        (1, "obrien-fleming", (True, True, True)),
        (3, "obrien-fleming", (False, True, True)),
        (3, "pocock", (True, True, True)),
        (36, "obrien-fleming", (False, True, True)),
    ],
)
def test_the_first_of_12_20_30_pairs_can_stop_for_one_finding_but_not_for_three(
    findings: int, kind: Spending, stops: tuple[bool, ...]
) -> None:
    """Of 12 pairs the rarest two patterns weigh 2/4096 = 0.00049; O'Brien–Fleming has 0.00006 for them."""
    plans = attainable((12, 20, 30), alpha=0.05 / findings, kind=kind)
    assert tuple(plan.stops for plan in plans) == stops
    assert [plan.pairs for plan in plans] == [12, 20, 30]
    for plan in plans:
        share = Fraction(plan.pairs, 30)
        assert plan.spent == pytest.approx(spent_by(share, alpha=0.05 / findings, kind=kind), rel=1e-9)
        patterns = 200_001 if plan.pairs == 30 else 2 ** (plan.pairs - 1)
        assert plan.attained * patterns == pytest.approx(math.floor(plan.spent * patterns), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("looks", [(4, 8, 12), (6, 7, 8), (12, 20, 22), (3, 4, 5)])
def test_differences_of_one_sign_stop_at_the_first_look_that_can(
    kind: Spending, looks: tuple[int, ...]
) -> None:
    plans = attainable(looks, kind=kind)
    found = sequential_test(np.geomspace(1, 2, looks[-1]), looks=looks, kind=kind)
    able = [look for look, plan in enumerate(plans, start=1) if plan.stops]
    assert found.decided == bool(able)
    assert found.look == (able[0] if able else len(looks))


@pytest.mark.parametrize(
    ("looks", "received"),
    [
        ((), "looks at no number of pairs"),
        ((12, 12), "looks at 12, 12 pairs"),
        ((20, 12), "looks at 20, 12 pairs"),
        ((0, 12), "looks at 0, 12 pairs"),
    ],
)
def test_looks_that_do_not_rise_are_refused(looks: tuple[int, ...], received: str) -> None:
    calls = (
        lambda: attainable(looks),
        lambda: sequential_test([1.0] * 12, looks=looks),
        lambda: repeated_interval([1.0] * 12, looks=looks),
    )
    for call in calls:
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.received == received
        assert caught.value.rule == "looks are whole numbers of pairs, each larger than the one before"
        assert caught.value.remedy == "declare them in rising order, for instance 12, 20, 30"


def test_a_test_before_its_first_look_is_refused() -> None:
    for call in (sequential_test, repeated_interval):
        with pytest.raises(InputError) as caught:
            call([1.0] * 9, looks=(12, 20))
        assert caught.value.received == "9 differences before the first look at 12"
        assert caught.value.rule == "the test speaks at its declared looks alone"
        assert caught.value.remedy == "add 3 pairs"


def test_differences_that_are_not_finite_are_refused() -> None:
    for call in (sequential_test, repeated_interval):
        with pytest.raises(InputError, match="12 differences, 1 of them not finite"):
            call([1.0] * 11 + [math.nan], looks=(12, 20))
