"""Computation: the effect on accuracy in each combination of levels."""

from __future__ import annotations

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.stats.families import holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test


def effect_by_cell(frames: StudyFrames) -> pd.DataFrame:
    """The difference in test accuracy at the last epoch, in each combination of levels that has a pair.

    Returns:
        Columns cell (its number), variant, difference, low, high (95 % t-interval), p (sign-flip), n (seeds),
        p_adjusted (Holm over the whole table, a family of its own).
    """
    study, rows = frames.study, []
    values = last_accuracy(frames).dropna(subset="value")
    wide = values.pivot(index=["cell", "seed"], columns="variant", values="value")  # one pass for all cells
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    if study.baseline in wide:
        differences = wide[[name for name in others if name in wide]].sub(wide[study.baseline], axis=0)
        for number, here in differences.groupby(level="cell"):
            for other in differences:
                pairs = here[other].dropna().to_numpy(dtype=float)
                if len(pairs):
                    found = t_interval(pairs)
                    p = sign_flip_test(pairs).p
                    rows.append((number, other, found.estimate, found.low, found.high, p, found.n))
    table = pd.DataFrame(rows, columns=["cell", "variant", "difference", "low", "high", "p", "n"])
    return table.assign(p_adjusted=holm(table["p"]))
