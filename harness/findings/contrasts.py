"""Computation: variants against the baseline, paired by seed, and what that says of each finding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
import pandas as pd

from harness.design.finding import Finding
from harness.design.resolution import ALPHA
from harness.findings.endpoints import Endpoint, endpoint_of
from harness.findings.frames import StudyFrames
from harness.stats.effects import cohens_dz, paired_improvement
from harness.stats.equivalence import two_one_sided_tests
from harness.stats.families import holm
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
        pairs: index seed; columns baseline, variant, difference: means over the cells.
        dropped: seeds without a value in every cell of both.
        test: the sign-flip test, None without pairs.
        interval: 95 % t-interval of the mean difference, None without pairs.
        improvement: share of pairs in which the variant is better, ties counted half, with its 95 % interval;
            None without pairs.
        equivalence: the p of the two one-sided tests of the declared margin; NaN without a margin or with
            fewer than two pairs.
        p_adjusted: after Holm over the finding's family; NaN without pairs.
        equivalence_adjusted: the same among the family's tests of margins.
        verdict: what the tests say of the claim.
        seeds_to_decide: of an undecided claim, at how many seeds a difference as large as the one seen, with
            the same spread, would be found with a power of 80 %; None where that would take over 10,000,
            where the differences have no spread, and for other verdicts.
        declared: whether the finding, as it stands, was declared before the first of these runs; else it is
            exploratory.
        remark: this study's own figures on the measure, in words; may be empty.
    """

    finding: Finding
    endpoint: Endpoint
    variant: str
    baseline: str
    pairs: pd.DataFrame
    dropped: int
    test: TestResult | None
    interval: Interval | None
    improvement: Interval | None
    equivalence: float
    p_adjusted: float
    equivalence_adjusted: float
    verdict: Verdict
    seeds_to_decide: int | None
    declared: bool
    remark: str = ""


def compare(frames: StudyFrames) -> list[Contrast]:
    """Every variant against the baseline on every finding, in declared order.

    Holm's correction spans a family: claims of a difference are corrected among each other, and so are
    claims of equivalence.
    """
    study = frames.study
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    found = []
    for finding in study.findings:
        values = endpoint_of(finding).measure(frames)
        found += [_contrast(finding, values, other, frames) for other in others]
    corrected = {family: _corrected(list(group)) for family, group in _families(found)}
    return [corrected[contrast.finding.family].pop(0) for contrast in found]


def _families(contrasts: list[Contrast]) -> Iterator[tuple[str, Iterator[Contrast]]]:
    def family(contrast: Contrast) -> str:
        return contrast.finding.family

    return groupby(sorted(contrasts, key=family), key=family)


def _corrected(family: list[Contrast]) -> list[Contrast]:
    """The contrasts of a family with adjusted p-values and verdicts, in their order."""
    differences = holm([contrast.test.p if contrast.test else math.nan for contrast in family])
    equivalences = holm([contrast.equivalence for contrast in family])
    judged = [
        replace(
            contrast,
            p_adjusted=float(p),
            equivalence_adjusted=float(same),
            verdict=_verdict(contrast, p=float(p), equivalence=float(same)),
        )
        for contrast, p, same in zip(family, differences, equivalences, strict=True)
    ]
    return [replace(contrast, seeds_to_decide=_seeds_to_decide(contrast, len(family))) for contrast in judged]


def paired_by_seed(values: pd.DataFrame, *, baseline: str, variant: str, cells: int) -> pd.DataFrame:
    """One row a seed: the means over cells of both, and their difference.

    A seed counts when both have a finite value in every cell; else its mean would speak of other cells
    than its partners'.

    Args:
        values: columns variant, cell, seed, value.
        baseline: its name.
        variant: its name.
        cells: how many combinations of levels there are.

    Returns:
        Index seed; columns baseline, variant, difference.
    """
    finite = values[np.isfinite(values["value"].astype(float))]
    means = finite.pivot_table(index="seed", columns="variant", values="value", aggfunc="mean")
    counts = finite.pivot_table(index="seed", columns="variant", values="value", aggfunc="count")
    if baseline not in means or variant not in means:
        return pd.DataFrame(columns=["baseline", "variant", "difference"], dtype=float)
    whole = (counts[baseline] == cells) & (counts[variant] == cells)
    pairs = pd.DataFrame({"baseline": means[baseline][whole], "variant": means[variant][whole]})
    return pairs.assign(difference=pairs["variant"] - pairs["baseline"])


def _seeds_to_decide(contrast: Contrast, tests: int) -> int | None:
    if contrast.verdict != "undecided":
        return None
    effect = cohens_dz(contrast.pairs["difference"])
    return pairs_needed(effect, alpha=ALPHA / tests) if np.isfinite(effect) and effect else None


def _contrast(finding: Finding, values: pd.DataFrame, variant: str, frames: StudyFrames) -> Contrast:
    study, endpoint = frames.study, endpoint_of(finding)
    cells = study.size // (study.seeds * len(study.variants))
    pairs = paired_by_seed(values, baseline=study.baseline, variant=variant, cells=cells)
    differences = pairs["difference"].to_numpy()
    gains = differences if finding.better == "higher" else -differences
    some = len(pairs) > 0
    return Contrast(
        finding=finding,
        endpoint=endpoint,
        variant=variant,
        baseline=study.baseline,
        pairs=pairs,
        dropped=study.seeds - len(pairs),
        test=sign_flip_test(differences) if some else None,
        interval=t_interval(differences) if some else None,
        improvement=paired_improvement(gains) if some else None,
        equivalence=two_one_sided_tests(differences, margin=finding.margin).p
        if finding.margin and len(pairs) > 1
        else math.nan,
        p_adjusted=math.nan,
        equivalence_adjusted=math.nan,
        verdict="not measured",
        seeds_to_decide=None,
        declared=was_declared(finding, frames),
        remark=endpoint.remark(frames),
    )


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
