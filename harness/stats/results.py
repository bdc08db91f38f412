"""Declaration: what a test and an estimate give back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TestResult:
    """What a test found.

    Attributes:
        statistic: of the test; its docstring says which.
        p: two-sided.
        n: what was tested: pairs, unless the test says otherwise.
        method: how p was computed, to be printed.
        error: the standard error of p where it was sampled, 0 where it is exact or follows from a formula.
    """

    __test__ = False

    statistic: float
    p: float
    n: int
    method: str
    error: float = 0.0


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        estimate: of the quantity; its function says which.
        low: lower limit; NaN where there are too few values for one.
        high: upper limit.
        level: confidence, 0.95 unless told otherwise.
        n: what was estimated from: pairs, unless the function says otherwise.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int
