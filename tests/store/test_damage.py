"""Edge: damage to a file of results is noticed, told, and mended by training its runs again."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import harness.store.ledger
from harness.design.study import Study
from harness.errors import StoreError
from harness.store.damage import Damage, set_aside
from harness.store.ledger import open_ledger
from harness.store.parquet import DamageError
from harness.store.results import Results

RowOf = Callable[..., dict[str, Any]]
Record = Callable[..., Results]
SHA = "0123456789abcdef" * 4
PER_RUN = ("runs", "curves", "weights", "diagnostics")

CURVES = [
    {"epoch": epoch, "split": split, "loss": 1 / (epoch + 1), "accuracy": 0.5, "seconds": 0.25}
    for epoch in range(3)
    for split in ("probe", "test")
]
WEIGHTS = [
    {"epoch": epoch, "layer": "conv1.weight", "index": "0,0,1,1", "value": epoch / 8, "sampled": True}
    for epoch in range(3)
]


@pytest.fixture(autouse=True)
def _known_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.store.ledger, "known_sha256", lambda *_, **__: SHA)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sync is good for is tested with the single file and the shelf."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def record(tmp_path: Path, study: Study, row_of: RowOf) -> Record:
    """A function that records all twelve runs of the study, the first of them in a joined file."""

    def make(joined: int = 8) -> Results:
        results = Results(tmp_path / "results" / "small")
        for number, run in enumerate(study.runs(SHA)):
            if number == joined:
                results.compact()
            results.write_run(row_of(run), factors=study.factors, curves=CURVES, weights=WEIGHTS)
        results.write_provenance({"call_id": "c0ffee", "study": "small"})
        return results

    return make


def content(results: Results, table: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a table by run_id, from the results as a reader has them."""
    found = results.read(table)
    by_run: dict[str, list[dict[str, Any]]] = {}
    for row in [] if found is None else found.to_pylist():
        by_run.setdefault(row["run_id"], []).append(row)
    return by_run


def runs_in(path: Path) -> set[str]:
    """The runs of a file, as pyarrow tells them."""
    return set(pq.read_table(path)["run_id"].to_pylist())


def damage(path: Path, random: np.random.Generator) -> str:
    """Cut a file short, or flip one of its bits, the footer's as often as the others."""
    whole = bytearray(path.read_bytes())
    if random.random() < 0.3:
        size = int(len(whole) * random.random())
        path.write_bytes(whole[:size])
        return f"cut to {size} of {len(whole)} bytes"
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    byte = int(random.integers(*(start, len(whole)) if random.random() < 0.5 else (0, start)))
    whole[byte] ^= 1 << int(random.integers(8))
    path.write_bytes(whole)
    return f"bit of byte {byte} of {len(whole)} flipped, footer from {start}"


@pytest.mark.parametrize("seed", range(90))
def test_damage_anywhere_is_noticed_set_aside_and_its_runs_are_missing(
    record: Record, study: Study, seed: int
) -> None:
    """As `harness run` does at its start; then as a reader meets what only reading tells."""
    results, random = record(), np.random.default_rng(seed)
    before = {table: content(results, table) for table in PER_RUN}
    table = PER_RUN[seed % 3]
    path = random.choice(sorted((results.folder / table).iterdir()))
    lost, how = runs_in(path), damage(path, random)
    damages = results.set_aside_damaged()
    if not damages:
        assert table != "runs", how
        assert not open_ledger(study, results).unfinished(retry_failed=False)
        with pytest.raises(StoreError):
            results.read(table)
    else:
        assert [told.path for told in damages] == [path.with_name(f"{path.name}.damaged")]
    assert not path.exists()
    assert path.with_name(f"{path.name}.damaged").exists()
    assert {run.run_id for run in open_ledger(study, results).unfinished(retry_failed=False)} == lost, how
    after = content(results, table)
    assert after == {run_id: rows for run_id, rows in before[table].items() if run_id not in lost}, how
    assert results.set_aside_damaged() == []


@pytest.mark.parametrize("table", PER_RUN)
def test_a_run_whose_table_was_lost_is_trained_again_under_the_next_attempt(
    record: Record, study: Study, row_of: RowOf, table: str
) -> None:
    results, run = record(), study.runs(SHA)[10]
    (results.folder / table / f"{run.run_id}.1.parquet").write_bytes(b"")
    results.set_aside_damaged()
    ledger = open_ledger(study, results)
    assert ledger.unfinished(retry_failed=False) == [run]
    assert ledger.attempts[run.run_id] == 1
    longer = [*CURVES, {**CURVES[-1], "epoch": 3}]
    results.write_run(row_of(run, attempt=2), factors=study.factors, curves=longer, weights=WEIGHTS)
    results.compact()
    assert not open_ledger(study, results).unfinished(retry_failed=False)
    assert content(results, "curves")[run.run_id] == [{"run_id": run.run_id, **row} for row in longer]


def test_a_reader_is_told_what_was_lost_and_what_to_do_and_can_go_on(record: Record, study: Study) -> None:
    results = record()
    (joined,) = (results.folder / "weights").glob("joined-*")
    single = results.folder / "weights" / f"{study.runs(SHA)[9].run_id}.1.parquet"
    for path, byte in ((joined, 40), (single, 50)):
        whole = bytearray(path.read_bytes())
        whole[byte] ^= 1
        path.write_bytes(whole)
    with pytest.raises(StoreError) as caught:
        results.read("weights")
    assert caught.value.received.startswith("2 damaged files were met and set aside as ")
    told = "its pages disagree with its seal; it held what `weights` says of"
    assert f"{joined}.damaged ({told} 8 runs)" in caught.value.received
    assert f"{single}.damaged ({told} 1 run)" in caught.value.received
    assert caught.value.rule == (
        "a file of results agrees with its checksums; else it is renamed, and what it held is missing"
    )
    assert caught.value.remedy == (
        "`harness run small` trains missing runs again; or call this again, to do without what was lost"
    )
    assert caught.value.exit_status == 1
    assert len(content(results, "weights")) == 3
    assert len(open_ledger(study, results).unfinished(retry_failed=False)) == 9


def test_a_damaged_slice_is_told_with_the_command_that_measures_it_again(record: Record) -> None:
    results = record()
    for row, name in enumerate(("line", "random")):
        results.write_slice([{"run_id": "a", "slice": name, "mode": "batch", "row": row, "loss": 0.5}])
    bad, whole = sorted((results.folder / "slices").iterdir())
    bad.write_bytes(bad.read_bytes()[:-20])
    with pytest.raises(StoreError, match="it held what `slices` says of 1 slice") as caught:
        results.read("slices")
    assert caught.value.remedy.startswith("`harness slice small` measures missing slices again; ")
    table = results.read("slices")
    assert table is not None
    assert table.num_rows == 1
    assert whole.exists()


@pytest.mark.parametrize("call", ["runs", "ledger", "members"])
def test_every_way_of_reading_sets_damaged_footers_aside(record: Record, study: Study, call: str) -> None:
    results = record()
    bad = results.folder / "runs" / f"{study.runs(SHA)[10].run_id}.1.parquet"
    bad.write_bytes(bad.read_bytes()[:-20])
    calls: dict[str, Callable[[], object]] = {
        "runs": results.runs,
        "ledger": lambda: open_ledger(study, results),
        "members": lambda: results.members("runs"),
    }
    with pytest.raises(StoreError) as caught:
        calls[call]()
    assert caught.value.received == (
        f"a damaged file was met and set aside as {bad}.damaged "
        "(it does not end as a Parquet file does; it held what `runs` says of 1 run)"
    )
    calls[call]()


def test_many_damaged_files_are_counted(record: Record) -> None:
    results = record(joined=12)
    for path in (results.folder / "curves").iterdir():
        path.write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        results.read("curves")
    assert caught.value.received.startswith("12 damaged files were met and set aside as ")
    assert caught.value.received.endswith(", 9 more")
    assert caught.value.received.count(".damaged (") == 3


def test_a_lost_call_of_the_runner_is_named_as_one(record: Record) -> None:
    results = record()
    (results.folder / "provenance" / "c0ffee.parquet").write_bytes(b"PAR1")
    (damage,) = results.set_aside_damaged()
    assert damage.reason.endswith("; it held what `provenance` says of 1 call")


@pytest.mark.parametrize("names", ["joined-*", "plain-*"])
def test_joining_sets_damaged_files_aside_and_joins_the_others(
    record: Record, study: Study, names: str
) -> None:
    """One that was joined before, or a single one: none is copied unread, none stops the runner."""
    results = record()
    path = sorted((results.folder / "curves").glob(names))[-1]
    lost, others = runs_in(path), content(results, "weights")
    whole = bytearray(path.read_bytes())
    whole[35] ^= 1
    path.write_bytes(whole)
    (damage,) = results.compact()
    assert damage.path == path.with_name(f"{path.name}.damaged")
    assert {run.run_id for run in open_ledger(study, results).unfinished(retry_failed=False)} == lost
    assert content(results, "curves").keys() == {run.run_id for run in study.runs(SHA)} - lost
    assert content(results, "weights") == others


@pytest.mark.parametrize("byte", [30, -30])
def test_single_files_stay_while_the_joined_one_that_should_replace_them_is_damaged(
    record: Record, study: Study, byte: int
) -> None:
    """A kill comes between the joined file and the removal of the single ones; then a bit of it flips."""
    results = record(joined=12)
    before = content(results, "curves")
    singles = {path: path.read_bytes() for path in (results.folder / "curves").iterdir()}
    results.compact()
    (joined,) = (results.folder / "curves").glob("joined-*")
    for path, whole in singles.items():
        path.write_bytes(whole)
    flipped = bytearray(joined.read_bytes())
    flipped[byte] ^= 1
    joined.write_bytes(flipped)
    (damage,) = results.compact()
    assert damage.path.name == f"{joined.name}.damaged"
    assert content(results, "curves") == before
    assert not open_ledger(study, results).unfinished(retry_failed=False)
    assert [path.name for path in (results.folder / "curves").glob("*.parquet")] == [joined.name]


def test_no_file_that_was_set_aside_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for number in (1, 2, 3):
        path.write_text(f"damaged in way {number}")
        set_aside(DamageError(path, "it is bad"))
    assert {aside.name: aside.read_text()[-1] for aside in tmp_path.iterdir()} == {
        "x.parquet.damaged": "1",
        "x.parquet.damaged-2": "2",
        "x.parquet.damaged-3": "3",
    }


def test_a_file_that_another_process_set_aside_first_is_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "curves"
    folder.mkdir()
    found = set_aside(DamageError(folder / "joined-001024-0123456789ab.parquet", "it is bad"))
    assert found == Damage(
        folder / "joined-001024-0123456789ab.parquet.damaged",
        "it is bad; it held what `curves` says of 1,024 runs",
    )
    assert list(folder.iterdir()) == []


def test_a_damaged_file_that_cannot_be_renamed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError) as caught:
        set_aside(DamageError(tmp_path / "x.parquet", "it is bad"))
    assert caught.value.received == (
        f"{tmp_path / 'x.parquet'} is damaged (it is bad), and can't be set aside: "
        "[Errno 30] Read-only file system"
    )
    assert caught.value.rule == "a damaged file is renamed, so that nobody takes it for a whole one"
    assert caught.value.remedy == "rename it to x.parquet.damaged; its runs then count as missing"


def test_readers_that_meet_the_same_damage_at_once_both_say_so(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = record()
    (joined,) = (results.folder / "curves").glob("joined-*")
    joined.write_bytes(joined.read_bytes()[:-1])
    rename = Path.rename

    def slower(path: Path, aside: Path) -> None:
        rename(path, aside)
        rename(path, aside)

    monkeypatch.setattr(Path, "rename", slower)
    with pytest.raises(StoreError, match=re.escape(f"{joined.name}.damaged")):
        results.read("curves")
    assert len(content(results, "curves")) == 4


def test_the_numbers_of_members_in_a_name_and_in_a_file_are_the_same(record: Record) -> None:
    """A file whose inside can't be trusted is told by its name."""
    results = record()
    for table in PER_RUN:
        (joined,) = (results.folder / table).glob("joined-*")
        members = json.loads(pq.read_metadata(joined).metadata[b"harness:members"])["names"]
        assert re.fullmatch(r"joined-000008-[0-9a-f]{12}\.parquet", joined.name)
        assert len(members) == 8


def test_whole_files_are_left_alone(record: Record, tmp_path: Path) -> None:
    results = record()
    shutil.copytree(results.folder, tmp_path / "copy")
    assert results.set_aside_damaged() == []
    ours, theirs = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")}
        for f in (results.folder, tmp_path / "copy")
    )
    assert ours == theirs
