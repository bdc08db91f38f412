"""Computation: what a study of this size can find, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.design.finding import PRIMARY
from harness.design.resolution import ALPHA
from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.findings.endpoints import endpoint_of
from harness.findings.prospects import POWER, Prospect, prospects
from harness.report.entries import Entry
from harness.report.words import count, effect, listed, number, percent, unit_in


def describe_power(study: Study, contrasts: Sequence[Contrast]) -> Entry:
    """The smallest effect of each primary finding that so many seeds find, given how far differences spread.

    The power to find the effect that was seen is left out: it is a function of p alone and adds nothing
    (Hoenig & Heisey 2001, The American Statistician 55).

    Args:
        study: the declaration; in one with looks all planned seeds count, whatever look it is at.
        contrasts: of the seeds that are there, for the spread.
    """
    primary = tuple(finding for finding in study.findings if finding.family == PRIMARY)
    whole = replace(study, findings=primary, seeds=study.planned if study.looks else study.seeds)
    found = [one for one in prospects(whole, contrasts) if one.measurable]
    seeds = count(whole.seeds, "seed")
    if not found:
        return Entry("Power", "None of the primary findings is measured here, see the limits above.")
    if not math.isfinite(found[0].detectable):
        return Entry("Power", f"With {seeds} no effect is large enough to be found, see the limits above.")
    return Entry(
        "Power",
        f"With {seeds}{_pilots(found)}, {percent(POWER, 0)} of such studies would find {_smallest(found)}, "
        f"or a larger one. To find is to come to an adjusted p below {ALPHA} as the smallest p of the family"
        f"{_looks(study)}. Smaller effects are often missed: that none is found does not mean that there is "
        "none.",
    )


def _pilots(found: Sequence[Prospect]) -> str:
    pairs = sorted({one.pilots for one in found if one.spread > 0})
    return f", and differences that spread as in the {listed(map(str, pairs))} pairs here" if pairs else ""


def _smallest(found: Sequence[Prospect]) -> str:
    """What is found: in the units of the endpoints, or in standard deviations where no spread is known."""
    known = [one for one in found if one.smallest is not None]
    if not known:
        return f"an effect of {number(found[0].detectable)} standard deviations of the differences by seed"
    several = len({one.variant for one in known}) > 1
    return f"an effect of {listed(_in_unit(one, several=several) for one in known)}"


def _in_unit(one: Prospect, *, several: bool) -> str:
    who = f", {one.variant}" if several else ""
    return f"{effect(one.smallest, unit_in(one))} ({endpoint_of(one.finding).label}{who})"


def _looks(study: Study) -> str:
    return ", at the last look and by what the earlier ones leave of the error rate" if study.looks else ""
