"""Which layers belong to the runs that are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.architecture import Networks, read_networks
from harness.findings.frames import StudyFrames
from harness.store.results import Results

Make = Callable[..., StudyFrames]


def study_of(*factors: Factor, **changes: Any) -> Study:
    given: dict[str, Any] = {
        "name": "made-up",
        "question": "?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": factors,
        "seeds": 2,
        "epochs": 1,
    }
    return Study(**(given | changes))


def write(folder: Path, run: Run, names: list[str], *, run_id: str = "", **shaping: Any) -> None:
    """Layers as the runner writes them, of one parameter each, last to first."""
    owner = run_id or run.run_id
    head = {"run_id": owner, "variant": run.cell.variant, "settings": json.dumps(shaping)}
    rows = [
        head
        | {"number": number, "name": name, "kind": "K", "input": "1", "output": "2,3", "parameters": number}
        for number, name in enumerate(names, 1)
    ]
    Results(folder).write_architecture({owner: rows[::-1]})


def names_of(found: Networks | None) -> dict[str, list[str]]:
    assert found is not None
    return {network.variant: list(network.layers["name"]) for network in found.networks}


def first(runs: list[Run], variant: str, **levels: Any) -> Run:
    return next(
        run for run in runs if run.cell.variant == variant and levels.items() <= run.cell.levels.items()
    )


def test_each_cell_has_the_layers_that_were_recorded_for_its_settings(
    frames_of: Make, runs_of: Callable[[Study], list[Run]], tmp_path: Path
) -> None:
    study = study_of(Factor("lr", (0.1, 0.2)), Factor("dropout", (0.0, 0.5)))
    frames, runs, folder = frames_of(study, lambda _: {}), runs_of(study), tmp_path / "made-up"
    for variant, norm in (("plain", "none"), ("bn", "batch")):
        for dropout in (0.0, 0.5):
            owner = first(runs, variant, dropout=dropout)
            write(folder, owner, [f"{variant}{dropout}", "head"], norm=norm, dropout=dropout)
    assert [cell["dropout"] for cell in frames.cells] == [0.0, 0.5, 0.0, 0.5]
    for cell, dropout in enumerate((0.0, 0.5, 0.0, 0.5)):
        found = read_networks(frames, folder, cell=cell)
        assert names_of(found) == {v: [f"{v}{dropout}", "head"] for v in ("plain", "bn")}
        assert found is not None
        assert found.factors == ("dropout",)
        assert found.networks[0].parameters == 1 + 2


def test_settings_that_are_lists_in_the_table_are_found_again(
    frames_of: Make, runs_of: Callable[[Study], list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "listed_nets.py").write_text("def make(widths): ...")
    monkeypatch.syspath_prepend(tmp_path)
    mine = Variant("mine", build="listed_nets:make", widths=(4, 8))
    study = study_of(variants=(Variant("plain"), mine))
    frames = frames_of(study, lambda _: {})
    write(tmp_path / "made-up", first(runs_of(study), "mine"), ["conv"], widths=(4, 8))
    # Of plain nothing is recorded.
    assert names_of(read_networks(frames, tmp_path / "made-up")) == {"mine": ["conv"]}


def test_layers_of_runs_that_the_study_does_not_declare_are_not_taken(
    frames_of: Make, runs_of: Callable[[Study], list[Run]], tmp_path: Path
) -> None:
    study = study_of()
    frames, run = frames_of(study, lambda _: {}), first(runs_of(study), "bn")
    assert read_networks(frames, tmp_path / "made-up") is None
    write(tmp_path / "made-up", run, ["old"], run_id="bn-s000-0000000000", norm="batch")
    assert read_networks(frames, tmp_path / "made-up") is None
    write(tmp_path / "made-up", run, ["new"], norm="batch")
    assert names_of(read_networks(frames, tmp_path / "made-up")) == {"bn": ["new"]}
    write(tmp_path / "made-up", first(runs_of(study), "plain"), ["of other settings"], norm="batch")
    assert names_of(read_networks(frames, tmp_path / "made-up")) == {"bn": ["new"]}


def test_two_networks_of_the_users_own_with_the_same_settings_are_told_apart(
    frames_of: Make, runs_of: Callable[[Study], list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twin_nets.py").write_text("def one(): ...\ndef two(): ...")
    monkeypatch.syspath_prepend(tmp_path)
    study = study_of(variants=tuple(Variant(name, build=f"twin_nets:{name}") for name in ("one", "two")))
    frames, runs = frames_of(study, lambda _: {}), runs_of(study)
    for name in ("one", "two"):
        write(tmp_path / "made-up", first(runs, name), [f"layer of {name}"])
    found = names_of(read_networks(frames, tmp_path / "made-up"))
    assert found == {"one": ["layer of one"], "two": ["layer of two"]}


def test_factors_at_which_layers_stay_the_same_are_not_named(
    frames_of: Make, runs_of: Callable[[Study], list[Run]], tmp_path: Path
) -> None:
    study = study_of(Factor("groups", (2, 4)))
    frames, runs = frames_of(study, lambda _: {}), runs_of(study)
    for groups in (2, 4):
        write(tmp_path / "made-up", first(runs, "plain", groups=groups), ["conv"], groups=groups)
    found = read_networks(frames, tmp_path / "made-up", cell=1)
    assert found is not None
    assert found.factors == ()
