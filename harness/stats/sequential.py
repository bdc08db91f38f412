"""Computation: the sign-flip test with looks at the differences while they come in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.design.looks import Spending
from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite
from harness.stats.results import Interval
from harness.stats.spending import spent

EXACT_UP_TO = 20
"""Pairs up to which a look lists every sign pattern: 2¹⁹, since a pattern and its mirror image agree."""

PATTERNS = 200_001
"""Patterns at a look with more pairs: 200,000 random ones and the one seen."""

HALVINGS = 20
"""Of the range of the differences, to find a limit of the interval: to a millionth of it."""


@dataclass(frozen=True)
class Look:
    """What a declared look can do, before any differences are seen.

    Attributes:
        pairs: at this look.
        spent: α that this look and those before it may use.
        attained: what they can use, as every pattern weighs 1/2ⁿ⁻¹: the chance of a false claim by this
            look when no two patterns tie.
        stops: whether this look can make a claim that no earlier one made.
    """

    pairs: int
    spent: float
    attained: float
    stops: bool


@dataclass(frozen=True)
class SequentialResult:
    """What a test with looks has found so far.

    Attributes:
        look: that it speaks of, from 1: the first that made a claim, or the last one reached.
        decided: whether the hypothesis of no effect is rejected.
        finished: whether it is decided or no look is left.
        statistic: mean difference at that look; after an early claim it overstates the effect.
        p: two-sided, by stagewise ordering; 1 while looks are left and nothing is decided.
        n: pairs used; those beyond the look are not.
        bounds: of |mean difference| at each look up to this one; a claim needs more. inf: it can't stop.
        method: how p was computed, to be printed.
        error: the standard error of p where patterns were sampled, 0 where all were listed.
    """

    look: int
    decided: bool
    finished: bool
    statistic: float
    p: float
    n: int
    bounds: tuple[float, ...]
    method: str
    error: float = 0.0


@dataclass(frozen=True)
class _Stage:
    """A look at the differences: how many of the patterns are as extreme, and the bound of |sum|."""

    pairs: int
    seen: float
    bound: float
    p: float

    @property
    def rejects(self) -> bool:
        return self.seen > self.bound


def attainable(
    looks: Sequence[int], *, alpha: float = 0.05, kind: Spending = "obrien-fleming"
) -> tuple[Look, ...]:
    """What each look can do: one with few pairs may have no pattern rare enough for the α it may spend.

    Args:
        looks: [k], pairs at each look, rising.
        alpha: error rate of the whole test, two-sided: α/m for one of m primary findings.
        kind: of spending.

    Raises:
        InputError: looks that are no rising whole numbers, an α outside (0, 1).
    """
    allowed = _allowed(looks, alpha=alpha, kind=kind)
    plans: list[Look] = []
    for pairs, share in zip(looks, allowed, strict=True):
        patterns = _patterns(pairs)
        attained = math.floor(share * patterns) / patterns
        before = plans[-1].attained if plans else 0.0
        plans.append(Look(pairs, float(share), max(attained, before), attained > before))
    return tuple(plans)


def sequential_test(
    differences: Values,
    *,
    looks: Sequence[int],
    alpha: float = 0.05,
    kind: Spending = "obrien-fleming",
    fractions: Sequence[float] | None = None,
    rng: np.random.Generator | None = None,
) -> SequentialResult:
    """Test whether paired differences are symmetric about zero, with looks declared beforehand.

    Each look compares |sum| with a bound from the joint sign-flip distribution of the sums at all looks so
    far, given the magnitudes seen so far: of the sign patterns, the share rejected at this look or before is
    at most the α spent by then (Lan & DeMets 1983), so the whole test errs at most with α, for any sample
    size. What discreteness or ties leave unspent, later looks may use. The first look that rejects
    decides; later differences are not used.

    p is the share of the patterns that are rejected at an earlier look, or come to this one and are as far
    from zero (stagewise ordering: Fairbanks & Madsen 1982; Tsiatis, Rosner & Mehta 1984). At the last look p
    ≤ α if and only if the test rejects; at an earlier one it is below the α spent by then. Up to 20 pairs all
    patterns are listed; beyond, 200,000 random ones and the one seen: as these are exchangeable, the error
    rate holds for them too (Phipson & Smyth 2010). One look is `sign_flip_test`, and like it the test does
    not hold its level for the mean of skewed differences. Sums that agree to 10⁻⁹ of the sum of magnitudes
    count as equal.

    Args:
        differences: [n], variant minus baseline, one a seed, in the order in which seeds were declared.
        looks: [k], pairs at each look, rising; n reaches the first at least.
        alpha: error rate of the whole test, two-sided: α/m for one of m primary findings.
        kind: of spending.
        fractions: [k], of information at each look, for spending; the pairs over those at the last look
            unless given. Declared ones stay the same when a pair is lost.
        rng: for looks with more than 20 pairs; a fixed generator unless given. Every call about one test
            needs a generator in the same state, or an earlier look could be judged anew.

    Raises:
        InputError: no look reached, looks that don't rise, a difference that is not finite.
    """
    values = finite(differences)
    allowed = _allowed(looks, alpha=alpha, kind=kind, fractions=fractions)
    reached = _reached(values.size, looks)
    stages = _until_rejected(_stages(values, reached, allowed=allowed, signs=_signs(reached[-1], rng)))
    stage, look = stages[-1], len(stages)
    finished = stage.rejects or look == len(looks)
    sampled = stage.pairs > EXACT_UP_TO
    how = f"{PATTERNS - 1:,} random patterns" if sampled else "exact"
    return SequentialResult(
        look=look,
        decided=stage.rejects,
        finished=finished,
        statistic=float(values[: stage.pairs].mean()),
        p=stage.p if finished else 1.0,
        n=stage.pairs,
        bounds=tuple(one.bound / one.pairs for one in stages),
        method=f"sequential sign-flip, look {look} of {len(looks)}, {kind} spending, {how}",
        error=float(np.sqrt(stage.p * (1 - stage.p) / PATTERNS)) if sampled and finished else 0.0,
    )


def repeated_interval(
    differences: Values,
    *,
    looks: Sequence[int],
    alpha: float = 0.05,
    kind: Spending = "obrien-fleming",
    fractions: Sequence[float] | None = None,
    look: int | None = None,
    rng: np.random.Generator | None = None,
) -> Interval:
    """The shifts of the differences that the look of `sequential_test` does not reject.

    This is a repeated confidence interval (Jennison & Turnbull 1989): with probability 1 − α the intervals
    of all looks hold the centre of symmetry, whatever made the study stop. Zero lies strictly inside if and
    only if the test does not reject. An interval by stagewise ordering would be shorter after an early
    stop, but needs the bounds under every shift, which here depend on the magnitudes and so on the shift.

    The limits are found by bisection to a millionth of the range of the differences, and rounded outwards.
    Both are infinite at a look that can't stop, even where ties in the differences let its test reject.
    The shifts kept make one interval: of 145,000 tried in 900 samples none was kept outside.

    Args:
        differences: [n], variant minus baseline, in the order in which seeds were declared.
        looks: [k], pairs at each look, rising.
        alpha: one minus the confidence.
        kind: of spending.
        fractions: as for the test.
        look: from 1, whose differences are used, whatever the test of this α says at earlier ones; that at
            which the test stops unless given.
        rng: as for the test.

    Raises:
        InputError: as for the test.
    """
    values = finite(differences)
    allowed = _allowed(looks, alpha=alpha, kind=kind, fractions=fractions)
    reached = _reached(values.size, looks)
    signs = _signs(reached[-1], rng)
    used = reached[: look or len(_until_rejected(_stages(values, reached, allowed=allowed, signs=signs)))]
    values = values[: used[-1]]

    def rejected(shift: float) -> bool:
        *_, last = _stages(values - shift, used, allowed=allowed, signs=signs)
        return last.rejects

    centre = float(values.mean())
    margin = (float(np.ptp(values)) or abs(centre) or 1.0) * 2.0**-HALVINGS
    low = _limit(rejected, centre, float(values.min()) - margin)
    high = _limit(rejected, centre, float(values.max()) + margin)
    return Interval(centre, low, high, 1 - alpha, values.size)


def _until_rejected(stages: Iterator[_Stage]) -> list[_Stage]:
    """The looks up to the first that rejects."""
    passed = []
    for stage in stages:
        passed.append(stage)
        if stage.rejects:
            break
    return passed


def _limit(rejected: Callable[[float], bool], centre: float, end: float) -> float:
    """The first shift from the centre that is rejected; zero is tried, so that the limit agrees about it."""
    if not rejected(end):
        return float(np.copysign(np.inf, end - centre))
    kept, out = centre, end
    tried = 0.0 if min(centre, end) < 0 < max(centre, end) else (centre + end) / 2
    for _ in range(HALVINGS + 1):
        kept, out = (kept, tried) if rejected(tried) else (tried, out)
        tried = (kept + out) / 2
    return out


def _stages(
    values: Numbers, looks: Sequence[int], *, allowed: Numbers, signs: npt.NDArray[np.int8] | None
) -> Iterator[_Stage]:
    """What each look sees, from its own differences alone."""
    bounds: list[float] = []
    for look, pairs in enumerate(looks):
        sums = np.abs(_sums(values[:pairs], looks[: look + 1], signs))  # [look, pattern], first as seen
        slack = 1e-9 * float(np.abs(values[:pairs]).sum())
        patterns = sums.shape[1]
        alive = np.all(sums[:-1] <= np.array(bounds)[:, None], axis=0)
        here = sums[-1, alive]
        early = patterns - here.size
        room = math.floor(allowed[look] * patterns) - early
        bound = np.inf
        if room > 0:  # the largest sum that may not be rejected, and those equal to it
            bound = float(np.partition(here, here.size - 1 - room)[here.size - 1 - room]) + slack
        seen = float(sums[-1, 0])
        bounds.append(bound)
        extreme = early + np.count_nonzero(here >= seen - slack)
        yield _Stage(pairs, seen, bound, float(extreme) / patterns)


def _sums(values: Numbers, looks: Sequence[int], signs: npt.NDArray[np.int8] | None) -> Numbers:
    """The sums at each look for every sign pattern [look, pattern]; the first pattern is the one seen."""
    if values.size > EXACT_UP_TO and signs is not None:
        found, total = [], np.zeros(PATTERNS)
        for pair, value in enumerate(values):
            total = total + signs[pair] * value
            if pair + 1 in looks:
                found.append(total)
        return np.array(found)
    sums = values[:1]
    listed = []
    for pair in range(1, values.size + 1):
        if pair > 1:
            sums = np.concatenate((sums + values[pair - 1], sums - values[pair - 1]))
        if pair in looks:
            listed.append(sums)
    return np.array([np.tile(one, sums.size // one.size) for one in listed])


def _signs(pairs: int, rng: np.random.Generator | None) -> npt.NDArray[np.int8] | None:
    """Random signs [pair, pattern], the first pattern all plus; fewer pairs have the same ones."""
    if pairs <= EXACT_UP_TO:
        return None
    generator = rng or np.random.default_rng(0)
    signs = generator.integers(0, 2, (pairs, PATTERNS), dtype=np.int8) * np.int8(2) - np.int8(1)
    signs[:, 0] = 1
    return signs


def _patterns(pairs: int) -> int:
    """How many patterns a look weighs."""
    return 2 ** (pairs - 1) if pairs <= EXACT_UP_TO else PATTERNS


def _allowed(
    looks: Sequence[int], *, alpha: float, kind: Spending, fractions: Sequence[float] | None = None
) -> Numbers:
    """The α spent by each look [look]."""
    whole = np.asarray(looks, dtype=np.int64)
    if whole.size == 0 or whole[0] < 1 or np.any(np.diff(whole) < 1):
        raise InputError(
            f"looks at {', '.join(map(str, looks)) or 'no number of'} pairs",
            rule="looks are whole numbers of pairs, each larger than the one before",
            remedy="declare them in rising order, for instance 12, 20, 30",
        )
    shares = whole / whole[-1] if fractions is None else np.asarray(fractions, dtype=np.float64)
    if shares.size != whole.size or np.any(np.diff(shares) <= 0) or shares[-1] != 1:
        raise InputError(
            f"fractions of information {', '.join(f'{share:g}' for share in shares)} at {whole.size} looks",
            rule="there is one fraction a look; they rise to 1",
            remedy="leave them out to take the pairs at a look over the pairs at the last one",
        )
    return spent(shares, alpha=alpha, kind=kind)


def _reached(pairs: int, looks: Sequence[int]) -> list[int]:
    """The looks for which there are pairs enough."""
    reached = [look for look in looks if look <= pairs]
    if not reached:
        raise InputError(
            f"{pairs} differences before the first look at {looks[0]}",
            rule="the test speaks at its declared looks alone",
            remedy=f"add {looks[0] - pairs} pairs",
        )
    return reached
