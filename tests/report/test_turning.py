"""The surfaces that plotly.js draws, from slices whose losses are known."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import harness.report.page as page
from harness.findings.slices import Slice
from harness.report.scale import LossScale
from harness.report.turning import turnable

SCALE = LossScale(0.01, 100.0)

PUBLISHED = "aab04dcd9c103a92b18723f8c837712fe820f325d0bcd2421e415e8124a75b9f"
"""SHA-256 of plotly-gl3d.min.js in the npm package plotly.js-gl3d-dist-min 4.1.1."""


def cut(loss: list[list[float]], path: list[tuple[int, float, float, float]]) -> Slice:
    """A slice with a row for each of `loss`, a column for each of its numbers."""
    return Slice(
        variant="bn",
        run_id="bn-0",
        name="weights",
        kind="weights",
        mode="batch",
        axes=("conv3.weight:3,4,1,0", "conv3.weight:3,8,1,0"),
        first=np.arange(len(loss), dtype=float),
        second=np.arange(len(loss[0]), dtype=float) * 10,
        loss=np.array(loss),
        path=pd.DataFrame(
            {name: [row[i] for row in path] for i, name in enumerate(("epoch", "first", "second", "loss"))}
        ).astype({"epoch": int, "first": float, "second": float, "loss": float}),
        images=8,
        captured=0.1,
        variance=(),
    )


def graph(loss: list[list[float]], path: list[tuple[int, float, float, float]]) -> Any:
    [only] = json.loads(turnable([cut(loss, path)], scale=SCALE))
    return only


def test_a_surface_stands_over_its_axes_as_the_slice_does() -> None:
    surface = graph([[0.1, 1.0, 10.0], [1.0, 10.0, 100.0]], [])["data"][0]
    assert surface["x"] == [0, 1]
    assert surface["y"] == [0, 10, 20]
    for row, y in enumerate(surface["y"]):  # plotly's z is [y, x]
        for column, x in enumerate(surface["x"]):
            assert surface["z"][row][column] == pytest.approx(-1 + x + y / 10)
            assert surface["customdata"][row][column] == pytest.approx(10 ** (-1 + x + y / 10))


def test_a_surface_has_a_hole_where_the_loss_is_not_finite() -> None:
    surface = graph([[1.0, math.inf], [math.nan, 10.0]], [])["data"][0]
    assert surface["z"] == [[0, None], [None, 1]]
    assert surface["customdata"] == [[1, None], [None, 10]]


def test_a_path_goes_from_a_ring_to_a_square_at_the_heights_of_its_losses() -> None:
    drawn = graph([[1.0, 1.0]], [(0, 0.5, 1.0, 10.0), (1, 0.25, 2.0, 1.0), (2, 0, 0, 0.1)])["data"]
    for one in drawn[1:]:  # the casing, then the path
        assert list(zip(one["x"], one["y"], one["z"], strict=True)) == [(0.5, 1, 1), (0.25, 2, 0), (0, 0, -1)]
    path = drawn[-1]
    assert path["text"] == ["epoch 0", "epoch 1", "epoch 2"]
    assert path["marker"]["symbol"] == ["circle-open", "circle", "square"]


def test_an_epoch_without_a_finite_loss_is_not_on_the_path() -> None:
    drawn = graph([[1.0, 1.0]], [(0, 0.5, 1.0, 10.0), (1, 0.25, 2.0, math.inf)])["data"][-1]
    assert drawn["text"] == ["epoch 0"]
    assert len(graph([[1.0, 1.0]], [(0, 0.5, 1.0, math.nan)])["data"]) == 1


def test_all_surfaces_have_the_heights_and_colours_of_the_scale() -> None:
    low, high = (graph([[loss, loss]], []) for loss in (0.01, 100.0))
    assert low["layout"]["scene"]["zaxis"] == high["layout"]["scene"]["zaxis"]
    assert low["layout"]["scene"]["zaxis"]["range"] == [-2, 2]
    assert (low["data"][0]["cmin"], low["data"][0]["cmax"]) == (-2, 2)
    assert low["layout"]["scene"]["zaxis"]["ticktext"][0] == "0.01"
    scale = low["data"][0]["colorscale"]
    assert (scale[0][0], scale[-1][0]) == (0, 1)
    assert [place for place, _ in scale] == sorted(place for place, _ in scale)


def test_plotly_is_the_file_that_its_authors_published() -> None:
    assert hashlib.sha256((page.ASSETS / page.PLOTLY).read_bytes()).hexdigest() == PUBLISHED
    assert "Permission is hereby granted" in Path(page.ASSETS / "plotly-gl3d.LICENSE").read_text()
