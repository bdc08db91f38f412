"""Computation: what a number of paired seeds can show at all, before any run."""

from __future__ import annotations

from harness.design.finding import PRIMARY
from harness.design.study import Study
from harness.errors import InputError

ALPHA = 0.05


def smallest_p(seeds: int) -> float:
    """The smallest two-sided p that an exact sign-flip test on so many pairs can give: 2 / 2ⁿ."""
    return min(1.0, 2.0 ** (1 - seeds))


def seeds_needed(tests: int, *, alpha: float = ALPHA) -> int:
    """The fewest seeds at which the smallest of so many p-values can pass Holm's correction at an α."""
    seeds = 1
    while smallest_p(seeds) * tests >= alpha:
        seeds += 1
    return seeds


def family_size(study: Study, *, family: str = PRIMARY) -> int:
    """How many tests Holm's correction spans: a family's findings, for each variant beside the baseline."""
    findings = sum(finding.family == family for finding in study.findings)
    return findings * (len(study.variants) - 1)


def check_seeds(study: Study, *, exploratory: bool = False) -> str | None:
    """A warning where only the correction is out of reach, None where all is well.

    Args:
        study: the declaration.
        exploratory: whether the user knows that no claim can be decided; he is warned then.

    Raises:
        InputError: no p below 0.05 is possible with so few seeds.
    """
    fewest = seeds_needed(1)
    if study.seeds < fewest and not exploratory:
        raise InputError(
            f"study {study.name!r} has {study.seeds} seeds",
            rule=f"with {study.seeds} paired seeds an exact test gives no p below "
            f"{smallest_p(study.seeds):.3g}; p < {ALPHA} needs {fewest} seeds",
            remedy=f"use {fewest} seeds or more; {seeds_needed(family_size(study))} to pass the "
            f"correction for {family_size(study)} findings; --exploratory goes on without a test",
        )
    tests = family_size(study)
    if study.seeds < seeds_needed(tests):
        return (
            f"{study.seeds} seeds: the smallest p after Holm's correction for {tests} findings is "
            f"{min(1.0, smallest_p(study.seeds) * tests):.2g}; {seeds_needed(tests)} seeds would pass {ALPHA}"
        )
    return None
