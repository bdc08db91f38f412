"""Computation: each variant at the levels that suit it best, against the baseline at those that suit it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import chance_accuracy, ended, last_accuracy
from harness.stats.families import holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test
from harness.stats.results import Interval, TestResult

Numbers = npt.NDArray[np.float64]
Images = Literal["validation", "test"]

CHOOSING = 3
"""One seed in so many chooses; the others judge, for a test needs more seeds than a choice."""

DECIMALS = 12
"""To which two means must agree to count as level: rounding alone has parted them."""


@dataclass(frozen=True)
class Best:
    """A variant at its best combination of levels against the baseline at its own.

    Attributes:
        variant: its name; differences are variant minus baseline.
        baseline: its name.
        images: those on which the choice is made.
        choosing: the number of seeds that choose.
        cell: the variant's best combination by the mean over the seeds that choose.
        baseline_cell: that of the baseline.
        pairs: index seed; columns baseline, variant, difference: test accuracy in the chosen combinations,
            of the seeds that judge.
        dropped: seeds that judge, without a value in both.
        test: sign-flip; None without pairs.
        interval: 95 % t-interval of the mean difference; None without pairs.
        seen_cell: the variant's best combination on the test images over all seeds.
        seen_mean: its test accuracy there, which flatters: it was chosen for being high.
        seen_baseline_cell: the baseline's.
        seen_baseline_mean: the same of the baseline.
        p_adjusted: after Holm over the variants; NaN without a test.
    """

    variant: str
    baseline: str
    images: Images
    choosing: int
    cell: int
    baseline_cell: int
    pairs: pd.DataFrame
    dropped: int
    test: TestResult | None
    interval: Interval | None
    seen_cell: int
    seen_mean: float
    seen_baseline_cell: int
    seen_baseline_mean: float
    p_adjusted: float = math.nan


def best_cells(frames: StudyFrames) -> list[Best]:
    """Every variant against the baseline, each where it is best, in declared order.

    The best of many combinations is best by luck, too, and on the runs that chose it it looks better than it
    is. So a third of the seeds chooses, by mean accuracy on the validation images, or on the test images in a
    study without, and the other seeds are compared there. Given what was chosen, the test is as exact as any
    sign-flip. To let each seed be judged where all others choose would use every seed, but hangs the
    differences together: at 0.05 a sign-flip test then found a difference in up to 37 of 100 made-up studies
    of two equal variants (36 equal combinations, 20 seeds).

    Returns:
        Nothing for a study of one combination, with fewer than two seeds, or where the baseline has no value
        under the seeds that choose; without the variants of which that is so.
    """
    values = last_accuracy(frames).dropna(subset="value")
    seeds = np.sort(values["seed"].unique())
    if len(frames.cells) < 2 or len(seeds) < 2:
        return []
    study, choosing = frames.study, max(1, len(seeds) // CHOOSING)
    images, scores = _scores(frames, values)
    sides = {
        variant.name: _Side(_grid(scores, variant.name, frames), _grid(values, variant.name, frames))
        for variant in study.variants
    }
    base, others = sides.pop(study.baseline), sides.items()
    if not base.known(seeds[:choosing]):
        return []
    found = [
        _against(base, side, names=(study.baseline, name), images=images, seeds=seeds, choosing=choosing)
        for name, side in others
        if side.known(seeds[:choosing])
    ]
    adjusted = holm([one.test.p if one.test else math.nan for one in found])
    return [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


@dataclass(frozen=True)
class _Side:
    """The accuracies of a variant that choose and those that judge, [cell, seed]; NaN where there is none."""

    scores: Numbers
    values: Numbers

    def known(self, seeds: npt.NDArray[np.intp]) -> bool:
        return bool(np.isfinite(self.scores[:, seeds]).any())


def _scores(frames: StudyFrames, values: pd.DataFrame) -> tuple[Images, pd.DataFrame]:
    """What chooses: accuracy on the validation images if every run has it, diverged ones as chance."""
    runs = ended(frames, "validation_accuracy")
    diverged = runs["status"] == "diverged"
    if diverged.all() or runs.loc[~diverged, "validation_accuracy"].isna().any():
        return "test", values
    chance = chance_accuracy(frames) if diverged.any() else math.nan
    value = runs["validation_accuracy"].mask(diverged, chance)
    return "validation", runs[["variant", "cell", "seed"]].assign(value=value)


def _grid(values: pd.DataFrame, variant: str, frames: StudyFrames) -> Numbers:
    """The values of a variant [cell, seed]; NaN where there is none."""
    grid = np.full((len(frames.cells), frames.study.seeds), np.nan)
    mine = values[values["variant"] == variant]
    grid[mine["cell"], mine["seed"]] = mine["value"].astype(float)
    return grid


def _highest(grid: Numbers) -> int:
    """The row whose mean is highest, of what is there; the first of equals."""
    known = np.isfinite(grid)
    amounts = known.sum(1)
    means = np.where(known, grid, 0.0).sum(1) / np.maximum(amounts, 1)
    return int(np.where(amounts > 0, np.round(means, DECIMALS), -np.inf).argmax())


def _against(
    base: _Side,
    side: _Side,
    *,
    names: tuple[str, str],
    images: Images,
    seeds: npt.NDArray[np.intp],
    choosing: int,
) -> Best:
    first, rest = seeds[:choosing], seeds[choosing:]
    cells = [_highest(one.scores[:, first]) for one in (base, side)]
    judged = {
        name: one.values[cell, rest]
        for name, one, cell in zip(("baseline", "variant"), (base, side), cells, strict=True)
    }
    pairs = pd.DataFrame(judged, index=pd.Index(rest, name="seed")).dropna()
    pairs["difference"] = pairs["variant"] - pairs["baseline"]
    seen = [_highest(one.values) for one in (base, side)]
    return Best(
        variant=names[1],
        baseline=names[0],
        images=images,
        choosing=choosing,
        cell=cells[1],
        baseline_cell=cells[0],
        pairs=pairs,
        dropped=len(rest) - len(pairs),
        test=sign_flip_test(pairs["difference"]) if len(pairs) else None,
        interval=t_interval(pairs["difference"]) if len(pairs) else None,
        seen_cell=seen[1],
        seen_mean=float(np.nanmean(side.values[seen[1]])),
        seen_baseline_cell=seen[0],
        seen_baseline_mean=float(np.nanmean(base.values[seen[0]])),
    )
