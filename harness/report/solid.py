"""Computation: a path with its loss as height, over the surface on which it ends: the article's Figure 8."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

from harness.report.axes import log_ticks
from harness.report.palette import GRID
from harness.report.scale import COLOURS, DARK, LIGHT, LossScale
from harness.report.words import plain

Numbers = npt.NDArray[np.float64]

FACETS = 24
"""Of a surface along each axis, at most: an SVG of 100 kB holds them. Even: the middle is a corner."""


MESH = tuple(to_hex((*np.add(0.28, np.multiply(0.72, to_rgb(colour))), 1.0)) for colour in COLOURS)
"""Of the facets' edges: their colours, lighter, so that a surface is seen to bend where its colour is one."""


def paint_path(
    axes: Any, path: pd.DataFrame, *, scale: LossScale, labels: tuple[str, str], title: str
) -> None:
    """Draw a path with its loss as height, from a ring to a square, and dress the axes.

    Heights are logarithmic, like the colours, and have the scale's limits.

    Args:
        axes: of three dimensions.
        path: columns first, second, loss, in order of time; rows without a finite loss are left out.
        scale: colours and heights of losses.
        labels: of the first and the second axis.
        title: above the drawing.
    """
    x, y, z = path["first"].to_numpy(), path["second"].to_numpy(), scale.heights(path["loss"])
    x, y, z = (values[np.isfinite(z)] for values in (x, y, z))
    axes.computed_zorder = False
    axes.plot(x, y, z, color=LIGHT, linewidth=3.2, zorder=4)
    axes.plot(x, y, z, color=DARK, linewidth=1.4, marker="o", markersize=2.6, zorder=5)
    for at, marker in ((0, "o"), (-1, "s")):
        axes.plot(
            x[at:][:1], y[at:][:1], z[at:][:1], marker=marker, markersize=8, markerfacecolor=LIGHT,
            markeredgecolor=DARK, markeredgewidth=1.4, linestyle="", zorder=6,
        )  # fmt: skip
    ticks = log_ticks(scale.low, scale.high)
    axes.set_zlim(*scale.edges[[0, -1]])
    axes.set_zticks(np.log10(ticks), [plain(tick) for tick in ticks])
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis._axinfo["grid"].update(color=GRID.light, linewidth=0.8)
        axis.label.set_rotation(0)
        axis.set_rotate_label(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.text2D(0.03, 0.98, title, transform=axes.transAxes, va="top")
    axes.tick_params(labelsize=9, pad=0)
    axes.view_init(elev=26, azim=-58)
    axes.set_box_aspect((4, 4, 3), zoom=1.03)


def paint_surface(axes: Any, *, first: Numbers, second: Numbers, loss: Numbers, scale: LossScale) -> None:
    """Draw the loss over a plane as facets, coloured by it; where it is not finite there is none.

    Args:
        axes: of three dimensions.
        first: coordinates of the rows [rows].
        second: of the columns [columns].
        loss: at each point [rows, columns].
        scale: colours and heights of losses.
    """
    rows, columns = _few(len(first)), _few(len(second))
    x, y, z = first[rows], second[columns], scale.heights(loss[np.ix_(rows, columns)])
    corners = [
        [(x[i + a], y[j + b], z[i + a, j + b]) for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))]
        for i in range(len(x) - 1)
        for j in range(len(y) - 1)
    ]
    facets = np.array([facet for facet in corners if np.isfinite([height for _, _, height in facet]).all()])
    if not len(facets):
        return
    steps = np.searchsorted(scale.edges, facets[:, :, 2].mean(axis=1)) - 1
    steps = steps.clip(0, len(COLOURS) - 1)
    axes.add_collection3d(
        Poly3DCollection(
            facets,
            facecolors=[COLOURS[step] for step in steps],
            edgecolors=[MESH[step] for step in steps],
            linewidths=0.5,
            zorder=1,
        )
    )


def _few(count: int) -> npt.NDArray[np.int64]:
    """At most FACETS + 1 of so many places, evenly spread, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, FACETS + 1)).round().astype(np.int64))
