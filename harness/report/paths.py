"""Computation: the way of two sampled weights through training, with the loss, as the article draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.ticker import MaxNLocator

from harness.findings.frames import StudyFrames
from harness.report.axes import log_ticks, plain
from harness.report.palette import GRID, MUTED, TEXT, Palette
from harness.report.panels import Panel, Picture, draw_panel
from harness.report.words import count, listed

ARTICLE_PAIRS = (("3,4,1,0", "3,8,1,0"), ("3,0,1,0", "8,0,1,0"))
"""The article's weights in the last convolution, (filter, channel, row, column): of its network with three
convolutions, and what stands for them where there is one."""

COLOURS = 16
"""Steps of the colour scale: few enough that the SVG holds them as shapes."""


Weight = tuple[str, str]
"""Layer and index of a sampled weight."""


@dataclass(frozen=True)
class WeightPath:
    """Two weights of one run, epoch by epoch.

    Attributes:
        variant: of the run.
        run_id: of the run.
        weights: layer and index of both; the index is "filter,channel,row,column".
        points: columns epoch, wx, wy, loss (on the training images; NaN before training).
    """

    variant: str
    run_id: str
    weights: tuple[Weight, Weight]
    points: pd.DataFrame

    @property
    def names(self) -> str:
        """What wx and wy are."""
        (layer, wx), (other, wy) = self.weights
        if layer == other:
            return f"{wx} (wx) and {wy} (wy) of {layer}"
        return f"{wx} of {layer} (wx) and {wy} of {other} (wy)"


def trace_paths(frames: StudyFrames, *, seed: int = 0, cell: int = 0) -> list[WeightPath]:
    """The paths of one seed in one combination of levels, a variant each where weights were recorded."""
    if "layer" not in frames.weights:
        return []
    rows = frames.weights[(frames.weights["seed"] == seed) & (frames.weights["cell"] == cell)]
    found = [
        _traced(rows[rows["variant"] == variant.name], frames.curves) for variant in frames.study.variants
    ]
    return [path for path in found if path is not None]


def _traced(rows: pd.DataFrame, curves: pd.DataFrame) -> WeightPath | None:
    chosen = _chosen_pair(rows)
    if chosen is None:
        return None
    run_id = str(rows["run_id"].iloc[0])
    values = [
        rows[(rows["layer"] == layer) & (rows["index"] == index)].set_index("epoch")["value"]
        for layer, index in chosen
    ]
    losses = curves[(curves["run_id"] == run_id) & (curves["split"] == "train")].set_index("epoch")["loss"]
    points = pd.DataFrame({"wx": values[0], "wy": values[1]}).sort_index()
    points = points.assign(loss=losses.where(losses > 0)).replace([math.inf, -math.inf], math.nan)
    points = points.dropna(subset=["wx", "wy"]).rename_axis("epoch").reset_index()
    return WeightPath(str(rows["variant"].iloc[0]), run_id, chosen, points)


def _chosen_pair(rows: pd.DataFrame) -> tuple[Weight, Weight] | None:
    """The article's pair in the last layer that has it, else the first two weights that were recorded."""
    places = list(dict.fromkeys(zip(rows["layer"], rows["index"], strict=True)))
    for one, other in ARTICLE_PAIRS:
        layers = [layer for layer, index in places if index == one and (layer, other) in places]
        if layers:
            last = max(layers)
            return (last, one), (last, other)
    return (places[0], places[1]) if len(places) > 1 else None


def paths_picture(paths: list[WeightPath], *, palette: Palette, levels: str) -> Picture:
    """Two panels a variant: the path from above, coloured by the loss, and the loss as height over it.

    Args:
        paths: of all variants.
        palette: colours.
        levels: the combination of levels in words; empty without factors.
    """
    losses = pd.concat([path.points["loss"] for path in paths]).dropna()
    span = (float(losses.min()), float(losses.max())) if len(losses) else (0.1, 1.0)
    if span[0] >= span[1]:
        span = (span[0] * 0.9, span[1] * 1.1)
    panels = [panel for path in paths for panel in _panels(path, span, palette)]
    pairs = dict.fromkeys(path.names for path in paths)
    where = f", {levels}" if levels else ""
    caption = (
        f"Weights {listed(pairs)}, named by filter, channel, row and column; seed 0{where}. Seen from above: "
        "their values after each epoch, from start (ring: the untrained network) to end (square), coloured "
        "by the loss on the training images in that epoch. The colours are the same for all variants, the "
        "axes are not. With height: the same path over wx and wy, as high as that loss. This is one pair of "
        "weights of one seed: an anecdote. The finding on the smoothness of the descent rests on all sampled "
        "weights of all seeds."
    )
    return Picture("paths", tuple(panels), caption)


def _panels(path: WeightPath, span: tuple[float, float], palette: Palette) -> list[Panel]:
    name = palette.variants[path.variant].name
    start, end = path.points.iloc[0], path.points.iloc[-1]
    words = (
        f"{path.variant}: over {count(len(path.points) - 1, 'epoch')} the weights move from "
        f"({start['wx']:.4g}, {start['wy']:.4g}) to ({end['wx']:.4g}, {end['wy']:.4g}); the training loss "
        f"ends at {end['loss']:.3g}."
    )
    return [
        draw_panel(
            f"path-{name}",
            title=f"Path of two weights. {words}",
            paint=lambda axes: _paint_flat(axes, path, span),
            palette=palette,
            height=270,
            left=62,
        ),
        draw_panel(
            f"path-3d-{name}",
            title=f"Path of two weights with the loss as height. {words}",
            paint=lambda axes: _paint_solid(axes, path, span),
            palette=palette,
            height=270,
            projection="3d",
        ),
    ]


def _scale(span: tuple[float, float]) -> dict[str, Any]:
    middle = mpl.colormaps["plasma"](np.linspace(0.18, 0.93, COLOURS))  # its ends vanish on dark and light
    return {"cmap": ListedColormap(middle), "norm": LogNorm(*span)}


def _paint_flat(axes: Axes, path: WeightPath, span: tuple[float, float]) -> None:
    points = path.points
    trained = points[points["loss"].notna()]
    axes.plot(points["wx"], points["wy"], color=MUTED.light, linewidth=0.9)
    marks = axes.scatter(
        trained["wx"], trained["wy"], c=trained["loss"], s=34, edgecolors=TEXT.light, linewidths=0.5,
        zorder=3, **_scale(span),
    )  # fmt: skip
    for point, marker in ((points.iloc[0], "o"), (points.iloc[-1], "s")):
        axes.scatter(
            [point["wx"]], [point["wy"]], s=95, marker=marker, facecolors="none", edgecolors=TEXT.light,
            linewidths=1.3, zorder=4,
        )  # fmt: skip
    bar = axes.figure.colorbar(marks, ax=axes, fraction=0.045, pad=0.03)
    ticks = log_ticks(*span)
    bar.set_ticks(ticks, labels=[plain(tick) for tick in ticks], minor=False)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    for blocks in bar.ax.collections:
        blocks.set_edgecolor("face")  # no seams between the colours
    bar.ax.set_title("loss", fontsize=10)
    axes.set_title(f"{path.variant}: wy over wx")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("wx", loc="right")
    axes.margins(0.1)
    axes.grid(axis="x")


def _paint_solid(axes: Any, path: WeightPath, span: tuple[float, float]) -> None:
    trained = path.points[path.points["loss"].notna()]
    axes.plot(trained["wx"], trained["wy"], trained["loss"], color=MUTED.light, linewidth=1)
    axes.scatter(
        trained["wx"], trained["wy"], trained["loss"], c=trained["loss"], s=26, depthshade=False,
        edgecolors=TEXT.light, linewidths=0.4, **_scale(span),
    )  # fmt: skip
    axes.set_zlim(0, span[1] * 1.02)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(3))
        axis.set_pane_color((0, 0, 0, 0))
        axis._axinfo["grid"].update(color=GRID.light, linewidth=0.8)
        axis.label.set_rotation(0)
        axis.set_rotate_label(False)
    axes.set(xlabel="wx", ylabel="wy", zlabel="loss")
    axes.text2D(0.05, 0.97, f"{path.variant}: loss as height", transform=axes.transAxes, va="top")
    axes.tick_params(labelsize=9, pad=0)
    axes.view_init(elev=24, azim=-58)
    axes.set_box_aspect((4, 4, 3), zoom=0.98)
