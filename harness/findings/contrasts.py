"""Computation: variants against the baseline, paired by seed, and what that says of each finding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
import pandas as pd

from harness.design.change import Change, change_of
from harness.design.finding import Finding
from harness.design.resolution import ALPHA, family_size
from harness.findings.endpoints import Endpoint, endpoint_of
from harness.findings.frames import StudyFrames
from harness.findings.looks import Judgement, Stage, judge, repeated
from harness.findings.pairing import paired
from harness.stats.effects import cohens_dz, paired_improvement
from harness.stats.equivalence import two_one_sided_tests
from harness.stats.families import bonferroni, holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test
from harness.stats.power import pairs_needed
from harness.stats.results import Interval, TestResult

Verdict = Literal["supported", "contradicted", "equivalent", "undecided", "not measured"]


@dataclass(frozen=True)
class Contrast:
    """A variant against the baseline on one finding.

    Attributes:
        finding: what is claimed.
        endpoint: what is measured.
        variant: the variant; differences are variant minus baseline.
        baseline: the baseline.
        pairs: index seed; columns baseline, variant, difference: means over the cells, or of each the change
            over a factor. In a study with looks those of the look that decided, or of the last one.
        dropped: seeds without a value in every cell of both.
        test: the sign-flip test, with looks where the study declares some; None without pairs.
        stage: the look that it is judged at; None in a study without looks, and without pairs.
        interval: 95 % interval of the mean difference, Student's or, with looks, the repeated one; None
            without pairs.
        improvement: share of pairs in which the variant is better, ties counted half, with its 95 % interval;
            None without pairs.
        equivalence: the p of the two one-sided tests of the declared margin; NaN without a margin or with
            fewer than two pairs.
        p_adjusted: after Holm over the finding's family, with looks after Bonferroni; NaN without pairs.
        equivalence_adjusted: after Holm among the family's tests of margins.
        verdict: what the tests say of the claim.
        seeds_to_decide: of an undecided claim, at how many seeds a difference as large as the one seen, with
            the same spread, would be found with a power of 80 %; None where that would take over 10,000,
            where the differences have no spread, and for other verdicts.
        declared: whether the finding, as it stands, was declared before the first of these runs; else it is
            exploratory.
        remark: this study's own figures on the measure, in words; may be empty.
        change: what is compared where the finding is on a change over a factor; None for means over all.
    """

    finding: Finding
    endpoint: Endpoint
    variant: str
    baseline: str
    pairs: pd.DataFrame
    dropped: int
    test: TestResult | None
    stage: Stage | None = None
    interval: Interval | None = None
    improvement: Interval | None = None
    equivalence: float = math.nan
    p_adjusted: float = math.nan
    equivalence_adjusted: float = math.nan
    verdict: Verdict = "not measured"
    seeds_to_decide: int | None = None
    declared: bool = False
    remark: str = ""
    change: Change | None = None


def compare(frames: StudyFrames) -> list[Contrast]:
    """Every variant against the baseline on every finding, in declared order.

    Holm's correction spans a family: claims of a difference are corrected among each other, and so are
    claims of equivalence. In a study with looks each claim of a difference has its own share of α instead
    (Bonferroni), for Holm's steps would look at claims that wait for a later look.
    """
    return [_described(contrast, frames) for contrast in judged(frames, measured(frames))]


def measured(frames: StudyFrames) -> list[pd.DataFrame]:
    """What each finding measures: columns variant, cell, seed, value, in declared order."""
    return [endpoint_of(finding).measure(frames) for finding in frames.study.findings]


def judged(frames: StudyFrames, measures: Sequence[pd.DataFrame]) -> list[Contrast]:
    """`compare` as far as verdicts go: without intervals and remarks.

    Args:
        frames: of the study.
        measures: as `measured` gives them.
    """
    study = frames.study
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    found = [
        _tested(finding, values, other, frames)
        for finding, values in zip(study.findings, measures, strict=True)
        for other in others
    ]
    corrected = {family: _corrected(list(group)) for family, group in _families(found)}
    return [corrected[contrast.finding.family].pop(0) for contrast in found]


def _families(contrasts: list[Contrast]) -> Iterator[tuple[str, Iterator[Contrast]]]:
    def family(contrast: Contrast) -> str:
        return contrast.finding.family

    return groupby(sorted(contrasts, key=family), key=family)


def _corrected(family: list[Contrast]) -> list[Contrast]:
    """The contrasts of a family with adjusted p-values and verdicts, in their order."""
    correct = bonferroni if any(contrast.stage for contrast in family) else holm
    differences = correct([contrast.test.p if contrast.test else math.nan for contrast in family])
    equivalences = holm([contrast.equivalence for contrast in family])
    return [
        replace(
            contrast,
            p_adjusted=float(p),
            equivalence_adjusted=float(same),
            verdict=_verdict(contrast, p=float(p), equivalence=float(same)),
        )
        for contrast, p, same in zip(family, differences, equivalences, strict=True)
    ]


def _tested(finding: Finding, values: pd.DataFrame, variant: str, frames: StudyFrames) -> Contrast:
    study, change = frames.study, change_of(finding, frames.study.factors)
    pairs = paired(values, change=change, cells=frames.cells, baseline=study.baseline, variant=variant)
    found = _judgement(pairs["difference"], finding, frames) if len(pairs) else None
    stage = found.stage if found else None
    seeds = stage.seeds if stage else study.seeds
    kept = pairs[pairs.index < seeds]
    return Contrast(
        finding=finding,
        endpoint=endpoint_of(finding, change=change),
        variant=variant,
        baseline=study.baseline,
        pairs=kept,
        dropped=seeds - len(kept),
        test=found.test if found else None,
        stage=stage,
        equivalence=found.equivalence if found else math.nan,
        change=change,
    )


def _judgement(differences: pd.Series, finding: Finding, frames: StudyFrames) -> Judgement:
    """The tests of paired differences, by the declared looks or, without any, once."""
    if frames.study.looks:
        tests = family_size(frames.study, family=finding.family)
        return judge(differences, frames, tests=tests, margin=finding.margin)
    equivalence = math.nan
    if finding.margin and len(differences) > 1:
        equivalence = two_one_sided_tests(differences, margin=finding.margin).p
    return Judgement(None, sign_flip_test(differences), equivalence)


def _described(contrast: Contrast, frames: StudyFrames) -> Contrast:
    """With intervals, prospects and remarks."""
    told = replace(
        contrast,
        declared=was_declared(contrast.finding, frames),
        remark=contrast.endpoint.remark(frames),
    )
    if contrast.test is None:
        return told
    differences, stage = contrast.pairs["difference"], contrast.stage
    gains = differences if contrast.finding.better == "higher" else -differences
    return replace(
        told,
        interval=repeated(differences, frames.study, stage=stage) if stage else t_interval(differences),
        improvement=paired_improvement(gains),
        seeds_to_decide=_seeds_to_decide(contrast, family_size(frames.study, family=contrast.finding.family)),
    )


def _seeds_to_decide(contrast: Contrast, tests: int) -> int | None:
    if contrast.verdict != "undecided" or (contrast.stage and contrast.stage.following):
        return None
    effect = cohens_dz(contrast.pairs["difference"])
    return pairs_needed(effect, alpha=ALPHA / tests) if np.isfinite(effect) and effect else None


def was_declared(finding: Finding, frames: StudyFrames) -> bool:
    """Whether the first call that trained any of these runs recorded the finding as it stands."""
    if frames.calls.empty:
        return False
    recorded = frames.calls["findings"].iloc[0]
    return finding.sha256 in json.loads(recorded or "{}").values()


def _verdict(contrast: Contrast, *, p: float, equivalence: float) -> Verdict:
    """A difference within the declared margin is none in practice, however sure it is that it is not zero."""
    if contrast.test is None:
        return "not measured"
    if equivalence < ALPHA:
        return "equivalent"
    if p >= ALPHA:
        return "undecided"
    higher = contrast.test.statistic > 0
    return "supported" if higher == (contrast.finding.better == "higher") else "contradicted"
