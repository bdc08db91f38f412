"""The note says the question, how far the study is, and the means so far."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.dashboard import window
from harness.dashboard.note import compose_note
from harness.dashboard.window import Window
from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.scale import Scale
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.findings.looks import at_last_look
from harness.store.ledger import open_ledger
from harness.store.results import Results
from tests.dashboard.conftest import record_small, troubles
from tests.report.conftest import Recorded, record, small_study

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def note_of(recorded: Recorded, *, report: str | None = None, findings: bool = False) -> str:
    ledger = open_ledger(recorded.study, Results(recorded.folder))
    frames = load_frames(recorded.study, recorded.folder, ledger=ledger)
    contrasts = compare(at_last_look(frames)) if findings else []
    return compose_note(recorded.study, ledger, frames, contrasts, at=AT, report=report)


def finding_rows(note: str) -> dict[str, list[str]]:
    """The cells of the table of findings, by claim."""
    rows = [line for line in note.splitlines() if line.count("|") == 8]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row[1:] for row in cells[2:]}


def gaps(recorded: Recorded, *, seeds: int) -> list[float]:
    """The mean difference in test accuracy of each seed, by a plain loop."""
    found = []
    for seed in range(seeds):
        means = {
            name: [r["test_accuracy"] for r in recorded.runs if (r["variant"], r["seed"]) == (name, seed)]
            for name in ("plain", "bn")
        }
        found.append(sum(means["bn"]) / len(means["bn"]) - sum(means["plain"]) / len(means["plain"]))
    return found


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
        "More stands in the [report](/artifacts/1/abc)."
    )


def test_a_question_is_shown_as_it_is_declared(tmp_path: Path) -> None:
    study = small_study(question="Does [bn](x) *help* | <b>at</b>\n# all_of_it?")
    note = compose_note(study, open_ledger(study, Results(tmp_path)), None, at=AT, report=None)
    assert note.startswith(r"**Does \[bn\]\(x\) \*help\* \| \<b\>at\</b\> \# all\_of\_it?**")


@pytest.fixture
def seven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Records the small study with accuracy as its one finding; `there` of its `seeds` have come in."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    finding = Finding(name="acc", claim="accuracy is *higher*", endpoint="accuracy", better="higher")

    def make(*, there: int, seeds: int = 7, **changes: Any) -> Recorded:
        def statuses(run: Run) -> str:
            return "completed" if run.seed < there else "missing"

        study = small_study(seeds=seeds, factors=(), findings=(finding,), **changes)
        return record(study, tmp_path / f"{there}", statuses=statuses, weights=0, readings=lambda _: [])

    return make


def test_the_findings_so_far_stand_in_a_table(seven: Any) -> None:
    recorded = seven(there=7)
    found = gaps(recorded, seeds=7)
    assert all(gap > 0 for gap in found)  # then p is 2 of the 2⁷ patterns of signs
    mean, half = sum(found) / 7, stats.t.ppf(0.975, 6) * stats.sem(found)
    (row,) = finding_rows(note_of(recorded, findings=True)).items()
    claim, (variant, verdict, effect, interval, p, pairs) = row
    assert (claim, variant, verdict) == (r"accuracy is \*higher\*", "bn", "supported")
    assert effect == rf"\+{100 * mean:.2f} percentage points"
    assert interval == rf"\+{100 * (mean - half):.2f} to \+{100 * (mean + half):.2f}"
    assert (float(p), pairs) == (round(2 / 2**7, 3), "7")


def test_a_study_without_looks_is_told_that_looking_early_decides_nothing(seven: Any) -> None:
    early, whole = (note_of(seven(there=there), findings=True) for there in (6, 7))
    assert "A look before all 7 seeds are there decides nothing" in early
    assert finding_rows(early)["accuracy is \\*higher\\*"][-1] == "6"
    assert "decides nothing" not in whole
    assert whole.endswith("All runs are recorded: these are the verdicts.")


def test_the_findings_are_those_of_the_last_declared_look(seven: Any) -> None:
    notes = {there: note_of(seven(there=there, seeds=12, looks=(8, 12)), findings=True) for there in (7, 10)}
    assert notes[7].endswith("Nothing is tested before the first declared look, at 8 seeds.")
    assert "look 1 of 2, at 8 seeds: what it decides stands" in notes[10]
    assert finding_rows(notes[10])["accuracy is \\*higher\\*"][-1] == "8"


def shown_by(window: Window, monkeypatch: pytest.MonkeyPatch) -> tuple[str, set[str]]:
    """Note and names of the figures that a window writes."""
    shown: list[tuple[str, set[str]]] = []
    window.catch_up()
    monkeypatch.setattr(window.stored, "show", lambda note, figures: shown.append((note, set(figures))))
    window.show()
    return shown[0]


def test_the_mirror_shows_the_findings(seven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = seven(there=7)
    with Window(recorded.study, recorded.folder, say=print) as mirror:
        note, figures = shown_by(mirror, monkeypatch)
    assert finding_rows(note)["accuracy is \\*higher\\*"][1] == "supported"
    assert figures == {"findings", "effect-by-cell", "paired-differences", "curves"}


def test_of_a_very_large_study_the_findings_are_left_to_the_report(
    seven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = seven(there=7)
    monkeypatch.setattr(window, "MOST_RUNS", 13)
    with Window(recorded.study, recorded.folder, say=print) as mirror:
        note, figures = shown_by(mirror, monkeypatch)
    assert note.endswith("estimated from the runs so far and not tested.")
    assert "findings" not in figures


def test_without_provenance_there_is_a_note_without_findings(
    seven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = seven(there=7)
    shutil.rmtree(recorded.folder / "provenance")
    with Window(recorded.study, recorded.folder, say=print) as mirror:
        note, figures = shown_by(mirror, monkeypatch)
    assert "| bn |" in note
    assert "findings" not in figures


def test_the_note_says_at_which_scale_a_study_is(tmp_path: Path) -> None:
    full = small_study(factors=(), scales={"small": Scale(seeds=7, settings={"train_images": 500})})
    note = note_of(record(full.at_scale("small"), tmp_path))
    assert (
        "**Small scale.** 7 of 8 seeds and train\\_images = 500 instead of all, to try the design out."
        in note
    )
    assert "scale" not in note_of(record(replace(full, name="whole"), tmp_path / "whole"))
