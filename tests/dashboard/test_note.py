"""The note says the question, how far the study is, and the means so far."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.dashboard.note import compose_note
from harness.findings.frames import load_frames
from harness.store.ledger import open_ledger
from harness.store.results import Results
from tests.dashboard.conftest import record_small, troubles
from tests.report.conftest import Recorded, small_study

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def note_of(recorded: Recorded, *, report: str | None = None) -> str:
    ledger = open_ledger(recorded.study, Results(recorded.folder))
    frames = load_frames(recorded.study, recorded.folder, weights=False, splits=("test",))
    return compose_note(recorded.study, ledger, frames, at=AT, report=report)


def test_the_note_says_question_progress_and_means(recorded: Recorded) -> None:
    values: dict[str, list[float]] = {"plain": [], "bn": []}
    for row in recorded.runs:
        if row["status"] != "failed":
            values[row["variant"]].append(row["test_accuracy"] if row["status"] == "completed" else 0.1)
    plain, bn = (100 * sum(values[name]) / len(values[name]) for name in ("plain", "bn"))
    assert note_of(recorded) == "\n".join(
        [
            r"**Does batch normalization \(BN\) help a small CNN?**",
            "",
            "**24 of 24 runs**: 22 completed, 1 diverged, 1 failed. As of 2026-03-01 12:30 UTC.",
            "",
            "| variant | mean test accuracy | runs | diverged |",
            "|---|--:|--:|--:|",
            f"| plain (baseline) | {plain:.2f}\N{NO-BREAK SPACE}% | 11 | 1 |",
            f"| bn | {bn:.2f}\N{NO-BREAK SPACE}% | 12 | 0 |",
            "",
            "A diverged run counts as chance.",
            "",
            "What stands here is estimated from the runs so far and not tested.",
        ]
    )


def test_an_unfinished_study_says_how_far_it_is(tmp_path: Path) -> None:
    part = record_small(tmp_path / "small", statuses=lambda r: "missing" if r.seed else troubles(r))
    assert "**8 of 24 runs**: 8 completed. As of" in note_of(part)


def test_before_the_first_run_there_is_the_question(tmp_path: Path) -> None:
    study = small_study()
    ledger = open_ledger(study, Results(tmp_path / "small"))
    note = compose_note(study, ledger, None, at=AT, report=None)
    assert "**0 of 64 runs**. As of" in note
    assert "|" not in note


def test_the_report_is_linked(recorded: Recorded) -> None:
    assert note_of(recorded, report="/artifacts/1/abc").endswith(
        "The tests stand in the [report](/artifacts/1/abc)."
    )


def test_a_question_is_shown_as_it_is_declared(tmp_path: Path) -> None:
    study = small_study(question="Does [bn](x) *help* | <b>at</b>\n# all_of_it?")
    note = compose_note(study, open_ledger(study, Results(tmp_path)), None, at=AT, report=None)
    assert note.startswith(r"**Does \[bn\]\(x\) \*help\* \| \<b\>at\</b\> \# all\_of\_it?**")
