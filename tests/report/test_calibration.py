"""A calibration is told with its counts, and a report without one says how to make it."""

from __future__ import annotations

import math

from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.calibration import STUDY, TWINS, Calibration
from harness.findings.relabelling import Relabelled
from harness.report.calibration import describe_calibration
from harness.report.entries import Entry
from harness.report.methods import describe_methods

TRIED = Study(
    name="tried", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
)
FOUND = Calibration(
    seeds=20,
    p_adjusted={"accuracy": 0.31, "convergence": math.nan, "smoothness": 0.012},
    claims=("smoothness",),
    relabelled={TWINS: Relabelled(400, 0), STUDY: Relabelled(1000, 20)},
)


def entry(found: Calibration | None) -> Entry:
    (only,) = [one for one in describe_methods(TRIED, [], calibration=found) if one.term == "Calibration"]
    return only


def test_claims_and_rates_are_told() -> None:
    twins, these, own = describe_calibration(FOUND, baseline="plain")
    assert twins == (
        "A/A: plain against itself under a second family of seeds, 20 pairs. 1 of 3 primary claims made "
        "(smoothness); 5\N{NO-BREAK SPACE}% of such comparisons may make one or more. Adjusted p: accuracy "
        "0.31, convergence – and smoothness 0.012."
    )
    # None of 400: the upper limit is 1 − 0.005^(1/400), which is 1.3 %.
    assert "within these pairs, 400 times" in these
    assert "in 0.0\N{NO-BREAK SPACE}% (99\N{NO-BREAK SPACE}% interval 0.0 to 1.3)" in these
    assert "within this study's own pairs, 1,000 times" in own
    assert "in 2.0\N{NO-BREAK SPACE}%" in own


def test_the_report_carries_the_calibration() -> None:
    assert entry(FOUND).text == " ".join(describe_calibration(FOUND, baseline="plain"))


def test_without_a_calibration_the_report_says_how_to_make_one() -> None:
    assert entry(None).text.startswith("Not made. `harness calibrate tried` compares plain with itself")
