"""Computation: how a finding on a change over a factor is measured, in plain words."""

from __future__ import annotations

from harness.design.change import SLOPES, Change, change_of
from harness.design.study import Study
from harness.report.entries import Entry
from harness.report.words import Unit, listed


def describe_changes(study: Study) -> list[Entry]:
    """One entry where a finding asks how the effect changes over a factor, else none."""
    numbers = numbers_in_words(study)
    if not numbers:
        return []
    return [
        Entry(
            "Changes over a factor",
            f"{numbers} The variant's number minus the baseline's is the one that is tested, seed by seed: "
            "zero where the effect is the same at every level. A seed counts where both variants have a "
            "value in every combination with these levels. The test takes for granted that, were there no "
            "change, a seed's number would lie as often above zero as below, and as far: pairing alone "
            "promises that only where the variant makes no difference at all.",
        )
    ]


def numbers_in_words(study: Study) -> str:
    """What the one number of a variant and seed is, where a finding asks for a change; else empty."""
    asked: dict[Change, list[str]] = {}
    for finding in study.findings:
        change = change_of(finding, study.factors)
        if change:
            asked.setdefault(change, []).append(finding.name)
    if not asked:
        return ""
    ratios = (
        " Where errors are compared, this is done with their logarithms, so that the change of a ratio is a "
        "ratio."
        if any(finding.over and finding.endpoint == "log_error" for finding in study.findings)
        else ""
    )
    told = " ".join(f"{listed(names)}: {_number(change)}." for change, names in asked.items())
    return (
        "Some findings ask whether the effect is another at another level of a factor. Of each variant and "
        "seed the mean over all combinations with the same level is taken, and made one number. "
        f"{told}{ratios}"
    )


def compare_changes(unit: Unit, *, baseline: str) -> str:
    """How a variant's change is compared with the baseline's, as a sentence."""
    if unit.logarithmic:
        return (
            f"Ratio: the variant's change by that of {baseline}, 1 where the effect stays the same; means "
            "are geometric."
        )
    return f"Difference: the variant's change minus that of {baseline}, 0 where the effect stays the same."


def held_in_words(change: Change | None) -> str:
    """Why a change is not measured; empty where it is, and where nothing asks for one."""
    if change is None or change.measurable:
        return ""
    return f"{change.factor} is held at one level here: how the effect changes over it can't be told"


def _number(change: Change) -> str:
    """The slope, or the last mean minus the first."""
    if not change.measurable:
        return f"not measured, for {change.factor} is held at one level"
    levels = listed(map(str, change.levels))
    if change.measure in SLOPES:
        return (
            f"the slope of a straight line through the means at {change.factor} {levels}, by least squares "
            f"over the logarithm of {change.factor}, {change.measure}"
        )
    first, last = change.levels
    return f"the mean at {change.factor} {last} minus that at {first}"
