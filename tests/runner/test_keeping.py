"""The weights of the first seeds travel from the worker to a file; the others' do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from harness.data.dataset import Dataset
from harness.design.study import Study
from harness.errors import InputError, StoreError
from harness.models.building import build_model
from harness.runner.checkpoint import FileCheckpoint
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.kept import Kept
from harness.store.ledger import open_ledger
from harness.store.results import Results
from harness.training.keeping import kept_state
from harness.training.records import Row
from harness.training.solo import train
from tests.conftest import tiny_run
from tests.tables import frame


def trained(study: Study, results: Path, *, workers: int = 0, only: str | None = None) -> Kept:
    run_study(study, Options(results=results, device="cpu", workers=workers, only=only), lambda _: None)
    return Kept(Results(results / study.name))


def kept_runs(kept: Kept) -> list[str]:
    return sorted(path.name.rpartition(".1.")[0] for path in kept.folder.glob("*"))


@pytest.fixture
def small(tiny_study: Study) -> Study:
    """One batch size: two variants, two seeds, two epochs."""
    return replace(tiny_study, factors=(), settings={**tiny_study.settings, "batch_size": 16})


@pytest.mark.parametrize("workers", [0, 1])
def test_the_first_seed_of_each_cell_keeps_every_epoch_as_the_weights_table_tells_it(
    tiny_study: Study, tmp_path: Path, workers: int
) -> None:
    kept = trained(tiny_study, tmp_path, workers=workers)
    runs = open_ledger(tiny_study, kept.results).runs
    assert kept_runs(kept) == sorted(run.run_id for run in runs if run.seed == 0)
    table = frame(tmp_path / "tiny", "weights")
    compared = 0
    for run_id in kept_runs(kept):
        assert kept.epochs(run_id) == (0, 1, 2)
        states = [kept.load(run_id, epoch=epoch) for epoch in range(3)]
        for row in table[table["run_id"] == run_id].to_dict("records"):
            index = tuple(map(int, str(row["index"]).split(",")))
            assert states[int(row["epoch"])][str(row["layer"])][index] == row["value"]
            compared += 1
        if run_id.startswith("bn"):
            assert [int(state["norm1.num_batches_tracked"]) for state in states] in ([0, 8, 16], [0, 4, 8])
    assert compared > 200


def test_epoch_0_is_the_network_before_training(small: Study, tmp_path: Path) -> None:
    kept = trained(small, tmp_path)
    run = open_ledger(small, kept.results).runs[1]
    fresh = build_model(run, in_channels=1, classes=4, image_size=(8, 8)).state_dict()
    state = kept.load(run.run_id, epoch=0)
    assert state.keys() == fresh.keys()
    assert all((state[name] == fresh[name].numpy()).all() for name in fresh)


@pytest.mark.parametrize(("keep", "seeds"), [(0, []), (1, [0]), (2, [0, 1]), (9, [0, 1])])
def test_the_study_says_how_many_seeds_keep(small: Study, keep: int, seeds: list[int]) -> None:
    runs = replace(small, keep=keep).runs("0" * 64)
    assert sorted({run.seed for run in runs if run.keep}) == seeds
    assert [run.run_id for run in runs] == [run.run_id for run in replace(small, keep=1).runs("0" * 64)]


@pytest.mark.parametrize("keep", [-1, 1.0, True, "all"])
def test_a_keep_that_is_no_number_of_seeds_is_refused(small: Study, keep: object) -> None:
    with pytest.raises(InputError, match=f"study 'tiny': keep = {keep!r}") as refused:
        replace(small, keep=keep)  # type: ignore[arg-type]
    assert refused.value.rule == "keep is a number of seeds, a whole one, at least 0"


def test_a_calibration_keeps_nothing_of_its_own(small: Study) -> None:
    runs = small.against_itself().runs("0" * 64)
    assert {run.stage for run in runs if run.keep} == {"evaluation"}
    assert "calibration" in {run.stage for run in runs}


def test_nothing_is_kept_where_the_study_says_so(small: Study, tmp_path: Path) -> None:
    kept = trained(replace(small, keep=0), tmp_path)
    assert kept_runs(kept) == []


def test_a_finished_run_that_is_asked_for_keeps_its_weights_and_stays_as_it_is(
    small: Study, tmp_path: Path
) -> None:
    kept = trained(small, tmp_path)
    before = frame(tmp_path / "tiny", "runs")
    first, other = (run.run_id for run in open_ledger(small, kept.results).runs if run.cell.variant == "bn")
    content = (kept.folder / f"{first}.1.safetensors").read_bytes()
    (kept.folder / f"{first}.1.safetensors").unlink()
    trained(small, tmp_path, only=first)
    assert (kept.folder / f"{first}.1.safetensors").read_bytes() == content
    trained(small, tmp_path, only=other)
    assert kept.epochs(other) == (0, 1, 2)
    assert before.equals(frame(tmp_path / "tiny", "runs"))


def test_weights_of_a_run_that_ends_otherwise_than_recorded_are_refused(small: Study, tmp_path: Path) -> None:
    kept = trained(small, tmp_path)
    run_id = kept_runs(kept)[0]
    (kept.folder / f"{run_id}.1.safetensors").unlink()
    _change_recorded_loss(kept.results, run_id, by=1e-7)
    with pytest.raises(StoreError, match=f"{run_id} was trained again, and its test_loss is ") as refused:
        trained(small, tmp_path, only=run_id)
    assert "figure for figure" in refused.value.rule
    assert kept.epochs(run_id) == ()


def _change_recorded_loss(results: Results, run_id: str, *, by: float) -> None:
    shelf = results.shelf("runs")
    name = f"{run_id}.1"
    catalogue = shelf.catalogue()
    rows = shelf.rows([name], catalogue).to_pylist()
    schema = shelf.rows([name], catalogue).schema
    shelf.drop({name})
    shelf.put({name: 1}, pa.Table.from_pylist([{**rows[0], "test_loss": rows[0]["test_loss"] + by}], schema))


class StopHereError(Exception):
    pass


def test_a_resumed_run_keeps_its_earlier_epochs_too(tiny: Dataset, tmp_path: Path) -> None:
    run = replace(tiny_run(epochs=4, norm="batch"), keep=True)
    undisturbed = train(run, tiny, device=torch.device("cpu"))

    def stop(_: int, rows: list[Row]) -> None:
        if rows[0]["epoch"] == 3:
            raise StopHereError

    def checkpoint() -> FileCheckpoint:
        return FileCheckpoint(
            tmp_path / "run.pt", engine="solo", device=torch.device("cpu"), every=1e-9, say=lambda _: None
        )

    with pytest.raises(StopHereError):
        train(run, tiny, device=torch.device("cpu"), on_epoch=stop, checkpoint=checkpoint())
    resumed = train(run, tiny, device=torch.device("cpu"), checkpoint=checkpoint())
    assert resumed.earlier_seconds > 0
    assert resumed.kept.keys() == undisturbed.kept.keys()
    assert {name.partition("/")[0] for name in resumed.kept} == {"0", "1", "2", "3", "4"}
    assert all(np.array_equal(resumed.kept[name], undisturbed.kept[name]) for name in resumed.kept)


def test_a_run_that_diverges_keeps_the_epochs_before(tiny: Dataset) -> None:
    run = replace(tiny_run(epochs=3, lr=1e30), keep=True)
    records = train(run, tiny, device=torch.device("cpu"))
    assert records.status == "diverged"
    assert {name.partition("/")[0] for name in records.kept} == {"0"}


def test_of_a_large_network_fewer_epochs_are_kept_with_the_first_and_the_last() -> None:
    model = nn.Linear(9, 10)  # 100 numbers of 4 bytes

    def epochs_kept(most: int) -> list[int]:
        kept = [kept_state(model, epoch=epoch, epochs=10, most_bytes=most) for epoch in range(11)]
        return [epoch for epoch, state in enumerate(kept) if state]

    assert epochs_kept(11 * 400) == list(range(11))
    assert epochs_kept(11 * 400 - 1) == [0, 2, 4, 6, 8, 10]
    assert epochs_kept(4 * 400) == [0, 3, 6, 9, 10]
    assert epochs_kept(1) == [0, 10]


def test_what_is_kept_does_not_change_with_the_network_and_bfloat16_comes_back_exactly() -> None:
    model = nn.Conv2d(2, 3, 3).to(torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]
    before = model.weight.detach().clone()
    kept = kept_state(model, epoch=0, epochs=1)["0/weight"]
    with torch.no_grad():
        model.weight.zero_()
    assert kept.flags.c_contiguous
    assert torch.equal(torch.from_numpy(kept).to(torch.bfloat16), before)
