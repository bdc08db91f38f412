"""Computation: contrasts -> one table, in the units of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from harness.findings.contrasts import Contrast
from harness.report.words import unit_in
from harness.stats.results import Interval


def summarise(contrasts: Iterable[Contrast]) -> pd.DataFrame:
    """One row a contrast, in their order.

    Returns:
        `finding`, `claim`, `endpoint`, `family` as declared; `variant`, `baseline`; `n` pairs, `dropped`
        seeds without one; `estimate`, `low`, `high`: the mean of variant minus baseline with its interval,
        in `unit` (for `log_error` a ratio); `p`, `p_adjusted`, `equivalence` (the adjusted p of the margin);
        `improvement`, `improvement_low`, `improvement_high`: the share of pairs in which the variant is
        better; `verdict`; `declared`. NaN where there is no number.
    """
    return pd.DataFrame([_row(contrast) for contrast in contrasts])


def _row(contrast: Contrast) -> dict[str, object]:
    finding = contrast.finding
    unit = unit_in(contrast)
    estimate, low, high = (float(unit.difference(np.float64(end))) for end in _ends(contrast.interval))
    better, least, most = _ends(contrast.improvement)
    return {
        "finding": finding.name,
        "claim": finding.claim,
        "endpoint": finding.endpoint,
        "family": finding.family,
        "variant": contrast.variant,
        "baseline": contrast.baseline,
        "n": len(contrast.pairs),
        "dropped": contrast.dropped,
        "estimate": estimate,
        "low": low,
        "high": high,
        "unit": unit.name,
        "p": contrast.test.p if contrast.test else math.nan,
        "p_adjusted": contrast.p_adjusted,
        "equivalence": contrast.equivalence_adjusted,
        "improvement": better,
        "improvement_low": least,
        "improvement_high": most,
        "verdict": contrast.verdict,
        "declared": contrast.declared,
    }


def _ends(interval: Interval | None) -> tuple[float, float, float]:
    return (interval.estimate, interval.low, interval.high) if interval else (math.nan, math.nan, math.nan)
