"""Computation: pictures of what the probe shows while networks train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from harness.findings.probe import Probed, means_over_seeds, over_layers
from harness.report.axes import log_axis
from harness.report.epochs import MOST_LINES, drawn_seeds, paint_lines, set_heights, single_seeds
from harness.report.palette import PAPER, Palette
from harness.report.panels import Panel, Picture
from harness.report.words import INTERVAL, count, listed, plain, sentence
from harness.training.readings import WHOLE

HEIGHT = 220

EQUAL_LOSS = "diagnostics-loss"
"""The name of the panel that compares variants at equal loss."""

FEW_LAYERS = 6
"""So many names of layers fit below an axis; more of them are numbered."""


@dataclass(frozen=True)
class View:
    """A measure that is drawn over epochs.

    Attributes:
        measure: its name.
        title: of the panel.
        whole: whether it is of all conv weights together; else it is the mean over layers.
        scale: what values are multiplied by.
        logarithmic: whether its axis is, where all values are above zero.
    """

    measure: str
    title: str
    whole: bool
    scale: float = 1.0
    logarithmic: bool = False


VIEWS = (
    View("cosine", "Cosine of the gradient over a step", whole=True),
    View("relative_change", "Relative change of the gradient over a step", whole=True),
    View("smoothness_scaled", "Effective smoothness β·|w|²", whole=True, logarithmic=True),
    View("shift_relative", "Internal covariate shift of the gradient", whole=False),
    View("drift", "Drift of the activations", whole=False, logarithmic=True),
    View("silent_share", "Silent channels, %", whole=False, scale=100),
)


def probe_picture(probed: Probed, *, several: bool, palette: Palette) -> Picture:
    """Eight panels at most: measures over epochs, the cosine at equal loss, and channels by layer.

    Args:
        probed: what the probe shows.
        several: whether the study has more than one combination of levels.
        palette: of the report.
    """
    panels = [_over_epochs(probed, view, palette) for view in VIEWS]
    panels.insert(1, _over_loss(probed, palette))
    panels.append(_over_depth(probed, palette))
    drawn = tuple(panel for panel in panels if panel is not None)
    caption = _caption(probed, drawn, several=several)
    return Picture("diagnostics", drawn, caption, _data(probed), legend=probed.drawn)


def _data(probed: Probed) -> pd.DataFrame:
    """A row a measure, layer, epoch and variant: the mean over seeds with its interval."""
    return means_over_seeds(probed.seeds).reset_index()


def rows_of(seeds: pd.DataFrame, measure: str, *, layer: str = WHOLE) -> pd.DataFrame:
    """The rows of a measure of a layer: index epoch, variant; a column a seed."""
    levels = seeds.index
    here = (levels.get_level_values("measure") == measure) & (levels.get_level_values("layer") == layer)
    return seeds[here].droplevel(["layer", "measure"])


def _caption(probed: Probed, panels: Sequence[Panel], *, several: bool) -> str:
    names, seeds = {panel.name for panel in panels}, len(probed.seeds.columns)
    lines = len(set(probed.seeds.index.get_level_values("epoch"))) > 1
    text = (
        f"{'Thick lines' if lines else 'Large dots'}: means over {count(seeds, 'seed')}, "
        f"{'shaded or ' if lines else ''}as bars their {INTERVAL}s. "
        f"{single_seeds(seeds, marks='Thin lines' if lines else 'Small dots')}"
    )
    if several:
        text += (
            " A seed's value is its mean over combinations of factor levels, those that every drawn variant "
            f"completed under it: {count(probed.pairs, 'pair')} of combination and seed."
        )
    else:
        text += " Shown are the seeds that every drawn variant completed."
    if probed.unread:
        text += (
            f" {count(probed.unread, 'run')} were not looked at for these pictures: later seeds, and "
            "combinations that were not drawn. The findings rest on all runs."
        )
    if EQUAL_LOSS in names and lines:
        text += " At equal loss: dots are the measured epochs, joined in their order."
    if "diagnostics-sd" in names:
        text += (
            " Standard deviation: dots are the median over a layer's channels; bars reach from what "
            "5\N{NO-BREAK SPACE}% of the channels lie below to what 5\N{NO-BREAK SPACE}% lie above; each is "
            "the mean over seeds, after the last measured epoch."
        )
    if probed.undefined:
        text += (
            f" In {count(probed.undefined, 'pair')} a measure has no number, as the gradient of a dead "
            "network has no direction: left out there, for all variants."
        )
    return text


def _over_epochs(probed: Probed, view: View, palette: Palette) -> Panel | None:
    found = rows_of(probed.seeds, view.measure) if view.whole else over_layers(probed.seeds, view.measure)
    if not len(found):
        return None
    seeds = found * view.scale
    means = means_over_seeds(seeds).reset_index()
    epochs = sorted(set(means["epoch"]))
    several = len(epochs) > 1
    when = "over epochs; mean after the last measured one" if several else f"after epoch {epochs[0]}, mean"
    title = sentence(f"{view.title} {when}: {_last(means)}")

    def paint(axes: Axes) -> None:
        long = seeds.melt(ignore_index=False, var_name="seed").dropna().reset_index()
        set_heights(axes, long["value"], logarithmic=view.logarithmic)
        drawn = [name for name in probed.drawn if name in set(means["variant"])]
        axes.set_title(view.title)
        if several:
            paint_lines(axes, drawn_seeds(long), means, names=drawn, palette=palette, marker="o")
            _set_epochs(axes, epochs)
        else:
            _paint_beside(axes, drawn_seeds(long), means, names=drawn, palette=palette)
            axes.set_xlabel(f"after epoch {epochs[0]}", loc="right")

    return Panel(f"diagnostics-{view.measure}", title=title, paint=paint, palette=palette, height=HEIGHT)


def _paint_beside(
    axes: Axes, seeds: pd.DataFrame, means: pd.DataFrame, *, names: Sequence[str], palette: Palette
) -> None:
    """A single epoch: variants side by side, a mean with its interval as a bar, a faint dot a seed."""
    low, high = axes.get_ylim()
    for place, name in enumerate(names):
        ((mean, *ends),) = means.loc[means["variant"] == name, ["mean", "low", "high"]].to_numpy()
        own, colour = seeds.loc[seeds["variant"] == name, "value"], palette.light(name)
        axes.scatter(np.full(len(own), place + 0.12), own, s=10, color=colour, alpha=0.4, linewidths=0)
        below, above = np.clip(np.nan_to_num(ends, nan=mean), low, high)
        _paint_bars(axes, np.array([place], dtype=float), below, mean, above, colour=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(low, high), ylabel="")


def _paint_bars(
    axes: Axes,
    x: npt.NDArray[np.float64],
    low: npt.ArrayLike,
    middle: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    colour: str,
) -> None:
    """A dot at each place, with a bar from low to high."""
    axes.vlines(x, low, high, color=colour, linewidth=3, alpha=0.55)
    axes.scatter(x, middle, s=42, color=colour, edgecolors=PAPER.light, zorder=3)


def _last(means: pd.DataFrame) -> str:
    last = means.sort_values("epoch", kind="stable").groupby("variant", sort=False)["mean"].last()
    return listed(f"{name} {plain(value)}" for name, value in last.items())


def _set_epochs(axes: Axes, epochs: list[int]) -> None:
    """Ticks at the measured epochs, on a logarithmic axis where they are spread like that."""
    axes.set(ylabel="")
    axes.set_xlabel("epoch", loc="right")
    if epochs[0] > 0 and epochs[-1] >= 4 * epochs[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        ticks = epochs if len(epochs) <= 8 else epochs[:: -(-len(epochs) // 8)]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _over_loss(probed: Probed, palette: Palette) -> Panel | None:
    """The cosine against the loss that the network has come to: where lines overlap, progress is equal."""
    cosine, loss = (rows_of(probed.seeds, measure) for measure in ("cosine", "loss"))
    places = cosine.index.intersection(loss.index, sort=False)
    if not len(places):
        return None
    cosine, loss = cosine.loc[places], loss.loc[places]
    means = means_over_seeds(cosine).assign(loss=loss.mean(axis=1))

    ends = means.groupby(level="variant", sort=False)[["loss", "mean"]].last()
    words = listed(
        f"{name} {plain(end['mean'])} at a loss of {plain(end['loss'])}" for name, end in ends.iterrows()
    )
    title = f"Cosine of the gradient over a step, over the loss on the probe; after the last epoch: {words}."
    return Panel(
        EQUAL_LOSS,
        title=title,
        paint=lambda axes: _paint_over_loss(axes, means, cosine, loss, palette),
        palette=palette,
        height=HEIGHT,
    )


def _paint_over_loss(
    axes: Axes, means: pd.DataFrame, cosine: pd.DataFrame, loss: pd.DataFrame, palette: Palette
) -> None:
    set_heights(axes, pd.Series(cosine.to_numpy().ravel()), logarithmic=False)
    low, high = axes.get_ylim()
    few = list(cosine.columns[:MOST_LINES])
    for name in dict.fromkeys(means.index.get_level_values("variant")):
        line, colour = means.xs(name, level="variant").sort_index(), palette.light(name)
        own = [rows.xs(name, level="variant").sort_index()[few] for rows in (loss, cosine)]
        axes.plot(*own, color=colour, linewidth=0.6, alpha=0.3)
        below, above = (line[side].fillna(line["mean"]).clip(low, high) for side in ("low", "high"))
        axes.vlines(line["loss"], below, above, color=colour, linewidth=4, alpha=0.25)
        dash = palette.dash(name)
        axes.plot(line["loss"], line["mean"], color=colour, linewidth=2.2, linestyle=dash, marker="o", ms=4)
    axes.set_ylim(low, high)
    span = float(loss.min().min()), float(loss.max().max())
    if span[0] > 0:
        log_axis(axes, span[0] * 0.85, span[1] * 1.15, which="x")
    axes.invert_xaxis()
    axes.set_title("The same cosine, at equal loss")
    axes.set_xlabel("loss on the probe, falling", loc="right")


def _over_depth(probed: Probed, palette: Palette) -> Panel | None:
    """Each layer's channels after the last measured epoch: how widely what goes into them spreads."""
    measures = probed.seeds.index.get_level_values("measure")
    rows = means_over_seeds(probed.seeds[measures.isin(("sd_low", "sd", "sd_high"))])["mean"]
    if not len(rows):
        return None
    here = rows.loc[rows.index.get_level_values("epoch").max()]
    layers = list(dict.fromkeys(here.index.get_level_values("layer")))
    last = here.unstack("measure")  # index layer, variant

    def paint(axes: Axes) -> None:
        set_heights(axes, pd.Series(last.to_numpy().ravel()), logarithmic=True)
        for i, name in enumerate(probed.drawn):
            if name not in last.index.get_level_values("variant"):
                continue
            own, colour = last.xs(name, level="variant"), palette.light(name)
            beside = 0.16 * (i - (len(probed.drawn) - 1) / 2)
            x = np.array([layers.index(str(layer)) for layer in own.index]) + beside
            _paint_bars(axes, x, own["sd_low"], own["sd"], own["sd_high"], colour=colour)
        short = len(layers) <= FEW_LAYERS and max(map(len, layers)) <= 8
        axes.set_xticks(range(len(layers)), layers if short else [str(n + 1) for n in range(len(layers))])
        axes.set(xlim=(-0.5, len(layers) - 0.5), ylabel="")
        axes.set_title("Standard deviation before the activation")
        axes.set_xlabel("layer, first to last", loc="right")

    words = listed(
        f"{name} {plain(last.loc[(layer, name), 'sd'])} in {layer}"
        for layer in layers
        for name in probed.drawn
        if (layer, name) in last.index
    )
    title = f"Median standard deviation of a channel before the activation: {words}."
    return Panel("diagnostics-sd", title=title, paint=paint, palette=palette, height=HEIGHT)
