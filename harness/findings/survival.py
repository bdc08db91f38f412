"""Computation: how many runs have not reached the threshold, epoch by epoch, beside the paired test."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import ended
from harness.stats.checks import Numbers
from harness.stats.results import TestResult
from harness.stats.survival import (
    SurvivalCurve,
    band_over_seeds,
    censored_times,
    kaplan_meier,
    log_rank,
    restricted_mean,
)


@dataclass(frozen=True, eq=False)
class Survival:
    """How the runs of a variant come to the threshold, for display.

    All drawn variants have the same seeds, those under which each has an outcome in every combination. So the
    curve, which pools runs, is the mean of the seeds' curves, and the difference of two restricted means is
    the mean difference of the paired test over these seeds. Runs are censored at the last epoch alone.

    Attributes:
        variant: its name.
        curve: Kaplan and Meier's, over all runs.
        low: [time], lower limits of its 95 % band, the seed being the unit.
        high: [time], the upper ones.
        restricted_mean: epochs, cut at the end: the area under the curve.
        log_rank: against the baseline, for display: it takes runs as independent and unpaired; None for the
            baseline itself, and where the baseline has no curve.
        end: the last epoch, at which runs are censored.
        seeds: that count.
        runs: of these seeds.
        censored: runs that had not reached the threshold at the end, or diverged.
        left_out: runs of the variant with an outcome, of seeds that do not count.
    """

    variant: str
    curve: SurvivalCurve
    low: Numbers
    high: Numbers
    restricted_mean: float
    log_rank: TestResult | None
    end: int
    seeds: int
    runs: int
    censored: int
    left_out: int


def survival(frames: StudyFrames) -> list[Survival]:
    """The variants that have an outcome at all, in declared order; none without a seed that counts."""
    times, cells = _times(frames), len(frames.cells)
    drawn = [variant.name for variant in frames.study.variants if (times["variant"] == variant.name).any()]
    outcomes = times.groupby("seed").size()
    whole = outcomes[outcomes == cells * len(drawn)].index
    counted = times[times["seed"].isin(whole)]
    if counted.empty:
        return []
    return [_survival(name, counted, frames, recorded=times) for name in drawn]


def _times(frames: StudyFrames) -> pd.DataFrame:
    """Columns variant, seed, value: epochs to the threshold, NaN where it was never reached or diverged."""
    runs = ended(frames, "epochs_to_threshold")
    reached = runs["epochs_to_threshold"].astype(float).where(runs["status"] == "completed")
    return runs[["variant", "seed"]].assign(value=reached)


def _survival(
    variant: str, counted: pd.DataFrame, frames: StudyFrames, *, recorded: pd.DataFrame
) -> Survival:
    study, own = frames.study, counted[counted["variant"] == variant]
    base = counted[counted["variant"] == study.baseline]
    times, observed = censored_times(own["value"], end=study.epochs)
    curve = kaplan_meier(times, observed)
    # A run waits just after a time unless it has reached the threshold by then. [run, time]
    waits = pd.DataFrame((times[:, None] > curve.times) | ~observed[:, None])
    shares = waits.groupby(own["seed"].to_numpy()).mean()  # [seed, time]
    low, high = band_over_seeds(shares, runs=len(frames.cells))
    compared = variant != study.baseline and len(base) > 0
    return Survival(
        variant=variant,
        curve=curve,
        low=low,
        high=high,
        restricted_mean=restricted_mean(times, observed, end=study.epochs),
        log_rank=log_rank(times, observed, *censored_times(base["value"], end=study.epochs))
        if compared
        else None,
        end=study.epochs,
        seeds=own["seed"].nunique(),
        runs=len(own),
        censored=int((~observed).sum()),
        left_out=int((recorded["variant"] == variant).sum()) - len(own),
    )
