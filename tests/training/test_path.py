"""The way of all conv weights, in closed form and by a plain loop over weights that were kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.data.dataset import Dataset
from harness.runner.checkpoint import FileCheckpoint
from harness.training.path import WeightPath
from harness.training.records import Row
from harness.training.solo import train
from tests.conftest import tiny_run

CPU = torch.device("cpu")


def measured(
    stops: Sequence[Sequence[float]], *, dtype: torch.dtype = torch.float32
) -> list[dict[str, float]]:
    """What is measured of a network of two convolutions, of one weight each or more, at every stop."""
    first, second = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, len(stops[0]) - 1, 1, bias=False)
    model, path = nn.Sequential(first, second).to(dtype), WeightPath()
    found = []
    for stop in stops:
        with torch.no_grad():
            first.weight.fill_(stop[0])
            second.weight.copy_(torch.tensor(stop[1:], dtype=dtype).view_as(second.weight))
        readings = path.advance(model)
        assert {(reading.layer, reading.channel, reading.step) for reading in readings} <= {
            ("conv", None, None)
        }
        found.append({reading.measure: reading.value for reading in readings})
    return found


def of(found: list[dict[str, float]], measure: str) -> list[float]:
    return [figures[measure] for figures in found if measure in figures]


def test_before_training_there_is_nothing_to_measure_and_an_angle_takes_two_updates() -> None:
    start, first, second = measured([(0, 0), (3, 4), (3, 5)])
    assert start == {}
    assert first == {"update_norm": 5, "displacement": 5}
    assert set(second) == {"update_norm", "displacement", "update_cosine", "turned"}


def test_a_straight_path_is_as_long_as_it_leads_far() -> None:
    found = measured([(0, 1), (3, 5), (6, 9), (7.5, 11)])
    assert of(found, "update_norm") == pytest.approx([5, 5, 2.5])
    assert of(found, "displacement") == pytest.approx([5, 10, 12.5])
    assert of(found, "update_cosine") == pytest.approx([1, 1])
    assert of(found, "turned") == [0, 0]


def test_a_square_comes_back_to_its_start_by_right_angles() -> None:
    found = measured([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    assert of(found, "update_norm") == [1, 1, 1, 1]
    assert of(found, "displacement") == pytest.approx([1, math.sqrt(2), 1, 0])
    assert of(found, "update_cosine") == [0, 0, 0]
    assert of(found, "turned") == [0, 0, 0]  # each weight rests before it goes back


def test_a_right_angled_zigzag_turns_one_weight_of_two() -> None:
    found = measured([(0, 0), (1, 1), (2, 0), (3, 1)])
    assert of(found, "update_cosine") == pytest.approx([0, 0])
    assert of(found, "turned") == [0.5, 0.5]
    assert sum(of(found, "update_norm")) / of(found, "displacement")[-1] == pytest.approx(
        3 * math.sqrt(2) / math.sqrt(10)
    )


def test_there_and_back_again_is_a_cosine_of_minus_one() -> None:
    found = measured([(0, 0, 0, 0), (1, -2, 3, 0), (0, 0, 0, 0)])
    assert of(found, "update_cosine") == pytest.approx([-1])
    assert of(found, "turned") == [0.75]  # of four weights one rests
    assert of(found, "displacement")[-1] == 0


def test_weights_that_rest_have_no_angle_and_do_not_turn() -> None:
    found = measured([(1, 1), (2, 2), (2, 2), (1, 1)])
    assert [math.isnan(cosine) for cosine in of(found, "update_cosine")] == [True, True]
    assert of(found, "turned") == [0, 0]
    assert of(found, "update_norm") == pytest.approx([math.sqrt(2), 0, math.sqrt(2)])


def test_differences_of_weights_are_not_rounded_to_their_precision() -> None:
    far, near = float(np.float32(1e-4)), 1.0
    _, figures = measured([(far, 0), (near, 0)])
    assert figures["update_norm"] == figures["displacement"] == near - far


def test_updates_too_small_for_their_product_in_float32_turn_all_the_same() -> None:
    found = measured([(0, 0), (1e-30, 1e-30), (0, 2e-30)])
    assert of(found, "turned") == [0.5]


@pytest.mark.parametrize("scale", [1e-3, 1000])
def test_angle_share_and_tortuosity_do_not_depend_on_the_weights_units(scale: float) -> None:
    stops = np.random.default_rng(4).normal(size=(6, 7))
    one, other = (measured((unit * stops).tolist(), dtype=torch.float64) for unit in (1, scale))
    for measure in ("update_cosine", "turned"):
        assert of(other, measure) == pytest.approx(of(one, measure), rel=1e-9)
    tortuosity = [sum(of(found, "update_norm")) / of(found, "displacement")[-1] for found in (one, other)]
    assert tortuosity[0] == pytest.approx(tortuosity[1], rel=1e-9)


def test_frozen_weights_and_networks_without_weights_have_no_part_in_it() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    model[1].requires_grad_(False)
    path = WeightPath()
    for value in (1.0, 3.0):
        for parameter in model.parameters():
            nn.init.constant_(parameter, value)
        readings = path.advance(model)
    assert [reading.value for reading in readings] == [2, 2]
    bare = WeightPath()
    assert [bare.advance(nn.Sequential(nn.ReLU())) for _ in range(3)] == [[], [], []]


def test_a_path_of_any_length_holds_three_copies() -> None:
    model, path = nn.Conv2d(1, 1, 1), WeightPath()
    for stop in range(9):
        nn.init.constant_(model.weight, stop)
        path.advance(model)
    assert [float(held["weight"]) for held in path.stops] == [0, 7, 8]


def looped(kept: dict[str, np.ndarray], epochs: int) -> list[dict[str, float]]:
    """The measures of every epoch, of weights as they were kept."""
    places = [
        np.concatenate([kept[f"{n}/conv{k}.weight"].ravel() for k in (1, 2, 3)]) for n in range(epochs + 1)
    ]
    found, before = [], None
    for start, one, other in zip([places[0]] * epochs, places, places[1:], strict=False):
        update = other.astype(float) - one.astype(float)
        figures = {
            "update_norm": math.sqrt(sum(u * u for u in update)),
            "displacement": math.dist(other.tolist(), start.tolist()),
        }
        if before is not None:
            sizes = math.hypot(*update) * math.hypot(*before)
            figures["update_cosine"] = sum(u * v for u, v in zip(update, before, strict=True)) / sizes
            turns = [(u > 0 > v) or (u < 0 < v) for u, v in zip(update, before, strict=True)]
            figures["turned"] = sum(turns) / len(turns)
        found.append(figures)
        before = update
    return found


@pytest.mark.parametrize("given", [{"norm": "batch", "dropout": 0.25}, {"momentum": 0.9}])
def test_the_rows_of_a_run_are_those_of_a_plain_loop_over_its_kept_weights(
    given: dict[str, Any], tiny: Dataset
) -> None:
    run = replace(tiny_run(epochs=5, diagnostics=(2,), **given), keep=True)
    records = train(run, tiny, device=CPU)
    expected = looped(records.kept, 5)
    for epoch, figures in enumerate(expected, start=1):
        rows = [
            row for row in records.diagnostics if row["epoch"] == epoch and row["measure"] in expected[-1]
        ]
        assert [row["layer"] for row in rows] == ["conv"] * len(figures)
        assert {str(row["measure"]): row["value"] for row in rows} == pytest.approx(figures, rel=1e-9)
    assert 0 < expected[-1]["turned"] < 1


class StopHereError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_run_that_goes_on_walks_the_same_path(at: int, tiny: Dataset, tmp_path: Path) -> None:
    run = tiny_run(epochs=5, norm="batch", diagnostics=(30,))

    def stop(_: int, rows: list[Row]) -> None:
        if rows[0]["epoch"] == at:
            raise StopHereError

    def keeper() -> FileCheckpoint:
        return FileCheckpoint(tmp_path / "state.pt", engine="solo", device=CPU, every=0.0, say=lambda _: None)

    with pytest.raises(StopHereError):
        train(run, tiny, device=CPU, on_epoch=stop, checkpoint=keeper())
    resumed = train(run, tiny, device=CPU, checkpoint=keeper())
    assert resumed.earlier_seconds > 0
    assert [row["epoch"] for row in resumed.diagnostics if row["measure"] == "turned"] == [2, 3, 4, 5]
    assert resumed.diagnostics == train(run, tiny, device=CPU).diagnostics


def test_without_diagnostics_and_while_settings_are_looked_for_no_path_is_measured(tiny: Dataset) -> None:
    off = tiny_run(epochs=2, diagnostics=())
    tuning = replace(tiny_run(epochs=2, validation=0.25, diagnostics=(1,)), stage="tuning")
    assert [train(run, tiny, device=CPU).diagnostics for run in (off, tuning)] == [[], []]


def test_what_was_seen_is_a_copy() -> None:
    model, path = nn.Conv2d(1, 1, 1), WeightPath()
    path.advance(model)
    seen: Tensor = path.stops[0]["weight"].clone()
    nn.init.constant_(model.weight, 9)
    assert torch.equal(path.stops[0]["weight"], seen)
    assert not path.stops[0]["weight"].requires_grad
