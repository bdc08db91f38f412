"""Computation: the section on diverged runs, in words and digits."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.design.resolution import ALPHA
from harness.findings.contrasts import Contrast
from harness.findings.divergence import Divergence
from harness.findings.frames import StudyFrames
from harness.report.words import NOTHING, listed, p_statement, p_value
from harness.stats.results import TestResult

OF_ACCURACY = ("log_error", "accuracy")
"""Endpoints in which a diverged run counts as chance."""


@dataclass(frozen=True)
class DivergenceRow:
    """A variant against the baseline, as it is shown."""

    variant: str
    diverged: str
    baseline_diverged: str
    only_variant: int
    only_baseline: int
    both: int
    pairs: int
    p: str
    p_adjusted: str
    seeds: int


@dataclass(frozen=True)
class CellCounts:
    """A combination of levels in which a run diverged; `levels` in the order of the factors.

    Attributes:
        levels: of the factors.
        counts: diverged runs of those with an outcome, by variant in declared order.
    """

    levels: tuple[str, ...]
    counts: tuple[str, ...]


@dataclass(frozen=True)
class Diverged:
    """The section on diverged runs.

    Attributes:
        rows: a variant each.
        method: how p was made, with the unit, as a sentence.
        sensitivity: what the effect on accuracy owes to how diverged runs count; may be empty.
        cells: combinations in which a run diverged; empty for a study of one combination.
    """

    rows: list[DivergenceRow]
    method: str
    sensitivity: str
    cells: list[CellCounts]


def describe_divergence(
    found: list[Divergence], *, by_cell: pd.DataFrame, contrasts: list[Contrast], frames: StudyFrames
) -> Diverged | None:
    """The section, None where no run diverged.

    Args:
        found: of `divergence`.
        by_cell: of `diverged_by_cell`.
        contrasts: of `compare`; the p of those of accuracy is set beside that of the ranks.
        frames: for the names of variants and levels.
    """
    if not found:
        return None
    several = len(frames.cells) > 1
    return Diverged(
        rows=[_row(one) for one in found],
        method=_method(found, several=several),
        sensitivity=_sensitivity(found, contrasts, several=several),
        cells=_cells(by_cell, frames) if several else [],
    )


def _cells(by_cell: pd.DataFrame, frames: StudyFrames) -> list[CellCounts]:
    counts = {
        (record["cell"], record["variant"]): _of(record["diverged"], record["runs"])
        for record in by_cell.to_dict("records")
    }
    return [
        CellCounts(
            levels=tuple(str(level) for level in frames.cells[cell].values()),
            counts=tuple(counts.get((cell, variant.name), NOTHING) for variant in frames.study.variants),
        )
        for cell in sorted(set(by_cell["cell"]))
    ]


def _row(one: Divergence) -> DivergenceRow:
    return DivergenceRow(
        variant=one.variant,
        diverged=_of(one.diverged, one.runs),
        baseline_diverged=_of(one.baseline_diverged, one.baseline_runs),
        only_variant=one.only_variant,
        only_baseline=one.only_baseline,
        both=one.both,
        pairs=one.pairs,
        p=p_value(one.test.p) if one.test else NOTHING,
        p_adjusted=p_value(one.p_adjusted),
        seeds=one.seeds,
    )


def _of(diverged: int, runs: int) -> str:
    return f"{diverged:,} of {runs:,}"


def _method(found: list[Divergence], *, several: bool) -> str:
    methods = listed(dict.fromkeys(one.test.method for one in found if one.test))
    if not methods:
        return "No seed has an outcome in every combination of both, so nothing is tested."
    unit = (
        "one number a seed, the share of its combinations that diverged, for these are not independent"
        if several
        else "a seed is one pair, and pairs in which both or neither diverged say nothing"
    )
    return f"Test: {methods}; {unit}."


def _sensitivity(found: list[Divergence], contrasts: list[Contrast], *, several: bool) -> str:
    """Each variant by ranks, diverged runs as chance and as worst, beside its findings on accuracy."""
    lines, moved = [], []
    for one in found:
        if one.chance_rank is None or one.worst_rank is None:
            continue
        lines.append(
            f"{one.variant} has {_statement(one.chance_rank, one)} with diverged runs as chance, and "
            f"{_statement(one.worst_rank, one)} with them below all others{_declared(one, contrasts)}"
        )
        if _conclusion(one.chance_rank) != _conclusion(one.worst_rank):
            moved.append(one.variant)
    if not lines:
        return ""
    verdict = (
        f"For {listed(moved)} the answer on accuracy depends on how diverged runs count."
        if moved
        else "How diverged runs count does not change the answer on accuracy."
    )
    return (
        "Where this report compares test accuracy, a diverged run counts as chance. By ranks of test accuracy"
        f"{' within each combination, averaged by seed' if several else ''} (sign-flip, before correction), "
        f"{'; '.join(lines)}. {verdict}"
    )


def _declared(one: Divergence, contrasts: list[Contrast]) -> str:
    parts = [
        f"the finding {contrast.finding.name} itself has {p_statement(contrast.test.p)}"
        for contrast in contrasts
        if contrast.variant == one.variant
        and contrast.finding.endpoint in OF_ACCURACY
        and contrast.change is None
        and contrast.test
    ]
    return f" ({listed(parts)})" if parts else ""


def _statement(test: TestResult, one: Divergence) -> str:
    """p, and who is ahead: p = 0.016 (plain ahead)."""
    ahead = one.variant if test.statistic > 0 else one.baseline
    return p_statement(test.p) + (f" ({ahead} ahead)" if test.statistic else " (level)")


def _conclusion(test: TestResult) -> int:
    """1 where the variant is better at the level of one test, −1 where it is worse, else 0."""
    return 0 if test.p >= ALPHA else 1 if test.statistic > 0 else -1
