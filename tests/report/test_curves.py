"""What the curves and the paths show, recomputed by plain loops from the rows that were written."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.findings.frames import load_frames
from harness.report.curves import curves_picture, measure_curves
from harness.report.palette import palette_of
from harness.report.paths import paths_picture, trace_paths

FIRST_CELL = {"lr": 0.01, "dropout": 0.0}


def seed_means(
    recorded: Any, variant: str, split: str, epoch: int, *, without: tuple[int, ...] = ()
) -> list[float]:
    """Each seed's mean test loss over cells; seeds in `without` lack the first cell."""
    means = []
    for seed in range(recorded.study.seeds):
        values = []
        for row in recorded.runs:
            first = {name: row[name] for name in FIRST_CELL} == FIRST_CELL
            if (row["variant"], row["seed"]) == (variant, seed) and not (first and seed in without):
                curve = recorded.curves[row["run_id"]]
                values += [c["loss"] for c in curve if (c["split"], c["epoch"]) == (split, epoch)]
        means.append(sum(values) / len(values))
    return means


def shown(curves: Any, variant: str, split: str, epoch: int) -> Any:
    rows = curves.means
    here = (rows["variant"] == variant) & (rows["split"] == split) & (rows["epoch"] == epoch)
    return rows[here & (rows["measure"] == "loss")].iloc[0]


def test_a_curve_is_the_mean_over_seeds_with_its_t_interval(whole: Any) -> None:
    curves = measure_curves(load_frames(whole.study, whole.folder))
    assert curves is not None
    for variant in ("plain", "bn"):
        values = seed_means(whole, variant, "test", 3)
        row = shown(curves, variant, "test", 3)
        low, high = stats.t.interval(0.95, 7, statistics.mean(values), stats.sem(values))
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((statistics.mean(values), low, high))
        assert row["n"] == 8


def test_a_combination_counts_in_the_curves_only_where_every_variant_completed_it(troubled: Any) -> None:
    curves = measure_curves(load_frames(troubled.study, troubled.folder))
    assert curves is not None
    for variant in ("plain", "bn"):
        values = seed_means(troubled, variant, "test", 6, without=(1, 2))
        assert shown(curves, variant, "test", 6)["mean"] == pytest.approx(statistics.mean(values))
    assert curves.pairs == 30
    caption = curves_picture(curves, palette=palette_of(troubled.study)).caption
    assert "30 pairs of combination and seed" in caption
    assert "2 runs whose partner did not complete, 1 run that diverged and 1 run that failed" in caption


def test_a_variant_that_completed_nothing_does_not_hide_the_others(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study()
    recorded = report_parts.record(
        study, tmp_path, statuses=lambda run: "diverged" if run.cell.variant == "bn" else "completed"
    )
    curves = measure_curves(load_frames(recorded.study, recorded.folder))
    assert curves is not None
    assert (curves.drawn, curves.absent) == (["plain"], ("bn",))
    assert "bn completed no run" in curves_picture(curves, palette=palette_of(study)).caption


def test_curves_without_a_common_combination_are_left_out(report_parts: Any, tmp_path: Path) -> None:
    recorded = report_parts.record(
        report_parts.small_study(),
        tmp_path,
        statuses=lambda run: "completed" if (run.seed % 2 == 0) == (run.cell.variant == "bn") else "missing",
    )
    assert measure_curves(load_frames(recorded.study, recorded.folder)) is None


def test_the_path_is_the_articles_pair_of_seed_0_in_the_first_cell(whole: Any) -> None:
    paths = trace_paths(load_frames(whole.study, whole.folder))
    assert [path.variant for path in paths] == ["plain", "bn"]
    for path in paths:
        row = next(row for row in whole.runs if row["run_id"] == path.run_id)
        assert (row["variant"], row["seed"], row["lr"], row["dropout"]) == (path.variant, 0, 0.01, 0.0)
        assert path.weights == (("conv3.weight", "3,4,1,0"), ("conv3.weight", "3,8,1,0"))
        weights = whole.weights[path.run_id]
        assert path.points["wx"].tolist() == [w["value"] for w in weights if w["index"] == "3,4,1,0"]
        assert path.points["wy"].tolist() == [w["value"] for w in weights if w["index"] == "3,8,1,0"]
        losses = [c["loss"] for c in whole.curves[path.run_id] if c["split"] == "train"]
        assert path.points["loss"].tolist()[1:] == losses
        assert path.points["loss"].isna().tolist() == [True] + [False] * 6
    caption = paths_picture(paths, palette=palette_of(whole.study), levels="lr = 0.01").caption
    assert "an anecdote" in caption


@pytest.mark.parametrize(
    ("recorded", "named"),
    [
        ("conv1:3,0,1,0 conv1:8,0,1,0", "3,0,1,0 (wx) and 8,0,1,0 (wy) of conv1"),
        ("conv1:1,0,0,0 conv2:5,5,2,2", "1,0,0,0 of conv1 (wx) and 5,5,2,2 of conv2 (wy)"),
        ("conv2:3,4,1,0 conv2:3,8,1,0 conv3:3,4,1,0 conv3:3,8,1,0", "3,4,1,0 (wx) and 3,8,1,0 (wy) of conv3"),
        ("conv1:1,0,0,0", None),
    ],
)
def test_another_network_shows_its_counterpart_or_the_first_two_weights(
    report_parts: Any, tmp_path: Path, recorded: str, named: str | None
) -> None:
    study = report_parts.small_study(factors=(), seeds=1)
    report_parts.record(study, tmp_path, watched=[tuple(place.split(":")) for place in recorded.split()])
    paths = trace_paths(load_frames(study, tmp_path))
    assert {path.names for path in paths} == ({named} if named else set())
