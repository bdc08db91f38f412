"""Packs trained by the fused engine, in this process and in workers that are disturbed."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.data import open_dataset
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError
from harness.runner import engines
from harness.runner.beacons import light, read_beacon
from harness.runner.call import Call
from harness.runner.desk import Desk
from harness.runner.devices import Place
from harness.runner.engines import Choice
from harness.runner.events import Chosen, Event, Finished, Retried, Started
from harness.runner.executing import execute
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.ledger import open_ledger
from harness.store.results import Results
from harness.training.records import Records
from tests.tables import assert_equal, frame

LOSSES = """
import os, signal
from pathlib import Path
import torch
from torch import nn
from torch.nn.functional import cross_entropy

HERE = Path(__file__).parent

def in_pack(logits):
    \"\"\"How many runs are trained together: the logits of one are a part of those of all.\"\"\"
    return logits.untyped_storage().nbytes() // logits.nbytes

def crowded(logits, labels):
    if in_pack(logits) > 2:
        raise torch.OutOfMemoryError("no room for more than two")
    return cross_entropy(logits, labels)

def finite(logits, labels):
    if not torch.isfinite(logits).all():
        raise ValueError("a logit is not finite")
    return cross_entropy(logits, labels)

def make(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

def killed_once(logits, labels):
    marker = HERE / f"killed-at-{in_pack(logits)}"
    if in_pack(logits) in (3, 6) and not marker.exists() and "HARNESS_WORKER_SLOT" in os.environ:
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return cross_entropy(logits, labels)
"""


@pytest.fixture(autouse=True)
def losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pack_losses.py").write_text(LOSSES)
    monkeypatch.syspath_prepend(tmp_path / "own")
    monkeypatch.delitem(sys.modules, "pack_losses", raising=False)
    monkeypatch.delenv("HARNESS_WORKER_SLOT", raising=False)


@pytest.fixture
def study(tiny_study: Study) -> Study:
    """Two variants × three seeds, which fit in one pack; one epoch of 64 images."""
    return replace(
        tiny_study,
        variants=(Variant("plain"), Variant("decay", weight_decay=0.01)),
        factors=(),
        seeds=3,
        epochs=1,
        settings={"probe_size": 20, "batch_size": 32, "width": 4, "dropout": 0.25},
    )


def run(study: Study, results: Path, *, size: int = 100, **options: Any) -> tuple[Counter[str], list[Event]]:
    """Train in packs of up to so many runs."""
    events: list[Event] = []
    given: dict[str, Any] = {"workers": 0, "engine": "fused", "device": "cpu", **options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "UNMEASURED_IMAGES", {"cpu": 32 * size})
        return run_study(study, Options(results=results, **given), events.append), events


def rows_of(results: Path) -> list[dict[str, Any]]:
    table = Results(results / "tiny").runs()
    assert table is not None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def sizes(results: Path) -> list[int]:
    return sorted(row["pack_size"] for row in rows_of(results))


def test_the_tables_are_the_same_whatever_the_packs_and_the_workers(study: Study, tmp_path: Path) -> None:
    for size, expected in ((1, [1] * 6), (4, [3] * 6), (100, [6] * 6)):
        counts, _ = run(study, tmp_path / str(size), size=size)
        assert counts == {"completed": 6}
        assert sizes(tmp_path / str(size)) == expected
    counts, events = run(study, tmp_path / "two", workers=2)
    assert counts == {"completed": 6}
    assert sizes(tmp_path / "two") == [3] * 6
    assert Started(runs=6, done=0, images=6 * 64, workers=2, device="cpu") in events
    for other in ("4", "100", "two"):
        assert_equal(tmp_path / "1" / "tiny", tmp_path / other / "tiny")


def test_the_rows_and_logs_say_how_a_pack_was_trained(study: Study, tmp_path: Path) -> None:
    _, events = run(study, tmp_path)
    rows = rows_of(tmp_path)
    assert {(row["engine"], row["device"], row["attempt"]) for row in rows} == {("fused", "cpu", 1)}
    assert len({row["wall_seconds"] for row in rows}) == 1  # each an even share
    assert len({row["started_at"] for row in rows}) == 1
    for row in rows:
        log = (tmp_path / "tiny" / "logs" / f"{row['run_id']}.log").read_text()
        assert ", in a pack of 6: {" in log
        assert all(f"epoch {epoch}: " in log for epoch in range(2))
        assert " completed after " in log.splitlines()[-1]
    chosen = [event.choice for event in events if isinstance(event, Chosen)]
    assert [(choice.engine, choice.why) for choice in chosen] == [("fused", "as asked")]


def test_a_pack_without_memory_is_halved_with_no_worker_too(study: Study, tmp_path: Path) -> None:
    crowded = replace(study, settings={**study.settings, "loss": "pack_losses:crowded"})
    counts, events = run(crowded, tmp_path)
    assert counts == {"completed": 6}
    assert sizes(tmp_path) == [1, 1, 2, 2, 2, 2]
    retried = [(event.others, event.reason) for event in events if isinstance(event, Retried)]
    assert retried == [(n, "OutOfMemoryError: no room for more than two") for n in (5, 2, 2)]
    assert {row["attempt"] for row in rows_of(tmp_path)} == {1}


def test_a_run_whose_error_ends_its_pack_fails_alone(study: Study, tmp_path: Path) -> None:
    lone = replace(
        study,
        variants=(*study.variants, Variant("wild", lr=1e30)),
        seeds=1,
        settings={**study.settings, "loss": "pack_losses:finite", "diagnostics": ()},
    )
    counts, _ = run(lone, tmp_path / "packs", workers=1)
    assert counts == {"completed": 2, "failed": 1}
    (failed,) = (row for row in rows_of(tmp_path / "packs") if row["status"] == "failed")
    assert failed["variant"] == "wild"
    assert "ValueError: a logit is not finite" in failed["error"]
    run(replace(lone, variants=study.variants), tmp_path / "calm")
    kept = frame(tmp_path / "packs" / "tiny", "curves")
    calm = frame(tmp_path / "calm" / "tiny", "curves")
    pd.testing.assert_frame_equal(kept[kept["run_id"].isin(calm["run_id"])].reset_index(drop=True), calm)


def test_errors_reach_a_debugger_from_a_pack_too(study: Study, tmp_path: Path) -> None:
    settings = {**study.settings, "loss": "pack_losses:finite", "diagnostics": (), "lr": 1e30}
    with pytest.raises(ValueError, match="a logit is not finite"):
        run(replace(study, settings=settings), tmp_path)


def test_a_pack_whose_worker_is_killed_loses_nothing_and_is_trained_once(
    study: Study, tmp_path: Path
) -> None:
    fated = replace(study, settings={**study.settings, "loss": "pack_losses:killed_once"})
    counts, events = run(fated, tmp_path / "disturbed", workers=1)
    assert counts == {"completed": 6}
    assert sorted(path.name for path in (tmp_path / "own").glob("killed-*")) == ["killed-at-3", "killed-at-6"]
    retried = [(event.others, event.reason) for event in events if isinstance(event, Retried)]
    assert retried == [(n, "WorkerDied: its process ended with SIGKILL(-9)") for n in (5, 2)]
    finished = Counter(event.run_id for event in events if isinstance(event, Finished))
    assert set(finished.values()) == {1}
    assert sizes(tmp_path / "disturbed") == [1, 2, 2, 3, 3, 3]
    run(fated, tmp_path / "calm")
    assert_equal(tmp_path / "disturbed" / "tiny", tmp_path / "calm" / "tiny")


def test_auto_goes_on_as_a_study_was_begun_and_only_trains_one_run_of_it(
    study: Study, tmp_path: Path
) -> None:
    run(replace(study, seeds=2), tmp_path)
    _, events = run(study, tmp_path, engine="auto")
    why = "as the finished runs of this study"
    assert [event.choice.why for event in events if isinstance(event, Chosen)] == [why]
    assert {row["engine"] for row in rows_of(tmp_path)} == {"fused"}
    target = rows_of(tmp_path)[0]["run_id"]
    before = frame(tmp_path / "tiny", "runs")
    run(study, tmp_path, engine="auto", only=target)  # its end is held against what is recorded
    assert list((tmp_path / "tiny" / "kept").iterdir())
    pd.testing.assert_frame_equal(frame(tmp_path / "tiny", "runs"), before)
    provenance = sorted((tmp_path / "tiny" / "provenance").iterdir())
    mine = Variant("mine", build="pack_losses:make")
    with pytest.raises(
        InputError, match="finished runs of this study were trained by fused, but 'mine' can't"
    ):
        run(replace(study, variants=(*study.variants, mine), settings={}), tmp_path, engine="auto")
    assert sorted((tmp_path / "tiny" / "provenance").iterdir()) == provenance


@pytest.mark.parametrize(
    ("engine", "asked", "workers"), [("solo", None, 8), ("fused", None, 2), ("fused", 6, 6)], ids=str
)
def test_a_gpu_has_one_worker_for_packs_and_several_for_single_runs_unless_told(
    engine: str, asked: int | None, workers: int, study: Study, tmp_path: Path
) -> None:
    dataset, events = open_dataset(study.dataset), list[Event]()
    ledger = open_ledger(study, Results(tmp_path / "tiny"), data_sha256=dataset.sha256)
    place = Place("cuda", ("cuda:0", "cuda:1") * 4).at_most(asked or 8)
    options = Options(results=tmp_path, workers=asked)
    with Call(study, dataset, place, ledger=ledger, options=options, notify=events.append) as call:
        call.choose_engine(Choice(engine, "as asked"), ahead=ledger.runs)
        call.announce(ledger.runs)
    assert [event.workers for event in events if isinstance(event, Started)] == [workers]


def test_the_wall_time_of_a_pack_is_shared_evenly(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(runs: Sequence[Run], *_: object, **__: object) -> list[Records]:
        time.sleep(0.4)
        return [Records("completed") for _ in runs]

    monkeypatch.setattr("harness.training.fused.training.train_pack", slow)
    monkeypatch.setenv("HARNESS_WORKER_SLOT", "cpu")
    pack = tuple(study.runs(open_dataset(study.dataset).sha256))[:4]
    end = execute(pack, Desk(tmp_path / "beacon.json", tmp_path, tmp_path), engine="fused")
    assert [outcome.run for outcome in end.outcomes] == list(pack)
    (seconds,) = {outcome.wall_seconds for outcome in end.outcomes}
    assert 0.1 <= seconds < 0.3


def test_a_beacon_names_the_first_run_of_a_pack_and_how_many_more(tmp_path: Path) -> None:
    light(tmp_path / "beacon.json", run_id="bn-s000-0123456789", since=0.0, images=64, others=1007)
    beacon = read_beacon(tmp_path / "beacon.json")
    assert beacon is not None
    assert (beacon.name, beacon.images) == ("bn-s000-0123456789 and 1,007 more", 64)
    light(tmp_path / "beacon.json", run_id="bn-s000-0123456789", since=0.0, images=64)
    alone = read_beacon(tmp_path / "beacon.json")
    assert alone is not None
    assert alone.name == "bn-s000-0123456789"
