"""The answer follows from the verdicts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import pandas as pd
import pytest

from harness.design.finding import ARTICLE
from harness.findings.contrasts import Contrast
from harness.findings.endpoints import endpoint_of
from harness.report.palette import palette_of
from harness.report.verdicts import answers, make_card, make_evidence
from harness.stats.results import Interval, TestResult

Word = Literal["supported", "contradicted", "equivalent", "undecided", "not measured"]


def contrast(claim: int, verdict: Word, mean: float = 0.0, variant: str = "bn", **changes: Any) -> Contrast:
    measured = verdict != "not measured"
    facts: dict[str, Any] = {
        "finding": ARTICLE[claim],
        "endpoint": endpoint_of(ARTICLE[claim]),
        "variant": variant,
        "baseline": "plain",
        "pairs": pd.DataFrame(
            {"baseline": [0.0], "variant": [mean], "difference": [mean]}, index=pd.Index([0], name="seed")
        ),
        "dropped": 0,
        "test": TestResult(mean, 0.0039, 9, "sign-flip, exact") if measured else None,
        "interval": Interval(mean, mean - 0.01, mean + 0.01, 0.95, 9) if measured else None,
        "improvement": Interval(8 / 9, 0.518, 0.997, 0.95, 9) if measured else None,
        "equivalence": math.nan,
        "p_adjusted": 0.0117 if measured else math.nan,
        "equivalence_adjusted": math.nan,
        "verdict": verdict,
        "seeds_to_decide": None,
        "declared": True,
    }
    return Contrast(**{**facts, **changes})


def test_the_answer_says_what_holds_what_does_not_and_what_is_open() -> None:
    found = [contrast(0, "supported", -2.133), contrast(1, "contradicted", 1.5), contrast(2, "undecided")]
    assert answers(found) == [
        "With bn instead of plain, test accuracy is higher (0.12 × the errors, adjusted p = 0.012). "
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
    assert (card.number, card.limits, card.p, card.p_adjusted) == ("–",) * 4
    assert (card.improvement, card.equivalence) == ("–",) * 2


def test_a_card_shows_ratios_as_ratios_and_the_share_of_pairs() -> None:
    card = make_card(contrast(0, "supported", math.log(0.118)))
    assert (card.number, card.unit, card.limits) == ("0.12", "× the errors", "0.12 to 0.12")
    assert card.improvement == "89\N{NO-BREAK SPACE}% (51.8 to 99.7)"
    assert card.variant_mean == "11.80\N{NO-BREAK SPACE}%"


def test_equivalence_is_told_with_its_margin() -> None:
    finding = replace(ARTICLE[1], margin=2.0)
    found = contrast(1, "equivalent", 0.1, finding=finding, equivalence_adjusted=0.004)
    assert answers([found]) == [
        "With bn instead of plain, the difference in epochs until the probe's loss is at the threshold is "
        "smaller than the margin (−2.0 to +2.0 epochs; adjusted p = 0.0040)."
    ]


def test_a_claim_that_came_late_is_called_exploratory() -> None:
    found = contrast(0, "supported", -2.133, declared=False)
    (answer,) = answers([found])
    assert "exploratory: declared or changed after the first of these runs" in answer
    assert make_card(found).standing.startswith("exploratory")
    assert make_card(contrast(0, "supported", -2.133)).standing == ""


def test_an_undecided_claim_names_the_seeds_that_would_decide_it() -> None:
    card = make_card(contrast(1, "undecided", -0.2, seeds_to_decide=1234))
    assert card.standing == "1,234 seeds would find a difference of this size"
    assert make_card(contrast(1, "undecided", -0.2)).standing == ""


def test_the_answer_speaks_of_the_primary_family_alone() -> None:
    more = contrast(1, "supported", -3.0, finding=replace(ARTICLE[1], family="more"))
    assert answers([contrast(0, "undecided"), more]) == answers([contrast(0, "undecided")])


@pytest.mark.parametrize(("mean", "noted"), [(0.02, False), (0.005, True)])
def test_an_interval_that_disagrees_with_its_test_is_explained(whole: Any, mean: float, noted: bool) -> None:
    found = make_evidence([contrast(0, "supported", mean)], palette=palette_of(whole.study))
    assert found[0].note.startswith("Interval and test disagree for bn.") is noted
