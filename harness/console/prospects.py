"""Computation: what a study can show of its findings, as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from harness.findings.prospects import POWER, Prospect
from harness.report.words import effect, number, unit_in
from harness.stats.power import MOST_PAIRS


def prospects_table(prospects: Sequence[Prospect]) -> Table:
    """A row for each finding and variant; columns that nothing fills are left out."""
    piloted = any(math.isfinite(one.spread) for one in prospects)
    margins = any(one.finding.margin for one in prospects)
    several = len({one.variant for one in prospects}) > 1
    columns = {
        "finding": [escape(one.finding.name) for one in prospects],
        "family": [escape(one.finding.family) for one in prospects],
        **({"variant": [escape(one.variant) for one in prospects]} if several else {}),
        "pairs": [f"{one.pairs}" for one in prospects],
        "smallest p": [f"{one.smallest_p:.2g}" for one in prospects],
        f"detects ({POWER:.0%} power)": [_detects(one) for one in prospects],
        **({"in its unit": [effect(one.smallest, unit_in(one)) for one in prospects]} if piloted else {}),
        **({"seeds for the margin": [_for_margin(one) for one in prospects]} if margins else {}),
    }
    numbers = ("pairs", "smallest p", "seeds for the margin")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def explain_prospects(prospects: Sequence[Prospect]) -> list[str]:
    """What the table's numbers mean, for those that it shows."""
    lines = [
        "p and effect: after Holm's correction in the family. dz: mean difference in standard deviations "
        "of the paired differences, by the sign-flip test."
    ]
    pilots = sorted({one.pilots for one in prospects if math.isfinite(one.spread)})
    if pilots:
        counts = " or ".join(map(str, pilots))
        lines.append(f"In its unit: with the spread of the {counts} pairs so far.")
    elif any(one.finding.margin for one in prospects):
        lines.append("The seeds for a margin are told once three pairs show how far the differences spread.")
    return lines


def _detects(one: Prospect) -> str:
    if not one.measurable:
        return f"not measured: {one.finding.over} at one level"
    return f"dz = {one.detectable:.2f}" if math.isfinite(one.detectable) else "no effect is large enough"


def _for_margin(one: Prospect) -> str:
    if one.seeds_for_margin is None:
        return ""
    return (
        f"over {number(MOST_PAIRS, 0)}" if one.seeds_for_margin >= MOST_PAIRS else f"{one.seeds_for_margin}"
    )
