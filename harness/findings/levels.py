"""Computation: the effect on accuracy at each level of each factor."""

from __future__ import annotations

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.findings.pairing import paired_by_seed
from harness.stats.families import holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test


def effect_by_level(frames: StudyFrames) -> pd.DataFrame:
    """The difference in test accuracy at the last epoch, level by level, averaged over the other factors.

    A factor that this call holds at one level has no row: it would repeat the whole study's effect.

    Returns:
        Columns factor, level, variant, baseline_mean, variant_mean, difference, low, high (95 %
        t-interval), p (sign-flip), p_adjusted (Holm over the whole table), n (seeds), diverged_baseline,
        diverged_variant (shares of runs).
    """
    study = frames.study
    values = last_accuracy(frames).merge(
        frames.runs[["variant", "cell", "seed", "status"]], on=["variant", "cell", "seed"]
    )
    rows = []
    for factor in (factor for factor in study.factors if not factor.fixed):
        for level in factor.levels:
            cells = [number for number, levels in enumerate(frames.cells) if levels[factor.name] == level]
            here = values[values["cell"].isin(cells)]
            for other in study.variants:
                if other.name != study.baseline:
                    row = _row(here, len(cells), baseline=study.baseline, variant=other.name)
                    rows.append({"factor": factor.name, "level": str(level), **row})
    table = pd.DataFrame(rows)
    return table.assign(p_adjusted=holm(table["p"])) if rows else table


def _row(here: pd.DataFrame, cells: int, *, baseline: str, variant: str) -> dict[str, object]:
    pairs = paired_by_seed(here, baseline=baseline, variant=variant, cells=cells)
    nan = float("nan")
    interval = t_interval(pairs["difference"]) if len(pairs) else None
    diverged = here.assign(diverged=here["status"] == "diverged").groupby("variant")["diverged"].mean()
    return {
        "variant": variant,
        "baseline_mean": pairs["baseline"].mean(),
        "variant_mean": pairs["variant"].mean(),
        "difference": interval.estimate if interval else nan,
        "low": interval.low if interval else nan,
        "high": interval.high if interval else nan,
        "p": sign_flip_test(pairs["difference"]).p if len(pairs) else nan,
        "n": len(pairs),
        "diverged_baseline": diverged.get(baseline, nan),
        "diverged_variant": diverged.get(variant, nan),
    }
