"""Computation: the slices of one plane -> figures: contours from above, and the loss as height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.findings.slices import Numbers, Slice
from harness.report.palette import MUTED, Palette
from harness.report.panels import Panel, Picture
from harness.report.scale import COLOURS, DARK, LIGHT, LossScale, draw_bar, loss_scale
from harness.report.slices import (
    axis_label,
    describe,
    head,
    images,
    loss,
    overflown,
    points,
    span,
    spread,
    whose,
)
from harness.report.solid import paint_path, paint_surface
from harness.report.turning import turnable
from harness.report.words import count, listed

UNITS = {
    "weights": "One unit of an axis is the norm of the filter that its weight belongs to.",
    "random": "One unit of an axis moves each filter by its own norm.",
    "trajectory": "One unit of an axis is the norm of all trained weights together.",
}
"""What an axis counts in, by kind of plane."""

HATCHES = 34
"""Lines across a panel where the loss is not finite."""


@dataclass(frozen=True)
class Frame:
    """The limits that all panels of a figure share."""

    x: tuple[float, float]
    y: tuple[float, float]


def plane_picture(name: str, slices: Sequence[Slice], *, palette: Palette) -> Picture:
    """Filled contours, a panel a slice, with one scale of colours, and the run's path on them.

    Args:
        name: unique in the page, fit for an id.
        slices: of one name, in the order of the panels.
        palette: colours of the page.
    """
    scale = loss_scale(one.loss for one in slices)
    frame = Frame(span([one.first for one in slices]), span([one.second for one in slices]))
    panels = [
        _plane_panel(f"{name}-{number}", one, scale=scale, frame=frame, palette=palette)
        for number, one in enumerate(slices)
    ]
    bar = draw_bar(f"{name}-bar", scale, label="Loss, logarithmic", palette=palette)
    return Picture(
        name, tuple(panels), _caption(slices), points(slices), bar=bar, surfaces=turnable(slices, scale=scale)
    )


def solid_picture(name: str, slices: Sequence[Slice], *, palette: Palette) -> Picture:
    """The path of each run with its loss as height, over the surface on which it ends; equal heights.

    Args:
        name: unique in the page, fit for an id.
        slices: of one name and mode, each with a path.
        palette: colours of the page.
    """
    scale = loss_scale([*(one.loss for one in slices), *(one.path["loss"] for one in slices)])
    panels = [_solid_panel(f"{name}-{number}", one, scale, palette) for number, one in enumerate(slices)]
    caption = (
        f"The article's two weights, {axis_label(slices[0], 0)} (wx) and {axis_label(slices[0], 1)} (wy), "
        "from the trained network at (0, 0) no further than the paths go, in norms of their filter. Height "
        f"is the loss on {images(slices)}, on a logarithmic axis that all variants share. The line is the "
        "whole network after each epoch, from the ring to the square. The surface is what the trained "
        "network would lose with other values of these two weights alone: only the end of the line lies on "
        "it, for before, all other weights were others, too. Where line and surface lie far apart, these "
        "two weights are not what brought the loss down."
    )
    return Picture(name, tuple(panels), caption, points(slices), surfaces=turnable(slices, scale=scale))


def _caption(slices: Sequence[Slice]) -> str:
    one, modes = slices[0], {one.mode for one in slices}
    text = f"Loss on {images(slices)}, batch norms by {whose(slices)}."
    if "recalibrated" in modes:
        text += (
            " Statistics estimated anew: running statistics are measured at each point on other training "
            "images, as they would be for a network that is put to use there."
        )
    text += (
        " Dashed: where it is twice that of the trained network; the lower that is, the sooner it doubles. "
        f"{UNITS[one.kind]}"
    )
    if one.kind == "trajectory":
        text += " Each variant has axes of its own; variance: that of the path along each."
    ranges = [f"{each.variant} {spread(each)}" for each in slices if each.mode == one.mode]
    text += f" The largest loss over the least: {listed(ranges)}."
    if where := overflown(slices):
        text += f" Hatched: the loss is not finite ({where})."
    return text


def _plane_panel(name: str, one: Slice, *, scale: LossScale, frame: Frame, palette: Palette) -> Panel:
    return Panel(
        name,
        title=f"{head(one)}. {describe(one)}",
        paint=lambda axes: _paint_plane(axes, one, scale, frame),
        palette=palette,
        height=310,
        left=58,
    )


def _paint_plane(axes: Axes, one: Slice, scale: LossScale, frame: Frame) -> None:
    heights = scale.heights(one.loss)
    if not np.isfinite(heights).all():
        _hatch(axes, frame)
    if np.isfinite(heights).any():
        filled = axes.contourf(
            one.first,
            one.second,
            np.ma.masked_invalid(heights.T),
            levels=scale.edges,
            colors=COLOURS,
            zorder=2,
        )
        filled.set_edgecolor("face")  # no seams between the colours
        filled.set_linewidth(0.4)
        _draw_twice(axes, one, heights)
    x, y = one.path["first"], one.path["second"]
    axes.plot(x, y, color=LIGHT, linewidth=3.2, zorder=3)
    axes.plot(x, y, color=DARK, linewidth=1.3, marker="o", markersize=2.2, zorder=4)
    for at, marker in ((0, "o"), (-1, "s")) if len(one.path) else ():
        axes.plot(
            x.iloc[at], y.iloc[at], marker=marker, markersize=8, markerfacecolor=LIGHT,
            markeredgecolor=DARK, markeredgewidth=1.4, zorder=5, clip_on=False,
        )  # fmt: skip
    axes.set(xlim=frame.x, ylim=frame.y, title=head(one), ylabel=axis_label(one, 1))
    axes.set_xlabel(axis_label(one, 0), loc="right")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=False)


def _draw_twice(axes: Axes, one: Slice, heights: Numbers) -> None:
    """Where the loss is twice that of the trained network; nothing where it is so nowhere."""
    twice = math.log10(2 * one.end) if 0 < one.end < math.inf else math.inf
    if not np.nanmin(heights) < twice < np.nanmax(heights):
        return
    for colour, width, dash in ((LIGHT, 1.8, "solid"), (DARK, 1.1, "dashed")):
        axes.contour(
            one.first, one.second, np.ma.masked_invalid(heights.T), levels=[twice], colors=colour,
            linewidths=width, linestyles=dash, zorder=2.5,
        )  # fmt: skip


def _hatch(axes: Axes, frame: Frame) -> None:
    """Lines across the whole panel: they show where nothing is drawn over them."""
    (left, right), (low, high) = frame.x, frame.y
    for start in np.linspace(-1, 1, HATCHES):
        axes.plot(
            [left + start * (right - left), left + (start + 1) * (right - left)], [low, high],
            color=MUTED.light, linewidth=0.8, zorder=1,
        )  # fmt: skip


def _solid_panel(name: str, one: Slice, scale: LossScale, palette: Palette) -> Panel:
    def paint(axes: object) -> None:
        paint_surface(axes, first=one.first, second=one.second, loss=one.loss, scale=scale)
        paint_path(axes, one.path, scale=scale, labels=("wx", "wy"), title=f"{one.variant}: loss as height")

    start, end = loss(one.path["loss"].iloc[0]), loss(one.path["loss"].iloc[-1])
    title = (
        f"{one.variant}: the path of two weights with the loss as height. Over "
        f"{count(len(one.path) - 1, 'epoch')} the loss of the whole network goes from {start} to "
        f"{end}. {describe(one)}"
    )
    return Panel(name, title=title, paint=paint, palette=palette, height=300, projection="3d")
