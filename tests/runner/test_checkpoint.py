"""A run that was interrupted goes on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.run import Cell, Run
from harness.design.settings import Value
from harness.runner.checkpoint import FileCheckpoint
from harness.training.records import Records, Row
from harness.training.solo import train

CPU = torch.device("cpu")
NETS = """
from torch import nn

def drawing(classes):
    # Draws from torch's global generator at every step.
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, classes))
"""


class StopHereError(Exception):
    pass


def a_run(dataset: Dataset, *, build: str | None = None, **given: Value) -> Run:
    settings: dict[str, Value] = {"batch_size": 20, "lr": 0.05, "probe_size": 40, **given}
    return Run(Cell("v", {}), 3, dataset.name, dataset.sha256, 6, settings, build)


def a_checkpoint(path: Path, said: list[str], *, every: float = 0.0) -> FileCheckpoint:
    return FileCheckpoint(path, engine="solo", device=CPU, every=every, say=said.append)


def untimed(rows: list[Row]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def interrupted_and_resumed(run: Run, dataset: Dataset, path: Path, *, at: int) -> tuple[Records, list[str]]:
    said: list[str] = []

    def stop(_: int, rows: list[Row]) -> None:
        if rows[0]["epoch"] == at:
            raise StopHereError

    with pytest.raises(StopHereError):
        train(run, dataset, device=CPU, on_epoch=stop, checkpoint=a_checkpoint(path, said))
    return train(run, dataset, device=CPU, checkpoint=a_checkpoint(path, said)), said


@pytest.mark.parametrize("at", [1, 4, 6])
@pytest.mark.parametrize(
    "given",
    [
        {"norm": "batch", "dropout": 0.25},
        {"norm": "batch", "optimizer": "SGD", "momentum": 0.9},
        {"optimizer": "Adam", "lr": 0.01},
    ],
    ids=str,
)
def test_an_interrupted_run_equals_an_undisturbed_one(
    given: dict[str, Any], at: int, tiny: Dataset, tmp_path: Path
) -> None:
    run = a_run(tiny, **given)
    undisturbed = train(run, tiny, device=CPU)
    resumed, said = interrupted_and_resumed(run, tiny, tmp_path / "run.pt", at=at)
    assert any(line.startswith(f"goes on after epoch {at - 1}, ") for line in said)
    assert untimed(resumed.curves) == untimed(undisturbed.curves)
    assert resumed.weights == undisturbed.weights
    assert resumed.earlier_seconds > 0


def test_the_global_generator_goes_on_too(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drawing_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    run = a_run(tiny, build="drawing_nets:drawing")
    undisturbed = train(run, tiny, device=CPU)
    resumed, _ = interrupted_and_resumed(run, tiny, tmp_path / "run.pt", at=3)
    assert untimed(resumed.curves) == untimed(undisturbed.curves)


def test_a_short_run_keeps_nothing(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    train(a_run(tiny), tiny, device=CPU, checkpoint=a_checkpoint(path, [], every=600))
    assert not path.exists()


def test_a_damaged_state_is_thrown_away_and_told(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    said: list[str] = []
    run = a_run(tiny)
    undisturbed = train(run, tiny, device=CPU, checkpoint=a_checkpoint(path, said))
    path.write_bytes(path.read_bytes()[:-200])
    again = train(run, tiny, device=CPU, checkpoint=a_checkpoint(path, said, every=600))
    assert any("thrown away, the run begins anew: it can't be read" in line for line in said)
    assert untimed(again.curves) == untimed(undisturbed.curves)


def test_a_state_of_another_torch_is_thrown_away(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.pt"
    said: list[str] = []
    with monkeypatch.context() as older:
        older.setattr(torch, "__version__", "2.0.1")
        train(a_run(tiny), tiny, device=CPU, checkpoint=a_checkpoint(path, said))
    train(a_run(tiny), tiny, device=CPU, checkpoint=a_checkpoint(path, said, every=600))
    assert any("'torch': '2.0.1'" in line for line in said)
    assert not path.exists()


def test_a_flipped_bit_in_the_state_is_noticed_or_changes_nothing(tiny: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    said: list[str] = []
    run = a_run(tiny)
    undisturbed = train(run, tiny, device=CPU, checkpoint=a_checkpoint(path, said))
    content = path.read_bytes()
    for position in range(0, len(content), len(content) // 60):
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        again = train(run, tiny, device=CPU, checkpoint=a_checkpoint(path, said, every=600))
        assert untimed(again.curves) == untimed(undisturbed.curves), position
