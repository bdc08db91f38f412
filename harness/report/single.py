"""Computation: one curve -> an SVG file that stands alone."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.palette import OTHERS, PAPER
from harness.report.panels import NO_METADATA, STYLE

_SIZE = (3.4, 2.5)
"""Inches."""


def draw_accuracy(curve: Mapping[int, float], *, title: str) -> bytes:
    """An accuracy (between 0 and 1) over epochs, in percent, with a dot for each epoch."""
    with mpl.rc_context({**STYLE, "svg.fonttype": "path"}):
        figure = Figure(figsize=_SIZE, facecolor=PAPER.light, layout="constrained")
        axes = figure.add_subplot(facecolor=PAPER.light)
        epochs = sorted(curve)
        axes.plot(epochs, [100 * curve[epoch] for epoch in epochs], color=OTHERS[0][0], marker="o", ms=3)
        axes.set_title(f"{title}, %")
        axes.set_xlabel("epoch", loc="right")
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA["svg"])
    return buffer.getvalue()
