"""Computation: the effect on accuracy in each combination of levels."""

from __future__ import annotations

import pandas as pd

from harness.findings.contrasts import paired_by_seed
from harness.findings.endpoints import last_accuracy
from harness.findings.frames import StudyFrames
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
    for number, here in last_accuracy(frames).groupby("cell"):
        for other in (variant.name for variant in study.variants if variant.name != study.baseline):
            pairs = paired_by_seed(here, baseline=study.baseline, variant=other, cells=1)
            if len(pairs):
                found = t_interval(pairs["difference"])
                p = sign_flip_test(pairs["difference"]).p
                rows.append((number, other, found.estimate, found.low, found.high, p, found.n))
    table = pd.DataFrame(rows, columns=["cell", "variant", "difference", "low", "high", "p", "n"])
    return table.assign(p_adjusted=holm(table["p"]))
