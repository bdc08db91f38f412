"""Computation: lines over epochs: means over seeds with their interval, and each seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from harness.report.axes import log_axis
from harness.report.palette import Palette

MOST_LINES = 60
"""Seeds that have a line of their own: more run into one another, and fill a file."""


def drawn_seeds(seeds: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first MOST_LINES seeds, those that have a line of their own.

    Args:
        seeds: with a column seed.
    """
    numbers = seeds["seed"].unique()
    return seeds[seeds["seed"] <= np.sort(numbers)[MOST_LINES - 1]] if len(numbers) > MOST_LINES else seeds


def single_seeds(seeds: int, *, marks: str = "Thin lines") -> str:
    """What the marks of single seeds are, as a sentence, of so many seeds."""
    return f"{marks}: {f'the first {MOST_LINES} seeds' if seeds > MOST_LINES else 'single seeds'}."


def paint_lines(
    axes: Axes,
    seeds: pd.DataFrame,
    means: pd.DataFrame,
    *,
    names: Sequence[str],
    palette: Palette,
    marker: str = "",
) -> None:
    """Draw a thick line a variant, its interval shaded as far as the axis goes, and a thin line a seed.

    Args:
        axes: with the limits of its heights.
        seeds: columns variant, seed, epoch, value.
        means: columns variant, epoch, mean, low, high; the limits NaN where there is one seed.
        names: of the variants; the baseline's line is dashed.
        palette: of the report.
        marker: of the means, as matplotlib names it; none unless given.
    """
    low, high = axes.get_ylim()
    colours = {name: palette.light(name) for name in names}
    sns.lineplot(
        seeds, x="epoch", y="value", hue="variant", palette=colours, units="seed", estimator=None,
        linewidth=0.6, alpha=0.3, legend=False, ax=axes,
    )  # fmt: skip
    for name, colour in colours.items():
        line = means[means["variant"] == name].sort_values("epoch")
        middle = line["mean"]
        below, above = (line[side].fillna(middle).clip(low, high) for side in ("low", "high"))
        axes.fill_between(line["epoch"], below, above, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            line["epoch"],
            middle,
            color=colour,
            linewidth=2.2,
            linestyle=palette.dash(name),
            marker=marker,
            ms=4,
        )
    axes.set_ylim(low, high)


def set_heights(axes: Axes, values: pd.Series, *, logarithmic: bool) -> None:
    """Limits that hold all values, on a logarithmic axis where that is wanted and all are above zero."""
    low, high = float(values.min()), float(values.max())
    if logarithmic and low > 0:
        log_axis(axes, low * 0.85, high * 1.15)
    else:
        margin = (high - low) * 0.05 or 1.0
        axes.set_ylim(low - margin, high + margin)
