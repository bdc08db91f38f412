"""Edge: a table read part by part holds what it holds when read at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.design.run import Run
from harness.design.study import Study
from harness.errors import StoreError
from harness.store import shelf
from harness.store.parts import ahead
from harness.store.results import Results
from harness.store.shelf import Shelf

Row = dict[str, Any]
RowOf = Callable[..., Row]
Key = tuple[str, int]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr("os.fsync", lambda _: None)
    return Results(tmp_path / "small")


def write(results: Results, study: Study, run: Run, row_of: RowOf, *, attempt: int = 1) -> None:
    curves = [
        {"epoch": epoch, "split": split, "loss": attempt + run.seed / 8}
        for epoch in range(3)
        for split in ("probe", "test")
    ]
    results.write_run(row_of(run, attempt=attempt), factors=study.factors, curves=curves)


def rows_of(tables: list[pa.Table]) -> list[list[Row]]:
    return [table.select(["run_id", "epoch", "split", "loss"]).to_pylist() for table in tables]


def test_parts_are_files_and_together_they_are_the_table(
    results: Results, study: Study, row_of: RowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.store.parts.ENOUGH_ROWS", 6)  # those of a run
    runs = study.runs("f" * 64)
    for run in runs[:8]:
        write(results, study, run, row_of)
    results.compact()
    for run in runs[8:]:
        write(results, study, run, row_of)
    joined, *single = rows_of(list(results.parts("curves")))
    assert {row["run_id"] for row in joined} == {run.run_id for run in runs[:8]}
    assert [{row["run_id"] for row in rows} for rows in single] == [
        {run_id} for run_id in sorted(run.run_id for run in runs[8:])
    ]
    found = [row for rows in (joined, *single) for row in rows]
    whole = results.read("curves")
    assert whole is not None
    assert len(found) == 12 * 6
    in_order = sorted(found, key=lambda row: row["run_id"])  # stable: rows of a run keep their order
    assert in_order == whole.select(["run_id", "epoch", "split", "loss"]).to_pylist()


def test_small_files_are_put_together_until_they_have_enough_rows(
    results: Results, study: Study, row_of: RowOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in study.runs("f" * 64):
        write(results, study, run, row_of)
    (whole,) = results.parts("curves")
    monkeypatch.setattr("harness.store.parts.ENOUGH_ROWS", 5 * 6 - 1)
    parts = list(results.parts("curves", coded=("run_id",)))
    assert [len(part) for part in parts] == [5 * 6, 5 * 6, 2 * 6]
    assert [row for rows in rows_of(parts) for row in rows] == rows_of([whole])[0]


def test_files_that_do_not_fit_together_are_told(results: Results, study: Study, row_of: RowOf) -> None:
    write(results, study, study.runs("f" * 64)[0], row_of)
    results.shelf("curves").put({"other.1": 1}, pa.table({"run_id": ["other"], "loss": ["low"]}))
    results.shelf("runs").put({"other.1": 1}, pa.table({"run_id": ["other"], "attempt": [1]}))
    with pytest.raises(StoreError) as caught:
        list(results.parts("curves"))
    assert caught.value.received.startswith(f"the files in {results.folder / 'curves'} do not fit together:")
    assert caught.value.rule == "a column has one type in all files of a table"
    assert caught.value.remedy.startswith("give the factor another name")


def test_parts_hold_the_wanted_runs_and_of_each_what_counts(
    results: Results, study: Study, row_of: RowOf
) -> None:
    runs = study.runs("f" * 64)
    for run in runs:
        write(results, study, run, row_of)
    results.compact()
    write(results, study, runs[0], row_of, attempt=2)
    wanted = [runs[0].run_id, runs[5].run_id]
    found = [row for rows in rows_of(list(results.parts("curves", run_ids=wanted))) for row in rows]
    assert sorted({(row["run_id"], row["loss"]) for row in found}) == sorted(
        [(runs[0].run_id, 2.0), (runs[5].run_id, 1 + runs[5].seed / 8)]
    )
    assert len(found) == 2 * 6


def test_texts_left_as_codes_stand_for_the_same_texts(results: Results, study: Study, row_of: RowOf) -> None:
    for run in study.runs("f" * 64):
        write(results, study, run, row_of)
    results.compact()
    (plain,), (coded,) = list(results.parts("curves")), list(results.parts("curves", coded=("split",)))
    assert pa.types.is_dictionary(coded.schema.field("split").type)
    assert not pa.types.is_dictionary(coded.schema.field("run_id").type)
    assert coded["split"].to_pylist() == plain["split"].to_pylist()


def test_a_table_that_was_never_written_has_no_parts(results: Results) -> None:
    assert list(results.parts("weights")) == []


def test_damage_in_a_part_is_set_aside_and_told(results: Results, study: Study, row_of: RowOf) -> None:
    for run in study.runs("f" * 64):
        write(results, study, run, row_of)
    bad = sorted((results.folder / "curves").iterdir())[4]
    content = bytearray(bad.read_bytes())
    content[40] ^= 1
    bad.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        list(results.parts("curves"))
    assert caught.value.received.startswith(f"a damaged file was met and set aside as {bad}.damaged (")
    (left,) = rows_of(list(results.parts("curves")))
    assert len({row["run_id"] for row in left}) == 11


def test_what_is_joined_between_two_parts_is_read_once(tmp_path: Path) -> None:
    rows = Shelf(tmp_path / "curves")
    names = [f"member-{number}" for number in range(6)]
    for name in names:
        rows.put({name: 2}, pa.table({"name": [name, name]}))
    found: list[str] = []
    for number, part in enumerate(rows.parts()):
        found += part["name"].to_pylist()
        if number == 1:
            rows.join()
    assert found[:4] == ["member-0"] * 2 + ["member-1"] * 2
    assert sorted(found) == sorted(names * 2)


def test_a_shelf_that_loses_a_member_for_good_is_told_as_unsteady(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "PAUSE_SECONDS", 0.0)
    rows = Shelf(tmp_path / "curves")
    for name in ("one", "two"):
        rows.put({name: 1}, pa.table({"name": [name]}))
    parts = rows.parts()
    next(parts)
    (rows.folder / "two.parquet").unlink()
    with pytest.raises(StoreError) as caught:
        list(parts)
    assert "change faster than they can be read" in caught.value.received


def test_the_next_part_alone_is_read_while_the_caller_works() -> None:
    begun, second = [], threading.Event()

    def numbered() -> Iterator[pa.Table]:
        for number in range(4):
            begun.append(number)
            if number == 1:
                second.set()
            yield pa.table({"number": [number]})

    parts = ahead(numbered())
    found = [next(parts)]
    assert second.wait(timeout=30)
    time.sleep(0.05)  # so that a third would be begun, too
    assert begun == [0, 1]
    found += parts
    assert [part["number"].to_pylist() for part in found] == [[0], [1], [2], [3]]


def test_an_error_in_reading_ahead_comes_after_the_parts_before_it() -> None:
    def failing() -> Iterator[pa.Table]:
        yield pa.table({"number": [0]})
        raise OSError("the disk refuses")

    parts = ahead(failing())
    assert next(parts)["number"].to_pylist() == [0]
    with pytest.raises(OSError, match="the disk refuses"):
        next(parts)
