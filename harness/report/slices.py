"""Computation: what one slice through the loss shows, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.findings.slices import Numbers, Slice
from harness.landscape.words import STALE
from harness.report.words import NOTHING, count, listed, plain

STATISTICS = {
    "batch": "",
    "recalibrated": ", statistics estimated anew",
    STALE: ", stale statistics",
}
"""Whose statistics batch norms take, as the head of a panel has it."""


def describe(one: Slice) -> str:
    """What a slice shows, in a sentence or two."""
    finite, words = one.finite, []
    if len(finite):
        words.append(
            f"The loss on {one.images:,} training images goes from {loss(finite.min())} to "
            f"{loss(finite.max())}, the run ends at {loss(one.end)}; {share(one.low_share)} of the points "
            "have at most twice that."
        )
    if len(finite) < one.loss.size:
        words.append(f"At {_points(one)} it is not finite.")
    if math.isfinite(one.captured):
        words.append(f"{share(one.captured)} of the run's squared displacement lies in the slice.")
    return " ".join(words)


def head(one: Slice) -> str:
    """A panel's title: whose it is, and how much of the run's displacement it holds, or its mode."""
    if one.mode == "batch" and math.isfinite(one.captured):
        return f"{one.variant}: holds {share(one.captured)} of the displacement"
    return f"{one.variant}{STATISTICS[one.mode]}"


def axis_label(one: Slice, axis: int) -> str:
    """What an axis is: a weight by its layer and place; a component with its share of the variance."""
    text = one.axes[axis].replace(".weight:", " ")
    return f"{text} ({share(one.variance[axis])} of the variance)" if one.variance else text


def loss(value: float) -> str:
    """A loss with three digits."""
    return plain(float(value)) if math.isfinite(value) else "not finite"


def share(value: float) -> str:
    """A share as a percentage with three digits, however small: 0.00302 %; 100 % is all but for rounding."""
    if not math.isfinite(value):
        return NOTHING
    text = plain(100 * value)
    return f"{'> 99.9' if text == '100' and value < 1 - 1e-9 else text}\N{NO-BREAK SPACE}%"


def spread(one: Slice) -> str:
    """The largest loss over the least: how much happens in a slice."""
    finite = one.finite
    if len(finite) < one.loss.size:
        return "without bound"
    return f"{float(finite.max() / finite.min()):,.4g}" if finite.min() > 0 else NOTHING


def images(slices: Sequence[Slice]) -> str:
    """On which images some slices were measured."""
    amounts = dict.fromkeys(f"{one.images:,}" for one in slices)
    return f"{' or '.join(amounts)} training images"


def whose(slices: Sequence[Slice]) -> str:
    """Whose statistics batch norms take in some slices, but for those whose head says it."""
    stale = all(one.mode == STALE for one in slices)
    return "the running statistics of the trained network" if stale else "the images' own statistics"


def overflown(slices: Sequence[Slice]) -> str:
    """Where the loss is not finite, by slice; empty where it is so nowhere."""
    found = [one for one in slices if len(one.finite) < one.loss.size]
    return listed(f"{one.variant}{STATISTICS[one.mode]} at {_points(one)}" for one in found)


def points(slices: Sequence[Slice]) -> pd.DataFrame:
    """The numbers of some slices: a row a point of the grid, then a row an epoch of the run's path.

    Returns:
        Columns variant, mode, epoch (none at a point of the grid), first, second, loss.
    """
    parts = []
    for one in slices:
        first, second = (values.ravel() for values in np.meshgrid(one.first, one.second, indexing="ij"))
        grid = pd.DataFrame({"first": first, "second": second, "loss": one.loss.ravel()})
        path = one.path[["epoch", "first", "second", "loss"]].astype({"epoch": "Int64"})
        whole = pd.concat([grid.assign(epoch=pd.array([pd.NA] * len(grid), dtype="Int64")), path])
        parts.append(whole.assign(variant=one.variant, mode=one.mode))
    columns = ["variant", "mode", "epoch", "first", "second", "loss"]
    return pd.concat(parts, ignore_index=True)[columns]


def span(coordinates: Sequence[Numbers]) -> tuple[float, float]:
    """The least and the largest of some coordinates: the limits of an axis that holds all."""
    return min(float(ticks.min()) for ticks in coordinates), max(float(ticks.max()) for ticks in coordinates)


def _points(one: Slice) -> str:
    return f"{one.loss.size - len(one.finite):,} of {count(one.loss.size, 'point')}"
