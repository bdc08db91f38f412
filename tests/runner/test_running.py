"""The runner, through real worker processes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import DataError, InputError
from harness.runner.events import Advanced, Event, Finished, Started
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.results import Results
from tests.tables import assert_equal, frame

NETS = """
from torch import nn

class Fragile(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 9 and not self.training:
            raise RuntimeError("worn out")
        return self.body(x)

def fragile(classes):
    return Fragile(classes)

def wrong_shape(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes + 1))
"""


def run(study: Study, results: Path, **options: object) -> tuple[Counter[str], list[Event]]:
    events: list[Event] = []
    counts = run_study(study, Options(results=results, device="cpu", **options), events.append)  # type: ignore[arg-type]
    return counts, events


def test_the_tables_are_the_same_with_no_worker_one_and_two(tiny_study: Study, tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        counts, _ = run(tiny_study, tmp_path / str(workers), workers=workers)
        assert counts == {"completed": 8}
    alone, one, two = (tmp_path / str(workers) / "tiny" for workers in (0, 1, 2))
    assert_equal(one, two)
    assert_equal(alone, two)


def test_a_finished_study_is_not_trained_again_and_a_grown_one_only_where_it_grew(
    tiny_study: Study, tmp_path: Path
) -> None:
    run(tiny_study, tmp_path, workers=0)
    counts, events = run(tiny_study, tmp_path, workers=0)
    assert counts == {"completed": 8}
    assert not [event for event in events if isinstance(event, Started)]
    counts, events = run(replace(tiny_study, seeds=3), tmp_path, workers=0)
    assert counts == {"completed": 12}
    assert all("-s002-" in event.run_id for event in events if isinstance(event, Finished))
    assert sum(isinstance(event, Finished) for event in events) == 4
    assert len(Results(tmp_path / "tiny").read("provenance")) == 2  # type: ignore[arg-type]


def test_the_runner_tells_what_it_does(tiny_study: Study, tmp_path: Path) -> None:
    _, events = run(tiny_study, tmp_path, workers=2)
    assert Started(runs=8, done=0, images=8 * 2 * 64, workers=2, device="cpu") in events
    ended = [event for event in events if isinstance(event, Finished)]
    assert sorted(event.run_id for event in ended) == sorted(set(frame(tmp_path / "tiny", "runs")["run_id"]))
    seen = [event.images for event in events if isinstance(event, Advanced)]
    assert all(0 <= images <= 8 * 2 * 64 for images in seen)


def test_the_rows_say_what_was_trained(tiny_study: Study, tmp_path: Path) -> None:
    run(replace(tiny_study, seeds=1), tmp_path, workers=0)
    rows = frame(tmp_path / "tiny", "runs").sort_values(["variant", "batch_size"])
    assert list(zip(rows["variant"], rows["batch_size"], strict=True)) == [
        ("bn", 8),
        ("bn", 16),
        ("plain", 8),
        ("plain", 16),
    ]
    row = rows.iloc[0]
    assert (row["study"], row["stage"], row["engine"], row["device"]) == ("tiny", "evaluation", "solo", "cpu")
    assert json.loads(row["settings"])["norm"] == "batch"
    call = Results(tmp_path / "tiny").read("provenance").to_pylist()[0]  # type: ignore[union-attr]
    data = json.loads(call["data"])
    assert (data["train"], data["test"], data["classes"], data["image_shape"]) == (64, 32, 4, [1, 8, 8])
    assert "torch" in json.loads(call["versions"])


def test_a_divergence_is_an_outcome_and_is_not_tried_again(tiny_study: Study, tmp_path: Path) -> None:
    study = replace(tiny_study, seeds=1, settings={**tiny_study.settings, "lr": 1e30})
    counts, _ = run(study, tmp_path, workers=0)
    assert counts["diverged"] > 0
    assert counts["failed"] == counts["missing"] == 0
    assert run(study, tmp_path, workers=0, retry_failed=True)[1] == []


def test_an_error_is_recorded_kept_from_the_others_and_tried_again_on_request(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fragile_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    fragile = Variant("fragile", build="fragile_nets:fragile")
    study = replace(tiny_study, variants=(tiny_study.variants[0], fragile), seeds=1, epochs=6)
    counts, events = run(study, tmp_path, workers=1)
    assert counts == {"completed": 2, "failed": 2}
    errors = [event.error for event in events if isinstance(event, Finished) and event.error]
    assert all("RuntimeError: worn out" in error for error in errors)
    assert run(study, tmp_path, workers=1)[1] == []
    counts, events = run(study, tmp_path, workers=1, retry_failed=True)
    assert len([event for event in events if isinstance(event, Finished)]) == 2
    rows = Results(tmp_path / "tiny").read("runs").to_pandas()  # type: ignore[union-attr]
    assert rows.groupby("run_id")["attempt"].max().tolist().count(2) == 2


def test_what_can_not_work_is_refused_before_anything_is_written(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    wrong = Variant("wrong", build="wrong_nets:wrong_shape")
    results = tmp_path / "results"
    with pytest.raises(
        InputError, match=r"'wrong' gives \[2, 5\][\s\S]*logits \[n, 4\][\s\S]*`classes` outputs"
    ):
        run(replace(tiny_study, variants=(*tiny_study.variants, wrong)), results, workers=1)
    with pytest.raises(InputError, match=r"--device tpu[\s\S]*auto, cpu or cuda"):
        Options(device="tpu")
    with pytest.raises(InputError, match=r"--workers -1[\s\S]*at least 0"):
        run(tiny_study, results, workers=-1)
    with pytest.raises(InputError, match=r"--only nobody[\s\S]*names a run of the study"):
        run(tiny_study, results, workers=0, only="nobody")
    assert not results.exists()


def test_data_that_change_during_a_call_are_not_recorded_under_their_old_hash(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.data import open_dataset
    from harness.runner import executing

    dataset = open_dataset(tiny_study.dataset)
    executing._dataset.cache_clear()
    monkeypatch.setattr(executing, "open_dataset", lambda *_, **__: replace(dataset, sha256="f" * 64))
    with pytest.raises(
        DataError, match=r"has changed since the call began[\s\S]*fingerprint names[\s\S]*call again"
    ):
        run(tiny_study, tmp_path, workers=0)


def test_only_trains_one_run_and_does_not_record_a_finished_one_again(
    tiny_study: Study, tmp_path: Path
) -> None:
    from harness.data import open_dataset

    target = tiny_study.runs(open_dataset(tiny_study.dataset).sha256)[5].run_id
    counts, events = run(tiny_study, tmp_path, workers=0, only=target)
    assert counts == {"completed": 1, "missing": 7}
    before = frame(tmp_path / "tiny", "runs")
    _, events = run(tiny_study, tmp_path, workers=0, only=target)
    assert [event.run_id for event in events if isinstance(event, Finished)] == [target]
    pd.testing.assert_frame_equal(frame(tmp_path / "tiny", "runs"), before)


def test_errors_reach_a_debugger_when_the_run_is_in_this_process(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    fragile = Variant("fragile", build="loud_nets:fragile")
    study = replace(tiny_study, variants=(fragile, tiny_study.variants[0]), seeds=1, epochs=6)
    with pytest.raises(RuntimeError, match="worn out"):
        run(study, tmp_path, workers=0)
