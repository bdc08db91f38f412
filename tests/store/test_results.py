"""Edge: the tables of a study as files, one a run and attempt, joined when they are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.design.factor import Factor
from harness.design.study import Study
from harness.errors import StoreError
from harness.store.results import Results
from harness.store.tables import DIAGNOSTICS, WEIGHTS, curves_schema, runs_schema

Row = dict[str, Any]
RowOf = Callable[..., Row]
SHA = "7" * 64

CURVES: list[Row] = [
    {"epoch": epoch, "split": split, "loss": 1 / (epoch + 1), "accuracy": 0.5, "seconds": 0.25}
    for epoch in range(3)
    for split in ("probe", "test")
]
PATHS: list[Row] = [
    {
        "epoch": epoch,
        "layer": "conv1.weight",
        "index": "0,0,1,1",
        "value": epoch / 8,
        "gradient": None,
        "sampled": True,
    }
    for epoch in range(3)
]


READINGS = [
    {"epoch": 1, "layer": "conv", "measure": "cosine", "channel": None, "step": 1.0, "value": 0.5},
    {"epoch": 2, "layer": "relu1", "measure": "dead", "channel": 3, "step": None, "value": 1.0},
]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results" / "small")


def test_what_is_written_of_a_run_can_be_read(results: Results, study: Study, row_of: RowOf) -> None:
    first, second = study.runs(SHA)[:2]
    for run in (first, second):
        results.write_run(
            row_of(run), factors=study.factors, curves=CURVES, weights=PATHS, diagnostics=READINGS
        )
    tables = ("runs", "curves", "weights", "diagnostics")
    runs, curves, weights, readings = (results.read(table) for table in tables)
    assert runs is not None
    assert curves is not None
    assert weights is not None
    assert readings is not None
    ids = sorted([first.run_id, second.run_id])
    written = {run.run_id: row_of(run) for run in (first, second)}
    nothing = dict.fromkeys(runs_schema(study.factors).names)
    assert runs.to_pylist() == [{**nothing, **written[name]} for name in ids]
    assert curves.to_pylist() == [{"run_id": name, **row} for name in ids for row in CURVES]
    assert weights.to_pylist() == [{"run_id": name, **row} for name in ids for row in PATHS]
    assert readings.to_pylist() == [{"run_id": name, **row} for name in ids for row in READINGS]


def test_a_table_that_was_never_written_is_none(results: Results, study: Study, row_of: RowOf) -> None:
    for table in ("runs", "curves", "weights", "provenance"):
        assert results.read(table) is None
    assert results.runs() is None
    assert not results.folder.exists()
    results.write_run(row_of(study.runs(SHA)[0], status="failed"), factors=study.factors)
    assert results.read("curves") is None
    assert results.read("weights") is None


def test_columns_without_a_value_keep_their_types(results: Results, study: Study, row_of: RowOf) -> None:
    run = study.runs(SHA)[0]
    curves = [{**row, "loss": None, "seconds": None} for row in CURVES]
    weights = [{**row, "gradient": None, "value": None} for row in PATHS]
    empty = row_of(run, train_loss=None, epochs_to_threshold=None, error=None, started_at=None, lr=None)
    results.write_run(empty, factors=study.factors, curves=curves, weights=weights, metrics=("brier",))
    for table, schema in (
        ("runs", runs_schema(study.factors)),
        ("curves", curves_schema(("brier",))),
        ("weights", WEIGHTS),
        ("diagnostics", DIAGNOSTICS),
    ):
        found = results.read(table)
        assert found is not None
        assert found.schema == schema


def test_a_column_that_no_schema_knows_is_not_written(results: Results, study: Study, row_of: RowOf) -> None:
    results.write_run(row_of(study.runs(SHA)[0], secret="x"), factors=study.factors)
    found = results.read("runs")
    assert found is not None
    assert "secret" not in found.column_names


def test_files_with_other_factors_are_joined(results: Results, study: Study, row_of: RowOf) -> None:
    old, new = study.runs(SHA)[:2]
    results.write_run(row_of(old), factors=study.factors)
    others = (Factor("depth", (1, 3)), Factor("norm", ("none", "batch")))
    without = {name: value for name, value in row_of(new).items() if name != "lr"}
    results.write_run({**without, "depth": 3, "norm": "batch"}, factors=others)
    found = results.read("runs")
    assert found is not None
    told = {row["run_id"]: (row["lr"], row["depth"], row["norm"]) for row in found.to_pylist()}
    assert told == {old.run_id: (0.01, None, None), new.run_id: (None, 3, "batch")}


def test_curves_with_other_metrics_are_joined(results: Results, study: Study, row_of: RowOf) -> None:
    old, new = study.runs(SHA)[:2]
    results.write_run(row_of(old), factors=study.factors, curves=CURVES)
    marked = [{**row, "brier": 0.125} for row in CURVES]
    results.write_run(row_of(new), factors=study.factors, curves=marked, metrics=("brier",))
    found = results.read("curves")
    assert found is not None
    told = {(row["run_id"], row["brier"]) for row in found.to_pylist()}
    assert told == {(old.run_id, None), (new.run_id, 0.125)}


def test_a_factor_of_whole_numbers_that_grew_a_fraction_is_joined(
    results: Results, study: Study, row_of: RowOf
) -> None:
    """Else the first run after the change makes the whole folder unreadable."""
    old, new = study.runs(SHA)[:2]
    results.write_run({**row_of(old), "growth": 1}, factors=(Factor("growth", (1, 2)),))
    results.write_run({**row_of(new), "growth": 2.5}, factors=(Factor("growth", (1, 2, 2.5)),))
    found = results.read("runs")
    assert found is not None
    told = {row["run_id"]: row["growth"] for row in found.to_pylist()}
    assert told == {old.run_id: 1, new.run_id: 2.5}


def test_a_factor_that_changed_its_kind_leaves_the_runs_readable(
    results: Results, study: Study, row_of: RowOf
) -> None:
    old, new = study.runs(SHA)[:2]
    results.write_run({**row_of(old), "size": 1}, factors=(Factor("size", (1, 2)),))
    results.write_run({**row_of(new), "size": "s"}, factors=(Factor("size", ("s", "m")),))
    results.compact()
    found = results.runs()
    assert found is not None
    assert set(found["run_id"].to_pylist()) == {old.run_id, new.run_id}
    with pytest.raises(StoreError) as caught:
        results.read("runs")
    assert "do not fit together" in caught.value.received
    assert "a column has one type in all files" in caught.value.rule
    assert "give the factor another name" in caught.value.remedy


def test_joining_files_changes_no_row_of_any_table(results: Results, study: Study, row_of: RowOf) -> None:
    for run in study.runs(SHA):
        results.write_run(row_of(run), factors=study.factors, curves=CURVES, weights=PATHS)
    results.write_run(row_of(study.runs(SHA)[0], attempt=2, status="failed"), factors=study.factors)
    tables = ("runs", "curves", "weights", "diagnostics")
    before, latest = [results.read(table) for table in tables], results.runs()
    for _ in range(2):
        assert results.compact() == []
        for table in tables:
            assert len(list((results.folder / table).iterdir())) == 1
        assert [results.read(table) for table in tables] == before
        assert results.runs() == latest
    more = study.runs("f" + SHA[1:])[0]
    results.write_run(row_of(more), factors=study.factors, curves=CURVES)
    results.compact()
    after = results.runs()
    assert after is not None
    assert latest is not None
    assert after.num_rows == latest.num_rows + 1


def test_the_highest_attempt_counts_and_ten_is_higher_than_nine(
    results: Results, study: Study, row_of: RowOf
) -> None:
    first, second = study.runs(SHA)[:2]
    for attempt in (10, 2, 9, 1):
        results.write_run(
            row_of(first, attempt=attempt, status="completed" if attempt == 10 else "failed"),
            factors=study.factors,
        )
    results.write_run(row_of(second, attempt=3, status="timeout"), factors=study.factors)
    whole, found = results.read("runs"), results.runs()
    assert whole is not None
    assert found is not None
    assert whole.num_rows == 5
    told = {row["run_id"]: (row["attempt"], row["status"]) for row in found.to_pylist()}
    assert found.num_rows == 2
    assert told == {first.run_id: (10, "completed"), second.run_id: (3, "timeout")}


def test_reading_some_runs_reads_no_pages_of_others(results: Results, study: Study, row_of: RowOf) -> None:
    runs = study.runs(SHA)
    for run in runs:
        results.write_run(row_of(run), factors=study.factors, curves=CURVES)
    wanted = {runs[2].run_id, runs[7].run_id}
    found = results.read("curves", run_ids=iter([*wanted, "never-recorded"]))
    assert found is not None
    assert set(found["run_id"].to_pylist()) == wanted
    assert found.num_rows == 2 * len(CURVES)
    for run in runs:
        if run.run_id not in wanted:
            flip(results.folder / "curves" / f"{run.run_id}.1.parquet", 30)
    again = results.read("curves", run_ids=wanted)
    assert again is not None
    assert again.equals(found)
    assert results.read("curves", run_ids=["never-recorded"]) is None
    assert results.read("curves", run_ids=[]) is None


def flip(path: Path, byte: int) -> None:
    """Flip a bit of a file, as a failing disk does."""
    content = bytearray(path.read_bytes())
    content[byte] ^= 0b100
    path.write_bytes(content)


def test_a_run_is_not_taken_for_another_whose_name_it_begins(
    results: Results, study: Study, row_of: RowOf
) -> None:
    run = study.runs(SHA)[0]
    for name in ("v1-s001-abc", "v1-s001-abcd", "v1.0-s001-abc", "v1-s001-abc.1"):
        results.write_run(row_of(run, run_id=name), factors=study.factors, curves=CURVES[:1])
    for name in ("v1-s001-abc", "v1.0-s001-abc", "v1-s001-abc.1"):
        found = results.read("curves", run_ids=[name])
        assert found is not None
        assert found["run_id"].to_pylist() == [name]


def test_a_run_counts_once_its_other_tables_are_on_disk(
    results: Results, study: Study, row_of: RowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three files and three folders are synced; whichever sync fails, a row in `runs` means all is there."""
    run = study.runs(SHA)[0]
    sync = os.fsync
    for good in range(5):
        left = [good]

        def failing(handle: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
            sync(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(StoreError, match="No space left on device"):
                results.write_run(row_of(run), factors=study.factors, curves=CURVES, weights=PATHS)
        assert results.runs() is None
    results.write_run(row_of(run), factors=study.factors, curves=CURVES, weights=PATHS)
    for table, rows in (("runs", 1), ("curves", len(CURVES)), ("weights", len(PATHS))):
        found = results.read(table)
        assert found is not None
        assert found.num_rows == rows


def test_what_a_killed_writer_left_is_not_read_and_can_be_swept_away(
    results: Results, study: Study, row_of: RowOf
) -> None:
    results.write_run(row_of(study.runs(SHA)[0]), factors=study.factors, curves=CURVES)
    kept = [path for path in results.folder.rglob("*") if path.is_file()]
    kept += [results.folder / name for name in (".lock", ".notes.tmp", "curves/notes.99.tmp")]
    left = [results.folder / name for name in ("runs/.o.1.parquet.99.tmp", "weights/.x.7.tmp", ".log.8.tmp")]
    for path in (*kept[-3:], *left):
        path.write_bytes(b"PAR1 half a file")
    found = results.read("runs")
    assert found is not None
    assert found.num_rows == 1
    results.sweep()
    assert sorted(path for path in results.folder.rglob("*") if path.is_file()) == sorted(kept)
    results.sweep()
    Results(results.folder / "never written").sweep()


def test_a_finished_run_stands_in_every_table_and_a_failed_one_in_runs_alone(
    results: Results, study: Study, row_of: RowOf
) -> None:
    ends = ("completed", "diverged", "failed", "timeout", "oom")
    runs = study.runs(SHA)[: len(ends)]
    for run, status in zip(runs, ends, strict=True):
        results.write_run(row_of(run, status=status), factors=study.factors)
    for table in ("curves", "weights"):
        assert results.members(table) == {f"{run.run_id}.1" for run in runs[:2]}
        found = results.read(table)
        assert found is not None
        assert found.num_rows == 0
    assert results.members("runs") == {f"{run.run_id}.1" for run in runs}


def test_curves_of_an_attempt_count_once_its_row_in_runs_is_written(
    results: Results, study: Study, row_of: RowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two leaves curves of an attempt that never was."""
    run = study.runs(SHA)[0]
    results.write_run(row_of(run, status="failed"), factors=study.factors)
    with monkeypatch.context() as cut:
        cut.setattr("harness.store.results.runs_schema", power_cut)
        with pytest.raises(KeyboardInterrupt):
            results.write_run(row_of(run, attempt=2), factors=study.factors, curves=CURVES)
    assert results.members("curves") == {f"{run.run_id}.2"}
    assert results.read("curves") is None
    results.write_run(row_of(run, attempt=3), factors=study.factors, curves=CURVES[:2])
    found = results.read("curves")
    assert found is not None
    assert found.to_pylist() == [{"run_id": run.run_id, **row} for row in CURVES[:2]]


def power_cut(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("joined", [False, True], ids=["in files of their own", "joined with others"])
def test_what_does_not_count_is_pruned_and_what_counts_stays(
    joined: bool, results: Results, study: Study, row_of: RowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the files without the harness then meets each run once."""
    first, second, third = study.runs(SHA)[:3]
    for run, attempt in ((first, 1), (second, 1), (second, 2)):  # the second lost a file, and ran again
        results.write_run(row_of(run, attempt=attempt), factors=study.factors, curves=CURVES, weights=PATHS)
    with monkeypatch.context() as cut:
        cut.setattr("harness.store.results.runs_schema", power_cut)
        with pytest.raises(KeyboardInterrupt):
            results.write_run(row_of(third), factors=study.factors, curves=CURVES)
    before = {table: results.read(table) for table in ("runs", "curves", "weights")}
    if joined:
        results.compact()
    results.prune()
    for table, rows in before.items():
        found = results.read(table)
        assert found is not None
        assert found.equals(rows)
    for table in ("curves", "weights"):
        files = (results.folder / table).glob("*.parquet")
        ids = [
            row["run_id"] for path in files for row in pq.read_table(path).to_pylist() if row["epoch"] == 0
        ]
        each = 2 if table == "curves" else 1
        assert sorted(ids) == sorted([first.run_id, second.run_id] * each)
    results.prune()
    assert results.members("curves") == {f"{first.run_id}.1", f"{second.run_id}.2"}


def test_a_run_has_one_file_a_table_and_attempt(results: Results, study: Study, row_of: RowOf) -> None:
    run = study.runs(SHA)[0]
    for attempt in (1, 2):
        results.write_run(row_of(run, attempt=attempt), factors=study.factors, curves=CURVES, weights=PATHS)
    found = sorted(str(path.relative_to(results.folder)) for path in results.folder.rglob("*.*"))
    expected = [
        f"{table}/{run.run_id}.{n}.parquet"
        for table in ("curves", "diagnostics", "runs", "weights")
        for n in (1, 2)
    ]
    assert found == expected


def test_the_moment_is_kept_to_the_microsecond_in_utc(results: Results, study: Study, row_of: RowOf) -> None:
    row = row_of(study.runs(SHA)[0])
    results.write_run(row, factors=study.factors)
    found = results.runs()
    assert found is not None
    assert found["started_at"].type == pa.timestamp("us", tz="UTC")
    assert found["started_at"].to_pylist() == [row["started_at"]]
