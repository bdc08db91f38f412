"""Computation: the section on what the probe shows while networks train, in words and digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.findings.probe import Probed, means_over_seeds
from harness.report.entries import Entry
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.probe import EQUAL_LOSS, probe_picture, rows_of
from harness.report.slices import share
from harness.report.words import NOTHING, listed, number, plain
from harness.training.readings import WHOLE

SOURCE = "Santurkar et al. 2018, How Does Batch Normalization Help Optimization?"

OF_WEIGHTS = ("cosine", "relative_change", "shift_cosine", "shift_relative", "update_to_weight")
OF_ACTIVATIONS = ("mean", "sd", "silent_share", "dead_share", "spread", "drift")
"""The columns of the two tables."""

SHARES = ("update_to_weight", "silent_share", "dead_share")
"""Measures that are shown as percentages."""

LARGE = 1e6
"""From here on numbers are told in powers of ten: those of a network that is about to diverge."""

ENTRIES = (
    Entry(
        "Cosine over a step",
        "The gradient says where the loss falls, at the place where it is taken. Here a step of one "
        "learning rate is made against it, with all convolution weights together, and it is taken again. "
        "The cosine of the two is one where it still points the same way, and zero where it has turned by a "
        "right angle. It does not depend on the units of loss or weights.",
    ),
    Entry(
        "Relative change over a step",
        "How far the gradient moves over that step, as a share of its length: zero where the slope stays as "
        "it is, above one where little of it is left to rely on. Santurkar et al. (2018) plot it without the "
        "division (gradient predictiveness); under batch normalization that falls as the weights grow, "
        "though the function is the same.",
    ),
    Entry(
        "Effective smoothness",
        "The largest change of the gradient for the length of a step, over steps of half to four learning "
        "rates: β of Santurkar et al. (2018). Batch normalization makes the loss blind to the scale of a "
        "convolution's weights, and β falls with the square of that scale; multiplied by |w|², it does not. "
        "Less is smoother.",
    ),
    Entry(
        "Internal covariate shift",
        "What batch normalization was made to reduce (Ioffe and Szegedy 2015): each layer learns on what the "
        "layers before it give, and that changes as they learn. Measured as Santurkar et al. (2018, "
        "Definition 2.1) do: how a layer's gradient changes when the earlier layers alone make their step, "
        "as a share of its length, averaged over the layers. The first has no earlier ones and is left out.",
    ),
    Entry(
        "Drift of activations",
        "The same idea looked at directly: how far the distribution of what goes into each activation has "
        "moved since the epoch that was measured before. Mean and standard deviation of each channel are "
        "taken for a normal distribution, and the distance of two of these (2-Wasserstein) is told in units "
        "of their standard deviation. Measured epochs need not lie equally far apart.",
    ),
    Entry(
        "Silent and dead channels",
        "A channel is silent on an image where its activation puts out nothing but zeros, as a ReLU does "
        "below zero; the share of images, averaged over channels. A channel that is silent on all images "
        "is dead: nothing comes through it, and no gradient goes back to revive it.",
    ),
    Entry(
        "Mean, spread and distance of channels",
        "Mean and standard deviation of what goes into each channel's activation, over images and places. "
        "Channels lie apart where their means differ by more than they vary: the standard deviation of the "
        "means over the mean of the standard deviations.",
    ),
)
"""What is measured, for a reader who is new to it."""

Figures = Mapping[tuple[str, str, str], tuple[float, float]]
"""A mean over seeds and half the width of its interval, by layer, measure and variant."""


@dataclass(frozen=True)
class LayerRow:
    """A layer of a variant after the last measured epoch, as it is shown.

    Attributes:
        layer: its name; empty but in the first row of a layer.
        variant: its name.
        values: in the order of the columns; a dash for what it does not have.
    """

    layer: str
    variant: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Diagnostics:
    """The section "Why: diagnostics on the probe".

    Attributes:
        introduction: when and how it was measured.
        caution: what a reader could take wrongly, with this study's own figures.
        picture: over epochs, at equal loss, by layer.
        entries: what each measure is.
        epoch: the last measured one, of which the tables tell.
        weights: a line a layer and variant, of gradients.
        activations: the same, of activations.
        source: of the measures.
    """

    introduction: str
    caution: str
    picture: Picture
    entries: tuple[Entry, ...]
    epoch: int
    weights: list[LayerRow]
    activations: list[LayerRow]
    source: str


def describe_diagnostics(probed: Probed | None, *, several: bool, palette: Palette) -> Diagnostics | None:
    """The section, None where nothing was measured on the probe.

    Args:
        probed: what the probe shows.
        several: whether the study has more than one combination of levels.
        palette: of the report.
    """
    if probed is None:
        return None
    epochs = sorted(set(probed.seeds.index.get_level_values("epoch")))
    last = _figures(probed, epochs[-1])
    picture = probe_picture(probed, several=several, palette=palette)
    return Diagnostics(
        introduction=(
            f"After epoch{'s' if len(epochs) > 1 else ''} {listed(map(str, epochs))}, each network was "
            "looked at on the probe, a fixed sample of training images, with the statistics of that batch "
            "and without dropout. No number of the training depends on it."
        ),
        caution=_caution(probed, epochs, picture),
        picture=picture,
        entries=ENTRIES,
        epoch=epochs[-1],
        weights=_rows(last, OF_WEIGHTS),
        activations=_rows(last, OF_ACTIVATIONS),
        source=SOURCE,
    )


def _caution(probed: Probed, epochs: list[int], picture: Picture) -> str:
    text = (
        "Read it with care: a network that hardly moves looks smooth, for its gradient stays what it was. "
        "Where one variant learns faster, equal epochs are not equal progress."
    )
    if any(panel.name == EQUAL_LOSS for panel in picture.panels):
        text += (
            " The second panel sets the cosine against the loss that was reached: only where variants "
            "share a loss, like is compared with like."
        )
    for epoch in dict.fromkeys((epochs[0], epochs[-1])):
        told = _progress(probed, epoch)
        text += f" After epoch {epoch}: {told}." if told else ""
    return text


def _progress(probed: Probed, epoch: int) -> str:
    """How far each variant had come, and how far it moves: plain a loss of 2.1, steps of 0.2 %."""
    found = {}
    for measure in ("loss", "update_to_weight"):
        rows = rows_of(probed.seeds, measure)
        here = rows[rows.index.get_level_values("epoch") == epoch].droplevel("epoch")
        found[measure] = here.mean(axis=1)
    return listed(
        f"{name} at a loss of {plain(found['loss'][name])}, with steps of "
        f"{share(found['update_to_weight'][name])} of the weights' length"
        for name in probed.drawn
        if name in found["loss"] and name in found["update_to_weight"]
    )


def _figures(probed: Probed, epoch: int) -> Figures:
    last = means_over_seeds(probed.seeds.loc[[epoch]])
    numbers = last[["mean", "low", "high"]].to_numpy().tolist()
    return {
        (str(layer), str(measure), str(variant)): (mean, (high - low) / 2)
        for (_, layer, measure, variant), (mean, low, high) in zip(last.index, numbers, strict=True)
    }


def _rows(last: Figures, measures: tuple[str, ...]) -> list[LayerRow]:
    """A line for each layer and variant that has one of the measures."""
    places = dict.fromkeys((layer, variant) for layer, measure, variant in last if measure in measures)
    layers = list(dict.fromkeys(layer for layer, _ in places))
    order = sorted(places, key=lambda place: (place[0] != WHOLE, layers.index(place[0])))
    return [
        LayerRow(
            layer="all together" if layer == WHOLE else layer,
            variant=variant,
            values=tuple(_value(last, layer, measure, variant) for measure in measures),
        )
        for layer, variant in order
    ]


def _value(last: Figures, layer: str, measure: str, variant: str) -> str:
    """A mean over seeds with half its interval, or the median of channels with what most lie between."""
    # The first layer has no earlier ones: its shift is zero by definition.
    first = measure.startswith("shift") and last.get((layer, "shift_relative", variant), (1, 1))[0] == 0
    if (layer, measure, variant) not in last or first:
        return NOTHING
    scale, sign = (100, "\N{NO-BREAK SPACE}%") if measure in SHARES else (1, "")
    mean, half = (figure * scale for figure in last[layer, measure, variant])
    if measure in ("mean", "sd"):
        ends = (last[layer, f"{measure}_{end}", variant][0] for end in ("low", "high"))
        return f"{_short(mean)} ({' to '.join(_short(end) for end in ends)})"
    if not math.isfinite(half) or half <= 0:
        return f"{_short(mean)}{sign}"
    if max(abs(mean), half) >= LARGE:
        return f"{plain(mean)} ± {plain(half)}{sign}"
    digits = _digits(half)
    return f"{number(mean, digits)} ± {number(half, digits)}{sign}"


def _short(value: float) -> str:
    """Two significant digits; a large number in powers of ten."""
    if abs(value) >= LARGE:
        return plain(value)
    return number(value, _digits(value) if value and math.isfinite(value) else 0)


def _digits(value: float) -> int:
    """The decimals that give a number two significant digits, six at most."""
    return min(6, max(0, 1 - math.floor(math.log10(abs(value)))))
