"""Computation: the slices of one plane -> surfaces that a reader turns with the mouse, for plotly.js."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.findings.slices import Numbers, Slice
from harness.report.axes import log_ticks
from harness.report.scale import COLOURS, DARK, LIGHT, LossScale
from harness.report.slices import axis_label
from harness.report.words import plain

HOVER = "%{x:.3g}, %{y:.3g}<br>loss %{customdata:.3g}<extra></extra>"
"""What stands beside the mouse: the place and the loss there."""


def turnable(slices: Sequence[Slice], *, scale: LossScale) -> str:
    """Surfaces with the runs' paths, a graph a slice, as JSON: `[{"title", "data", "layout"}, ...]`.

    Heights are powers of ten; where the loss is not finite, a surface has a hole. All graphs have the same
    colours and heights.

    Args:
        slices: of one name, in the order of the panels.
        scale: colours and heights of losses.
    """
    return json.dumps([_graph(one, scale) for one in slices], allow_nan=False)


def _graph(one: Slice, scale: LossScale) -> dict[str, Any]:
    ticks = log_ticks(scale.low, scale.high)
    low, high = (float(edge) for edge in scale.edges[[0, -1]])
    steps = len(COLOURS)
    surface = {
        "type": "surface",
        "x": _plain(one.first),
        "y": _plain(one.second),
        "z": _rows(scale.heights(one.loss.T)),
        "customdata": _rows(one.loss.T),
        "colorscale": [
            [place / steps, colour]
            for step, colour in enumerate(COLOURS)
            for place in (step, step + 1)
        ],
        "cmin": low,
        "cmax": high,
        "showscale": False,
        "hovertemplate": HOVER,
        "contours": {"z": {"highlight": False}},
        "lighting": {"ambient": 0.9, "diffuse": 0.3, "specular": 0},
    }  # fmt: skip
    scene = {
        "xaxis": {"title": {"text": axis_label(one, 0)}},
        "yaxis": {"title": {"text": axis_label(one, 1)}},
        "zaxis": {
            "title": {"text": "loss"},
            "range": [low, high],
            "tickvals": [math.log10(tick) for tick in ticks],
            "ticktext": [plain(tick) for tick in ticks],
        },
        "aspectratio": {"x": 1, "y": 1, "z": 0.75},
    }
    return {"title": one.variant, "data": [surface, *_path(one, scale)], "layout": {"scene": scene}}


def _path(one: Slice, scale: LossScale) -> list[dict[str, Any]]:
    """The run itself, from the untrained network (ring) to the trained one (square)."""
    path = one.path[np.isfinite(one.path["loss"])]
    if not len(path):
        return []
    amount = len(path)
    places = {
        "type": "scatter3d",
        "x": _plain(path["first"].to_numpy()),
        "y": _plain(path["second"].to_numpy()),
        "z": _plain(scale.heights(path["loss"])),
        "showlegend": False,
    }
    casing = {"mode": "lines", "line": {"color": LIGHT, "width": 9}, "hoverinfo": "skip"}
    line = {
        "mode": "lines+markers",
        "customdata": _plain(path["loss"].to_numpy()),
        "text": [f"epoch {epoch}" for epoch in path["epoch"]],
        "hovertemplate": f"%{{text}}<br>{HOVER}",
        "line": {"color": DARK, "width": 4},
        "marker": {
            "color": DARK,
            "size": [6, *[2.5] * (amount - 2), 6][:amount],
            "symbol": ["circle-open", *["circle"] * (amount - 2), "square"][:amount],
            "line": {"color": LIGHT, "width": 1},
        },
    }
    return [places | casing, places | line]


def _plain(values: Numbers) -> list[float | None]:
    """Numbers with five digits, as many as a screen shows; none where they are not finite."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]


def _rows(values: Numbers) -> list[list[float | None]]:
    return [_plain(row) for row in values]
