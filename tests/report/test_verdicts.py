"""The answer follows from the verdicts."""

from __future__ import annotations

import math
from typing import Any, Literal

import pandas as pd
import pytest

from harness.findings.contrasts import Contrast
from harness.findings.endpoints import ENDPOINTS
from harness.report.palette import palette_of
from harness.report.verdicts import answers, make_card, make_findings
from harness.stats.results import Interval, TestResult

Word = Literal["supported", "contradicted", "undecided", "not measured"]


def contrast(endpoint: int, verdict: Word, mean: float = 0.0, variant: str = "bn") -> Contrast:
    measured = verdict != "not measured"
    return Contrast(
        endpoint=ENDPOINTS[endpoint],
        variant=variant,
        baseline="plain",
        pairs=pd.DataFrame(
            {"baseline": [0.0], "variant": [mean], "difference": [mean]}, index=pd.Index([0], name="seed")
        ),
        dropped=0,
        test=TestResult(mean, 0.0039, 9, "sign-flip, exact") if measured else None,
        interval=Interval(mean, mean - 0.01, mean + 0.01, 0.95, 9) if measured else None,
        p_adjusted=0.0117 if measured else math.nan,
        verdict=verdict,
    )


def test_the_answer_says_what_holds_what_does_not_and_what_is_open() -> None:
    found = [contrast(0, "supported", 0.067), contrast(1, "contradicted", 1.5), contrast(2, "undecided")]
    assert answers(found) == [
        "With bn instead of plain, test accuracy is higher (+6.7 percentage points, adjusted p = 0.012). "
        "These data contradict that training converges in fewer epochs (+1.500 epochs, adjusted p = 0.012). "
        "These data do not decide whether the descent is smoother."
    ]


def test_an_answer_without_support_still_names_the_variants() -> None:
    assert answers([contrast(0, "undecided"), contrast(1, "not measured"), contrast(2, "undecided")]) == [
        "With bn instead of plain, these data do not decide whether test accuracy is higher and whether the "
        "descent is smoother. It was not measured whether training converges in fewer epochs."
    ]


def test_each_variant_has_an_answer() -> None:
    found = [contrast(e, "undecided", variant=v) for e in range(3) for v in ("bn", "group")]
    assert [answer.split(",")[0] for answer in answers(found)] == [
        "With bn instead of plain",
        "With group instead of plain",
    ]


def test_what_was_not_measured_is_dashes_on_its_card() -> None:
    card = make_card(contrast(0, "not measured"))
    assert (card.number, card.limits, card.p, card.p_adjusted, card.method) == ("–",) * 5


@pytest.mark.parametrize(("mean", "noted"), [(0.02, False), (0.005, True)])
def test_an_interval_that_disagrees_with_its_test_is_explained(whole: Any, mean: float, noted: bool) -> None:
    found = make_findings([contrast(0, "supported", mean)], palette=palette_of(whole.study))
    assert found[0].note.startswith("Interval and test disagree for bn.") is noted
