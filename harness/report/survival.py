"""Computation: the share of runs that have not reached the threshold, over epochs, by variant."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.findings.survival import Survival
from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.report.words import INTERVAL, count, listed, number, p_statement, percent, sentence, signed

HEIGHT = 250


def survival_picture(found: list[Survival], *, name: str, palette: Palette) -> Picture | None:
    """A step line a variant, with its band and a mark where runs were censored; None without variants.

    Args:
        found: of `survival`.
        name: of the finding.
        palette: of the report.
    """
    if not found:
        return None
    panel = Panel(
        f"survival-{name}",
        title=_title(found),
        paint=lambda axes: _paint(axes, found, palette),
        palette=palette,
        height=HEIGHT,
    )
    legend = tuple(one.variant for one in found)
    return Picture(f"survival-{name}", (panel,), _caption(found), _data(found), legend=legend)


def _data(found: list[Survival]) -> pd.DataFrame:
    """A row a step: from that epoch on, this share has not reached the threshold."""
    steps = [
        pd.DataFrame(
            {
                "variant": one.variant,
                "epoch": one.curve.times,
                "share": one.curve.survival,
                "low": one.low,
                "high": one.high,
            }
        )
        for one in found
    ]
    return pd.concat(steps, ignore_index=True)


def survival_note(found: list[Survival], *, baseline: str) -> str:
    """The restricted means, their differences and the log-rank tests in a few sentences; may be empty."""
    base = next((one for one in found if one.variant == baseline), None)
    others = [one for one in found if one.variant != baseline]
    if base is None or not others:
        return ""
    means = listed(
        [
            f"{number(base.restricted_mean)} with {baseline}",
            *(
                f"{number(one.restricted_mean)} with {one.variant} "
                f"({signed(one.restricted_mean - base.restricted_mean)})"
                for one in others
            ),
        ]
    )
    tests = listed(f"{p_statement(one.log_rank.p)} for {one.variant}" for one in others if one.log_rank)
    return (
        f"The area under a line is the mean number of epochs, cut at epoch {base.end}: {means}. The log-rank "
        f"test of the lines gives {tests}, without correction and for display only: it takes runs as "
        "independent and unpaired, and those of one seed are neither. The verdict rests on the paired test "
        "above."
    )


def _title(found: list[Survival]) -> str:
    parts = (
        f"{one.variant} {percent(float(one.curve.survival[-1]), 0)} ({one.censored} of {one.runs})"
        for one in found
    )
    return f"Share of runs that have not reached the threshold, over epochs; after the last: {listed(parts)}."


def _caption(found: list[Survival]) -> str:
    one = found[0]
    several = one.runs > one.seeds
    text = (
        "Share of runs that have not reached the threshold, after each epoch (Kaplan and Meier), "
        f"shaded the {INTERVAL} at each epoch, "
        f"{'over seeds, near 0 and 100 narrower than it ought to be' if several else 'Clopper and Pearson'}: "
        f"{count(one.seeds, 'seed')}"
    )
    text += f", each the mean of its {one.runs // one.seeds} combinations." if several else "."
    marked = [f"{one.censored} of {count(one.runs, 'run')} of {one.variant}" for one in found if one.censored]
    if marked:
        text += f" A cross: runs censored at the last epoch, as a diverged run is: {listed(marked)}."
    left_out = [f"{one.left_out} of {one.variant}" for one in found if one.left_out]
    if left_out:
        text += f" Left out, as their seeds lack an outcome somewhere: {sentence(listed(left_out))}"
    return text


def _paint(axes: Axes, found: list[Survival], palette: Palette) -> None:
    end = float(found[0].end)
    edge = end * 1.05  # so that the last step and its band are seen
    for one in found:
        colour = palette.light(one.variant)
        # The steps begin with all runs at epoch 0 and go on level to the edge.
        epochs = np.concatenate(([0.0], one.curve.times, [edge]))
        shares, low, high = (
            100 * np.concatenate(([1.0], side, side[-1:])) for side in (one.curve.survival, one.low, one.high)
        )
        below, above = np.where(np.isnan(low), shares, low), np.where(np.isnan(high), shares, high)
        axes.fill_between(epochs, below, above, step="post", color=colour, alpha=0.16, linewidth=0)
        dash = palette.dash(one.variant)
        axes.step(epochs, shares, where="post", color=colour, linewidth=2.2, linestyle=dash)
        if one.censored:
            axes.plot([end], [shares[-1]], "+", color=colour, ms=9, mew=1.8, zorder=4)
    axes.set_title("Runs not yet at the threshold, %")
    axes.set(ylabel="", xlim=(0, edge), ylim=(-3, 103))
    axes.set_xlabel("epoch", loc="right")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
