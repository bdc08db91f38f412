"""Computation: how good each variant gets with how much tuning -> the picture and the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.design.study import Study
from harness.findings.budgets import Budgets
from harness.report.axes import log_axis
from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.report.words import NOTHING, count, listed, number, percent

LARGE = 40
"""From this many proposals on the axis is logarithmic: most happens early."""

EXPECTED, FOUND = "expected", "found"
HEADINGS = {EXPECTED: "Expected best of a random search", FOUND: "Best found so far in this search"}


@dataclass(frozen=True)
class BudgetRow:
    """One line of the table, as it is shown.

    Attributes:
        variant: its name.
        measure: expected best, the middle half, or best found.
        values: at each budget of the table.
    """

    variant: str
    measure: str
    values: tuple[str, ...]


def table_budgets(budgets: Budgets) -> tuple[int, ...]:
    """The budgets that the table shows: powers of two, the last of a random search, and the whole one."""
    whole = int(budgets.by_budget["budget"].max())
    powers = {2**i for i in range(whole.bit_length()) if 2**i <= whole}
    return tuple(sorted(powers | {whole} | ({budgets.drawn} - {0})))


def budget_rows(budgets: Budgets, *, metric: str) -> list[BudgetRow]:
    """The table: what to expect of a random search and what was found, at budgets that double."""
    rows = []
    for name, course in budgets.by_budget.groupby("variant", sort=False):
        shown = course.set_index("budget").loc[list(table_budgets(budgets))]
        best, found = (_values(shown[measure], metric=metric) for measure in (EXPECTED, FOUND))
        if budgets.drawn:
            rows.append(BudgetRow(str(name), "expected best", best))
            rows.append(BudgetRow(str(name), "middle half", _halves(shown, metric=metric)))
        rows.append(BudgetRow(str(name), "best found", found))
    return rows


def budget_picture(budgets: Budgets, *, study: Study, metric: str, palette: Palette) -> Picture:
    """What a random search can expect, where that is known, beside the best found as this search went on."""
    measures = [EXPECTED, FOUND] if budgets.drawn else [FOUND]
    panels = [_panel(budgets, measure, metric=metric, palette=palette) for measure in measures]
    cells = study.size // (study.seeds * len(study.variants))
    caption = f"{metric.capitalize()} on the validation images against the number of proposals."
    if budgets.drawn:
        caption += (
            f" {HEADINGS[EXPECTED]}: the mean over all such searches; half of them end in the shaded band. "
            f"Both are taken from the first {budgets.drawn} proposals, and say nothing of more."
        )
    caption += f" {HEADINGS[FOUND]}: the course that it took, once."
    if cells > 1:
        caption += f" All are means over the {cells} combinations of factor levels, each searched by itself."
    legend = tuple(v.name for v in study.variants)
    return Picture("budgets", tuple(panels), caption, budgets.by_budget, legend=legend)


def value_of(value: float, *, metric: str) -> str:
    """A validation accuracy or loss as it is shown."""
    if not np.isfinite(value):
        return NOTHING
    return percent(value) if metric == "accuracy" else number(value, 3)


def _values(column: pd.Series, *, metric: str) -> tuple[str, ...]:
    return tuple(value_of(value, metric=metric) for value in column)


def _halves(shown: pd.DataFrame, *, metric: str) -> tuple[str, ...]:
    """Both ends of the band; the unit stands once."""
    lows, highs = (_values(shown[side], metric=metric) for side in ("low", "high"))
    numbers = [low.removesuffix("\N{NO-BREAK SPACE}%") for low in lows]
    return tuple(
        NOTHING if high == NOTHING else f"{low} to {high}" for low, high in zip(numbers, highs, strict=True)
    )


def _panel(budgets: Budgets, measure: str, *, metric: str, palette: Palette) -> Panel:
    rows = budgets.by_budget[budgets.by_budget[measure].notna()]
    parts = [
        f"{name} {value_of(course[measure].iloc[-1], metric=metric)}"
        f" after {count(int(course['budget'].iloc[-1]), 'proposal')}"
        for name, course in rows.groupby("variant", sort=False)
    ]
    return Panel(
        f"budgets-{measure}",
        title=f"{HEADINGS[measure]}, by number of proposals: {listed(parts)}.",
        paint=lambda axes: _paint(axes, rows, measure, metric, palette),
        palette=palette,
        height=240,
    )


def _paint(axes: Axes, rows: pd.DataFrame, measure: str, metric: str, palette: Palette) -> None:
    scale = 100 if metric == "accuracy" else 1
    for name, course in rows.groupby("variant", sort=False):
        colour, budget = palette.light(str(name)), course["budget"]
        if measure == EXPECTED:
            low, high = course["low"] * scale, course["high"] * scale
            axes.fill_between(budget, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            budget,
            course[measure] * scale,
            color=colour,
            linewidth=2.2,
            linestyle=palette.dash(str(name)),
            # Dashes are seen on an equal line, and not below it.
            zorder=3 if name == palette.baseline else 2,
            drawstyle="default" if measure == EXPECTED else "steps-post",
        )
    axes.set_title(f"{HEADINGS[measure]}{', %' if scale == 100 else ''}")
    axes.set_xlabel("proposals", loc="right")
    last = int(rows["budget"].max())
    if last >= LARGE:
        log_axis(axes, 1, last, which="x")
    else:
        step = next(step for step in (1, 2, 5, 10) if last <= 6 * step)
        axes.set_xlim(1, max(2, last))
        axes.set_xticks(sorted({1, *range(step, last + 1, step)}))
