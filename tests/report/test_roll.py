"""The table of all runs, where there are more than it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from harness.findings.analysis import analyse
from harness.findings.frames import StudyFrames
from harness.report.page import Report, compose, render
from harness.report.roll import call_roll


@pytest.fixture(scope="module")
def report(troubled: Any) -> Report:
    """A report of which nothing is left but the runs, quick to draw."""
    whole = compose(analyse(troubled.study, troubled.folder), words=("small",))
    empty: dict[str, Any] = {"findings": [], "curves": None, "forest": None, "diagnostics": None}
    return replace(whole, **empty, cards=[], levels=[], paths=None)


@pytest.fixture(scope="module")
def many(troubled: Any) -> StudyFrames:
    """2,560 runs: the small study's, 40 times; 40 failed and 40 diverged."""
    frames = analyse(troubled.study, troubled.folder).frames
    copies = [frames.runs.assign(run_id=frames.runs["run_id"] + f"-{i}", seed=i) for i in range(40)]
    return replace(frames, runs=pd.concat(copies, ignore_index=True))


def test_of_many_runs_the_failures_are_shown_and_then_the_first_seeds(many: StudyFrames) -> None:
    roll = call_roll(many)
    assert (len(roll.rows), roll.recorded) == (2000, 2560)
    assert [row.status for row in roll.rows[:81]] == ["failed"] * 40 + ["diverged"] * 40 + ["completed"]
    # 62 completed runs a seed: 1,920 rows are those of 30 seeds and 60 of the 31st.
    completed = pd.Series([row.seed for row in roll.rows[80:]])
    assert completed.value_counts(sort=False).tolist() == [62] * 30 + [60]
    assert completed.is_monotonic_increasing
    assert roll.data["run_id"].tolist() == [row.run_id for row in roll.rows]


def test_the_page_says_that_it_leaves_runs_out_and_how_to_have_them(
    report: Report, many: StudyFrames
) -> None:
    page = render(replace(report, roll=call_roll(many)))
    assert "hold 2,000 of 2,560 recorded runs" in page
    assert "<code>harness export small runs</code> writes all of them" in page
    assert page.count('<td class="status">') == 2000


def test_of_few_runs_none_is_left_out_and_nothing_is_said(report: Report, troubled: Any) -> None:
    page = render(report)
    assert page.count('<td class="status">') == len(troubled.runs) == 64
    assert "of 64 recorded runs:" not in page
    assert "harness export" not in page
