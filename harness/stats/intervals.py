"""Computation: intervals for the mean of differences, one number per seed."""

from __future__ import annotations

import numpy as np
from scipy import stats

from harness.stats.checks import Values, finite
from harness.stats.results import Interval


def t_interval(differences: Values, *, level: float = 0.95) -> Interval:
    """Student's interval for the mean difference (Student 1908).

    Args:
        differences: [n].
        level: confidence.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = finite(differences)
    mean = float(values.mean())
    if values.size < 2:
        return Interval(mean, float("nan"), float("nan"), level, values.size)
    margin = stats.t.ppf((1 + level) / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return Interval(mean, float(mean - margin), float(mean + margin), level, values.size)
