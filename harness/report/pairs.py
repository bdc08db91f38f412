"""Computation: the figure of a finding: paired seeds joined by lines, and their differences."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from harness.findings.contrasts import Contrast
from harness.report.axes import log_axis
from harness.report.palette import MUTED, PAPER, TEXT, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import INTERVAL, count, effect, limits, listed, sentence, unit_in

LETTERS = 50
"""As many stand side by side in a heading."""


def pairs_picture(contrasts: list[Contrast], *, palette: Palette) -> Picture | None:
    """The figure of one endpoint, two panels for each variant; None where no seed has a pair."""
    panels = [panel for contrast in contrasts for panel in _panels(contrast, palette=palette)]
    if not panels:
        return None
    finding, endpoint = contrasts[0].finding, contrasts[0].endpoint
    others = listed(contrast.variant for contrast in contrasts if len(contrast.pairs))
    logarithmic = unit_in(contrasts[0]).logarithmic
    away, what = ("one", "ratio") if logarithmic else ("zero", "difference")
    caption = (
        f"Joined dots: {endpoint.label}, each line one seed, from {contrasts[0].baseline} to {others}; the "
        f"large dots are {'geometric ' if logarithmic else ''}means. Dots away from {away}: the {what} in "
        f"every seed, in order of size; the diamond is the mean, its bar and the shaded band the {INTERVAL}."
    )
    return Picture(f"pairs-{finding.name}", tuple(panels), caption, _data(contrasts))


def _data(contrasts: list[Contrast]) -> pd.DataFrame:
    """A row a pair, as the endpoint is defined: a logarithm is a logarithm here."""
    endpoint, change = contrasts[0].finding.endpoint, contrasts[0].change
    rows = [pair_rows(contrast.pairs, variant=contrast.variant) for contrast in contrasts]
    whole = pd.concat([own for own in rows if len(own)], ignore_index=True)
    whole.insert(0, "endpoint", f"{endpoint} {change.words}" if change else endpoint)
    return whole


def pair_rows(pairs: pd.DataFrame, *, variant: str) -> pd.DataFrame:
    """A row a pair: columns variant, seed, baseline_value, variant_value, difference.

    Args:
        pairs: index seed; columns baseline, variant, difference.
        variant: its name.
    """
    names = {"baseline": "baseline_value", "variant": "variant_value"}
    rows = pairs.rename(columns=names).rename_axis("seed").reset_index().assign(variant=variant)
    return rows[["variant", "seed", *names.values(), "difference"]]


def statement(contrast: Contrast) -> str:
    """What a contrast found, in words, for those who can't see the figure."""
    unit = unit_in(contrast)
    return (
        f"{contrast.endpoint.label}, {contrast.variant} {'by' if unit.logarithmic else 'minus'} "
        f"{contrast.baseline}: "
        f"{effect(contrast.interval, unit)} ({INTERVAL} {limits(contrast.interval, unit)}, "
        f"{count(len(contrast.pairs), 'pair')}). The claim that {contrast.finding.claim}: "
        f"{contrast.verdict}."
    )


def _panels(contrast: Contrast, *, palette: Palette) -> list[Panel]:
    if not len(contrast.pairs):
        return []
    stem, words = f"{contrast.finding.name}-{_slug(contrast, palette)}", statement(contrast)
    lines = len(_heading(contrast))
    return [
        Panel(
            f"pairs-{stem}",
            title=f"Paired seeds. {words}",
            paint=lambda axes: _paint_pairs(axes, contrast, palette),
            palette=palette,
            lines=lines,
        ),
        Panel(
            f"differences-{stem}",
            title=f"Differences by seed. {words}",
            paint=lambda axes: _paint_differences(axes, contrast, palette),
            palette=palette,
            left=18,
            lines=lines,
        ),
    ]


def _slug(contrast: Contrast, palette: Palette) -> str:
    """The variant's ink names it in ids: `v1`."""
    return palette.variants[contrast.variant].name


def _heading(contrast: Contrast) -> list[str]:
    """What is measured and its unit, in lines that a panel holds."""
    unit = unit_in(contrast)
    text = sentence(contrast.endpoint.label).rstrip(".")
    return textwrap.wrap(f"{text}, {unit.axis}" if unit.axis else text, LETTERS)


def _paint_pairs(axes: Axes, contrast: Contrast, palette: Palette) -> None:
    unit = unit_in(contrast)
    sides = (contrast.baseline, contrast.variant)
    values = contrast.pairs[["baseline", "variant"]].transform(unit.value)
    # One collection: a line each takes 1.4 s at 1,000 seeds, this 0.2 s (a core of an AMD EPYC 9R14).
    lines = [[(0.0, before), (1.0, after)] for before, after in values.to_numpy().tolist()]
    axes.add_collection(LineCollection(lines, color=MUTED.light, alpha=0.45, linewidths=0.9))
    for side, name in enumerate(sides):
        colour, heights = palette.light(name), values.iloc[:, side]
        axes.scatter(np.full(len(heights), side), heights, s=22, color=colour, linewidths=0, zorder=3)
        outside = -0.17 if side == 0 else 1.17
        middle = unit.value(np.float64(contrast.pairs.iloc[:, side].mean()))
        axes.scatter([outside], [middle], s=80, color=colour, edgecolors=PAPER.light, zorder=4)
    axes.set_title("\n".join(_heading(contrast)))
    axes.set(xlim=(-0.45, 1.45), xlabel="", ylabel="")
    if unit.logarithmic:
        log_axis(axes, float(values.min().min()) / 1.15, float(values.max().max()) * 1.15)
    axes.set_xticks([0, 1], list(sides))


def _paint_differences(axes: Axes, contrast: Contrast, palette: Palette) -> None:
    unit, colour = unit_in(contrast), palette.light(contrast.variant)
    values = np.sort(unit.difference(contrast.pairs["difference"].to_numpy(dtype=np.float64)))
    none = float(unit.difference(np.float64(0)))
    rows = np.arange(len(values))
    gap = max(1.2, len(values) * 0.14)
    axes.hlines(rows, none, values, color=MUTED.light, alpha=0.4, linewidth=0.9)
    axes.scatter(values, rows, s=22, color=colour, linewidths=0, zorder=3)
    interval = contrast.interval
    assert interval is not None  # as there are pairs
    limits = unit.difference(np.array([interval.estimate, interval.low, interval.high]))
    mean, low, high = map(float, limits)
    if math.isfinite(low):
        axes.axvspan(low, high, color=colour, alpha=0.16, linewidth=0)
        axes.hlines(-gap, low, high, color=colour, linewidth=2.6)
    axes.scatter([mean], [-gap], s=70, marker="D", color=colour, edgecolors=PAPER.light, zorder=4)
    axes.axvline(none, color=TEXT.light, linewidth=0.9)
    what, sign = ("Ratio", "÷") if unit.logarithmic else ("Difference", "−")
    of_changes = " of changes" if contrast.change else ""
    axes.set_title(f"{what}{of_changes}, {contrast.variant} {sign} {contrast.baseline}")
    axes.set(ylim=(-gap * 1.9, len(values) - 0.4), yticks=[])
    if unit.logarithmic:
        ends = [none, *values, *(end for end in limits if math.isfinite(end))]
        log_axis(axes, float(min(ends)) / 1.1, float(max(ends)) * 1.1, which="x")
    axes.set_xlabel(unit.name or contrast.endpoint.label, loc="right")
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
