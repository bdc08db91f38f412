"""Computation: how often weights turn back, against a plain loop; and how many of their rows are held."""

from __future__ import annotations

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
from harness.findings.turns import turning_shares
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
        found = turning_shares(table_of(rows))
        assert {run_id: found[run_id] for run_id in expected} == pytest.approx(expected, nan_ok=True)


def test_weights_of_one_index_in_two_layers_and_of_two_runs_are_not_one_path() -> None:
    rising, falling = [0.0, 1.0, 2.0], [9.0, 8.0, 7.0]
    rows = [
        *rows_of("a", "conv1.weight", "0", rising),
        *rows_of("a", "conv2.weight", "0", falling),
        *rows_of("b", "conv1.weight", "0", rising),
    ]
    assert turning_shares(table_of(rows)).to_dict() == {"a": 0.0, "b": 0.0}


def test_weights_that_became_infinite_give_no_warning() -> None:
    rows = rows_of("a", "conv1.weight", "0", [0.0, math.inf, math.inf, math.nan, 1.0])
    assert 0 <= turning_shares(table_of(rows))["a"] <= 1


def test_weights_that_are_watched_by_name_do_not_count() -> None:
    steady, zigzag = [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]
    rows = rows_of("a", "conv1.weight", "0", steady) + rows_of(
        "a", "conv1.weight", "1", zigzag, sampled=False
    )
    assert turning_shares(table_of(rows)).to_dict() == {"a": 0.0}


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
    assert frames.runs["turning"].isna().all()
    assert len(frames.weights) == 0
