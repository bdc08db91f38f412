"""What limits the evidence is said, with counts, and only where it holds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from harness.design.finding import ARTICLE
from harness.design.overrides import with_overrides
from harness.design.scale import Scale
from harness.design.study import Study
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.findings.looks import at_last_look
from harness.report.limits import find_limits, scale_limit


def limits_of(study: Study, folder: Path) -> dict[str, str]:
    frames = load_frames(study, folder)
    return {limit.label: limit.text for limit in find_limits(frames, compare(frames))}


def test_a_complete_study_on_embedded_data_is_limited_by_the_data_alone(whole: Any) -> None:
    assert list(limits_of(whole.study, whole.folder)) == ["Small data"]


def test_diverged_and_failed_runs_are_counted_by_variant(troubled: Any) -> None:
    said = limits_of(troubled.study, troubled.folder)
    assert list(said) == ["Unfinished", "Diverged", "Failed", "Small data"]
    assert "plain 1 of 32 runs, bn 0 of 32 runs" in said["Diverged"]
    assert "plain 1 of 32 runs, bn 0 of 32 runs" in said["Failed"]
    assert said["Unfinished"].startswith("7 of 8 declared seeds finished")


def test_kinds_of_failure_are_told_apart(report_parts: Any, tmp_path: Path) -> None:
    ends = {1: "failed", 2: "timeout", 3: "oom"}
    study = report_parts.small_study(factors=(), seeds=10)
    report_parts.record(study, tmp_path, statuses=lambda run: ends.get(run.seed, "completed"))
    assert "bn 3 of 10 runs (1 failed, 1 oom, 1 timeout)" in limits_of(study, tmp_path)["Failed"]


def test_a_study_under_way_says_what_is_missing_and_that_nothing_can_be_decided(
    report_parts: Any, tmp_path: Path
) -> None:
    study = report_parts.small_study()
    report_parts.record(study, tmp_path, statuses=lambda run: "completed" if run.seed < 6 else "missing")
    said = limits_of(study, tmp_path)
    assert list(said)[:2] == ["Too few seeds", "Unfinished"]
    # The smallest p of six pairs is 2/64; Holm's first step multiplies it by three.
    assert (
        "With 6 pairs of seeds the smallest p after the correction for 3 tests is 0.094"
        in said["Too few seeds"]
    )
    assert "7 seeds would do" in said["Too few seeds"]
    assert said["Unfinished"] == (
        "6 of 8 declared seeds finished in every combination. 16 of 64 runs are not recorded yet. This is a "
        "look that was not declared: to look again and again until p is small makes false claims likely."
    )


def test_runs_of_another_declaration_are_counted(report_parts: Any, tmp_path: Path) -> None:
    report_parts.record(report_parts.small_study(factors=(), epochs=3), tmp_path)
    study = report_parts.small_study(factors=())
    report_parts.record(study, tmp_path)
    said = limits_of(study, tmp_path)["Other runs"]
    assert said.startswith("16 recorded runs in this folder belong to another declaration")


@pytest.mark.parametrize(("column", "other"), [("device", "cuda"), ("engine", "fused")])
def test_pairs_on_two_devices_or_engines_are_counted(
    report_parts: Any, tmp_path: Path, column: str, other: str
) -> None:
    study = report_parts.small_study(factors=())
    report_parts.record(study, tmp_path)
    alone = dataclasses.replace(study, seeds=1)
    only_bn = {"statuses": lambda run: "completed" if run.cell.variant == "bn" else "missing"}
    report_parts.record(alone, tmp_path, changes={column: other, "attempt": 2}, **only_bn)
    assert (
        f"In 1 of 8 pairs the variants ran on different {column}s"
        in limits_of(study, tmp_path)[f"Mixed {column}s"]
    )


def test_pairs_on_two_kinds_of_processor_are_counted(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study(factors=())
    report_parts.record(study, tmp_path)
    other = {"call_id": "other", "hardware": json.dumps({"device": "cpu", "gpus": [], "cpu": "Xeon"})}
    report_parts.record(
        study,
        tmp_path,
        statuses=lambda run: "completed" if (run.cell.variant, run.seed) == ("bn", 2) else "missing",
        changes={"call_id": "other", "attempt": 2},
        call=other,
    )
    assert limits_of(study, tmp_path)["Mixed hardware"].startswith(
        "In 1 of 8 pairs the variants ran on different processors (AMD EPYC 9R14 and Xeon)"
    )


def test_a_changed_source_tree_is_said(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study(factors=())
    report_parts.record(study, tmp_path, call={"git_dirty": True})
    assert limits_of(study, tmp_path)["Changed source"].startswith("1 of 1 call ran with uncommitted changes")


def test_calls_that_trained_nothing_here_are_not_held_against_the_study(
    report_parts: Any, tmp_path: Path
) -> None:
    study = report_parts.small_study(factors=())
    report_parts.record(study, tmp_path)
    report_parts.record(
        study,
        tmp_path,
        statuses=lambda _: "missing",
        call={"call_id": "other", "git_dirty": True, "harness": "9"},
    )
    assert list(limits_of(study, tmp_path)) == ["Small data"]


def test_another_number_of_seeds_than_the_declared_one_is_said(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study(factors=(), planned=20)
    report_parts.record(study, tmp_path)
    assert limits_of(study, tmp_path)["Not the declared seeds"] == (
        "8 seeds instead of the 20 that the study declares. If results were looked at before, false claims "
        "are more likely than p says."
    )


def test_seeds_and_looks_that_were_declared_later_are_said(report_parts: Any, tmp_path: Path) -> None:
    report_parts.record(report_parts.small_study(factors=(), seeds=7), tmp_path / "grown")
    grown = report_parts.small_study(factors=(), seeds=8, looks=(7, 8), spending="pocock")
    said = limits_of(grown, tmp_path / "grown")
    assert said["Rescheduled"] == (
        "When the first of these runs was trained, the study declared 7 seeds and no looks before the end; "
        "now it declares 8 seeds and looks at 7 and 8. If results were looked at before, false claims are "
        "more likely than p says."
    )
    report_parts.record(grown, tmp_path / "whole")
    assert "Rescheduled" not in limits_of(grown, tmp_path / "whole")


def under_way(report_parts: Any, folder: Path, *, seeds: int) -> dict[str, str]:
    """What limits a study of nine seeds, looked at seven and nine, when so many are there.

    Seven pairs have patterns of 1/64; one of three claims may spend 0.05/3 · ln(1 + 1.718 · 7/9) there, which
    is 0.0141 (Pocock): nothing can be claimed.
    """
    study = report_parts.small_study(factors=(), seeds=9, looks=(7, 9), spending="pocock", findings=ARTICLE)
    report_parts.record(study, folder, statuses=lambda run: "completed" if run.seed < seeds else "missing")
    frames = at_last_look(load_frames(study, folder))
    return {limit.label: limit.text for limit in find_limits(frames, compare(frames))}


def test_before_the_first_look_the_reader_is_told_that_nothing_is_tested(
    report_parts: Any, tmp_path: Path
) -> None:
    said = under_way(report_parts, tmp_path, seeds=5)
    assert said["Before the first look"].startswith("5 of the 7 seeds of the first declared look are there.")
    assert "look that was not declared" not in "".join(said.values())


def test_a_study_that_waits_for_its_next_look_says_so(report_parts: Any, tmp_path: Path) -> None:
    """Eight seeds are there; the look at seven sees seven, and none of its runs is missing."""
    said = under_way(report_parts, tmp_path, seeds=8)
    assert list(said) == ["Interim", "Small data"]
    assert said["Interim"].startswith("Look 1 of 2, at 7 of 9 planned seeds.")
    assert "goes on to 9 seeds" in said["Interim"]


def test_after_the_last_look_nothing_is_interim(report_parts: Any, tmp_path: Path) -> None:
    assert list(under_way(report_parts, tmp_path, seeds=9)) == ["Small data"]


def test_a_study_at_a_scale_says_first_what_it_has_less_of(report_parts: Any, tmp_path: Path) -> None:
    scale = Scale(seeds=7, epochs=3, settings={"train_images": 500})
    full = report_parts.small_study(factors=(), scales={"small": scale})
    scaled = full.at_scale("small")
    report_parts.record(scaled, tmp_path)
    said = limits_of(scaled, tmp_path)
    assert list(said) == ["Small scale", "Small data"]
    assert said["Small scale"] == (
        "7 of 8 seeds, 3 of 6 epochs and train_images = 500 instead of all, to try the design out. The full "
        "study, small, has the same factors and findings; its effects need not be the same."
    )
    lifted = with_overrides(full, scale="small", seeds=8, assignments=["epochs=6", "train_images=all"])
    assert not list(scale_limit(lifted))
