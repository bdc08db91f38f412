"""The layers of a study's networks are written once, whoever trains its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.architecture import write_architecture
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.merging import merge_folders
from harness.store.results import Results

NETS = """
import torch
from torch import nn

def drawing(classes, wide=2):
    torch.rand(3)
    return nn.Sequential(nn.Conv2d(1, wide, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(wide * 36, classes))
"""


def study_of(*factors: Factor, **changes: Any) -> Study:
    given: dict[str, Any] = {
        "name": "small",
        "question": "?",
        "dataset": "tiny",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": factors,
        "seeds": 3,
        "epochs": 1,
    }
    return Study(**(given | changes))


def recorded(folder: Path) -> dict[str, list[str]]:
    """Names of layers in order, by the run that they stand under."""
    table = Results(folder).read("architecture")
    assert table is not None
    rows = sorted(table.to_pylist(), key=lambda row: (row["run_id"], row["number"]))
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["run_id"], []).append(row["name"])
    return found


PLAIN = ["conv1", "relu1", "conv2", "relu2", "conv3", "relu3", "pool", "head"]
BN = [
    "conv1", "norm1", "relu1", "conv2", "norm2", "relu2", "conv3", "norm3", "relu3", "pool", "head",
]  # fmt: skip


def test_a_variant_has_its_layers_once_however_many_cells_and_seeds(tmp_path: Path, tiny: Dataset) -> None:
    runs = study_of(Factor("lr", (0.1, 0.2)), Factor("batch_size", (8, 16))).runs(tiny.sha256)
    write_architecture(runs, tiny, Results(tmp_path), declared=runs)
    plain, bn = (next(run.run_id for run in runs if run.cell.variant == name) for name in ("plain", "bn"))
    assert recorded(tmp_path) == {plain: PLAIN, bn: BN}


def test_other_levels_have_layers_of_their_own_where_these_depend_on_them(
    tmp_path: Path, tiny: Dataset
) -> None:
    factors = (Factor("lr", (0.1, 0.2)), Factor("dropout", (0.0, 0.5)))
    runs = study_of(*factors, variants=(Variant("plain"), Variant("deep", depth=4))).runs(tiny.sha256)
    write_architecture(runs, tiny, Results(tmp_path), declared=runs)
    lengths = sorted(len(names) for names in recorded(tmp_path).values())
    assert lengths == [8, 10, 11, 14]  # two layers a convolution, with dropout three; pool and head


def test_the_same_is_written_whichever_runs_are_trained_and_never_twice(
    tmp_path: Path, tiny: Dataset
) -> None:
    runs = study_of(Factor("lr", (0.1, 0.2))).runs(tiny.sha256)
    write_architecture(runs, tiny, Results(tmp_path / "one"), declared=runs)
    write_architecture(runs[-1:], tiny, Results(tmp_path / "two"), declared=runs)
    (file,) = (tmp_path / "two" / "architecture").iterdir()
    before = file.stat()
    write_architecture(runs, tiny, Results(tmp_path / "two"), declared=runs)
    assert file.stat() == before
    assert len(list(file.parent.iterdir())) == 2
    assert recorded(tmp_path / "two") == recorded(tmp_path / "one")
    tables = [Results(tmp_path / name).read("architecture") for name in ("one", "two")]
    assert tables[0] == tables[1]


def test_folders_of_two_machines_have_them_once_when_they_are_merged(tmp_path: Path, tiny: Dataset) -> None:
    runs = study_of(Factor("lr", (0.1, 0.2))).runs(tiny.sha256)
    folders = [tmp_path / machine / "small" for machine in ("one", "two")]
    for folder, part in zip(folders, (runs[:8], runs[2:]), strict=True):
        write_architecture(part, tiny, Results(folder), declared=runs)
        row = {"run_id": part[0].run_id, "attempt": 1, "study": "small", "status": "failed"}
        Results(folder).write_run(row, factors=())
    merge_folders(folders, into=tmp_path / "all" / "small")
    alone = tmp_path / "alone"
    write_architecture(runs, tiny, Results(alone), declared=runs)
    assert len(recorded(alone)) == 2
    assert Results(tmp_path / "all" / "small").read("architecture") == Results(alone).read("architecture")


def test_an_own_network_is_walked_and_draws_nothing_from_torchs_generator(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "walked_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    mine = Variant("mine", build="walked_nets:drawing", wide=5)
    runs = study_of(variants=(Variant("plain"), mine)).runs(tiny.sha256)
    state = torch.get_rng_state()
    write_architecture(runs, tiny, Results(tmp_path / "own"), declared=runs)
    assert torch.equal(torch.get_rng_state(), state)
    table = Results(tmp_path / "own").read("architecture")
    assert table is not None
    rows = [row for row in table.to_pylist() if row["variant"] == "mine"]
    assert [(row["number"], row["name"], row["kind"], row["input"], row["output"]) for row in rows] == [
        (1, "0", "Conv2d", "1,8,8", "5,6,6"),
        (2, "1", "Dropout", "5,6,6", "5,6,6"),
        (3, "2", "Flatten", "5,6,6", "180"),
        (4, "3", "Linear", "180", "4"),
    ]
    assert [row["parameters"] for row in rows] == [50, 0, 0, 724]
    assert {row["settings"] for row in rows} == {'{"wide": 5}'}


def test_a_call_of_the_runner_writes_them_and_one_that_goes_on_leaves_them(
    tiny_study: Study, tmp_path: Path
) -> None:
    def call(seeds: int) -> list[tuple[str, int]]:
        study = replace(
            tiny_study, seeds=seeds, epochs=1, settings={**tiny_study.settings, "diagnostics": ()}
        )
        run_study(study, Options(results=tmp_path, device="cpu", workers=0, engine="solo"), lambda _: None)
        files = (tmp_path / "tiny" / "architecture").iterdir()
        return [(file.name, file.stat().st_mtime_ns) for file in files]

    first = call(1)
    assert len(first) == 1
    assert {len(names) for names in recorded(tmp_path / "tiny").values()} == {11, 14}
    assert call(2) == first
