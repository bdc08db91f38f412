"""Computation: the loss along a line between two networks -> a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.findings.slices import Slice
from harness.report.axes import log_axis
from harness.report.palette import PAPER, Palette
from harness.report.panels import Panel, Picture
from harness.report.scale import loss_scale
from harness.report.slices import STATISTICS, describe, images, overflown, points, span, whose


def line_picture(name: str, slices: Sequence[Slice], *, palette: Palette) -> Picture:
    """The loss along a line, a panel a mode, all variants in one.

    Args:
        name: unique in the page, fit for an id.
        slices: of one name.
        palette: colours of the page.
    """
    modes = dict.fromkeys(one.mode for one in slices)
    panels = [
        _line_panel(f"{name}-{number}", [one for one in slices if one.mode == mode], palette)
        for number, mode in enumerate(modes)
    ]
    variants = tuple(dict.fromkeys(one.variant for one in slices))
    return Picture(name, tuple(panels), _line_caption(slices), points(slices), legend=variants)


def _line_caption(slices: Sequence[Slice]) -> str:
    ends = ("the trained network of this seed", "that of the next")
    if slices[0].name == "line":
        ends = ("the untrained network", "the trained one")
    text = (
        f"Loss on {images(slices)}, batch norms by {whose(slices)}, along the straight line through "
        f"{ends[0]} (0) and {ends[1]} (1)."
    )
    if any(len(one.path) for one in slices):
        text += " Dots: the run itself after each epoch, at its nearest point on the line."
    if where := overflown(slices):
        text += f" Gaps: the loss is not finite ({where})."
    return text


def _line_panel(name: str, slices: Sequence[Slice], palette: Palette) -> Panel:
    said = " ".join(f"{one.variant}: {describe(one)}" for one in slices)
    return Panel(
        name,
        title=f"Loss along a line{STATISTICS[slices[0].mode]}. {said}",
        paint=lambda axes: _paint_line(axes, slices, palette),
        palette=palette,
        height=260,
    )


def _paint_line(axes: Axes, slices: Sequence[Slice], palette: Palette) -> None:
    scale = loss_scale([*(one.loss for one in slices), *(one.path["loss"] for one in slices)])
    for one in slices:
        colour, dash = palette.light(one.variant), palette.dash(one.variant)
        heights = np.where(np.isfinite(one.loss[:, 0]), np.maximum(one.loss[:, 0], scale.low), math.nan)
        axes.plot(one.first, heights, color=colour, linewidth=2.2, linestyle=dash)
        axes.plot(
            one.path["first"], one.path["loss"], color=colour, linestyle="", marker="o", markersize=4,
            markeredgecolor=PAPER.light, markeredgewidth=0.6,
        )  # fmt: skip
    log_axis(axes, scale.low / 1.1, scale.high * 1.1)
    axes.set(
        xlim=span([one.first for one in slices]), title=f"Loss along the line{STATISTICS[slices[0].mode]}"
    )
    axes.set_xlabel("place on the line", loc="right")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
