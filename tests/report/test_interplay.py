"""On what the effect depends, in words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from harness.findings.interactions import Interaction
from harness.report.interplay import interaction_rows
from harness.stats.results import Interval, TestResult

RISING = Interaction(
    factor="batch_size",
    variant="bn",
    levels=("8", "16", "32"),
    measure="per doubling",
    test=TestResult(0.02, 0.0039, 9, "sign-flip, exact"),
    interval=Interval(0.02, 0.015, 0.025, 0.95, 9),
    p_adjusted=0.0117,
    n=9,
    dropped=1,
    reading="rises",
)


def test_a_slope_is_in_percentage_points_with_its_reading() -> None:
    (row,) = interaction_rows([RISING])
    assert (row.measure, row.change, row.limits) == ("per doubling", "+2.00", "+1.50 to +2.50")
    assert (row.p, row.p_adjusted, row.n, row.dropped) == ("0.0039", "0.012", 9, 1)
    assert row.reading == "the effect rises with batch_size"


@pytest.mark.parametrize(
    ("changes", "measure", "reading"),
    [
        ({"measure": "last minus first level"}, "from 8 to 32", "the effect rises with batch_size"),
        ({"reading": "falls"}, "per doubling", "the effect falls with batch_size"),
        ({"measure": "any level"}, "over 3 levels (F test)", "the effect rises with batch_size"),
        ({"reading": "depends"}, "per doubling", "the effect depends on batch_size"),
        ({"reading": "undecided"}, "per doubling", "undecided"),
    ],
)
def test_each_measure_and_reading_has_its_words(changes: dict[str, Any], measure: str, reading: str) -> None:
    (row,) = interaction_rows([replace(RISING, **changes)])
    assert (row.measure, row.reading) == (measure, reading)


def test_what_was_not_measured_is_dashes() -> None:
    bare = replace(RISING, test=None, interval=None, p_adjusted=math.nan, reading="not measured")
    (row,) = interaction_rows([bare])
    assert (row.change, row.limits, row.p, row.p_adjusted) == ("–",) * 4
