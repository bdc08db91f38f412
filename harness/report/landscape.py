"""Computation: slices through the loss of each variant -> the section with their pictures and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.findings.slices import Landscape, Slice
from harness.landscape.words import FIGURE_8, STALE
from harness.report.interpolation import line_picture
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.planes import plane_picture, solid_picture
from harness.report.slices import axis_label, loss, share
from harness.report.words import NOTHING, count

EXPLANATION = (
    "The weights of a network are a point in a space of as many dimensions as it has weights, and training "
    "is a path through it. A slice cuts a plane through that space at the trained network, (0, 0), and "
    "shows the loss that a network with the weights of each of its points would have: dark is low. The "
    "path of the run is drawn where it comes nearest to the plane, a dot an epoch, from the untrained "
    "network (ring) to the trained one (square).",
    "Axes count in norms of what they move, filter by filter: the same step in plain numbers means less to a "
    "network with larger weights, which would look flatter for that alone. Axes and colours are the same for "
    "all variants.",
    "Dropout is off, and batch norms divide by the mean and variance of the images that the loss is measured "
    "on, as they do in training. Their stored running statistics fit the weights of one point and no other.",
    "A plane holds two directions of very many. How much of the displacement from the untrained to the "
    "trained network lies in it stands above each picture. For two single weights it is next to nothing: "
    "such a picture is an anecdote, of one run. What is claimed about the smoothness of the descent rests "
    "on measures of all seeds.",
)

SOURCE = (
    "Li, Xu, Taylor, Studer and Goldstein (2018), Visualizing the Loss Landscape of Neural Nets, for norms "
    "of filters, random directions and principal components"
)

WARNING = (
    "These pictures are here to warn of them. Away from (0, 0) batch norms divide by statistics that belong "
    "to other weights, and the activations outgrow them. That can reverse verdicts: compare no variants by "
    "these pictures."
)

READING = (
    "Loss on training images, at the points of each picture's grid. Displacement held: the share of the "
    "squared displacement of all weights, from the untrained network to the trained one, that lies in the "
    "slice. Variance held: of the path's variance, by each principal component. At most twice the end's: the "
    "share of points whose loss is at most twice that of the trained network."
)

MODES = {
    "batch": "the images' own",
    "recalibrated": "estimated anew at each point",
    STALE: "stored, stale",
}
"""Whose statistics batch norms take, in words, as a table has them."""


@dataclass(frozen=True)
class Scene:
    """The pictures of one slice.

    Attributes:
        heading: what is cut.
        warning: what stands ahead of the pictures; empty for none.
        pictures: in order.
    """

    heading: str
    warning: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class SliceRow:
    """A slice in the table, in words."""

    heading: str
    variant: str
    mode: str
    images: str
    captured: str
    variance: str
    end: str
    least: str
    largest: str
    low_share: str


@dataclass(frozen=True)
class LandscapeSection:
    """What the section shows.

    Attributes:
        where: which runs are drawn.
        scenes: in order.
        rows: of the table.
        explanation: what a slice is, a text a paragraph.
        source: of the method.
        reading: of the table.
    """

    where: str
    scenes: list[Scene]
    rows: list[SliceRow]
    explanation: tuple[str, ...] = EXPLANATION
    source: str = SOURCE
    reading: str = READING


def describe_landscape(landscape: Landscape, *, levels: str, palette: Palette) -> LandscapeSection:
    """The section on the slices that were read.

    Args:
        landscape: the slices.
        levels: their combination of levels in words; empty without factors.
        palette: colours.
    """
    scenes = []
    for number, name in enumerate(landscape.names):
        sound = landscape.of(name, modes=("batch", "recalibrated"))
        stale = landscape.of(name, modes=(STALE,))
        if sound:
            scenes.append(Scene(_heading(sound[0]), "", _pictures(f"slice-{number}", sound, palette)))
        if stale:
            heading = f"{_heading(stale[0])}, with stale running statistics, which reverse verdicts"
            warning = " ".join([WARNING, *_misread(stale, sound)])
            scenes.append(Scene(heading, warning, _pictures(f"slice-{number}-stale", stale, palette)))
    return LandscapeSection(_where(landscape, levels), scenes, [_row(one) for one in landscape.slices])


def _misread(stale: Sequence[Slice], sound: Sequence[Slice]) -> list[str]:
    """How far stale statistics lead astray here, a sentence a variant; none where there is no batch norm."""
    by_batch = {one.variant: one for one in sound if one.mode == "batch"}
    pairs = [(one, by_batch[one.variant]) for one in stale if one.variant in by_batch]
    return [
        f"Here the loss of {one.variant} reads up to {loss(_largest(one))} like this, and up to "
        f"{loss(_largest(other))} by the images' own statistics."
        for one, other in pairs
        if not math.isclose(_largest(one), _largest(other), rel_tol=1e-3)
    ]


def _largest(one: Slice) -> float:
    """The largest loss on the grid, infinite where it is not finite somewhere."""
    return float(np.where(np.isfinite(one.loss), one.loss, math.inf).max())


def _where(landscape: Landscape, levels: str) -> str:
    text = f"Drawn are the runs of seed {landscape.seed}"
    if levels:
        text += f" at {levels}, the first combination in which all sliced variants have slices"
    if landscape.left_out:
        further = count(len(landscape.left_out), "further pair")
        text += f"; {further} of weights can be found in the table `slices`"
    return f"{text}."


def _pictures(name: str, slices: Sequence[Slice], palette: Palette) -> tuple[Picture, ...]:
    if len(slices[0].axes) == 1:
        return (line_picture(name, slices, palette=palette),)
    if slices[0].name == FIGURE_8:
        return (solid_picture(name, slices, palette=palette),)
    return (plane_picture(name, slices, palette=palette),)


def _heading(one: Slice) -> str:
    kind, _, number = one.name.partition(":")
    if one.name == "weights":
        return "The article's two weights"
    if one.name == FIGURE_8:
        return "The article's Figure 8"
    if one.kind == "weights":
        drawn = f", pair {number} of those drawn" if kind == "weights" else ""
        return f"Weights {axis_label(one, 0)} and {axis_label(one, 1)}{drawn}"
    return {
        "trajectory": "Two principal components of the path",
        "random": f"Two random directions{', pair ' + number if number else ''}",
        "line": "From untrained to trained",
        "seeds": "From one seed to the next",
    }.get(kind, one.name)


def _row(one: Slice) -> SliceRow:
    finite = one.finite
    return SliceRow(
        heading=_heading(one),
        variant=one.variant,
        mode=MODES[one.mode],
        images=f"{one.images:,}",
        captured=share(one.captured),
        variance=" and ".join(share(part) for part in one.variance) or NOTHING,
        end=loss(one.end),
        least=loss(finite.min()) if len(finite) else NOTHING,
        largest=loss(_largest(one)),
        low_share=share(one.low_share),
    )
