"""A pack that was interrupted goes on bit for bit, in whatever packs its runs are trained next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.runner.checkpoint import FileCheckpoint
from harness.training import solo
from harness.training.fused.training import train_pack
from harness.training.records import Records, Row
from tests.conftest import tiny_run

CPU = torch.device("cpu")


class StopHereError(Exception):
    pass


def checkpoints(
    runs: Sequence[Run], folder: Path, said: list[str], *, engine: str = "fused", every: float = 0.0
) -> list[FileCheckpoint]:
    def say(run: Run, text: str) -> None:
        said.append(f"{run.seed}: {text}")

    return [
        FileCheckpoint(
            folder / f"{run.run_id}.pt",
            engine=engine,
            device=CPU,
            every=every,
            say=partial(say, run),
            sharing=len(runs),
        )
        for run in runs
    ]


def interrupted(runs: Sequence[Run], tiny: Dataset, folder: Path, *, at: int) -> None:
    def stop(_: Run, __: int, rows: list[Row]) -> None:
        if rows[0]["epoch"] == at:
            raise StopHereError

    with pytest.raises(StopHereError):
        train_pack(runs, tiny, device=CPU, on_epoch=stop, checkpoints=checkpoints(runs, folder, []))


def untimed(records: Records) -> tuple[object, ...]:
    curves = [{name: value for name, value in row.items() if name != "seconds"} for row in records.curves]
    outcome = {name: value for name, value in records.outcome.items() if name != "train_seconds"}
    kept = {name: array.tobytes() for name, array in records.kept.items()}
    return records.status, repr((outcome, curves, records.weights, records.diagnostics)), kept


def some_runs(**given: Any) -> list[Run]:
    rates = (0.05, 0.2, 1e30, 0.1)  # the third diverges in the first epoch
    return [
        replace(tiny_run(i, epochs=5, lr=lr, diagnostics=(1, 5), **given), keep=i == 1)
        for i, lr in enumerate(rates)
    ]


@pytest.mark.parametrize("at", [1, 4, 5])
@pytest.mark.parametrize("given", [{"norm": "batch", "dropout": 0.25}, {"momentum": 0.9}], ids=str)
def test_an_interrupted_pack_equals_an_undisturbed_one(
    given: dict[str, Any], at: int, tiny: Dataset, tmp_path: Path
) -> None:
    runs, said = some_runs(**given), list[str]()
    undisturbed = train_pack(runs, tiny, device=CPU)
    assert undisturbed[2].status == "diverged"
    interrupted(runs, tiny, tmp_path, at=at)
    resumed = train_pack(runs, tiny, device=CPU, checkpoints=checkpoints(runs, tmp_path, said, every=600))
    assert [line.partition(",")[0] for line in said] == [
        f"{i}: goes on after epoch {at - 1}" for i in range(4)
    ]
    assert [untimed(records) for records in resumed] == [untimed(records) for records in undisturbed]


def test_the_runs_go_on_in_other_packs(tiny: Dataset, tmp_path: Path) -> None:
    runs = some_runs(momentum=0.9)
    undisturbed = train_pack(runs, tiny, device=CPU)
    interrupted(runs, tiny, tmp_path, at=3)
    for places in ([3, 0], [1], [2]):
        said: list[str] = []
        members = [runs[place] for place in places]
        resumed = train_pack(members, tiny, device=CPU, checkpoints=checkpoints(members, tmp_path, said))
        assert any("goes on after epoch 2" in line for line in said)
        assert [untimed(r) for r in resumed] == [untimed(undisturbed[place]) for place in places]


def test_runs_that_were_kept_after_different_epochs_begin_anew_together(
    tiny: Dataset, tmp_path: Path
) -> None:
    runs, said = some_runs(), list[str]()
    interrupted(runs[:2], tiny, tmp_path, at=3)
    interrupted(runs[3:], tiny, tmp_path, at=4)
    resumed = train_pack(runs, tiny, device=CPU, checkpoints=checkpoints(runs, tmp_path, said, every=600))
    assert said == []
    assert [untimed(r) for r in resumed] == [untimed(r) for r in train_pack(runs, tiny, device=CPU)]


def test_a_state_of_another_engine_is_thrown_away(tiny: Dataset, tmp_path: Path) -> None:
    run, said = tiny_run(epochs=2), list[str]()
    (own,) = checkpoints([run], tmp_path, [], engine="solo")
    solo.train(run, tiny, device=CPU, checkpoint=own)
    (resumed,) = train_pack(
        [run], tiny, device=CPU, checkpoints=checkpoints([run], tmp_path, said, every=600)
    )
    assert len(said) == 1
    assert "'engine': 'solo'" in said[0]
    assert untimed(resumed) == untimed(train_pack([run], tiny, device=CPU)[0])


def test_the_seconds_before_are_a_runs_share(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = some_runs()
    moment = 100.0
    monkeypatch.setattr("harness.runner.checkpoint.time.monotonic", lambda: moment)
    states = checkpoints(runs, tmp_path, [])
    moment = 148.0
    train_pack(runs, tiny, device=CPU, checkpoints=states)
    again = train_pack(runs, tiny, device=CPU, checkpoints=checkpoints(runs, tmp_path, []))
    assert [records.earlier_seconds for records in again] == [12.0] * 4
