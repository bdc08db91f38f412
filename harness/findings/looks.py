"""Computation: looks at the results while seeds come in, and what each lets a study say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.design.looks import Spending
from harness.design.resolution import ALPHA, family_size
from harness.design.study import Study
from harness.errors import InputError
from harness.findings.frames import StudyFrames
from harness.stats.checks import Numbers
from harness.stats.equivalence import two_one_sided_tests
from harness.stats.results import Interval, TestResult
from harness.stats.sequential import Look, attainable, repeated_interval, sequential_test
from harness.stats.spending import spent


@dataclass(frozen=True)
class Stage:
    """The look that a contrast is judged at.

    Attributes:
        number: of the look, from 1; 0 before the first one.
        of: how many are declared.
        seeds: at this look; before the first one, those that are there.
        following: seeds at the next look; None where the claim is decided or no look is left.
    """

    number: int
    of: int
    seeds: int
    following: int | None


@dataclass(frozen=True)
class Judgement:
    """What tests say of paired differences.

    Attributes:
        stage: the look that decided, or the last one reached; None in a study without looks.
        test: of a difference.
        equivalence: the p of the margin. With looks the smallest of all that were reached, each divided by
            the share of α that its look may spend. NaN without a margin or with fewer than two pairs.
    """

    stage: Stage | None
    test: TestResult
    equivalence: float


def at_last_look(frames: StudyFrames) -> StudyFrames:
    """What the last declared look sees: later seeds wait for the next one.

    A study without looks, and one before its first look, stays as it is.
    """
    looks = [look for look in frames.study.looks if look <= frames.whole_seeds]
    if not looks or looks[-1] == frames.study.seeds:
        return frames
    seeds, ledger = looks[-1], frames.ledger
    runs = tuple(run for run in ledger.runs if run.seed < seeds)
    kept = {run.run_id for run in runs}
    return replace(
        frames,
        study=replace(frames.study, seeds=seeds),
        ledger=replace(
            ledger,
            runs=runs,
            status={run_id: status for run_id, status in ledger.status.items() if run_id in kept},
        ),
        runs=frames.runs[frames.runs["seed"] < seeds],
        curves=frames.curves[frames.curves["seed"] < seeds],
        weights=frames.weights[frames.weights["seed"] < seeds],
    )


def judge(differences: pd.Series, frames: StudyFrames, *, tests: int, margin: float | None) -> Judgement:
    """Judge paired differences by the looks so far, each claim at α over the tests of its family.

    α is spent by the declared seeds of a look, whatever pairs are lost; a look that adds no pair to the one
    before stands in its place.

    Args:
        differences: index seed, variant minus baseline; at least one.
        frames: of the study.
        tests: of the family.
        margin: of the finding.
    """
    study, there = frames.study, frames.whole_seeds
    way = _way(differences, study, there=there)
    if not way.passed:
        method = "sequential sign-flip, before the first look"
        test = TestResult(float(differences.mean()), 1.0, len(differences), method)
        return Judgement(Stage(0, len(study.looks), there, way.looks[0]), test, math.nan)
    found = sequential_test(
        way.values, looks=way.pairs, alpha=ALPHA / tests, kind=study.spending, fractions=way.fractions
    )
    seeds = way.looks[found.look - 1]
    stage = Stage(
        number=study.looks.index(seeds) + 1,
        of=len(study.looks),
        seeds=seeds,
        following=None if found.finished else way.looks[way.passed],
    )
    test = TestResult(found.statistic, found.p, found.n, found.method)
    return Judgement(stage, test, _equivalence(way, margin=margin, spending=study.spending))


def repeated(differences: pd.Series, study: Study, *, stage: Stage) -> Interval:
    """The repeated 95 % interval of the mean difference at a look; its limits are NaN where it can set none.

    Args:
        differences: index seed, variant minus baseline; at least one, none of later seeds.
        study: the declaration.
        stage: the look.
    """
    way = _way(differences, study, there=stage.seeds)
    if stage.number == 0:
        return Interval(float(differences.mean()), math.nan, math.nan, 1 - ALPHA, len(differences))
    found = repeated_interval(
        way.values,
        looks=way.pairs,
        alpha=ALPHA,
        kind=study.spending,
        fractions=way.fractions,
        look=way.looks.index(stage.seeds) + 1,
    )
    set_both = math.isfinite(found.low) and math.isfinite(found.high)
    return found if set_both else replace(found, low=math.nan, high=math.nan)


def check_stopping(study: Study) -> tuple[Look, ...]:
    """What each look can do for one of the primary findings; none for a study without looks.

    Raises:
        InputError: a look can make no claim, whatever the differences are.
    """
    if not study.looks:
        return ()
    tests = family_size(study)
    looks = attainable(study.looks, alpha=ALPHA / tests, kind=study.spending)
    for look in looks:
        if not look.stops:
            raise InputError(
                f"study {study.name!r}: the look at {look.pairs} seeds may spend {look.spent:.2g}, and its "
                f"rarest sign pattern weighs {2.0 ** (1 - look.pairs):.2g}",
                rule="a look must be able to make a claim: each of the "
                f"{tests} tests of the primary family has α = {ALPHA} / {tests}, spent over the looks "
                f"(spending={study.spending!r})",
                remedy=_remedy(study, alpha=ALPHA / tests),
            )
    return looks


@dataclass(frozen=True)
class _Way:
    """The looks that add pairs: their seeds, pairs and fractions of information, and how many are passed."""

    looks: list[int]
    pairs: list[int]
    fractions: list[float]
    passed: int
    values: Numbers


def _way(differences: pd.Series, study: Study, *, there: int) -> _Way:
    """How the pairs come in; seeds that are not there yet are taken to give a pair each."""
    declared = study.looks
    seeds = np.sort(differences.index.to_numpy())
    looks: list[int] = []
    pairs: list[int] = []
    for look in declared:
        count = int((seeds < min(look, there)).sum()) + max(0, look - there)
        if pairs and count == pairs[-1]:
            looks[-1] = look
        elif count:
            looks.append(look)
            pairs.append(count)
    passed = sum(look <= there for look in looks)
    values = differences.sort_index().to_numpy(dtype=float)[: pairs[passed - 1] if passed else 0]
    return _Way(looks, pairs, [look / declared[-1] for look in looks], passed, values)


def _equivalence(way: _Way, *, margin: float | None, spending: Spending) -> float:
    """The p of the margin: Bonferroni's over the looks, weighted by what each may spend of α."""
    if margin is None:
        return math.nan
    passed = slice(way.passed)
    shares = np.diff(spent(way.fractions[passed], alpha=ALPHA, kind=spending), prepend=0.0) / ALPHA
    found = [
        two_one_sided_tests(way.values[:count], margin=margin).p / share
        for count, share in zip(way.pairs[passed], shares, strict=True)
        if count > 1
    ]
    return min(1.0, *found) if found else math.nan


def _remedy(study: Study, *, alpha: float) -> str:
    last = study.looks[-1]

    def earliest(kind: Spending) -> int:
        return next(
            (n for n in range(2, last) if attainable((n, last), alpha=alpha, kind=kind)[0].stops), last
        )

    first = f"look first at {earliest(study.spending)} seeds or more"
    if study.spending == "pocock":
        return first
    return f"{first}, or spend more of α early: spending='pocock' can stop from {earliest('pocock')} seeds on"
