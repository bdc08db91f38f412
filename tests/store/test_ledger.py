"""Edge: what a declaration expects is held against what is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import harness.store.ledger
from harness.data import open_dataset
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError, StoreError
from harness.store.ledger import UNKNOWN_DATA, open_ledger
from harness.store.results import Results

RowOf = Callable[..., dict[str, Any]]
SHA = "0123456789abcdef" * 4


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The hashes of the data sets that are known here: only those of `digits`, until a test says else."""
    table = {"digits": SHA}

    def look_up(name: str, *, data_dir: Path | None = None) -> str | None:
        assert data_dir is None
        return table.get(name)

    monkeypatch.setattr(harness.store.ledger, "known_sha256", look_up)
    return table


@pytest.mark.usefixtures("known")
def test_nothing_recorded_means_everything_is_missing(results: Results, study: Study) -> None:
    ledger = open_ledger(study, results)
    assert [run.run_id for run in ledger.runs] == [run.run_id for run in study.runs(SHA)]
    assert ledger.counts() == Counter(missing=12)
    assert ledger.unfinished(retry_failed=False) == list(ledger.runs)
    assert (ledger.status, ledger.attempts, ledger.foreign, ledger.data_sha256) == ({}, {}, 0, SHA)


@pytest.mark.usefixtures("known")
def test_runs_are_counted_by_how_they_ended(results: Results, study: Study, row_of: RowOf) -> None:
    runs = study.runs(SHA)
    ends = ["completed"] * 4 + ["diverged"] * 2 + ["failed", "timeout", "oom"]
    for run, status in zip(runs, ends, strict=False):
        results.write_run(row_of(run, status=status), factors=study.factors)
    ledger = open_ledger(study, results)
    assert ledger.counts() == {
        "completed": 4, "diverged": 2, "failed": 1, "timeout": 1, "oom": 1, "missing": 3,
    }  # fmt: skip
    assert ledger.status == {run.run_id: end for run, end in zip(runs, ends, strict=False)}
    assert ledger.unfinished(retry_failed=False) == runs[9:]
    assert ledger.unfinished(retry_failed=True) == runs[6:]


@pytest.mark.usefixtures("known")
def test_the_last_attempt_decides(results: Results, study: Study, row_of: RowOf) -> None:
    mended, broken = study.runs(SHA)[:2]
    for run, ends in ((mended, ("failed", "oom", "completed")), (broken, ("timeout", "failed"))):
        for attempt, status in enumerate(ends, start=1):
            results.write_run(row_of(run, attempt=attempt, status=status), factors=study.factors)
    ledger = open_ledger(study, results)
    assert ledger.status == {mended.run_id: "completed", broken.run_id: "failed"}
    assert ledger.attempts == {mended.run_id: 3, broken.run_id: 2}
    assert broken in ledger.unfinished(retry_failed=True)
    assert mended not in ledger.unfinished(retry_failed=True)


@pytest.mark.usefixtures("known")
def test_runs_of_other_settings_epochs_or_data_are_foreign_and_tuning_runs_are_not(
    results: Results, study: Study, row_of: RowOf
) -> None:
    own = study.runs(SHA)[0]
    others = [
        replace(study, epochs=3).runs(SHA)[0],
        replace(study, settings={"momentum": 0.9}).runs(SHA)[0],
        replace(study, factors=(Factor("lr", (0.5, 0.6)),)).runs(SHA)[0],
        study.runs("f" * 64)[0],
    ]
    for run in (own, *others):
        results.write_run(row_of(run), factors=study.factors)
    tuning = replace(own, seed=1_000_000, stage="tuning")
    results.write_run({**row_of(tuning), "stage": "tuning"}, factors=study.factors)
    ledger = open_ledger(study, results)
    assert ledger.foreign == 4
    assert ledger.status == {own.run_id: "completed"}
    assert ledger.counts() == Counter(completed=1, missing=11)


@pytest.mark.usefixtures("known")
def test_a_study_that_grew_trains_only_what_is_new(results: Results, study: Study, row_of: RowOf) -> None:
    for run in study.runs(SHA):
        results.write_run(row_of(run), factors=study.factors)
    grown = replace(
        study,
        seeds=4,
        variants=(Variant("gn", norm="group"), *study.variants),
        factors=(Factor("lr", (0.1, 0.001, 0.01)),),
    )
    ledger = open_ledger(grown, results)
    new = ledger.unfinished(retry_failed=False)
    assert len(ledger.runs) == 3 * 3 * 4
    assert len(new) == 3 * 3 * 4 - 12
    assert all(run.seed == 3 or run.cell.variant == "gn" or run.cell.levels["lr"] == 0.001 for run in new)
    assert ledger.foreign == 0


def record(results: Results, runs: list[Run], study: Study, row_of: RowOf, *, day: int) -> None:
    for run in runs:
        started = datetime(2026, 1, day, tzinfo=UTC)
        results.write_run(row_of(run, started_at=started), factors=study.factors)


@pytest.mark.usefixtures("known")
def test_where_the_data_are_not_known_their_hash_comes_from_the_latest_run(
    results: Results, study: Study, row_of: RowOf
) -> None:
    away = replace(study, dataset="folder:/of/another/machine")
    record(results, away.runs("b" * 64)[:3], away, row_of, day=5)
    record(results, away.runs("a" * 64)[:2], away, row_of, day=3)
    record(results, study.runs("c" * 64)[:1], study, row_of, day=9)  # of other data
    ledger = open_ledger(away, results)
    assert ledger.data_sha256 == "b" * 16
    assert [run.run_id for run in ledger.runs] == [run.run_id for run in away.runs("b" * 64)]
    assert ledger.counts() == Counter(completed=3, missing=9)
    assert ledger.foreign == 3


def test_data_that_are_known_here_count_more_than_what_is_recorded(
    results: Results, study: Study, row_of: RowOf, known: dict[str, str]
) -> None:
    record(results, study.runs("b" * 64)[:3], study, row_of, day=5)
    known["digits"] = "a" * 64
    ledger = open_ledger(study, results)
    assert ledger.data_sha256 == "a" * 64
    assert ledger.counts() == Counter(missing=12)
    assert ledger.foreign == 3


def test_data_that_nobody_knows_have_a_hash_of_zeros(
    results: Results, study: Study, row_of: RowOf, known: dict[str, str]
) -> None:
    known.clear()
    assert open_ledger(study, results).data_sha256 == UNKNOWN_DATA == "0" * 64
    record(results, [replace(study.runs(SHA)[0], dataset="mnist")], study, row_of, day=1)
    assert open_ledger(study, results).data_sha256 == "0" * 64


def test_an_unknown_data_set_is_refused(results: Results, study: Study) -> None:
    with pytest.raises(InputError) as caught:
        open_ledger(replace(study, dataset="didgits"), results)
    assert caught.value.received == "unknown data set 'didgits'"
    assert "a data set is one of the known names, or folder:PATH" in caught.value.rule
    assert "did you mean 'digits'?" in caught.value.remedy
    assert not results.folder.exists()


def test_results_on_the_users_own_pictures_can_be_read_where_the_pictures_are_not(
    results: Results, study: Study, row_of: RowOf, tmp_path: Path
) -> None:
    away = replace(study, dataset=f"folder:{tmp_path / 'not here'}")
    record(results, away.runs(SHA), away, row_of, day=5)
    assert open_ledger(away, results).counts() == Counter(completed=12)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("table", ["curves", "weights", "diagnostics"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_finished_run_that_a_table_has_lost_is_missing(
    results: Results, study: Study, row_of: RowOf, table: str, joined: bool
) -> None:
    runs = study.runs(SHA)
    for run in runs:
        results.write_run(row_of(run), factors=study.factors)
    if joined:
        results.compact()
        lost = runs
        (path,) = (results.folder / table).iterdir()
    else:
        lost = runs[4:5]
        path = results.folder / table / f"{runs[4].run_id}.1.parquet"
    path.unlink()
    ledger = open_ledger(study, results)
    assert ledger.unfinished(retry_failed=False) == list(lost)
    assert ledger.counts() == Counter(completed=12 - len(lost), missing=len(lost))
    assert ledger.attempts == dict.fromkeys((run.run_id for run in runs), 1)
    assert ledger.foreign == 0


@pytest.mark.usefixtures("known")
def test_what_is_tried_next_stands_above_every_attempt_that_any_table_knows(
    results: Results, study: Study, row_of: RowOf
) -> None:
    """A killed writer leaves curves without a row in `runs`; their name is not used a second time."""
    first, second = study.runs(SHA)[:2]
    results.write_run(row_of(first, status="failed"), factors=study.factors)
    for run, attempt in ((first, 3), (second, 2)):
        results.write_run(row_of(run, attempt=attempt), factors=study.factors)
        (results.folder / "runs" / f"{run.run_id}.{attempt}.parquet").unlink()
    ledger = open_ledger(study, results)
    assert ledger.status == {first.run_id: "failed"}
    assert ledger.attempts == {first.run_id: 3, second.run_id: 2}


@pytest.mark.usefixtures("known")
def test_a_damaged_file_is_told_once_and_its_runs_are_missing_then(
    results: Results, study: Study, row_of: RowOf
) -> None:
    run = study.runs(SHA)[0]
    results.write_run(row_of(run), factors=study.factors)
    path = results.folder / "runs" / f"{run.run_id}.1.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError) as caught:
        open_ledger(study, results)
    assert f"{path}.damaged" in caught.value.received
    assert "agrees with its checksums" in caught.value.rule
    assert "`harness run results` trains missing runs again" in caught.value.remedy
    assert open_ledger(study, results).counts() == Counter(missing=12)


def test_a_folder_that_changed_since_it_was_recorded_is_looked_into(
    results: Results, study: Study, row_of: RowOf, tmp_path: Path
) -> None:
    for part in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / "pictures" / part / label).mkdir(parents=True)
            Image.new("L", (8, 8), 9).save(tmp_path / "pictures" / part / label / "0.png")
    here = replace(study, dataset=f"folder:{tmp_path / 'pictures'}")
    record(results, here.runs("b" * 64)[:3], here, row_of, day=5)
    ledger = open_ledger(here, results)
    assert ledger.data_sha256 == open_dataset(here.dataset).sha256
    assert ledger.counts() == Counter(missing=12)
