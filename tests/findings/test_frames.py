"""Edge: the tables of a study hold exactly what its declaration expands to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError, StoreError
from harness.findings.frames import StudyFrames, load_frames
from harness.store.results import Results

Ending = dict[str, Any]
FramesOf = Callable[..., StudyFrames]
WriteRun = Callable[[Path, Study, Run, Ending], None]
RunsOf = Callable[[Study], list[Run]]

STUDY = Study(
    name="grid",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("batch_size", (8, 16)), Factor("lr", (0.01, 0.1, 1.0))),
    seeds=2,
    epochs=2,
)
PATHS = {("conv1.weight", "0,0,0,0"): [0.0, 0.5, 0.25]}


def fine(run: Run) -> Ending:
    return {"accuracy": run.seed / 8, "paths": PATHS}


def test_every_row_bears_the_variant_seed_and_cell_of_its_run(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, fine)
    grid = [(batch_size, lr) for batch_size in (8, 16) for lr in (0.01, 0.1, 1.0)]
    assert [(levels["batch_size"], levels["lr"]) for levels in frames.cells] == grid
    told = {}
    for row in frames.runs.to_dict("records"):
        assert row["cell"] == grid.index((row["batch_size"], row["lr"]))
        told[row["run_id"]] = (row["variant"], row["seed"], row["cell"])
    assert len(told) == len(frames.runs) == 24
    assert set(told.values()) == {
        (variant, seed, cell) for variant in ("plain", "bn") for seed in (0, 1) for cell in range(6)
    }
    for table, rows in ((frames.curves, 1), (frames.weights, 3)):
        assert len(table) == 24 * rows
        for row in table.to_dict("records"):
            assert (row["variant"], row["seed"], row["cell"]) == told[row["run_id"]]


def test_the_study_and_its_ledger_come_along(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda run: fine(run) if run.seed == 0 else None)
    assert frames.study is STUDY
    assert frames.ledger.counts() == {"completed": 12, "missing": 12}
    assert json.loads(frames.provenance["data"][0])["classes"] == 10


def test_only_what_the_declaration_expands_to_is_read(
    frames_of: FramesOf, write_run: WriteRun, runs_of: RunsOf, tmp_path: Path
) -> None:
    larger = replace(
        STUDY, seeds=3, factors=(Factor("batch_size", (8, 16)), Factor("lr", (0.01, 0.1, 1.0, 2.0)))
    )
    longer = replace(STUDY, epochs=9)
    for study in (larger, longer):
        for run in runs_of(study):
            write_run(tmp_path / "grid", study, run, {"accuracy": 0.0, "paths": PATHS})
    frames = frames_of(STUDY, fine)
    expected = {run.run_id for run in runs_of(STUDY)}
    assert len(frames.runs) == len(expected)
    for table in (frames.runs, frames.curves, frames.weights):
        assert set(table["run_id"]) == expected
    assert frames.ledger.foreign == 24 + (3 * 2 * 8 - 24)


def test_the_last_attempt_at_a_run_is_the_one_that_is_read(
    frames_of: FramesOf, write_run: WriteRun, runs_of: RunsOf, tmp_path: Path
) -> None:
    run = runs_of(STUDY)[0]
    for attempt, status in ((2, "failed"), (3, "timeout")):
        write_run(tmp_path / "grid", STUDY, run, {"attempt": attempt, "status": status})
    write_run(tmp_path / "grid", STUDY, run, {"attempt": 10, "accuracy": 0.75})
    frames = frames_of(STUDY, lambda _: {"status": "failed"})
    rows = frames.runs[frames.runs["run_id"] == run.run_id].to_dict("records")
    assert [(row["attempt"], row["status"], row["test_accuracy"]) for row in rows] == [
        (10, "completed", 0.75)
    ]


def test_runs_recorded_before_a_factor_was_declared_bear_its_level(
    write_run: WriteRun, runs_of: RunsOf, tmp_path: Path
) -> None:
    """A run at the default of a new factor keeps its id; its file has no column for the factor."""
    grown = replace(STUDY, factors=(*STUDY.factors, Factor("dropout", (0.0, 0.25))))
    old = {run.run_id for run in runs_of(STUDY)}
    for study in (STUDY, grown):
        for run in runs_of(study):
            if study is STUDY or run.run_id not in old:
                write_run(tmp_path, study, run, fine(run))
    frames = load_frames(grown, tmp_path)
    declared = {run.run_id: run.cell.levels for run in runs_of(grown)}
    assert frames.ledger.counts() == {"completed": 48}
    for row in frames.runs.to_dict("records"):
        levels = {factor.name: row[factor.name] for factor in grown.factors}
        assert levels == declared[row["run_id"]]


def test_the_calls_of_the_runner_stand_in_the_order_of_their_start(
    frames_of: FramesOf, write_call: Callable[..., None], tmp_path: Path
) -> None:
    for call_id, day in (("bbb", 4), ("zzz", 2), ("aaa", 3)):
        write_call(tmp_path / "grid", call_id=call_id, day=day)
    assert frames_of(STUDY, fine).provenance["call_id"].tolist() == ["call", "zzz", "aaa", "bbb"]


def test_tables_that_were_never_written_have_their_columns_and_no_rows(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda _: {"status": "failed"})
    for table, columns in (
        (frames.curves, {"run_id", "epoch", "split", "loss", "accuracy"}),
        (frames.weights, {"run_id", "epoch", "layer", "index", "value", "gradient", "sampled"}),
    ):
        assert len(table) == 0
        assert set(table.columns) == columns | {"variant", "seed", "cell"}


def test_without_results_the_remedy_is_to_run_the_study(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_frames(STUDY, tmp_path / "grid")
    assert caught.value.received == f"no results of study 'grid' in {tmp_path / 'grid'}"
    assert caught.value.rule == "a report needs finished runs of what the study declares"
    assert caught.value.remedy.startswith("`harness run grid` first, or name the folder with --results")
    assert "after `run --scale ...` or `run --set ...` give this command the same" in caught.value.remedy
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_results_of_other_settings_are_no_results_but_are_counted(
    write_run: WriteRun, runs_of: RunsOf, tmp_path: Path
) -> None:
    other = replace(STUDY, epochs=9)
    for run in runs_of(other)[:5]:
        write_run(tmp_path, other, run, {"accuracy": 0.5})
    with pytest.raises(InputError) as caught:
        load_frames(STUDY, tmp_path)
    assert "5 runs of other settings, epochs or data lie there" in caught.value.received


@pytest.mark.parametrize("damaged", ["weights", "curves"])
def test_a_damaged_table_is_told_and_the_next_call_does_without_its_runs(
    frames_of: FramesOf, runs_of: RunsOf, tmp_path: Path, damaged: str
) -> None:
    whole = frames_of(STUDY, fine, single=True)
    lost = runs_of(STUDY)[3].run_id
    bad = tmp_path / "grid" / damaged / f"{lost}.1.parquet"
    content = bytearray(bad.read_bytes())
    content[40] ^= 1  # in a page, which only reading tells
    bad.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        load_frames(STUDY, tmp_path / "grid")
    assert caught.value.received.startswith(f"a damaged file was met and set aside as {bad}.damaged (")
    assert "checksum" in caught.value.rule
    assert "`harness run grid` trains missing runs again" in caught.value.remedy
    frames = load_frames(STUDY, tmp_path / "grid")
    assert frames.ledger.counts() == {"completed": 23, "missing": 1}
    for table, before in (
        (frames.runs, whole.runs), (frames.curves, whole.curves), (frames.weights, whole.weights),
    ):  # fmt: skip
        left = before[before["run_id"] != lost].reset_index(drop=True)
        pd.testing.assert_frame_equal(table.reset_index(drop=True), left)


def test_joined_files_give_the_same_frames(frames_of: FramesOf, tmp_path: Path) -> None:
    single = frames_of(STUDY, fine, single=True)
    Results(tmp_path / "grid").compact()
    joined = load_frames(STUDY, tmp_path / "grid")
    for name in ("runs", "curves", "weights", "provenance"):
        pd.testing.assert_frame_equal(getattr(joined, name), getattr(single, name))


def test_a_run_that_was_trained_again_is_one_run_while_its_first_attempt_lies_in_a_joined_file(
    frames_of: FramesOf, write_run: WriteRun, runs_of: RunsOf, tmp_path: Path
) -> None:
    before = frames_of(STUDY, fine)
    again = runs_of(STUDY)[3]
    write_run(tmp_path / "grid", STUDY, again, {**fine(again), "attempt": 2})
    frames = load_frames(STUDY, tmp_path / "grid")
    attempts = dict(zip(frames.runs["run_id"], frames.runs["attempt"], strict=True))
    assert attempts == {run.run_id: 1 + (run == again) for run in runs_of(STUDY)}
    for name in ("runs", "curves", "weights"):
        found, expected = (
            getattr(one, name).drop(columns="attempt", errors="ignore") for one in (frames, before)
        )
        pd.testing.assert_frame_equal(found, expected)


def test_reading_findings_needs_no_torch_and_draws_nothing() -> None:
    program = """
import json, sys
import harness.findings.contrasts, harness.findings.levels, harness.stats.power
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert {"pandas", "statsmodels"} <= loaded
    assert not loaded & {"torch", "torchvision", "matplotlib", "seaborn", "plotly", "optuna"}
