"""Slices of kept runs are right, comparable, written once, and refused with the way to have them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn import functional

from harness.data import open_dataset
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError, WorkerError
from harness.findings.slices import Slice, read_slices
from harness.landscape.request import USUAL, Request
from harness.landscape.words import STALE
from harness.runner.options import Options
from harness.runner.predicting import restored
from harness.runner.running import run_study
from harness.runner.slicing import slice_study
from harness.store.kept import Kept
from harness.store.results import Results
from harness.training.batches import Resident
from harness.training.splits import probe_order
from tests.tables import frame

PROBE = 20
"""As in the study, so that an epoch's loss on a slice is the recorded one."""


@pytest.fixture
def small(tiny_study: Study) -> Study:
    """Both variants, one combination, two seeds of which one is kept."""
    return replace(tiny_study, factors=(), epochs=3, settings={**tiny_study.settings, "batch_size": 16})


def trained(study: Study, folder: Path, *, only: str | None = None, engine: str = "solo") -> Results:
    options = Options(results=folder, device="cpu", workers=0, only=only, engine=engine)
    run_study(study, options, lambda _: None)
    return Results(folder / "tiny")


def asked(*texts: str, points: int = 7, images: int = PROBE, mode: str = "batch") -> list[Request]:
    return [Request(text, mode=mode, points=points, images=images) for text in texts]


def sliced(
    study: Study,
    folder: Path,
    requests: Sequence[Request],
    *,
    said: list[str] | None = None,
    workers: int = 0,
    lenient: bool = False,
    everywhere: bool = False,
) -> list[Slice]:
    options = Options(results=folder, device="cpu", workers=workers)
    heard = [] if said is None else said
    runs = slice_study(
        study,
        requests,
        options,
        everywhere=everywhere,
        lenient=lenient,
        say=heard.append,
        report=lambda *_: None,
    )
    return read_slices(Results(folder / "tiny"), {run.run_id: run.cell.variant for run in runs})


def rows_of(results: Results) -> pd.DataFrame:
    table = results.read("slices")
    assert table is not None
    frame: pd.DataFrame = table.to_pandas()
    return frame.assign(variant=frame["run_id"].str.partition("-")[0])


@pytest.mark.parametrize("engine", ["solo", "fused"])
def test_the_loss_of_each_epoch_is_the_one_that_training_recorded(
    small: Study, tmp_path: Path, engine: str
) -> None:
    results = trained(small, tmp_path, engine=engine)
    assert set(frame(results.folder, "runs")["engine"]) == {engine}
    sliced(small, tmp_path, asked("line", mode=STALE))
    curves = frame(results.folder, "curves")
    probe = curves[curves["split"] == "probe"].set_index(["run_id", "epoch"])
    ways = rows_of(results).dropna(subset="epoch")
    assert len(ways) == 2 * 4
    recorded = probe.loc[pd.MultiIndex.from_frame(ways[["run_id", "epoch"]])]
    assert ways["loss"].tolist() == pytest.approx(recorded["loss"].tolist(), rel=1e-5)
    assert ways["accuracy"].tolist() == pytest.approx(recorded["accuracy"].tolist())


def test_a_line_begins_at_the_first_weights_and_ends_at_the_last(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    told = sliced(small, tmp_path, asked("line", points=7))  # at -0.25, 0, 0.25, ..., 1.25
    rows = rows_of(results)
    for one in told:
        mine = rows[rows["run_id"] == one.run_id]
        grid, way = (
            mine[mine["epoch"].isna()].sort_values("row"),
            mine.dropna(subset="epoch").sort_values("epoch"),
        )
        assert grid["first"].tolist() == pytest.approx([-0.25, 0, 0.25, 0.5, 0.75, 1, 1.25])
        assert grid["second"].isna().all()
        ends = grid["loss"].iloc[[1, 5]].tolist()
        assert ends == pytest.approx(way["loss"].iloc[[0, 3]].tolist(), rel=1e-5)
        assert way["first"].iloc[[0, 3]].tolist() == pytest.approx([0, 1], abs=1e-6)
        assert one.captured == pytest.approx(1)
        assert (one.end, one.finite.min()) == (way["loss"].iloc[3], grid["loss"].min())


def test_variants_share_extents_that_hold_both_ways(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    sliced(small, tmp_path, asked("weights", "trajectory", "random", points=3))
    rows = rows_of(results)
    for name, group in rows.groupby("slice"):
        grids = group[group["epoch"].isna()]
        corners = grids.groupby("variant")[["first", "second"]].agg(["min", "max"])
        assert len(corners) == 2
        assert len(corners.drop_duplicates()) == 1, name
        for axis in ("first", "second"):
            way = group.dropna(subset="epoch")[axis]
            assert grids[axis].min() <= way.min() <= way.max() <= grids[axis].max()
    shares = (
        rows[rows["slice"] == "trajectory"].groupby("variant")[["first_variance", "second_variance"]].first()
    )
    assert ((shares > 0) & (shares < 1)).all(axis=None)
    assert rows.loc[rows["slice"] != "trajectory", "first_variance"].isna().all()
    facts = rows.groupby(["slice", "variant"])[["kind", "images", "call_id"]].nunique()
    assert (facts == 1).all(axis=None)


def test_what_is_there_is_measured_no_second_time(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    said: list[str] = []
    told = sliced(small, tmp_path, asked("line", "weights", points=3), said=said)
    assert [(one.variant, one.name) for one in told] == [
        ("plain", "weights"), ("bn", "weights"), ("plain", "line"), ("bn", "line"),
    ]  # fmt: skip
    assert len(said) == 5
    before = rows_of(results)
    said.clear()
    sliced(small, tmp_path, asked("line", "weights", points=3), said=said)
    assert said == []
    pd.testing.assert_frame_equal(rows_of(results), before)
    lost = next((results.folder / "slices").glob("bn-*"))
    lost.unlink()
    sliced(small, tmp_path, asked("line", "weights", points=3), said=said)
    assert said[0] == "1 slice to measure in this process"
    after = rows_of(results).drop(columns="call_id")
    pd.testing.assert_frame_equal(after, before.drop(columns="call_id"))


def test_another_grid_takes_the_place_of_the_first(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    sliced(small, tmp_path, asked("line", points=3))
    sliced(small, tmp_path, asked("line", points=5))
    assert rows_of(results).groupby("variant")["row"].nunique().tolist() == [5, 5]
    sliced(small, tmp_path, asked("line", points=5, mode="recalibrated"))
    assert rows_of(results).groupby(["variant", "mode"]).ngroups == 4
    assert len(list((results.folder / "slices").iterdir())) == 4


def test_a_third_variant_has_all_of_them_measured_in_the_extents_that_hold_it(
    small: Study, tmp_path: Path
) -> None:
    results = trained(small, tmp_path)
    sliced(small, tmp_path, asked("random", points=3))
    wild = replace(small, variants=(*small.variants, Variant("group", norm="group", lr=0.8)))
    trained(wild, tmp_path)
    said: list[str] = []
    sliced(wild, tmp_path, asked("random", points=3), said=said)
    assert said[0] == "3 slices to measure in this process"
    grids = rows_of(results).query("epoch.isna()").groupby("variant")[["first", "second"]]
    corners = grids.agg(["min", "max"])
    assert len(corners) == 3
    assert len(corners.drop_duplicates()) == 1


def test_worker_processes_measure_the_same_numbers(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    sliced(small, tmp_path, asked("weights", "line", points=3))
    here = rows_of(results)
    for path in (results.folder / "slices").iterdir():
        path.unlink()
    sliced(small, tmp_path, asked("weights", "line", points=3), workers=2)
    pd.testing.assert_frame_equal(rows_of(results).drop(columns="call_id"), here.drop(columns="call_id"))


def test_the_line_between_seeds_goes_from_one_network_to_the_next(small: Study, tmp_path: Path) -> None:
    both = replace(small, keep=2)
    results = trained(both, tmp_path)
    told = sliced(both, tmp_path, asked("seeds", points=7))
    assert [one.run_id.partition("-s")[2][:3] for one in told] == ["000", "000"]
    assert all(math.isnan(one.captured) for one in told)
    rows = rows_of(results)
    assert rows["epoch"].isna().all()
    plain = rows[rows["variant"] == "plain"].sort_values("row")
    runs = [run for run in both.runs(open_dataset(both.dataset).sha256) if run.cell.variant == "plain"]
    found = [plain_loss(run, runs[0], results, both) for run in runs]
    assert plain["loss"].iloc[[1, 5]].tolist() == pytest.approx(found, rel=1e-5)


def plain_loss(run: Run, probed: Run, results: Results, study: Study) -> float:
    """The loss of a run's last network on the probe of another run."""
    dataset = open_dataset(study.dataset)
    training = Resident.of(dataset.train, torch.device("cpu"))
    images, labels = training.batch(probe_order(probed, len(training))[:PROBE])
    model = restored(run, dataset, kept=Kept(results), epoch=3).eval()
    with torch.no_grad():
        return float(functional.cross_entropy(model(images), labels))


def test_a_line_between_seeds_needs_two_and_says_how_to_have_them(small: Study, tmp_path: Path) -> None:
    trained(small, tmp_path)
    with pytest.raises(InputError, match="no cell has the weights of two") as refused:
        sliced(small, tmp_path, asked("seeds"))
    assert "Study(keep=2)" in refused.value.remedy
    assert "`harness run tiny --only RUN_ID`" in refused.value.remedy


def test_lost_weights_are_refused_with_the_call_that_brings_them_back(small: Study, tmp_path: Path) -> None:
    results = trained(small, tmp_path)
    lost = next((results.folder / "kept").glob("bn-*"))
    run_id = lost.name.removesuffix(".1.safetensors")
    lost.unlink()
    with pytest.raises(InputError, match=f"the weights of {run_id} are not in") as refused:
        sliced(small, tmp_path, asked("line", points=3))
    assert f"`harness run tiny --only {run_id}`" in refused.value.remedy
    trained(small, tmp_path, only=run_id)  # as it says
    assert len(sliced(small, tmp_path, asked("line", points=3))) == 2


def test_runs_that_are_not_there_or_diverged_are_left_out_with_a_word(small: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no completed run of study 'tiny'") as refused:
        sliced(small, tmp_path, asked("line"))
    assert refused.value.remedy.startswith("`harness run tiny` first")
    wild = replace(small, variants=(small.variants[1], Variant("wild", lr=1e30)), baseline="bn")
    trained(wild, tmp_path)
    said: list[str] = []
    told = sliced(wild, tmp_path, asked("line", points=3), said=said)
    assert [one.variant for one in told] == ["bn"]
    assert said[0] == "left out: 1 run, which diverged or is not trained yet"


def test_a_plane_that_a_run_does_not_have_is_refused_unless_nobody_asked_for_it(
    small: Study, tmp_path: Path
) -> None:
    short = replace(small, epochs=1)
    trained(short, tmp_path)
    with pytest.raises(InputError, match="two principal components need the weights of three epochs"):
        sliced(short, tmp_path, asked("trajectory"))
    said: list[str] = []
    told = sliced(short, tmp_path, asked(*USUAL, points=3), said=said, lenient=True)
    assert {one.name for one in told} == {"weights", "figure8", "random", "line"}
    assert said[0].startswith("left out: trajectory of ")
    with pytest.raises(InputError, match=r"weight 'conv9\.weight:0,0,0,0'"):
        sliced(short, tmp_path, asked("conv9.weight:0,0,0,0+conv1.weight:0,0,0,0"))


NETS = """
import os
from pathlib import Path

from torch import nn


def make(in_channels, classes, image_size):
    if Path("doomed").exists() and Path("doomed").read_text() != str(os.getpid()):
        os._exit(3)
    side = image_size[0] - 2
    return nn.Sequential(nn.Conv2d(in_channels, 2, 3), nn.Flatten(), nn.Linear(2 * side * side, classes))
"""


def test_a_worker_that_dies_is_told_and_what_was_done_is_kept(
    small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "doomed_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = replace(small, variants=(Variant("plain"), Variant("mine", build="doomed_nets:make")))
    results = trained(own, tmp_path)
    (tmp_path / "doomed").write_text(str(os.getpid()))
    with pytest.raises(WorkerError, match=r"the worker that measured line of mine-s000-.* died") as died:
        sliced(own, tmp_path, asked("line", points=3), workers=1)
    assert "what is done is kept" in died.value.remedy
    assert set(rows_of(results)["variant"]) == {"plain"}
    (tmp_path / "doomed").unlink()
    said: list[str] = []
    assert len(sliced(own, tmp_path, asked("line", points=3), said=said)) == 2
    assert said[0] == "1 slice to measure in this process"


def test_the_first_combination_that_all_variants_finished_is_sliced_or_all_of_them(
    tiny_study: Study, tmp_path: Path
) -> None:
    trained(tiny_study, tmp_path)
    ids = {run.run_id: run for run in tiny_study.runs(open_dataset(tiny_study.dataset).sha256)}
    told = sliced(tiny_study, tmp_path, asked("line", points=2))
    assert [(one.variant, ids[one.run_id].cell.levels) for one in told] == [
        ("plain", {"batch_size": 8}),
        ("bn", {"batch_size": 8}),
    ]
    every = sliced(tiny_study, tmp_path, asked("line", points=2), everywhere=True)
    assert [ids[one.run_id].cell.levels["batch_size"] for one in every] == [8, 8, 16, 16]
    settings = {name: value for name, value in tiny_study.settings.items() if name != "lr"}
    wild = replace(tiny_study, factors=(Factor("lr", (1e30, 0.05)),), seeds=1, settings=settings)
    trained(wild, tmp_path)
    ids = {run.run_id: run for run in wild.runs(open_dataset(wild.dataset).sha256)}
    told = sliced(wild, tmp_path, asked("line", points=2))
    assert [(one.variant, ids[one.run_id].cell.levels["lr"]) for one in told] == [
        ("plain", 0.05),
        ("bn", 0.05),
    ]
