"""Edge: results of several machines become one, or nothing is written."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import harness.store.ledger
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import BusyError, InputError, StoreError
from harness.store.ledger import open_ledger
from harness.store.lock import study_lock
from harness.store.merging import Merged, merge_folders
from harness.store.results import Results

Row = dict[str, Any]
RowOf = Callable[..., Row]
Record = Callable[..., Path]
SHA = "0123456789abcdef" * 4
PER_RUN = ("runs", "curves", "weights", "diagnostics")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk, and data of a known hash."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(harness.store.ledger, "known_sha256", lambda *_, **__: SHA)


def curves(loss: float = 0.5, *, seconds: float = 0.25, epochs: int = 2) -> list[Row]:
    return [
        {"epoch": epoch, "split": "test", "loss": loss, "accuracy": None, "seconds": seconds}
        for epoch in range(epochs)
    ]


def weights(value: float = 0.125) -> list[Row]:
    return [{"epoch": 0, "layer": "conv1.weight", "index": "0,0,0,0", "value": value, "sampled": True}]


@pytest.fixture
def record(tmp_path: Path, row_of: RowOf, study: Study) -> Record:
    """A function that records runs as one machine does, and gives the study's folder."""

    def make(machine: str, runs: Iterable[Run], *, join: bool = True, **changes: Any) -> Path:
        results = Results(tmp_path / machine / "small")
        for run in runs:
            own = {"host": machine, "call_id": machine, "wall_seconds": len(machine), **changes}
            ended = own.get("status", "completed") in ("completed", "diverged")
            results.write_run(
                row_of(run, **own),
                factors=study.factors,
                curves=curves() if ended else (),
                weights=weights() if ended else (),
            )
        if join:
            results.compact()
        results.write_provenance({"call_id": machine, "study": "small"})
        logs = results.folder / "logs"
        logs.mkdir(exist_ok=True)
        for run in runs:
            (logs / f"{run.run_id}.log").write_text(f"{run.run_id} on {machine}")
        return results.folder

    return make


def rows_of(folder: Path, table: str) -> list[Row]:
    found = Results(folder).read(table)
    return [] if found is None else found.to_pylist()


def parquet_in(folder: Path) -> dict[str, str]:
    """Hashes of all files of results below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_runs_of_three_machines_become_one_study(record: Record, study: Study, tmp_path: Path) -> None:
    runs = study.runs(SHA)
    sources = [
        record("one", runs[:5]),
        record("two", runs[5:9], join=False),
        record("three", runs[9:]),
    ]
    before = [parquet_in(source) for source in sources]
    into = tmp_path / "results" / "small"
    assert merge_folders(sources, into=into) == [Merged(into, added=12, total=12)]
    for table in PER_RUN:
        rows = [row for source in sources for row in rows_of(source, table)]
        assert rows_of(into, table) == sorted(rows, key=lambda row: str(row["run_id"]))
    assert not open_ledger(study, Results(into)).unfinished(retry_failed=False)
    assert {row["call_id"] for row in rows_of(into, "provenance")} == {"one", "two", "three"}
    logs = {path.name: path.read_text() for path in (into / "logs").iterdir()}
    assert logs == {
        f"{run.run_id}.log": f"{run.run_id} on {machine}"
        for machine, part in (("one", runs[:5]), ("two", runs[5:9]), ("three", runs[9:]))
        for run in part
    }
    assert [parquet_in(source) for source in sources] == before


def test_folders_of_several_studies_are_merged_study_by_study(
    record: Record, study: Study, row_of: RowOf, tmp_path: Path
) -> None:
    runs, other = study.runs(SHA), replace(study, name="other", epochs=5)
    for machine, part in (("one", runs[:5]), ("two", runs[5:])):
        record(machine, part)
    for run in other.runs(SHA)[:3]:
        Results(tmp_path / "two" / "other").write_run(row_of(run, study="other"), factors=study.factors)
    (tmp_path / "two" / "notes").mkdir()
    into = tmp_path / "results"
    assert merge_folders([tmp_path / "one", tmp_path / "two"], into=into) == [
        Merged(into / "other", added=3, total=3),
        Merged(into / "small", added=12, total=12),
    ]
    assert sorted(path.name for path in into.iterdir()) == ["other", "small"]
    assert len(rows_of(into / "small", "runs")) == 12


def test_what_the_target_has_stays_as_it_is(record: Record, study: Study) -> None:
    runs = study.runs(SHA)
    into, source = record("mine", runs[:8]), record("theirs", runs[4:])
    before, log = parquet_in(into), into / "logs" / f"{runs[5].run_id}.log"
    assert merge_folders([source, into], into=into) == [Merged(into, added=4, total=12)]
    assert before.items() <= parquet_in(into).items()
    hosts = {row["run_id"]: row["host"] for row in rows_of(into, "runs")}
    assert hosts == {run.run_id: "mine" if run in runs[:8] else "theirs" for run in runs}
    assert log.read_text().endswith("on mine")


def test_a_merge_can_be_repeated(record: Record, study: Study, tmp_path: Path) -> None:
    runs, into = study.runs(SHA), tmp_path / "results" / "small"
    sources = [record("one", runs[:7]), record("two", runs[5:])]
    assert merge_folders(sources, into=into)[0].added == 12
    before = parquet_in(into)
    assert merge_folders(sources, into=into) == [Merged(into, added=0, total=12)]
    assert parquet_in(into) == before


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good")])
def test_a_finished_run_beats_a_failed_attempt(
    record: Record, study: Study, tmp_path: Path, order: tuple[str, str]
) -> None:
    run, into = study.runs(SHA)[0], tmp_path / "results" / "small"
    sources = {
        "good": record("good", [run], status="diverged", attempt=1),
        "bad": record("bad", [run], status="failed", attempt=4),
    }
    merge_folders([sources[name] for name in order], into=into)
    assert [(row["status"], row["attempt"]) for row in rows_of(into, "runs")] == [("diverged", 1)]
    assert len(rows_of(into, "curves")) == 2


def test_a_finished_run_counts_though_the_target_has_tried_it_more_often(
    record: Record, study: Study
) -> None:
    run = study.runs(SHA)[0]
    into, source = record("bad", [run], status="oom", attempt=4), record("good", [run], attempt=1)
    assert merge_folders([source], into=into) == [Merged(into, added=1, total=1)]
    told = [(row["attempt"], row["status"]) for row in rows_of(into, "runs")]
    assert sorted(told) == [(4, "oom"), (5, "completed")]
    ledger = open_ledger(study, Results(into))
    assert ledger.status == {run.run_id: "completed"}
    assert rows_of(into, "weights") == rows_of(source, "weights")
    assert merge_folders([source], into=into) == [Merged(into, added=0, total=1)]


def test_a_run_that_the_target_has_lost_a_table_of_is_taken_from_the_source(
    record: Record, study: Study
) -> None:
    runs = study.runs(SHA)[:3]
    into, source = record("mine", runs, join=False), record("theirs", runs)
    (into / "curves" / f"{runs[1].run_id}.1.parquet").unlink()
    assert merge_folders([source], into=into) == [Merged(into, added=1, total=3)]
    ledger = open_ledger(study, Results(into))
    assert ledger.counts()["completed"] == 3
    assert ledger.attempts[runs[1].run_id] == 2


def test_a_run_that_nobody_has_whole_is_left_out_and_counted(
    record: Record, study: Study, tmp_path: Path
) -> None:
    runs, into = study.runs(SHA)[:3], tmp_path / "results" / "small"
    source = record("one", runs, join=False)
    (source / "weights" / f"{runs[1].run_id}.1.parquet").unlink()
    for _ in range(2):
        assert merge_folders([source], into=into)[0].left_out == 1
    assert {row["run_id"] for row in rows_of(into, "runs")} == {runs[0].run_id, runs[2].run_id}


def test_of_two_failed_attempts_one_is_kept(record: Record, study: Study, tmp_path: Path) -> None:
    run, into = study.runs(SHA)[0], tmp_path / "results" / "small"
    sources = [record(machine, [run], status="failed") for machine in ("one", "two")]
    merge_folders(sources, into=into)
    assert [row["host"] for row in rows_of(into, "runs")] == ["one"]
    assert merge_folders(sources, into=into)[0].added == 0


DIFFERENT: dict[str, tuple[Row, Row, str]] = {
    "figure": ({"test_loss": 0.26}, {}, "`test_loss` in `runs` is 0.25 in {one} and 0.26 in {two}"),
    "last bit": (
        {"test_loss": math.nextafter(0.25, 1)},
        {},
        "`test_loss` in `runs` is 0.25 in {one} and 0.25000000000000006 in {two}",
    ),
    "figure and none": (
        {"epochs_to_threshold": 3},
        {},
        "`epochs_to_threshold` in `runs` is None in {one} and 3 in {two}",
    ),
    "not a number": ({"test_loss": math.nan}, {}, "`test_loss` in `runs` is 0.25 in {one} and nan in {two}"),
    "status": ({"status": "diverged"}, {}, "`status` in `runs` is completed in {one} and diverged in {two}"),
    "fingerprint": ({"fingerprint": "a-b"}, {}, "`fingerprint` in `runs` is"),
    "curve": ({}, {"curves": curves(0.75)}, "`loss` in `curves` is 0.5 in {one} and 0.75 in {two}"),
    "length of a curve": (
        {},
        {"curves": curves(epochs=3)},
        "the number of rows in `curves` is 2 in {one} and 3 in {two}",
    ),
    "weight": ({}, {"weights": weights(0.25)}, "`value` in `weights` is 0.125 in {one} and 0.25 in {two}"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_run_that_ended_in_two_ways_is_a_contradiction_and_nothing_is_written(
    record: Record, study: Study, row_of: RowOf, tmp_path: Path, what: str
) -> None:
    changes, rows, told = DIFFERENT[what]
    runs, into = study.runs(SHA), tmp_path / "results" / "small"
    one, two = record("one", runs[:6]), record("two", runs[7:])
    results = Results(two)
    results.write_run(
        row_of(runs[2], **changes),
        factors=study.factors,
        **{"curves": curves(), "weights": weights(), **rows},
    )
    with pytest.raises(StoreError) as caught:
        merge_folders([one, two], into=into)
    assert caught.value.received.startswith("1 run finished in two folders with different results: ")
    assert f"{runs[2].run_id}: {told.format(one=one, two=two)}" in caught.value.received
    assert "has the same figures wherever it is finished" in caught.value.rule
    assert "another kind of device or other versions change last digits" in caught.value.rule
    assert caught.value.remedy == (
        "leave one of the folders out, or merge it into a folder of its own; nothing was written"
    )
    assert parquet_in(tmp_path / "results") == {}


def test_many_contradictions_are_counted(record: Record, study: Study) -> None:
    runs = study.runs(SHA)
    one, two = record("one", runs), record("two", runs[:7], test_loss=0.75)
    with pytest.raises(StoreError) as caught:
        merge_folders([two], into=one)
    assert caught.value.received.startswith("7 runs finished in two folders with different results: ")
    assert caught.value.received.endswith("; and 2 more")
    assert caught.value.received.count("`test_loss` in `runs` is 0.25 in") == 5


def test_where_and_when_a_run_was_trained_is_no_contradiction(
    study: Study, row_of: RowOf, tmp_path: Path
) -> None:
    """Also not: the attempt, the kind of device, a divergence to not-a-number, an empty figure."""
    run, into = study.runs(SHA)[0], tmp_path / "results" / "small"
    ends = {"status": "diverged", "test_loss": math.nan, "probe_loss": None}
    sources = []
    for machine, more in (
        ("one", {"device": "cpu"}),
        ("two", {"device": "cuda", "attempt": 3, "engine": "x"}),
    ):
        results = Results(tmp_path / machine / "small")
        rows = curves(math.nan, seconds=len(machine) * len(more))
        results.write_run(row_of(run, **ends, **more), factors=study.factors, curves=rows, weights=weights())
        sources.append(results.folder)
    assert merge_folders(sources, into=into) == [Merged(into, added=1, total=1)]


@pytest.mark.parametrize("table", [*PER_RUN, "provenance"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_damaged_file_is_named_and_nothing_is_written(
    record: Record, study: Study, table: str, side: str
) -> None:
    runs = study.runs(SHA)
    folders = {"target": record("mine", runs[:5]), "source": record("theirs", runs[5:])}
    path = next((folders[side] / table).iterdir())
    whole = bytearray(path.read_bytes())
    whole[30] ^= 1
    path.write_bytes(whole)
    before = parquet_in(folders["target"])
    with pytest.raises(StoreError) as caught:
        merge_folders([folders["source"]], into=folders["target"])
    assert caught.value.received == f"{path} is damaged: its pages disagree with its seal"
    assert caught.value.rule == "only whole files are merged"
    assert "copy the folder anew from its machine" in caught.value.remedy
    assert parquet_in(folders["target"]) == before
    assert path.exists()


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_folder_that_is_written_at_this_moment_is_left_alone(
    record: Record, study: Study, side: str
) -> None:
    runs = study.runs(SHA)
    folders = {"target": record("mine", runs[:5]), "source": record("theirs", runs[5:])}
    before = parquet_in(folders["target"])
    with study_lock(folders[side]), pytest.raises(BusyError) as caught:
        merge_folders([folders["source"]], into=folders["target"])
    assert caught.value.received.startswith(f"{folders[side]} is written by process {os.getpid()}")
    assert parquet_in(folders["target"]) == before
    merge_folders([folders["source"]], into=folders["target"])


def test_a_copy_that_cannot_be_written_needs_no_lock(
    record: Record, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, into = record("theirs", study.runs(SHA)), tmp_path / "results" / "small"
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != source)
    before = sorted(source.iterdir())
    assert merge_folders([source], into=into)[0].added == 12
    assert sorted(source.iterdir()) == before


def test_a_merge_that_is_interrupted_at_any_step_can_be_called_again(
    record: Record, study: Study, tmp_path: Path
) -> None:
    runs, into = study.runs(SHA), tmp_path / "results" / "small"
    sources = [record("one", runs[:5]), record("two", runs[5:])]
    kept = sorted(
        (row for source in sources for row in rows_of(source, "runs")), key=lambda row: row["run_id"]
    )
    replacing = Path.replace
    for step in itertools.count():
        left = [step]

        def stop(path: Path, target: Path, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
            return replacing(path, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", stop)
            try:
                merge_folders(sources, into=into)
            except KeyboardInterrupt:
                stopped = True
            else:
                stopped = False
        merge_folders(sources, into=into)
        found = [{**row, "attempt": 1} for row in rows_of(into, "runs")]
        assert found == kept, f"step {step}"
        assert not open_ledger(study, Results(into)).unfinished(retry_failed=False)
        assert len(rows_of(into, "curves")) == 2 * len(runs)
        assert len(rows_of(into, "weights")) == len(runs)
        assert {row["call_id"] for row in rows_of(into, "provenance")} == {"one", "two"}
        assert len(list((into / "logs").iterdir())) >= len(runs)
        if not stopped:
            break
        shutil.rmtree(into)
    assert step > 20


def test_runs_of_a_study_that_grew_between_two_machines_are_merged(
    record: Record, study: Study, row_of: RowOf, tmp_path: Path
) -> None:
    runs, into = study.runs(SHA), tmp_path / "results" / "small"
    one, two = record("one", runs[:3]), Results(tmp_path / "two" / "small")
    grown = (*study.factors, Factor("depth", (2, 3)))
    two.write_run({**row_of(runs[3]), "depth": 3}, factors=grown, curves=curves())
    merge_folders([one, two.folder], into=into)
    assert {row["run_id"]: row["depth"] for row in rows_of(into, "runs")} == {
        **{run.run_id: None for run in runs[:3]},
        runs[3].run_id: 3,
    }


def test_tables_of_searches_are_taken_from_who_has_more_of_them(
    record: Record, study: Study, tmp_path: Path
) -> None:
    runs = study.runs(SHA)
    sources = [record("one", runs[:5]), record("two", runs[5:])]
    for folder, counts in zip(sources, ({"a": 2, "b": 5}, {"b": 3, "c": 1, "a": 4}), strict=True):
        for name, count in counts.items():
            table = pa.table({"search": [name] * count, "number": range(count)})
            Results(folder).shelf("trials").put({name: count}, table)
    into = tmp_path / "results" / "small"
    for _ in range(2):
        merge_folders(sources, into=into)
        names = [row["search"] for row in rows_of(into, "trials")]
        assert names == [*"aaaa", *"bbbbb", "c"]
    assert sorted(path.name for path in (into / "trials").iterdir()) == [f"{n}.parquet" for n in "abc"]


def test_slices_of_several_machines_are_brought_together(
    record: Record, study: Study, tmp_path: Path
) -> None:
    runs = study.runs(SHA)
    sources = [record("one", runs[:5]), record("two", runs[5:])]
    for folder, run in zip(sources, (runs[0], runs[6]), strict=True):
        for row, mode in enumerate(("batch", "recalibrated")):
            cut = {"run_id": run.run_id, "slice": "line", "mode": mode, "row": row, "loss": 0.5}
            Results(folder).write_slice([cut])
    into = tmp_path / "results" / "small"
    merge_folders(sources, into=into)
    found = sorted((row["run_id"], row["mode"]) for row in rows_of(into, "slices"))
    assert found == sorted((run.run_id, m) for run in (runs[0], runs[6]) for m in ("batch", "recalibrated"))


def test_folders_that_do_not_fit_together_are_refused(
    record: Record, study: Study, tmp_path: Path, row_of: RowOf
) -> None:
    runs = study.runs(SHA)
    one, two = record("one", runs[:5]), record("two", runs[5:])
    mixed = Results(tmp_path / "three" / "small")
    for run, name in zip(runs[:2], ("small", "large"), strict=True):
        mixed.write_run(row_of(run, study=name), factors=study.factors)
    (tmp_path / "empty").mkdir()
    results = tmp_path / "results"
    cases: list[tuple[list[Path], Path, str, str, str]] = [
        (
            [one, tmp_path / "two"], results,
            f"{one} is the folder of one study, {tmp_path / 'two'} of several",
            "a merge joins folders of one study (results/STUDY), or folders that hold studies (results)",
            f"name the study's folder in each, such as {two}",
        ),
        (
            [tmp_path / "gone"], results, f"no folder {tmp_path / 'gone'}",
            "DIR is the folder of a study (results/STUDY), or one that holds such folders (results)",
            "check the path; a study has results once a run has finished",
        ),
        (
            [one, tmp_path / "empty"], results, f"no results in {tmp_path / 'empty'}",
            "DIR is the folder of a study (results/STUDY), or one that holds such folders (results)",
            "check the path; a study has results once a run has finished",
        ),
        (
            [tmp_path / "one"], two,
            f"--into {two} is the folder of one study, and what is to be merged holds several",
            "all folders of a merge are of one kind", f"--into {tmp_path / 'two'}",
        ),
        (
            [one], results, f"{one} holds results of 'small', to be put into {results}",
            "the results of a study lie in a folder of its name", f"merge it with --into {results / 'small'}",
        ),
        (
            [mixed.folder], results / "small",
            f"{mixed.folder} holds results of 'large' and 'small', to be put into {results / 'small'}",
            "the results of a study lie in a folder of its name",
            "put the files of each study into a folder of its own",
        ),
    ]  # fmt: skip
    for sources, into, received, rule, remedy in cases:
        with pytest.raises(InputError) as caught:
            merge_folders(sources, into=into)
        assert (caught.value.received, caught.value.rule, caught.value.remedy) == (received, rule, remedy)
        assert not results.exists()


def test_a_target_of_another_study_is_refused(
    record: Record, study: Study, tmp_path: Path, row_of: RowOf
) -> None:
    runs = study.runs(SHA)
    source, target = record("one", runs[:5]), Results(tmp_path / "results" / "small")
    target.write_run(row_of(runs[7], study="other"), factors=study.factors)
    with pytest.raises(InputError) as caught:
        merge_folders([source], into=target.folder)
    assert caught.value.received == (
        f"{target.folder} holds results of 'other', to be put into {target.folder}"
    )
