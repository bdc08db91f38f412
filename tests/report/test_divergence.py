"""The section on diverged runs, in words."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.design.run import Run
from harness.design.variant import Variant
from harness.findings.contrasts import compare
from harness.findings.divergence import Divergence, diverged_by_cell, divergence
from harness.findings.frames import StudyFrames, load_frames
from harness.report.divergence import Diverged, describe_divergence
from harness.stats.results import TestResult

METHOD = "sign-flip, exact"
FOUND = Divergence(
    variant="bn",
    diverged=1,
    runs=32,
    baseline="plain",
    baseline_diverged=12,
    baseline_runs=32,
    only_variant=1,
    only_baseline=12,
    both=0,
    pairs=32,
    test=TestResult(-0.3, 0.0078, 8, METHOD),
    p_adjusted=0.0078,
    seeds=8,
    chance_rank=TestResult(2.0, 0.12, 8, METHOD),
    worst_rank=TestResult(3.0, 0.0156, 8, METHOD),
)


@pytest.fixture(scope="module")
def frames(troubled: Any) -> StudyFrames:
    return load_frames(troubled.study, troubled.folder)


def told(frames: StudyFrames, **changes: Any) -> Diverged:
    found = describe_divergence(
        [replace(FOUND, **changes)],
        by_cell=diverged_by_cell(frames),
        contrasts=compare(frames),
        frames=frames,
    )
    assert found is not None
    return found


def test_a_row_has_counts_pairs_and_p(frames: StudyFrames) -> None:
    (row,) = told(frames).rows
    assert (row.diverged, row.baseline_diverged) == ("1 of 32", "12 of 32")
    assert (row.only_variant, row.only_baseline, row.both, row.pairs) == (1, 12, 0, 32)
    assert (row.p, row.p_adjusted, row.seeds) == ("0.0078", "0.0078", 8)


def test_what_was_not_tested_is_dashes_and_says_so(frames: StudyFrames) -> None:
    found = told(frames, test=None, p_adjusted=math.nan, seeds=0, chance_rank=None, worst_rank=None)
    assert (found.rows[0].p, found.rows[0].p_adjusted) == ("–", "–")
    assert found.method.startswith("No seed has an outcome in every combination")
    assert found.sensitivity == ""


def test_the_unit_of_the_test_is_told(frames: StudyFrames) -> None:
    assert told(frames).method.startswith("Test: sign-flip, exact; one number a seed, the share of")


def ranks(p: float, difference: float) -> TestResult:
    return TestResult(difference, p, 8, METHOD)


@pytest.mark.parametrize(
    ("chance", "worst", "depends"),
    [
        (ranks(0.12, 2.0), ranks(0.0156, 3.0), True),  # decided by the worst ranks alone
        (ranks(0.0156, -3.0), ranks(0.0156, 3.0), True),  # the other one is ahead
        (ranks(0.0156, 3.0), ranks(0.0078, 3.0), False),
        (ranks(0.5, -1.0), ranks(0.12, 2.0), False),
    ],
)
def test_whether_the_answer_depends_on_how_divergence_counts_follows_from_the_ranks(
    chance: TestResult, worst: TestResult, depends: bool, frames: StudyFrames
) -> None:
    said = told(frames, chance_rank=chance, worst_rank=worst).sensitivity
    ends = {
        True: "For bn the answer on accuracy depends on how diverged runs count.",
        False: "How diverged runs count does not change the answer on accuracy.",
    }
    assert said.endswith(ends[depends])


def test_the_sentence_names_who_is_ahead_and_the_finding_itself(frames: StudyFrames) -> None:
    said = told(frames, chance_rank=ranks(0.12, -2.0), worst_rank=ranks(1.0, 0.0)).sensitivity
    assert "bn has p = 0.12 (plain ahead) with diverged runs as chance, and p = 1 (level) with" in said
    (accuracy,) = (one for one in compare(frames) if one.finding.endpoint == "log_error")
    assert accuracy.test is not None
    assert accuracy.test.p == 2 / 2**7  # seed 2 has no partner, all others have the same sign
    assert "(the finding accuracy itself has p = 0.016)" in said


def test_combinations_are_counted_for_every_variant(frames: StudyFrames) -> None:
    (cell,) = told(frames).cells
    assert cell.levels == ("0.01", "0.0")
    assert cell.counts == ("1 of 7", "0 of 8")  # a run of plain failed there


def test_the_page_has_the_section_where_a_run_diverged_and_only_there(page: Any, troubled_page: Any) -> None:
    assert "Diverged runs" not in [text for _, text in page.headings]
    assert "#diverged" not in page.values("href")
    headings = [text for tag, text in troubled_page.headings if tag == "h2"]
    assert headings[headings.index("Diverged runs") - 1] == "When does it help?"
    assert "#diverged" in troubled_page.values("href")
    section = troubled_page.text[troubled_page.text.rindex("Runs whose loss ceased") :]
    assert "bn 0 of 32 1 of 31 31 0 1 0 1 1 7" in section
    assert "0.01 0.0 1 of 7 0 of 8" in section


def test_with_one_combination_a_seed_is_a_pair(report_parts: Any, tmp_path: Path) -> None:
    def statuses(run: Run) -> str:
        return "diverged" if run.cell.variant == "plain" and run.seed < 6 else "completed"

    study = report_parts.small_study(factors=())
    recorded = report_parts.record(study, tmp_path / "results", statuses=statuses)
    page = report_parts.written(recorded, tmp_path)
    assert "Test: McNemar, exact; a seed is one pair" in page.text
    assert "bn 0 of 8 6 of 8 8 0 6 0 0.031 0.031 8" in page.text
    assert "in each combination" not in page.text[page.text.rindex("Runs whose loss ceased") :]


def test_a_variant_that_diverges_alike_is_level(report_parts: Any, tmp_path: Path) -> None:
    third = (Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group"))
    study = report_parts.small_study(factors=(), variants=third)
    report_parts.record(study, tmp_path, statuses=lambda _: "diverged")
    frames = load_frames(study, tmp_path)
    found = describe_divergence(
        divergence(frames), by_cell=diverged_by_cell(frames), contrasts=[], frames=frames
    )
    assert found is not None
    assert [(row.both, row.p) for row in found.rows] == [(8, "1"), (8, "1")]
    assert "gn has p = 1 (level) with diverged runs as chance, and p = 1 (level)" in found.sensitivity
