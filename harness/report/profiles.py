"""Computation: performance profiles over the grid -> the picture, the table, the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from harness.findings.frames import StudyFrames
from harness.findings.profiles import NEAR, RESAMPLES, Profiles, Sturdiness
from harness.report.axes import log_ticks
from harness.report.best import in_words
from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.report.words import ACCURACY, INTERVAL, count, level, listed
from harness.stats.intervals import BOOTSTRAP_FROM

SOURCE = (
    "Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice, after Dolan "
    "and Moré 2002, Benchmarking Optimization Software with Performance Profiles"
)

EXPLANATION = (
    "The curve of a variant shows what part of all its runs, over every combination of levels and every "
    "seed, has a test accuracy above that on the axis. A curve that stays high far to the right belongs to a "
    "variant that is good without a careful choice of levels; where two curves cross, one is better with "
    "good levels and the other with poor ones."
)


@dataclass(frozen=True)
class ProfileRow:
    """How a variant bears a change of levels, as it is shown; `near` for each distance of `NEAR`."""

    variant: str
    mean: str
    best: str
    best_levels: str
    worst: str
    worst_levels: str
    near: tuple[str, ...]


@dataclass(frozen=True)
class ProfileSection:
    """The part "Profiles over the grid".

    Attributes:
        picture: the curves.
        reading: in how many combinations each variant is near its best.
        explanation: what the curves are.
        source: of the measure.
        distances: the heads of the columns of what is near.
        rows: of the table.
    """

    picture: Picture
    reading: str
    explanation: str
    source: str
    distances: tuple[str, ...]
    rows: list[ProfileRow]


def describe_profiles(
    found: Profiles | None, *, frames: StudyFrames, palette: Palette
) -> ProfileSection | None:
    """The part, None where there are no profiles.

    Args:
        found: of `profiles`.
        frames: for the levels of each combination.
        palette: of the report.
    """
    if found is None:
        return None
    return ProfileSection(
        picture=_picture(found, palette),
        reading=_reading(found.sturdiness),
        explanation=EXPLANATION,
        source=SOURCE,
        distances=tuple(f"Within {_points(distance)} of it" for distance in NEAR),
        rows=[_row(one, frames) for one in found.sturdiness],
    )


def _points(distance: float) -> str:
    return count(round(distance * ACCURACY.scale), "point")


def _reading(found: Sequence[Sturdiness]) -> str:
    parts = [f"{one.variant} in {one.near[0]:,} of {one.cells:,}" for one in found]
    return (
        f"Within {_points(NEAR[0])} of its own best mean is {listed(parts)} combinations of levels. The area "
        f"under a curve is the mean test accuracy of all runs: "
        f"{listed(f'{one.variant} {level(one.mean, ACCURACY)}' for one in found)}."
    )


def _row(one: Sturdiness, frames: StudyFrames) -> ProfileRow:
    return ProfileRow(
        variant=one.variant,
        mean=level(one.mean, ACCURACY),
        best=level(one.best, ACCURACY),
        best_levels=in_words(frames, one.best_cell),
        worst=level(one.worst, ACCURACY),
        worst_levels=in_words(frames, one.worst_cell),
        near=tuple(f"{amount:,} of {one.cells:,}" for amount in one.near),
    )


def _picture(found: Profiles, palette: Palette) -> Picture:
    names = list(dict.fromkeys(found.curves["variant"]))
    halves = [f"of {name} above {level(_half(found.curves, name), ACCURACY)}" for name in names]
    panel = Panel(
        "profiles",
        title=f"Share of all runs above each test accuracy. Half of the runs lie, {listed(halves)}.",
        paint=lambda axes: _paint(axes, found, palette),
        palette=palette,
        height=290,
    )
    data = found.curves[["variant", "accuracy", "share", "low", "high"]]
    return Picture("profiles", (panel,), _caption(found), data, legend=tuple(names))


def _half(curves: pd.DataFrame, variant: str) -> float:
    """The highest accuracy that half of the runs lie above; the lowest that is told where fewer do."""
    mine = curves[curves["variant"] == variant]
    return float(mine.loc[mine["share"] >= 0.5, "accuracy"].max())


def _caption(found: Profiles) -> str:
    text = (
        f"The share of runs whose test accuracy at the last epoch lies above a value, "
        f"{count(found.runs, 'run')} of each variant; diverged runs count as chance."
    )
    if found.logarithmic:
        text += " Towards the right, equal distances divide the errors by equal numbers."
    if found.seeds > 1:
        text += f" Shaded: {INTERVAL}s at each value by itself, seeds drawn anew {RESAMPLES:,} times."
    if 1 < found.seeds < BOOTSTRAP_FROM:
        text += f" With {found.seeds} seeds they hold less often than they say."
    if found.left_out:
        text += (
            f" Left out: {count(found.left_out, 'pair')} of a combination and a seed without an outcome of "
            "every variant."
        )
    return text


def _paint(axes: Axes, found: Profiles, palette: Palette) -> None:
    for name, curve in found.curves.groupby("variant", sort=False):
        colour = palette.light(str(name))
        # Errors on an axis that is turned round: accuracies close to 100 % lie apart.
        x = 1 - curve["accuracy"] if found.logarithmic else curve["accuracy"] * ACCURACY.scale
        if found.seeds > 1:
            low, high = curve["low"] * 100, curve["high"] * 100
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            x,
            curve["share"] * 100,
            color=colour,
            linewidth=2.2,
            linestyle=palette.dash(str(name)),
            zorder=3 if name == palette.baseline else 2,
        )
    axes.set(ylim=(0, 102), title="Share of runs above the accuracy, %")
    axes.set_xlabel("test accuracy, %", loc="right")
    if found.logarithmic:
        _label_errors(axes, found.curves["accuracy"])


def _label_errors(axes: Axes, accuracies: pd.Series) -> None:
    """An axis of errors, labelled with the accuracies that they leave."""
    most, least = 1 - float(accuracies.min()), 1 - float(accuracies.max())
    axes.set(xscale="log", xlim=(most, least))
    ticks = [tick for tick in log_ticks(least, most) if tick < 1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{100 - 100 * tick:.6g}" for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
