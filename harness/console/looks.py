"""Computation: declared looks, and what each has found, as lines and a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from harness.design.resolution import ALPHA
from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.report.words import count, effect, p_statement, unit_in
from harness.stats.sequential import Look


def looks_table(looks: Sequence[Look]) -> Table:
    """What each look can do for one primary claim."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("look at", "may have spent", "rarest pattern"):
        table.add_column(column, justify="right")
    for look in looks:
        table.add_row(f"{look.pairs} seeds", f"{look.spent:.2g}", f"{2.0 ** (1 - look.pairs):.2g}")
    return table


def explain_looks(study: Study, *, tests: int) -> str:
    """What the table's numbers mean."""
    return (
        f"May have spent: of α = {ALPHA} / {tests}, for one primary claim, by that look ({study.spending}). "
        f"`harness run {escape(study.name)} --until-decided` adds seeds look by look."
    )


def look_lines(seeds: int, study: Study, contrasts: Sequence[Contrast]) -> list[str]:
    """What a look found of each primary claim, and how it goes on."""
    several = len(study.variants) > 2
    lines = [f"look {study.looks.index(seeds) + 1} of {len(study.looks)}, {count(seeds, 'seed')}:"]
    lines += [f"  {_line(contrast, several=several)}" for contrast in contrasts]
    open_ones = sum(contrast.verdict in ("undecided", "not measured") for contrast in contrasts)
    later = [look for look in study.looks if seeds < look <= study.seeds]
    if not open_ones:
        lines.append(
            f"every primary claim is decided: {study.planned - seeds} of the planned seeds are saved"
        )
    elif later:
        lines.append(f"{count(open_ones, 'claim')} undecided: on to {later[0]} seeds")
    else:
        lines.append(f"{count(open_ones, 'claim')} undecided after the last look")
    return lines


def _line(contrast: Contrast, *, several: bool) -> str:
    name = f"{contrast.finding.name}, {contrast.variant}" if several else contrast.finding.name
    if contrast.test is None or contrast.interval is None:
        return f"{name}: {contrast.verdict}"
    size = effect(contrast.interval, unit_in(contrast))
    told = f", {p_statement(contrast.p_adjusted, name='adjusted p')}" if contrast.p_adjusted < ALPHA else ""
    return f"{name}: {contrast.verdict} ({size}{told}, {count(contrast.test.n, 'pair')})"
