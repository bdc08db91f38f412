"""Computation: variants against the baseline, paired by seed, and what that says of each claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from harness.design.resolution import ALPHA
from harness.findings.endpoints import ENDPOINTS, Endpoint
from harness.findings.frames import StudyFrames
from harness.stats.families import holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test
from harness.stats.results import Interval, TestResult

Verdict = Literal["supported", "contradicted", "undecided", "not measured"]


@dataclass(frozen=True)
class Contrast:
    """A variant against the baseline on one endpoint.

    Attributes:
        endpoint: what is measured.
        variant: the variant; differences are variant minus baseline.
        baseline: the baseline.
        pairs: index seed; columns baseline, variant, difference: means over the cells.
        dropped: seeds without a value in every cell of both.
        test: the sign-flip test, None without pairs.
        interval: 95 % t-interval of the mean difference, None without pairs.
        p_adjusted: after Holm over the family; NaN without pairs.
        verdict: what the test says of the claim.
        remark: this study's own figures on the measure, in words; may be empty.
    """

    endpoint: Endpoint
    variant: str
    baseline: str
    pairs: pd.DataFrame
    dropped: int
    test: TestResult | None
    interval: Interval | None
    p_adjusted: float
    verdict: Verdict
    remark: str = ""


def compare(frames: StudyFrames) -> list[Contrast]:
    """Every variant against the baseline on every endpoint, corrected by Holm as one family."""
    study = frames.study
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    found = []
    for endpoint in ENDPOINTS:
        values = endpoint.measure(frames)
        found += [_contrast(endpoint, values, other, frames) for other in others]
    adjusted = holm([contrast.test.p if contrast.test else float("nan") for contrast in found])
    return [
        replace(contrast, p_adjusted=float(p), verdict=_verdict(contrast, float(p)))
        for contrast, p in zip(found, adjusted, strict=True)
    ]


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


def _contrast(endpoint: Endpoint, values: pd.DataFrame, variant: str, frames: StudyFrames) -> Contrast:
    study = frames.study
    cells = study.size // (study.seeds * len(study.variants))
    pairs = paired_by_seed(values, baseline=study.baseline, variant=variant, cells=cells)
    some = len(pairs) > 0
    return Contrast(
        endpoint=endpoint,
        variant=variant,
        baseline=study.baseline,
        pairs=pairs,
        dropped=study.seeds - len(pairs),
        test=sign_flip_test(pairs["difference"]) if some else None,
        interval=t_interval(pairs["difference"]) if some else None,
        p_adjusted=float("nan"),
        verdict="not measured",
        remark=endpoint.remark(frames),
    )


def _verdict(contrast: Contrast, p_adjusted: float) -> Verdict:
    if contrast.test is None:
        return "not measured"
    if p_adjusted >= ALPHA:
        return "undecided"
    higher = contrast.test.statistic > 0
    return "supported" if higher == (contrast.endpoint.better == "higher") else "contradicted"
