"""Computation: the article's figures drawn among those of a study's seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.findings.article import Figure
from harness.report.axes import log_axis
from harness.report.palette import PAPER, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import listed

NAMES = {
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy",
}

HEIGHT = 210

BESIDE = 0.17
"""How far the networks stand from the middle of their epoch."""

APART = 0.07
"""How far the diamond stands from the middle of its dots, to either side."""


def published_picture(figures: Sequence[Figure], *, palette: Palette) -> Picture:
    """A panel a figure: a dot a seed, and the published value as a diamond.

    Args:
        figures: one or more.
        palette: colours.
    """
    panels = [
        _panel(name, own, palette) for name in NAMES if (own := [one for one in figures if one.name == name])
    ]
    variants = dict.fromkeys(figure.variant for figure in figures)
    caption = (
        "Dots: the seeds of this study; diamonds beside them: the article's one run. Epochs as the article "
        "counts them, from 0. Losses stand on a logarithmic axis."
    )
    rows = [
        (NAMES[one.name], one.variant, one.epoch, one.published, float(value))
        for one in figures
        for value in one.values
    ]
    data = pd.DataFrame(rows, columns=["panel", "variant", "epoch", "published", "value"])
    return Picture("article", tuple(panels), caption, data, legend=tuple(variants))


def _panel(name: str, figures: Sequence[Figure], palette: Palette) -> Panel:
    scale, unit = (100, ", %") if name.endswith("accuracy") else (1, "")
    epochs = sorted({figure.epoch for figure in figures})
    variants = list(dict.fromkeys(figure.variant for figure in figures))
    told = listed(
        f"{one.variant} in epoch {one.epoch} {one.published * scale:.3g} "
        f"({one.values.min() * scale:.3g} to {one.values.max() * scale:.3g})"
        for one in figures
    )
    heading = f"{NAMES[name].capitalize()}{unit}"

    def paint(axes: Axes) -> None:
        for one in figures:
            side = 2 * BESIDE * (variants.index(one.variant) - (len(variants) - 1) / 2)
            x = epochs.index(one.epoch) + side
            colour, values = palette.light(one.variant), one.values * scale
            axes.scatter(
                np.full(len(values), x - APART), values, s=16, color=colour, alpha=0.45, linewidths=0
            )
            axes.scatter(
                [x + APART], [one.published * scale], s=34, marker="D", color=PAPER.light,
                edgecolors=colour, linewidths=1.4, zorder=4,
            )  # fmt: skip
        axes.set(xlim=(-0.5, len(epochs) - 0.5), ylabel="")
        if unit == "":
            whole = np.concatenate([[*one.values, one.published] for one in figures])
            if whole.min() > 0:
                log_axis(axes, whole.min() / 1.2, whole.max() * 1.2)
        axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
        axes.set_title(heading)
        axes.set_xlabel("epoch", loc="right")

    title = f"{heading}, published (and the range of the seeds here): {told}."
    return Panel(f"article-{name}", title=title, paint=paint, palette=palette, height=HEIGHT)
