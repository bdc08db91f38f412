"""Computation: the way of two sampled weights through training, with the loss, as the article draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.findings.frames import StudyFrames
from harness.report.palette import MUTED, TEXT, Palette
from harness.report.panels import Panel, Picture
from harness.report.scale import LossScale, draw_bar, loss_scale
from harness.report.solid import paint_path
from harness.report.words import count, listed, plain

ARTICLE_PAIRS = (("3,4,1,0", "3,8,1,0"), ("3,0,1,0", "8,0,1,0"))
"""The article's weights in the last convolution, (filter, channel, row, column): of its network with three
convolutions, and what stands for them where there is one."""


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


def paths_picture(
    paths: list[WeightPath], *, palette: Palette, levels: str, seed: int = 0, solid: bool = True
) -> Picture:
    """The paths from above, coloured by the loss, a panel a variant; and with the loss as height.

    Args:
        paths: of all variants.
        palette: colours.
        levels: the combination of levels in words; empty without factors.
        seed: of the runs.
        solid: whether to draw them with height, too: not where a surface is drawn below them elsewhere.
    """
    scale = loss_scale(path.points["loss"] for path in paths)
    panels = [_flat_panel(path, scale, palette) for path in paths]
    if solid:
        panels = [
            panel
            for path, flat in zip(paths, panels, strict=True)
            for panel in (flat, _solid_panel(path, scale, palette))
        ]
    pairs = dict.fromkeys(path.names for path in paths)
    where = f", {levels}" if levels else ""
    height = "With height: the same path over wx and wy, as high as that loss. " if solid else ""
    caption = (
        f"Weights {listed(pairs)}, named by filter, channel, row and column; seed {seed}{where}. Seen from "
        "above: their values after each epoch, from start (ring: the untrained network) to end (square), "
        "coloured by the loss on the training images in that epoch. The colours are the same for all "
        f"variants, the axes are not. {height}This is one pair of weights of one seed: an anecdote. The "
        "finding on the smoothness of the descent rests on the gradients by all convolution weights of all "
        "seeds."
    )
    bar = draw_bar("paths-bar", scale, label="Loss on the training images, logarithmic", palette=palette)
    data = pd.concat([path.points.assign(variant=path.variant) for path in paths], ignore_index=True)
    return Picture("paths", tuple(panels), caption, data[["variant", "epoch", "wx", "wy", "loss"]], bar=bar)


def _words(path: WeightPath) -> str:
    start, end = path.points.iloc[0], path.points.iloc[-1]
    return (
        f"{path.variant}: over {count(len(path.points) - 1, 'epoch')} the weights move from "
        f"({start['wx']:.4g}, {start['wy']:.4g}) to ({end['wx']:.4g}, {end['wy']:.4g}); the training loss "
        f"ends at {plain(end['loss'])}."
    )


def _flat_panel(path: WeightPath, scale: LossScale, palette: Palette) -> Panel:
    return Panel(
        f"path-{palette.variants[path.variant].name}",
        title=f"Path of two weights. {_words(path)}",
        paint=lambda axes: _paint_flat(axes, path, scale),
        palette=palette,
        height=270,
        left=62,
    )


def _solid_panel(path: WeightPath, scale: LossScale, palette: Palette) -> Panel:
    points = path.points.rename(columns={"wx": "first", "wy": "second"})
    title = f"{path.variant}: loss as height"
    return Panel(
        f"path-3d-{palette.variants[path.variant].name}",
        title=f"Path of two weights with the loss as height. {_words(path)}",
        paint=lambda axes: paint_path(axes, points, scale=scale, labels=("wx", "wy"), title=title),
        palette=palette,
        height=270,
        projection="3d",
    )


def _paint_flat(axes: Axes, path: WeightPath, scale: LossScale) -> None:
    points = path.points
    trained = points[points["loss"].notna()]
    axes.plot(points["wx"], points["wy"], color=MUTED.light, linewidth=0.9)
    axes.scatter(
        trained["wx"], trained["wy"], c=trained["loss"], s=34, edgecolors=TEXT.light, linewidths=0.5,
        zorder=3, **scale.mapping,
    )  # fmt: skip
    for point, marker in ((points.iloc[0], "o"), (points.iloc[-1], "s")):
        axes.scatter(
            [point["wx"]], [point["wy"]], s=95, marker=marker, facecolors="none", edgecolors=TEXT.light,
            linewidths=1.3, zorder=4,
        )  # fmt: skip
    axes.set_title(f"{path.variant}: wy over wx")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("wx", loc="right")
    axes.margins(0.1)
    axes.grid(axis="x")
