"""Computation: what goes into norms and comes out of them, channel by channel, as pictures and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from harness.findings.activations import Channels
from harness.report.palette import MUTED, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import listed, number
from harness.training.readings import spread_evenly

MOST_PLACES = 4
"""So many layers are drawn, the first and the last among them."""

MOST_CHANNELS = 16
"""So many channels of a layer are drawn, spread evenly over their order."""

HEIGHT = 210

BESIDE = 0.22
"""How far dots before and after stand from the middle of their channel."""


def channels_picture(channels: Channels, *, levels: str, palette: Palette) -> Picture:
    """A panel a layer and variant: mean and standard deviation of every channel, before the norm and after.

    Args:
        channels: of a run of each variant.
        levels: the combination of levels in words; empty without factors.
        palette: colours.
    """
    moments = channels.moments
    places = sorted(set(moments["place"]))
    drawn = [places[i] for i in spread_evenly(len(places), most=MOST_PLACES)]
    variants = list(dict.fromkeys(moments["variant"]))
    panels = [
        _panel(rows, palette=palette)
        for place in drawn
        for variant in variants
        if len(rows := moments[(moments["place"] == place) & (moments["variant"] == variant)])
    ]
    data = moments[moments["place"].isin(drawn)]
    return Picture("channels", tuple(panels), _caption(channels, drawn, levels=levels), data)


def tell_channels(channels: Channels) -> str:
    """What the last norm of each network does, with its figures."""
    parts = []
    for variant, own in channels.moments.groupby("variant", sort=False):
        rows = own[(own["epoch"] == own["epoch"].max()) & (own["place"] == own["place"].max())]
        stages = {str(stage): part for stage, part in rows.groupby("stage")}
        if "before" in stages:
            layer, epoch = rows["layer"].iloc[0], rows["epoch"].iloc[0]
            before, after = (_extent(stages[stage]) for stage in ("before", "after"))
            parts.append(
                f"In {variant} after epoch {epoch}, what goes into {layer} has {before}; what comes out has "
                f"{after}."
            )
    return " ".join(parts)


def _extent(rows: pd.DataFrame) -> str:
    means, sds = _ends(rows["mean"]), _ends(rows["sd"])
    return f"channel means from {means} and standard deviations from {sds}"


def _ends(values: pd.Series) -> str:
    return f"{number(float(values.min()))} to {number(float(values.max()))}"


def _caption(channels: Channels, drawn: Sequence[int], *, levels: str) -> str:
    moments = channels.moments
    epochs = listed(str(epoch) for epoch in sorted(set(moments["epoch"])))
    bare = list(dict.fromkeys(moments[moments["stage"] == "into"]["variant"]))
    plural, at = "s" if " and " in epochs else "", " at " if levels else ""
    text = (
        f"Channels on the probe, a fixed sample of training images, in the runs of seed {channels.seed}{at}"
        f"{levels}, after epoch{plural} {epochs}. Dots: a channel's mean over images and positions; bars "
        "reach one standard deviation to either side. Grey: what goes into the norm; in the variant's "
        "colour: what comes out. Channels stand in the order of their means before the norm. Each panel has "
        "a scale of its own."
    )
    if bare:
        text += f" {listed(bare)}: no norm; what goes into the activation, which is where a norm would stand."
    if len(drawn) < moments["place"].nunique():
        text += f" Drawn are {len(drawn)} of {moments['place'].nunique()} such layers."
    if moments["channel"].nunique() > MOST_CHANNELS:
        text += f" Of more than {MOST_CHANNELS} channels so many are drawn, spread evenly over their order."
    return text


def _heights(rows: pd.DataFrame) -> tuple[float, float]:
    """The limits of the vertical axis."""
    edges = np.concatenate([rows["mean"] - rows["sd"], rows["mean"] + rows["sd"], [0.0]])
    edges = edges[np.isfinite(edges)]
    low, high = float(edges.min()), float(edges.max())
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def _panel(rows: pd.DataFrame, *, palette: Palette) -> Panel:
    """One layer of one variant; its measured epochs side by side."""
    variant, layer, place = (rows[name].iloc[0] for name in ("variant", "layer", "place"))
    normed = set(rows["stage"]) != {"into"}
    what = "before (grey) and after" if normed else "into the activation"
    last = rows[rows["epoch"] == rows["epoch"].max()]
    told = [f"{stage} {_extent(part)}" for stage, part in last.groupby("stage", sort=False)]
    ends = listed(told) if normed else told[0].removeprefix("into ")
    title = f"{variant}, {layer}, {what}; after epoch {last['epoch'].iloc[0]}: {ends}."

    def paint(axes: Axes) -> None:
        colour, start, middles = palette.light(str(variant)), 0, {}
        for epoch, here in rows.groupby("epoch", sort=True):
            wide = _paint_epoch(axes, here, start=start, colour=colour)
            middles[start + (wide - 1) / 2] = f"epoch {epoch}"
            start += wide + 2
        axes.axhline(0, color=MUTED.light, linewidth=0.8)
        axes.set_title(f"{variant}, {layer}: {what}")
        axes.set(ylim=_heights(rows), xlim=(-1, start - 2), ylabel="")
        axes.set_xticks(list(middles), list(middles.values()))
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("channels, by their mean", loc="right")

    name = f"channels-{variant}-{place}"
    return Panel(name, title=title, paint=paint, palette=palette, height=HEIGHT)


def _paint_epoch(axes: Axes, rows: pd.DataFrame, *, start: int, colour: str) -> int:
    """The channels after one epoch, from a place on; how many they are."""
    stages = list(dict.fromkeys(rows["stage"]))
    order = rows[rows["stage"] == stages[0]].sort_values(["mean", "channel"])["channel"].to_list()
    shown = [order[i] for i in spread_evenly(len(order), most=MOST_CHANNELS)]
    for stage in stages:
        own = rows[rows["stage"] == stage].set_index("channel").loc[shown]
        side = {"before": -BESIDE, "after": BESIDE}.get(stage, 0.0)
        x = np.arange(start, start + len(own)) + side
        ink = MUTED.light if stage == "before" else colour
        axes.vlines(x, own["mean"] - own["sd"], own["mean"] + own["sd"], color=ink, linewidth=2.2, alpha=0.45)
        axes.scatter(x, own["mean"], s=11, color=ink, zorder=3)
    return len(shown)
