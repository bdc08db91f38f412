"""Declaration: one number of a diagnosis, before it becomes a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.training.records import Row

WHOLE = "conv"
"""Stands as layer where a measure is over all conv weights together (see `places.conv_weights`)."""

OF_NORMS = ("mean_before", "sd_before", "mean_after", "sd_after")
"""The measures of a norm's channels: of what goes in, then of what comes out."""


@dataclass(frozen=True)
class Reading:
    """One number that was measured on the probe, or of the weights.

    Attributes:
        layer: name of a parameter, an activation or a norm; `conv` for all conv weights together.
        measure: what was measured.
        value: may be infinite, or NaN where the measure is undefined (a ratio of two zeros).
        channel: number of the channel, where it is of one channel.
        step: length of the step along the gradient in multiples of the learning rate, where one was made.
    """

    layer: str
    measure: str
    value: float
    channel: int | None = None
    step: float | None = None


def rows_of(readings: Iterable[Reading], *, epoch: int) -> list[Row]:
    """Rows of `diagnostics`: what was measured after an epoch."""
    return [
        {
            "epoch": epoch,
            "layer": reading.layer,
            "measure": reading.measure,
            "channel": reading.channel,
            "step": reading.step,
            "value": reading.value,
        }
        for reading in readings
    ]


def spread_evenly(count: int, *, most: int) -> list[int]:
    """All of 0 to count − 1 where these are few, else `most` of them spread evenly, both ends included."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
