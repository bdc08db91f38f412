"""Computation: what a calibration found, in plain words."""

from __future__ import annotations

from harness.design.resolution import ALPHA
from harness.findings.calibration import TWINS, Calibration
from harness.findings.relabelling import Relabelled
from harness.report.words import count, listed, number, p_value, percent


def describe_calibration(found: Calibration, *, baseline: str) -> list[str]:
    """A sentence or two for the A/A, and one for each kind of relabelled pairs."""
    return [_twins(found, baseline), *(_relabelled(whose, one) for whose, one in found.relabelled.items())]


def _twins(found: Calibration, baseline: str) -> str:
    adjusted = listed(f"{name} {p_value(p)}" for name, p in found.p_adjusted.items())
    claimed = f" ({listed(found.claims)})" if found.claims else ""
    return (
        f"A/A: {baseline} against itself under a second family of seeds, {count(found.seeds, 'pair')}. "
        f"{len(found.claims)} of {count(len(found.p_adjusted), 'primary claim')} made{claimed}; "
        f"{percent(ALPHA, 0)} of such comparisons may make one or more. Adjusted p: {adjusted}."
    )


def _relabelled(whose: str, one: Relabelled) -> str:
    pairs = "these pairs" if whose == TWINS else "this study's own pairs"
    low, high = (number(100 * limit, 1) for limit in (one.rate.low, one.rate.high))
    return (
        f"With labels exchanged at random within {pairs}, {one.repeats:,} times, a primary claim was made in "
        f"{percent(one.rate.estimate, 1)} (99\N{NO-BREAK SPACE}% interval {low} to {high}); "
        f"{percent(ALPHA, 0)} are promised at most."
    )
