"""Computation: whether a variant's effect on accuracy depends on the level of a factor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from harness.design.change import Measure, in_order, measure_of
from harness.design.factor import Factor
from harness.design.resolution import ALPHA
from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.findings.pairing import changes, paired_by_level
from harness.stats.families import holm
from harness.stats.interactions import repeated_measures_anova
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test
from harness.stats.results import Interval, TestResult

Reading = Literal["rises", "falls", "depends", "undecided", "not measured"]


@dataclass(frozen=True)
class Interaction:
    """How a variant's effect on test accuracy changes with a factor.

    Attributes:
        factor: its name.
        variant: the effect is variant minus baseline.
        levels: in ascending order where they are numbers, else as declared.
        measure: what is compared: a slope of the effect, the effect at the last level minus that at the
            first, or, for more than two levels that are no numbers, whether it differs at all (omnibus).
        test: sign-flip test of one contrast a seed, or the F test; None without seeds enough.
        interval: of the mean contrast; None where there is none.
        p_adjusted: after Holm over all interactions of the study.
        n: seeds with a value at every level.
        dropped: seeds without.
        reading: what the test says of the effect.
    """

    factor: str
    variant: str
    levels: tuple[str, ...]
    measure: Measure
    test: TestResult | None
    interval: Interval | None
    p_adjusted: float
    n: int
    dropped: int
    reading: Reading


def interactions(frames: StudyFrames) -> list[Interaction]:
    """Every factor that varies with every variant, in declared order, corrected by Holm as one family."""
    study, values = frames.study, last_accuracy(frames)
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    found = [
        _interaction(factor, other, values, frames)
        for factor in study.factors
        if not factor.fixed
        for other in others
    ]
    adjusted = holm([one.test.p if one.test else math.nan for one in found])
    return [
        replace(one, p_adjusted=float(p), reading=_reading(one, float(p)))
        for one, p in zip(found, adjusted, strict=True)
    ]


def _interaction(factor: Factor, variant: str, values: pd.DataFrame, frames: StudyFrames) -> Interaction:
    levels, measure, study = in_order(factor), measure_of(factor), frames.study
    whole = paired_by_level(
        values,
        factor=factor.name,
        levels=levels,
        cells=frames.cells,
        baseline=study.baseline,
        variant=variant,
    )
    empty = Interaction(
        factor=factor.name,
        variant=variant,
        levels=tuple(map(str, levels)),
        measure=measure,
        test=None,
        interval=None,
        p_adjusted=math.nan,
        n=len(whole),
        dropped=study.seeds - len(whole),
        reading="not measured",
    )
    if measure == "any level":
        return _omnibus(empty, whole) if len(whole) > 1 else empty
    if not len(whole):
        return empty
    contrasts = changes(whole, levels=levels, measure=measure)["difference"]
    return replace(empty, test=sign_flip_test(contrasts), interval=t_interval(contrasts))


def _omnibus(empty: Interaction, whole: pd.DataFrame) -> Interaction:
    sides = [whole[side].to_numpy(dtype=float) for side in ("baseline", "variant")]  # [seed, level] each
    anova = repeated_measures_anova(np.stack(sides, axis=1))
    method = "repeated-measures F test, Greenhouse and Geisser's correction"
    return replace(empty, test=TestResult(anova.statistic, anova.corrected_p, anova.n, method))


def _reading(one: Interaction, p: float) -> Reading:
    if one.test is None:
        return "not measured"
    if p >= ALPHA:
        return "undecided"
    if one.interval is None:
        return "depends"
    return "rises" if one.interval.estimate > 0 else "falls"
