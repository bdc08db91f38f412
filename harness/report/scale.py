"""Computation: the colours of losses: one logarithmic scale, shared by all panels of a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, to_hex

from harness.report.axes import log_axis
from harness.report.palette import Palette
from harness.report.panels import Panel
from harness.report.words import plain

Numbers = npt.NDArray[np.float64]

STEPS = 16
"""Steps of the colour scale: few enough that an SVG holds them as shapes."""

COLOURS = tuple(to_hex(colour) for colour in mpl.colormaps["plasma"](np.linspace(0.18, 0.93, STEPS)))
"""From low to high: even steps to the eye, colour-blind or not; its ends would vanish on dark and light."""

DARK, LIGHT = "#10151b", "#fefefe"
"""Of a path and its casing: over these colours, whatever the page's."""

LEAST_RATIO = 1.25
"""Of the highest loss on a scale to the lowest."""


@dataclass(frozen=True)
class LossScale:
    """What colour stands for what loss.

    Attributes:
        low: the loss of the first colour, above 0; what lies below has it too.
        high: that of the last.
    """

    low: float
    high: float

    @property
    def edges(self) -> Numbers:
        """The losses at which colours change, in powers of ten [STEPS + 1]."""
        return np.linspace(math.log10(self.low), math.log10(self.high), STEPS + 1)

    @property
    def mapping(self) -> dict[str, Any]:
        """How matplotlib is told of the scale."""
        return {"cmap": ListedColormap(COLOURS), "norm": LogNorm(self.low, self.high)}

    def heights(self, losses: npt.ArrayLike) -> Numbers:
        """Losses as powers of ten, those below the scale at its low end; NaN where they are not finite."""
        given = np.asarray(losses, dtype=float)
        kept = np.where(np.isfinite(given), np.maximum(given, self.low), math.nan)
        return np.clip(np.log10(kept), self.edges[0], self.edges[-1])


def loss_scale(losses: Iterable[npt.ArrayLike]) -> LossScale:
    """The scale from the least to the largest loss that is finite and above 0.

    It spans a ratio of LEAST_RATIO or more, so that rounding on a plain is not drawn as hills.
    """
    parts = [np.asarray(part, dtype=float).ravel() for part in losses]
    found = np.concatenate(parts) if parts else np.array([])
    found = found[np.isfinite(found) & (found > 0)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.1, 1.0)
    widened = math.sqrt(max(1.0, LEAST_RATIO * low / high))
    return LossScale(low / widened, high * widened)


def draw_bar(name: str, scale: LossScale, *, label: str, palette: Palette) -> Panel:
    """The colours of a scale side by side, with the losses that they stand for.

    Args:
        name: unique in the page.
        scale: what colour stands for what.
        label: what is coloured.
        palette: colours of the page.
    """
    title = f"{label}: from {plain(scale.low)} (dark) to {plain(scale.high)} (bright)."

    def paint(axes: Axes) -> None:
        for low, high, colour in zip(scale.edges, scale.edges[1:], COLOURS, strict=False):
            axes.axvspan(10**low, 10**high, facecolor=colour, edgecolor=colour, linewidth=0.4)
        log_axis(axes, scale.low, scale.high, which="x")
        axes.set_title(label)
        axes.set_yticks([])
        axes.spines[["left", "bottom"]].set_visible(False)

    return Panel(name, title=title, paint=paint, palette=palette, height=84, left=10)
