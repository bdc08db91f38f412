"""Computation: each variant at its best against the baseline at its own -> the picture, table and words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.design.resolution import ALPHA
from harness.findings.best import Best
from harness.findings.frames import StudyFrames
from harness.report.pairs import pair_rows
from harness.report.palette import PAPER, TEXT, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import (
    ACCURACY,
    INTERVAL,
    NOTHING,
    count,
    effect,
    level,
    levels_in_words,
    limits,
    listed,
    p_statement,
    p_value,
)

FEWEST = 6
"""Seeds that judge from which p can fall below 0.05: 2 / 2⁶."""

MOST_DOTS = 300
"""Seeds of a variant that are drawn one by one."""

SOURCE = (
    "Cawley and Talbot 2010, On Over-fitting in Model Selection and Subsequent Selection Bias in Performance "
    "Evaluation"
)


@dataclass(frozen=True)
class BestRow:
    """A variant against the baseline, as it is shown."""

    variant: str
    levels: str
    baseline_levels: str
    baseline_mean: str
    variant_mean: str
    difference: str
    limits: str
    p: str
    p_adjusted: str
    n: int
    dropped: int


@dataclass(frozen=True)
class BestSection:
    """The part "Best against best".

    Attributes:
        introduction: why, and how it is made honest.
        picture: the differences; None without pairs.
        reading: what they say.
        rows: of the table.
        seen: what looks best over all seeds, and why not to rely on it.
        source: of the caution.
    """

    introduction: str
    picture: Picture | None
    reading: str
    rows: list[BestRow]
    seen: str
    source: str = SOURCE


def describe_best(found: Sequence[Best], *, frames: StudyFrames, palette: Palette) -> BestSection | None:
    """The part, None where nothing could be chosen.

    Args:
        found: of `best_cells`.
        frames: for the levels of each combination.
        palette: of the report.
    """
    if not found:
        return None
    return BestSection(
        introduction=" ".join(_introduction(found[0], frames)),
        picture=_picture(found, palette),
        reading=" ".join(_reading(one) for one in found),
        rows=[_row(one, frames) for one in found],
        seen=_seen(found, frames),
    )


def in_words(frames: StudyFrames, cell: int) -> str:
    """A combination of levels, broken between factors only: lr = 0.1, dropout = 0.5."""
    return levels_in_words(frames.cells[cell], sign="\xa0=\xa0")


def _introduction(one: Best, frames: StudyFrames) -> Iterator[str]:
    first = "The first seed chooses" if one.choosing == 1 else f"The first {one.choosing} seeds choose"
    judges = len(one.pairs) + one.dropped
    yield (
        "A variant may help much where the levels suit the baseline badly, and little once both have what "
        f"suits them. So here each is taken in the one of {len(frames.cells):,} combinations of levels that "
        f"is best for it. {first} by mean accuracy on the {one.images} images; the other "
        f"{count(judges, 'seed')} {'is' if judges == 1 else 'are'} compared there on the test images. The "
        "best of many is best by luck, too, and on the runs that chose it looks better than it is."
    )
    if judges < FEWEST:
        yield (
            f"With {count(judges, 'seed')} to compare, no p can be below {ALPHA:g}; 8 seeds in all would "
            f"leave {FEWEST}."
        )


def _reading(one: Best) -> str:
    if one.test is None or one.interval is None:
        return f"Of {one.variant} and {one.baseline} no seed has a value in both combinations."
    difference = one.interval.estimate
    side = "above" if difference > 0 else "below" if difference < 0 else "level with"
    size = effect(one.interval, ACCURACY).lstrip("+−")
    ahead = f"{size} {side}" if difference else side
    sure = "" if one.p_adjusted < ALPHA else " That is not sure: it could be chance."
    same = ", in the same combination" if one.cell == one.baseline_cell else ""
    return (
        f"At its best, {one.variant} is {ahead} {one.baseline} at its best{same} ({INTERVAL} "
        f"{limits(one.interval, ACCURACY)}, {p_statement(one.p_adjusted, name='adjusted p')}, "
        f"{count(len(one.pairs), 'seed')}).{sure}"
    )


def _row(one: Best, frames: StudyFrames) -> BestRow:
    return BestRow(
        variant=one.variant,
        levels=in_words(frames, one.cell),
        baseline_levels=in_words(frames, one.baseline_cell),
        baseline_mean=level(float(one.pairs["baseline"].mean()), ACCURACY),
        variant_mean=level(float(one.pairs["variant"].mean()), ACCURACY),
        difference=effect(one.interval, ACCURACY, named=False),
        limits=limits(one.interval, ACCURACY),
        p=p_value(one.test.p) if one.test else NOTHING,
        p_adjusted=p_value(one.p_adjusted),
        n=len(one.pairs),
        dropped=one.dropped,
    )


def _seen(found: Sequence[Best], frames: StudyFrames) -> str:
    """What all seeds, choosing and judging at once, make look best."""
    ends = [(found[0].baseline, found[0].seen_baseline_mean, found[0].seen_baseline_cell)]
    ends += [(one.variant, one.seen_mean, one.seen_cell) for one in found]
    told = [f"{name} {level(mean, ACCURACY)} ({in_words(frames, cell)})" for name, mean, cell in ends]
    return (
        f"If all seeds chose and judged at once, the best means would be {listed(told)}. These flatter, and "
        "the more so, the more combinations are nearly as good: they are not compared."
    )


def _picture(found: Sequence[Best], palette: Palette) -> Picture | None:
    shown = [one for one in found if len(one.pairs)]
    if not shown:
        return None
    parts = [
        f"{one.variant} {effect(one.interval, ACCURACY)} ({INTERVAL} {limits(one.interval, ACCURACY)}, "
        f"{p_statement(one.p_adjusted, name='adjusted p')})"
        for one in shown
    ]
    baseline = shown[0].baseline
    panel = Panel(
        "best",
        title=f"Each variant at its best minus {baseline} at its best, test accuracy: {'; '.join(parts)}.",
        paint=lambda axes: _paint(axes, shown, palette),
        palette=palette,
        height=84 + 40 * max(2, len(shown)),
        left=min(150, 30 + 7 * max(len(one.variant) for one in shown)),
    )
    caption = (
        f"Difference in test accuracy, each variant at its best combination minus {baseline} at its own. "
        f"Small dots: {_dots(shown)}; the diamond is the mean, its bar the {INTERVAL}."
    )
    data = pd.concat([pair_rows(one.pairs, variant=one.variant) for one in shown], ignore_index=True)
    return Picture("best", (panel,), caption, data)


def _dots(shown: Sequence[Best]) -> str:
    if max(len(one.pairs) for one in shown) > MOST_DOTS:
        return f"the first {MOST_DOTS} of the seeds that did not choose"
    return "the seeds that did not choose"


def _paint(axes: Axes, shown: Sequence[Best], palette: Palette) -> None:
    for place, one in enumerate(shown):
        colour, points = palette.light(one.variant), one.pairs["difference"] * ACCURACY.scale
        # A pattern that repeats keeps equal seeds apart, and the picture the same each time.
        drawn = points.iloc[:MOST_DOTS]
        offsets = place + 0.2 + 0.05 * (np.arange(len(drawn)) % 4)
        axes.scatter(drawn, offsets, s=14, color=colour, alpha=0.5, linewidths=0)
        assert one.interval is not None  # as there are pairs
        middle, low, high = (
            end * ACCURACY.scale for end in (one.interval.estimate, one.interval.low, one.interval.high)
        )
        if math.isfinite(low):
            axes.hlines(place - 0.05, low, high, color=colour, linewidth=2.4)
        axes.scatter(
            [middle], [place - 0.05], s=60, marker="D", color=colour, edgecolors=PAPER.light, zorder=3
        )
    axes.axvline(0, color=TEXT.light, linewidth=0.9)
    axes.set(ylim=(len(shown) - 0.4, -0.5), title=f"Best minus best of {shown[0].baseline}")
    axes.set_yticks(range(len(shown)), [one.variant for one in shown])
    axes.set_xlabel("percentage points", loc="right")
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
