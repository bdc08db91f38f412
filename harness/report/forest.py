"""Computation: the effect on accuracy by level and by combination, as rows and as a forest."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.design.study import Study
from harness.report.palette import PAPER, TEXT, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import ACCURACY, INTERVAL, count, effect, level, limits, p_value, percent
from harness.stats.results import Interval

Record = Mapping[Hashable, Any]
"""A row of `effect_by_level` or `effect_by_cell`."""


@dataclass(frozen=True)
class LevelRow:
    """One line of the factor table, as it is shown."""

    factor: str
    level: str
    variant: str
    baseline_mean: str
    variant_mean: str
    difference: str
    limits: str
    p: str
    p_adjusted: str
    n: int
    diverged: str


def level_rows(effects: pd.DataFrame) -> list[LevelRow]:
    """The table of `effect_by_level` in words and digits; empty for a study without factors."""
    return [_row(record) for record in effects.to_dict("records")]


@dataclass(frozen=True)
class CellRow:
    """One line of the table of combinations, as it is shown; `levels` in the order of the factors."""

    levels: tuple[str, ...]
    variant: str
    difference: str
    limits: str
    p: str
    p_adjusted: str
    n: int


def cell_rows(effects: pd.DataFrame, *, cells: Sequence[Mapping[str, object]]) -> list[CellRow]:
    """The table of `effect_by_cell` in words and digits; empty for a study of one combination."""
    return [
        CellRow(
            levels=tuple(str(level) for level in cells[record["cell"]].values()),
            variant=record["variant"],
            difference=effect(_interval(record), ACCURACY, named=False),
            limits=limits(_interval(record), ACCURACY),
            p=p_value(record["p"]),
            p_adjusted=p_value(record["p_adjusted"]),
            n=record["n"],
        )
        for record in effects.to_dict("records")
        if len(cells) > 1
    ]


def _row(record: Record) -> LevelRow:
    found = _interval(record)
    return LevelRow(
        factor=record["factor"],
        level=record["level"],
        variant=record["variant"],
        baseline_mean=level(record["baseline_mean"], ACCURACY),
        variant_mean=level(record["variant_mean"], ACCURACY),
        difference=effect(found, ACCURACY, named=False),
        limits=limits(found, ACCURACY),
        p=p_value(record["p"]),
        p_adjusted=p_value(record["p_adjusted"]),
        n=record["n"],
        diverged=f"{percent(record['diverged_baseline'], 0)} / {percent(record['diverged_variant'], 0)}",
    )


def _interval(record: Record) -> Interval | None:
    if not math.isfinite(record["difference"]):
        return None
    return Interval(record["difference"], record["low"], record["high"], 0.95, record["n"])


def forest_picture(effects: pd.DataFrame, *, study: Study, palette: Palette) -> Picture | None:
    """A panel for each factor, all on one scale; None without a factor or without an effect."""
    shown = effects[effects["difference"].notna()] if len(effects) else effects
    if not len(shown):
        return None
    low = min(0.0, float(shown[["low", "difference"]].min().min()) * ACCURACY.scale)
    high = max(0.0, float(shown[["high", "difference"]].max().max()) * ACCURACY.scale)
    margin = (high - low) * 0.06 or 1.0
    layout = _Layout(
        span=(low - margin, high + margin),
        left=min(150, 30 + 7 * max(len(text) for text in shown["level"])),
    )
    panels = [
        _panel(shown[shown["factor"] == factor.name], number, factor.name, layout, palette)
        for number, factor in enumerate(study.factors)
        if (shown["factor"] == factor.name).any()
    ]
    caption = (
        "Difference in test accuracy at the last epoch, variant minus "
        f"{study.baseline}, at each level of each factor: mean over seeds with {INTERVAL}. Each is an "
        "average over the levels of the other factors."
    )
    legend = tuple(name for name in palette.variants if (shown["variant"] == name).any())
    data = shown[["factor", "level", "variant", "difference", "low", "high", "p", "p_adjusted", "n"]]
    return Picture("forest", tuple(panels), caption, data, legend=legend)


@dataclass(frozen=True)
class _Layout:
    """What all panels of the forest have in common: limits of the effect, margin for the levels."""

    span: tuple[float, float]
    left: int


def _panel(rows: pd.DataFrame, number: int, factor: str, layout: _Layout, palette: Palette) -> Panel:
    parts = [
        f"at {row['level']} {effect(_interval(row), ACCURACY)} ({row['variant']}, {count(row['n'], 'pair')})"
        for row in rows.to_dict("records")
    ]
    return Panel(
        f"forest-{number}",
        title=f"Effect on test accuracy by {factor}: {'; '.join(parts)}.",
        paint=lambda axes: _paint(axes, rows, factor, layout.span, palette),
        palette=palette,
        height=90 + 24 * max(2, len(rows)),
        left=layout.left,
    )


def _paint(axes: Axes, rows: pd.DataFrame, factor: str, span: tuple[float, float], palette: Palette) -> None:
    levels = list(dict.fromkeys(rows["level"]))
    variants = [name for name in palette.variants if (rows["variant"] == name).any()]
    step = min(0.22, 0.8 / len(variants))
    for i, name in enumerate(variants):
        here, colour = rows[rows["variant"] == name], palette.light(name)
        heights = np.array([levels.index(text) for text in here["level"]]) + step * (
            i - (len(variants) - 1) / 2
        )
        low, high = (here[side].fillna(here["difference"]) * ACCURACY.scale for side in ("low", "high"))
        middle = here["difference"] * ACCURACY.scale
        axes.hlines(heights, low, high, color=colour, linewidth=2.4)
        axes.scatter(middle, heights, s=42, marker="D", color=colour, edgecolors=PAPER.light, zorder=3)
    axes.axvline(0, color=TEXT.light, linewidth=0.9)
    axes.set(xlim=span, ylim=(len(levels) - 0.5, -0.5))
    axes.set_yticks(range(len(levels)), levels)
    axes.set_title(f"By {factor}")
    axes.set_xlabel("percentage points", loc="right")
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
