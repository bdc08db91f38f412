"""Computation: how sampled weights move, against plain loops; and how many of their rows are held."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings import frames as module
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.paths import SAMPLED, sampled_paths
from harness.store.tables import WEIGHTS

Row = dict[str, Any]


def table_of(rows: list[Row]) -> pa.Table:
    table = pa.Table.from_pylist([{"gradient": None, **row} for row in rows], schema=WEIGHTS)
    for name in ("run_id", "layer", "index"):
        position = table.column_names.index(name)
        table = table.set_column(position, name, table[name].dictionary_encode())
    return table


def rows_of(run_id: str, layer: str, index: str, path: list[float], *, sampled: bool = True) -> list[Row]:
    keys = {"run_id": run_id, "layer": layer, "index": index, "sampled": sampled}
    return [{**keys, "epoch": epoch, "value": value} for epoch, value in enumerate(path)]


def looped(rows: list[Row]) -> dict[str, float]:
    """By run, over all drawn weights: turns over updates that have one before them."""
    paths: dict[tuple[str, str, str], dict[int, float]] = {}
    for row in rows:
        if row["sampled"]:
            paths.setdefault((row["run_id"], row["layer"], row["index"]), {})[row["epoch"]] = row["value"]
    turns: dict[str, list[bool]] = {}
    for (run_id, _, _), path in paths.items():
        values = [path[epoch] for epoch in sorted(path)]
        told = turns.setdefault(run_id, [])
        for first, second, third in zip(values, values[1:], values[2:], strict=False):
            told.append((second - first > 0 > third - second) or (second - first < 0 < third - second))
    return {run_id: sum(told) / len(told) if told else math.nan for run_id, told in turns.items()}


def test_shares_agree_with_a_plain_loop_in_whatever_order_the_rows_lie() -> None:
    random = np.random.default_rng(5)
    rows: list[Row] = []
    for run in range(7):
        for layer in ("conv2.weight", "conv1.weight"):
            for index in ("0,0,0,0", "1,0,2,2", "0,1,0,0"):
                path = random.integers(-2, 3, random.integers(1, 12)).astype(float).tolist()
                rows += rows_of(f"run-{run}", layer, index, path, sampled=bool(random.random() < 0.8))
    rows += rows_of("short", "conv1.weight", "0,0,0,0", [0.0, 1.0])
    expected = looped(rows)
    assert math.isnan(expected["short"])
    for _ in range(3):
        random.shuffle(rows)
        found = sampled_paths(table_of(rows))["turning"]
        assert {run_id: found[run_id] for run_id in expected} == pytest.approx(expected, nan_ok=True)


def paired(rows: list[Row], run_id: str) -> tuple[float, float]:
    """Tortuosity and cosine of the pairs of a run, one pair after the other."""
    paths: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        if row["sampled"] and row["run_id"] == run_id:
            paths.setdefault((row["layer"], row["index"]), {})[row["epoch"]] = row["value"]
    names = sorted(paths)
    forward, cosines = [], []
    for one, other in zip(names, [*names[1:], names[0]], strict=True):
        points = [(paths[one][epoch], paths[other][epoch]) for epoch in sorted(paths[one])]
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(points)]
        length = sum(math.hypot(*step) for step in steps)
        if length:
            forward.append(math.dist(points[0], points[-1]) / length)
        for (a, b), (c, d) in itertools.pairwise(steps):
            if math.hypot(a, b) and math.hypot(c, d):
                cosines.append((a * c + b * d) / (math.hypot(a, b) * math.hypot(c, d)))
    return len(forward) / sum(forward), sum(cosines) / len(cosines)


def test_pairs_agree_with_a_plain_loop_in_whatever_order_the_rows_lie() -> None:
    random = np.random.default_rng(8)
    names = [(f"conv{k}.weight", f"{f},{c},0,1") for k in (10, 2, 1) for f in (0, 3, 12) for c in (1, 0, 11)]
    rows: list[Row] = []
    for run in range(5):
        chosen = [names[i] for i in random.choice(len(names), size=random.integers(3, 9), replace=False)]
        epochs = int(random.integers(4, 12))
        for number, (layer, index) in enumerate(chosen):
            path = random.integers(-1, 2, epochs).cumsum().astype(float)
            rows += rows_of(f"run-{run}", layer, index, path.tolist(), sampled=number > 0)
    for _ in range(3):
        random.shuffle(rows)
        found = sampled_paths(table_of(rows))
        assert len(found) == 5
        for run_id in found.index:
            figures = tuple(found.loc[run_id, ["pair_tortuosity", "pair_cosine"]])
            assert figures == pytest.approx(paired(rows, run_id), rel=1e-12)


def pair_of(*points: tuple[float, float], run_id: str = "a") -> list[Row]:
    """Two weights that walk through these points."""
    ways = [list(way) for way in zip(*points, strict=True)]
    return rows_of(run_id, "conv1.weight", "0", ways[0]) + rows_of(run_id, "conv1.weight", "1", ways[1])


@pytest.mark.parametrize(
    ("points", "tortuosity", "cosine"),
    [
        ([(0, 0), (1, 2), (2, 4), (5, 10)], 1.0, 1.0),  # straight on
        ([(0, 0), (1, 1), (2, 0), (3, 1)], 3 * math.sqrt(2) / math.sqrt(10), 0.0),  # right-angled zigzag
        ([(0, 0), (1, 0), (1, 1), (0, 1)], 3.0, 0.0),  # three sides of a square
        ([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], math.nan, 0.0),  # all four
        ([(0, 0), (3, 4), (0, 0), (3, 4)], 3.0, -1.0),  # there and back
        ([(0, 0), (2, 0), (2, 0), (4, 0)], 1.0, math.nan),  # rests between
        ([(0, 0), (0, 0), (0, 3), (0, 6)], 1.0, 1.0),  # rests first; one weight rests all the way
        ([(5, 5), (5, 5), (5, 5)], math.nan, math.nan),  # rests
        ([(0, 0), (1, 1)], 1.0, math.nan),  # one update
        ([(2, 3)], math.nan, math.nan),
    ],
)
def test_a_pair_draws_the_path_of_a_closed_form(
    points: list[tuple[float, float]], tortuosity: float, cosine: float
) -> None:
    found = sampled_paths(table_of(pair_of(*points))).loc["a"]
    assert found["pair_tortuosity"] == pytest.approx(tortuosity, nan_ok=True)
    assert found["pair_cosine"] == pytest.approx(cosine, nan_ok=True, abs=1e-15)


def test_a_pair_that_rests_or_comes_back_leaves_the_mean_over_pairs_finite() -> None:
    ways = {"0": [0, 1, 2], "1": [0, 0, 0], "2": [0, 0, 0], "3": [0, 1, 0]}
    rows = [row for index, way in ways.items() for row in rows_of("a", "conv1.weight", index, way)]  # type: ignore[arg-type]
    # 0-1 is straight, 1-2 rests, 2-3 goes there and back, 3-0 goes up and away: √2 + √2 for a distance of 2.
    shares = [1, 0, 2 / (2 * math.sqrt(2))]
    assert sampled_paths(table_of(rows))["pair_tortuosity"]["a"] == pytest.approx(3 / sum(shares))


def test_fifty_weights_make_fifty_pairs_whatever_the_file_holds_beside() -> None:
    random = np.random.default_rng(9)
    names = [f"{k},0,0,0" for k in range(50)]
    own = [
        row for name in names for row in rows_of("a", "conv1.weight", name, random.normal(size=6).tolist())
    ]
    other = [row for name in names[::-3] for row in rows_of("b", "conv0.weight", name, [1.0, 2.0, 4.0])]
    alone, beside = sampled_paths(table_of(own)), sampled_paths(table_of(other + own))
    pd.testing.assert_frame_equal(alone, beside.loc[["a"]])
    assert alone.loc["a", "pair_cosine"] == pytest.approx(paired(own, "a")[1])
    assert sampled_paths(table_of(own[:6])).loc["a", ["pair_tortuosity", "pair_cosine"]].isna().all()


def test_a_weight_without_a_partner_in_the_same_epochs_is_in_no_pair() -> None:
    rows = pair_of((0, 0), (1, 0), (1, 1))
    odd = rows_of("a", "conv1.weight", "2", [0.0, 9.0])
    found = sampled_paths(table_of(rows + odd)).loc["a"]
    assert found["pair_tortuosity"] == pytest.approx(math.sqrt(2))
    assert found["pair_cosine"] == 0


def test_weights_of_one_index_in_two_layers_and_of_two_runs_are_not_one_path() -> None:
    rising, falling = [0.0, 1.0, 2.0], [9.0, 8.0, 7.0]
    rows = [
        *rows_of("a", "conv1.weight", "0", rising),
        *rows_of("a", "conv2.weight", "0", falling),
        *rows_of("b", "conv1.weight", "0", rising),
    ]
    assert sampled_paths(table_of(rows))["turning"].to_dict() == {"a": 0.0, "b": 0.0}


def test_weights_that_became_infinite_give_no_warning() -> None:
    rows = rows_of("a", "conv1.weight", "0", [0.0, math.inf, math.inf, math.nan, 1.0])
    rows += rows_of("a", "conv1.weight", "1", [0.0, 1.0, math.inf, math.nan, 1.0])
    assert 0 <= sampled_paths(table_of(rows))["turning"]["a"] <= 1


def test_an_update_after_one_without_a_direction_is_not_counted() -> None:
    """The updates are -1, infinity, infinity less itself, -infinity: of two that are counted one turns."""
    rows = rows_of("a", "conv1.weight", "0", [1.0, 0.0, math.inf, math.inf, 0.0])
    assert sampled_paths(table_of(rows))["turning"].tolist() == [1 / 2]


def test_weights_that_are_watched_by_name_do_not_count() -> None:
    steady, zigzag = [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]
    rows = rows_of("a", "conv1.weight", "0", steady) + rows_of(
        "a", "conv1.weight", "1", zigzag, sampled=False
    )
    assert sampled_paths(table_of(rows))["turning"].to_dict() == {"a": 0.0}


def test_of_a_large_study_the_first_runs_weights_are_held_and_all_runs_turns_are_known(
    frames_of: Callable[..., StudyFrames], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(
        name="large",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        seeds=6,
        epochs=3,
        settings={"sampled_weights": 1},
    )

    def ending_of(run: Run) -> Row:
        path = [0.0, 1.0, 0.0, run.seed - 2.5]  # turns back once, and from seed 3 on twice
        return {"accuracy": 0.5, "paths": {("conv1.weight", "0"): path}}

    whole = frames_of(study, ending_of)
    # 4 epochs × 1 weight: 17 rows hold four runs and a bit, which are two seeds of two variants.
    monkeypatch.setattr(module, "MOST_WEIGHTS", 17)
    bounded = load_frames(study, tmp_path / "large")
    assert sorted(set(whole.weights["seed"])) == [0, 1, 2, 3, 4, 5]
    pd.testing.assert_frame_equal(
        bounded.weights.reset_index(drop=True),
        whole.weights[whole.weights["seed"] < 2].reset_index(drop=True),
    )
    turning = dict(zip(bounded.runs["seed"], bounded.runs["turning"], strict=True))
    assert turning == {seed: 0.5 if seed < 3 else 1.0 for seed in range(6)}
    monkeypatch.setattr(module, "MOST_WEIGHTS", 1)
    assert set(load_frames(study, tmp_path / "large").weights["seed"]) == {0}


def test_without_weights_nothing_is_known_of_their_turns(
    frames_of: Callable[..., StudyFrames], tmp_path: Path
) -> None:
    study = Study("none", "?", "digits", (Variant("plain"), Variant("bn", norm="batch")), seeds=2, epochs=1)
    frames_of(study, lambda _: {"accuracy": 0.5, "paths": {("conv1.weight", "0"): [0.0, 1.0, 0.0]}})
    frames = load_frames(study, tmp_path / "none", weights=False)
    assert frames.runs[list(SAMPLED)].isna().all(axis=None)
    assert len(frames.weights) == 0
