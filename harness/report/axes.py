"""Computation: axes with few, plain ticks."""

from __future__ import annotations

import math
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from harness.report.words import plain

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


def log_axis(axes: Axes, low: float, high: float, *, which: Literal["x", "y"] = "y") -> None:
    """Make an axis logarithmic within limits, its ticks plain decimals; linear where no three fit."""
    ticks = log_ticks(low, high)
    axes.set(**{f"{which}lim": (low, high)})
    if len(ticks) < 3:
        return
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([plain(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
