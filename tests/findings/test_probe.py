"""What the probe shows, against plain loops over the rows that were written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.layers import CODED, READ
from harness.findings.probe import Probed, means_over_seeds, over_layers, probed
from harness.store.results import Results

Row = dict[str, Any]

STUDY = Study(
    name="probed",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("lr", (0.01, 0.1)),),
    seeds=4,
    epochs=4,
)


def level(run: Run, *, epoch: int, layer: str) -> float:
    """A number of its own for every run, epoch and layer."""
    rng = np.random.default_rng([run.seed, epoch, *map(ord, run.cell.variant + layer)])
    return float(rng.normal(run.cell.levels["lr"], 0.1))  # type: ignore[arg-type]


def reading(epoch: int, layer: str, value: float, measure: str = "drift") -> Row:
    return {"epoch": epoch, "layer": layer, "measure": measure, "value": value, "channel": None, "step": None}


def rows_of(run: Run, *, layers: tuple[str, ...] = ("relu1", "relu2")) -> list[Row]:
    return [
        reading(epoch, layer, level(run, epoch=epoch, layer=layer))
        for epoch, layer in itertools.product((1, 4), layers)
    ]


def look(frames: StudyFrames, folder: Path) -> Probed | None:
    return probed(frames, parts_of(frames, folder))


def parts_of(frames: StudyFrames, folder: Path) -> list[pa.Table]:
    results = Results(folder / frames.study.name)
    return list(results.parts("diagnostics", run_ids=frames.runs["run_id"], columns=READ, coded=CODED))


@pytest.fixture
def looked(
    frames_of: Callable[..., StudyFrames], tmp_path: Path
) -> Callable[[Callable[[Run], Row | None]], Probed | None]:
    """A function that records a study, with what another says of each run, and looks at the probe."""
    return lambda ending_of: look(frames_of(STUDY, ending_of), tmp_path)


def test_a_seed_has_the_mean_of_its_combinations(looked: Any, runs_of: Any) -> None:
    found = looked(lambda run: {"accuracy": 0.5, "diagnostics": rows_of(run)})
    assert (found.pairs, found.undefined, found.drawn) == (8, 0, ("plain", "bn"))
    for variant, epoch, layer, seed in itertools.product(
        ("plain", "bn"), (1, 4), ("relu1", "relu2"), range(4)
    ):
        values = [
            level(run, epoch=epoch, layer=layer)
            for run in runs_of(STUDY)
            if (run.cell.variant, run.seed) == (variant, seed)
        ]
        assert len(values) == 2
        shown = found.seeds.loc[(epoch, layer, "drift", variant), seed]
        assert shown == pytest.approx(sum(values) / 2)


def test_the_mean_over_seeds_has_the_t_interval_of_those_that_count(looked: Any) -> None:
    found = looked(lambda run: {"accuracy": 0.5, "diagnostics": rows_of(run)})
    seeds = found.seeds.copy()
    seeds.loc[(4, "relu2", "drift", "bn"), 3] = math.nan
    means = means_over_seeds(seeds)
    for place, numbers in seeds.iterrows():
        values = numbers.dropna()
        low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        shown = means.loc[place]
        assert (shown["mean"], shown["low"], shown["high"]) == pytest.approx((values.mean(), low, high))
        assert shown["n"] == (3 if place == (4, "relu2", "drift", "bn") else 4)


@pytest.mark.parametrize("status", ["diverged", "failed", "missing"])
def test_a_combination_counts_only_where_every_variant_completed_it(
    looked: Any, runs_of: Any, status: str
) -> None:
    def ending_of(run: Run) -> Row | None:
        lost = (run.cell.variant, run.seed, run.cell.levels["lr"]) == ("bn", 2, 0.1)
        if lost and status == "missing":
            return None
        return {"accuracy": 0.5, "status": status if lost else "completed", "diagnostics": rows_of(run)}

    found = looked(ending_of)
    assert (found.pairs, found.undefined) == (7, 0)
    for variant in ("plain", "bn"):
        (run,) = (
            run
            for run in runs_of(STUDY)
            if (run.cell.variant, run.seed, run.cell.levels["lr"]) == (variant, 2, 0.01)
        )
        shown = found.seeds.loc[(1, "relu1", "drift", variant), 2]
        assert shown == pytest.approx(level(run, epoch=1, layer="relu1"))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_number_that_is_none_is_left_out_for_all_variants_and_counted(looked: Any, wrong: float) -> None:
    def ending_of(run: Run) -> Row:
        rows = rows_of(run)
        if (run.cell.variant, run.seed) == ("plain", 3):
            rows[0]["value"] = wrong
        return {"accuracy": 0.5, "diagnostics": rows}

    found = looked(ending_of)
    assert (found.pairs, found.undefined) == (8, 2)  # both combinations of seed 3
    for variant in ("plain", "bn"):
        assert math.isnan(found.seeds.loc[(1, "relu1", "drift", variant), 3])
        assert math.isfinite(found.seeds.loc[(4, "relu1", "drift", variant), 3])


def test_a_layer_that_one_variant_lacks_is_told_of_the_other(looked: Any) -> None:
    def ending_of(run: Run) -> Row:
        more = ("relu1", "norm1") if run.cell.variant == "bn" else ("relu1",)
        return {"accuracy": 0.5, "diagnostics": rows_of(run, layers=more)}

    found = looked(ending_of)
    places = {place[1:] for place in found.seeds.index}
    assert places == {
        ("relu1", "drift", "plain"), ("relu1", "drift", "bn"), ("norm1", "drift", "bn")
    }  # fmt: skip
    assert (found.pairs, found.undefined) == (8, 0)


def test_a_variant_without_rows_does_not_hide_the_other(looked: Any) -> None:
    found = looked(lambda run: {
        "accuracy": 0.5, "diagnostics": rows_of(run) if run.cell.variant == "bn" else []
    })  # fmt: skip
    assert (found.drawn, found.pairs) == (("bn",), 8)


def test_an_epoch_that_only_one_variant_measured_is_left_out(looked: Any) -> None:
    def ending_of(run: Run) -> Row:
        rows = [row for row in rows_of(run) if run.cell.variant == "bn" or row["epoch"] == 1]
        return {"accuracy": 0.5, "diagnostics": rows}

    found = looked(ending_of)
    assert {place[0] for place in found.seeds.index} == {1}
    assert (found.pairs, found.undefined) == (8, 0)


def test_without_rows_there_is_nothing_to_show(looked: Any) -> None:
    assert looked(lambda _: {"accuracy": 0.5}) is None


def test_over_layers_is_their_mean_without_the_layer_that_is_zero_by_definition(looked: Any) -> None:
    def ending_of(run: Run) -> Row:
        rows = [
            reading(1, layer, value, "shift_relative")
            for layer, value in (("conv1", 0.0), ("conv2", 0.25 + run.seed), ("conv3", 0.5))
        ]
        if (run.cell.variant, run.seed) == ("bn", 2):
            rows[2]["value"] = math.nan
        return {"accuracy": 0.5, "diagnostics": rows}

    found = over_layers(looked(ending_of).seeds, "shift_relative")
    assert set(found.index) == {(1, "plain"), (1, "bn")}
    for _, numbers in found.iterrows():
        expected = [math.nan if seed == 2 else (0.75 + seed) / 2 for seed in range(4)]
        assert numbers.tolist() == pytest.approx(expected, nan_ok=True)


def test_files_that_are_joined_tell_the_same_as_single_ones(
    frames_of: Callable[..., StudyFrames], tmp_path: Path
) -> None:
    frames = frames_of(STUDY, lambda run: {"accuracy": 0.5, "diagnostics": rows_of(run)})
    single = look(frames, tmp_path)
    Results(tmp_path / "probed").compact()
    assert len(parts_of(frames, tmp_path)) == 1
    joined = look(load_frames(STUDY, tmp_path / "probed"), tmp_path)
    assert single is not None
    assert joined is not None
    assert joined.seeds.sort_index().equals(single.seeds.sort_index())


def test_runs_beyond_a_look_do_not_count(frames_of: Callable[..., StudyFrames], tmp_path: Path) -> None:
    frames = frames_of(STUDY, lambda run: {"accuracy": 0.5, "diagnostics": rows_of(run)})
    parts = parts_of(frames, tmp_path)
    found = probed(replace(frames, runs=frames.runs[frames.runs["seed"] < 2]), parts)
    assert found is not None
    assert found.pairs == 4
    assert [str(seed) for seed in found.seeds.columns] == ["0", "1"]
