"""Kept weights come back as they were, or the reader is told how to have them again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError, StoreError
from harness.store.kept import Kept
from harness.store.merging import merge_folders
from harness.store.results import Results

RowOf = Callable[..., dict[str, Any]]
Arrays = dict[str, npt.NDArray[Any]]
SHA = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(study: Study) -> Run:
    return study.runs(SHA)[0]


def arrays(*, epochs: tuple[int, ...] = (0, 1, 2), value: float = 0.1) -> Arrays:
    found: Arrays = {}
    for epoch in epochs:
        found[f"{epoch}/conv1.weight"] = np.full((2, 3), value + epoch, dtype=np.float32)
        found[f"{epoch}/norm1.num_batches_tracked"] = np.array(7 * epoch)
    return found


def recorded(
    folder: Path, run: Run, study: Study, row_of: RowOf, *, attempt: int = 1, **columns: Any
) -> Kept:
    """The results of one attempt at a run, with what it kept."""
    results = Results(folder)
    Kept(results).write(arrays(), run_id=run.run_id, attempt=attempt)
    results.write_run(row_of(run, attempt=attempt, **columns), factors=study.factors)
    return Kept(results)


def files(kept: Kept) -> list[str]:
    return sorted(path.name for path in kept.folder.iterdir())


def test_weights_come_back_as_they_were(tmp_path: Path, run: Run, study: Study, row_of: RowOf) -> None:
    kept = recorded(tmp_path / "small", run, study, row_of)
    assert kept.epochs(run.run_id) == (0, 1, 2)
    state = kept.load(run.run_id, epoch=2)
    assert set(state) == {"conv1.weight", "norm1.num_batches_tracked"}
    assert state["conv1.weight"].dtype == np.float32
    assert (state["conv1.weight"] == np.full((2, 3), np.float32(2.1))).all()
    assert state["norm1.num_batches_tracked"] == 14
    assert state["norm1.num_batches_tracked"].shape == ()


def test_other_programs_read_the_file(tmp_path: Path, run: Run, study: Study, row_of: RowOf) -> None:
    kept = recorded(tmp_path / "small", run, study, row_of)
    assert files(kept) == [f"{run.run_id}.1.safetensors"]
    assert set(load_file(kept.folder / f"{run.run_id}.1.safetensors")) == set(arrays())


def test_the_same_weights_make_the_same_bytes(tmp_path: Path, run: Run) -> None:
    contents = set()
    for number in range(5):
        kept = Kept(Results(tmp_path / str(number)))
        kept.write(arrays(epochs=tuple(range(12))), run_id=run.run_id, attempt=1)
        contents.add((kept.folder / f"{run.run_id}.1.safetensors").read_bytes())
    assert len(contents) == 1


def test_epoch_1_is_not_taken_for_epoch_11(tmp_path: Path, run: Run, study: Study, row_of: RowOf) -> None:
    kept = recorded(tmp_path / "small", run, study, row_of)
    kept.write(arrays(epochs=(0, 11)), run_id=run.run_id, attempt=1)
    with pytest.raises(InputError, match=r"after epoch 1 are not in .*; kept are those after epochs 0, 11"):
        kept.load(run.run_id, epoch=1)
    assert kept.load(run.run_id, epoch=11)["norm1.num_batches_tracked"] == 77


def test_weights_that_are_not_there_are_refused_with_the_way_to_have_them(
    tmp_path: Path, run: Run, study: Study, row_of: RowOf
) -> None:
    kept = recorded(tmp_path / "small", run, study, row_of)
    with pytest.raises(InputError) as refused:
        kept.load(run.run_id, epoch=3)
    assert refused.value.received == (
        f"the weights of {run.run_id} after epoch 3 are not in {tmp_path}/small/kept; kept are those after "
        "epochs 0 to 2"
    )
    assert "the study's `keep`" in refused.value.rule
    assert f"`harness run small --only {run.run_id}`" in refused.value.remedy
    (kept.folder / f"{run.run_id}.1.safetensors").unlink()
    assert kept.epochs(run.run_id) == ()
    with pytest.raises(InputError, match="are not in"):
        kept.load(run.run_id, epoch=0)


def test_a_run_that_is_not_recorded_has_no_weights(tmp_path: Path, run: Run) -> None:
    kept = Kept(Results(tmp_path / "small"))
    kept.write(arrays(), run_id=run.run_id, attempt=1)
    assert Kept(Results(tmp_path / "small")).epochs(run.run_id) == ()


def test_only_the_attempt_that_counts_is_read_and_the_others_are_pruned(
    tmp_path: Path, run: Run, study: Study, row_of: RowOf
) -> None:
    recorded(tmp_path / "small", run, study, row_of, attempt=1, status="failed")
    kept = recorded(tmp_path / "small", run, study, row_of, attempt=2)
    kept.write(arrays(epochs=(0,)), run_id=run.run_id, attempt=3)  # a kill came before its row
    assert kept.epochs(run.run_id) == (0, 1, 2)
    kept.prune()
    assert files(kept) == [f"{run.run_id}.2.safetensors"]
    assert kept.epochs(run.run_id) == (0, 1, 2)


def test_any_changed_bit_or_cut_is_noticed_and_set_aside(
    tmp_path: Path, run: Run, study: Study, row_of: RowOf
) -> None:
    whole = recorded(tmp_path / "small", run, study, row_of)
    path = whole.folder / f"{run.run_id}.1.safetensors"
    content = path.read_bytes()
    expected = whole.load(run.run_id, epoch=1)
    damages = [content[:cut] for cut in (0, 5, 40, len(content) - 1)]
    damages += [
        content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]
        for place in range(0, len(content), 3)
    ]
    noticed = 0
    for damaged in damages:
        path.write_bytes(damaged)
        try:
            state = Kept(Results(tmp_path / "small")).load(run.run_id, epoch=1)
        except (StoreError, InputError):
            noticed += 1
        else:  # the damage lies in another epoch
            assert state.keys() == expected.keys()
            assert all((state[name] == expected[name]).all() for name in state)
    assert noticed > len(damages) / 2
    path.write_bytes(content[:-1])
    with pytest.raises(StoreError, match="was set aside as") as told:
        Kept(Results(tmp_path / "small")).load(run.run_id, epoch=1)
    assert f"--only {run.run_id}" in told.value.remedy
    assert not path.exists()


def test_a_merge_takes_the_weights_along(tmp_path: Path, run: Run, study: Study, row_of: RowOf) -> None:
    one = recorded(tmp_path / "one" / "small", run, study, row_of)
    recorded(tmp_path / "into" / "small", run, study, row_of, attempt=1, status="failed")
    (tmp_path / "into" / "small" / "kept" / f"{run.run_id}.1.safetensors").unlink()
    merge_folders([tmp_path / "one"], into=tmp_path / "into")
    merged = Kept(Results(tmp_path / "into" / "small"))
    assert files(merged) == [f"{run.run_id}.2.safetensors"]
    assert merged.load(run.run_id, epoch=2)["norm1.num_batches_tracked"] == 14
    assert one.epochs(run.run_id) == (0, 1, 2)


def test_a_merge_adds_weights_that_the_same_run_lacks_there(
    tmp_path: Path, run: Run, study: Study, row_of: RowOf
) -> None:
    recorded(tmp_path / "one" / "small", run, study, row_of, attempt=4)
    target = recorded(tmp_path / "into" / "small", run, study, row_of)
    (target.folder / f"{run.run_id}.1.safetensors").unlink()
    (merged,) = merge_folders([tmp_path / "one"], into=tmp_path / "into")
    assert merged.added == 0
    assert files(target) == [f"{run.run_id}.1.safetensors"]
    assert target.epochs(run.run_id) == (0, 1, 2)
