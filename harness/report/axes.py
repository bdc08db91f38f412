"""Computation: axes with few, plain ticks."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers inside limits, evenly spread on a logarithmic axis: three of them or more if possible.

    Args:
        low: lower limit, above 0.
        high: upper limit.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in _STEPS:
        found = [tick for d in decades for s in steps if low <= (tick := s * 10.0**d) <= high]
        if len(found) >= 3:
            break
    every = -(-len(found) // 7)
    return found[::every] if every else []


def log_axis(axes: Axes, low: float, high: float) -> None:
    """Make the vertical axis logarithmic within limits, its ticks plain decimals."""
    ticks = log_ticks(low, high)
    axes.set(yscale="log", ylim=(low, high))
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FixedFormatter([plain(tick) for tick in ticks]))
    axes.yaxis.set_minor_locator(NullLocator())


def plain(value: float) -> str:
    """A number as short as it is exact: 0.05, 3, 1e−06."""
    return f"{value:.3g}".replace("-", "−")
