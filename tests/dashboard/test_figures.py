"""The stored figures show what Parquet holds; their numbers are recomputed here by plain loops."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.dashboard.figures import draw
from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.variant import Variant
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from tests.dashboard.conftest import record_small
from tests.report.conftest import Recorded, record, small_study

Data = list[dict[str, Any]]
CHANCE = 0.1


def drawn(recorded: Recorded) -> dict[str, Any]:
    """The figures as the browser gets them."""
    frames = load_frames(recorded.study, recorded.folder, weights=False, splits=("test",))
    return {name: json.loads(figure.to_json()) for name, figure in draw(frames).items()}


def accuracy(row: dict[str, Any]) -> float | None:
    """What counts for a run: a diverged one guesses, a failed one has no value."""
    value: float | None = {"completed": row.get("test_accuracy"), "diverged": CHANCE}.get(row["status"])
    return value


def differences(recorded: Recorded, **levels: float) -> dict[int, float]:
    """bn minus plain in percentage points, by seed, in one cell."""
    by_key = {
        (row["variant"], row["seed"]): accuracy(row)
        for row in recorded.runs
        if all(row[name] == level for name, level in levels.items())
    }
    found = {}
    for seed in {seed for _, seed in by_key}:
        plain, bn = by_key[("plain", seed)], by_key[("bn", seed)]
        if plain is not None and bn is not None:
            found[seed] = 100 * (bn - plain)
    return found


def interval(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return mean, half


def test_the_effect_by_cell_is_the_mean_of_the_paired_differences(recorded: Recorded) -> None:
    (data,) = drawn(recorded)["effect-by-cell"]["data"]
    assert len(data["y"]) == 4
    for name, shown, half, n in zip(
        data["y"], data["x"], data["error_x"]["array"], data["customdata"], strict=True
    ):
        _, lr, _, _, dropout = name.split()
        found = list(differences(recorded, lr=float(lr), dropout=float(dropout)).values())
        mean, expected = interval(found)
        assert (shown, half) == (pytest.approx(mean, rel=1e-4), pytest.approx(expected, rel=1e-3))
        assert n == len(found)
    assert dict(zip(data["y"], data["customdata"], strict=True))["lr 0.01 · dropout 0.0"] == 2  # one failed


def test_paired_differences_are_means_over_the_cells_of_whole_seeds(recorded: Recorded) -> None:
    figure = drawn(recorded)["paired-differences"]
    (data,) = figure["data"]
    cells = [differences(recorded, lr=lr, dropout=dropout) for lr in (0.01, 0.1) for dropout in (0.0, 0.25)]
    whole = [seed for seed in range(3) if all(seed in cell for cell in cells)]
    assert data["x"] == whole == [0, 1]
    expected = [sum(cell[seed] for cell in cells) / 4 for seed in whole]
    assert data["y"] == [pytest.approx(value, rel=1e-4) for value in expected]
    mean, half = interval(expected)
    line, band = figure["layout"]["shapes"]
    assert line["y0"] == line["y1"] == pytest.approx(mean)
    assert (band["y0"], band["y1"]) == (pytest.approx(mean - half), pytest.approx(mean + half))


def test_findings_lie_right_of_zero_as_far_as_they_go_with_the_claim(tmp_path: Path) -> None:
    claims = (
        Finding(name="up", claim="it is higher", endpoint="accuracy", better="higher"),
        Finding(name="down", claim="it is lower", endpoint="accuracy", better="lower"),
        Finding(name="loss", claim="never measured", endpoint="validation:loss", better="lower"),
    )
    study = small_study(factors=(), seeds=3, findings=claims, settings={"validation": 0.2})
    recorded = record(study, tmp_path / "small", weights=0)
    frames = load_frames(study, recorded.folder)
    figure = json.loads(draw(frames, compare(frames))["findings"].to_json())
    (data,) = figure["data"]
    found = [100 * value for value in differences(recorded).values()]
    (mean, half), spread = interval(found), math.sqrt(stats.tvar(found))
    assert data["y"] == ["it is higher", "it is lower"]
    assert data["x"] == [pytest.approx(mean / spread, rel=1e-4), pytest.approx(-mean / spread, rel=1e-4)]
    for side in ("array", "arrayminus"):
        assert data["error_x"][side] == [pytest.approx(half / spread, rel=1e-3)] * 2
    assert "percentage points" in data["customdata"][0]
    assert data["customdata"][0].endswith("3 pairs")


def test_the_curves_are_of_the_test_images_whatever_else_was_read(recorded: Recorded) -> None:
    frames = load_frames(recorded.study, recorded.folder)
    assert set(frames.curves["split"]) == {"train", "probe", "test"}
    assert json.loads(draw(frames)["curves"].to_json()) == drawn(recorded)["curves"]


def test_the_curves_are_means_over_what_every_variant_completed(recorded: Recorded) -> None:
    data: Data = drawn(recorded)["curves"]["data"]
    bad = {(row["lr"], row["dropout"], row["seed"]) for row in recorded.runs if row["status"] != "completed"}
    for variant in ("plain", "bn"):
        line = next(d for d in data if d.get("name") == variant)
        for epoch, shown in zip(line["x"], line["y"], strict=True):
            by_seed: dict[int, list[float]] = {}
            for row in recorded.runs:
                if row["variant"] == variant and (row["lr"], row["dropout"], row["seed"]) not in bad:
                    for point in recorded.curves[row["run_id"]]:
                        if (point["split"], point["epoch"]) == ("test", epoch):
                            by_seed.setdefault(row["seed"], []).append(point["accuracy"])
            means = [sum(values) / len(values) for values in by_seed.values()]
            assert shown == pytest.approx(100 * sum(means) / len(means), rel=1e-4)


def test_the_axes_have_units(recorded: Recorded) -> None:
    figures = drawn(recorded)
    effect, pairs, curves = (
        figures[name]["layout"] for name in ("effect-by-cell", "paired-differences", "curves")
    )
    assert effect["xaxis"]["title"]["text"] == "bn − plain, percentage points"
    assert pairs["yaxis"]["title"]["text"] == "bn − plain, percentage points"
    assert (curves["yaxis"]["title"]["text"], curves["yaxis2"]["title"]["text"]) == ("accuracy, %", "loss")
    assert curves["xaxis"]["title"]["text"] == curves["xaxis2"]["title"]["text"] == "epoch"


def test_a_study_without_factors_has_one_cell_and_more_variants_have_colours(tmp_path: Path) -> None:
    variants = (Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group"))
    study = small_study(factors=(), variants=variants, seeds=2)
    figures = drawn(record(study, tmp_path / "small", weights=0))
    effects: Data = figures["effect-by-cell"]["data"]
    assert [trace["name"] for trace in effects] == ["bn", "gn"]
    assert [trace["y"] for trace in effects] == [["all runs"], ["all runs"]]
    assert len({trace["marker"]["color"] for trace in effects}) == 2
    assert figures["effect-by-cell"]["layout"]["xaxis"]["title"]["text"].startswith("variant − plain")


def test_what_can_not_be_shown_yet_is_left_out(tmp_path: Path) -> None:
    def first_pair(run: Run) -> str:
        there = run.seed == 0 and run.cell.levels == {"lr": 0.01, "dropout": 0.0}
        return "completed" if there else "missing"

    figures = drawn(record_small(tmp_path / "small", statuses=first_pair))
    assert set(figures) == {"effect-by-cell", "curves"}
    (data,) = figures["effect-by-cell"]["data"]
    assert data["error_x"]["array"] == [0.0]  # no interval from one pair

    def plain_alone(run: Run) -> str:
        return "completed" if run.cell.variant == "plain" else "missing"

    assert set(drawn(record_small(tmp_path / "plain", statuses=plain_alone))) == {"curves"}


def test_a_figure_is_small_enough_for_a_database(recorded: Recorded) -> None:
    frames = load_frames(recorded.study, recorded.folder)
    figures = draw(frames, compare(frames))
    assert "findings" in figures
    assert all(len(figure.to_json()) < 8_000 for figure in figures.values())


def test_nothing_that_is_stored_is_not_a_number(recorded: Recorded) -> None:
    for figure in drawn(recorded).values():
        for trace in figure["data"]:
            for axis in ("x", "y"):
                numbers = [value for value in trace[axis] if isinstance(value, float)]
                assert all(math.isfinite(value) for value in numbers)
