"""Computation: the colours of effects: steps that widen from zero to either side, shared by all maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from harness.report.palette import Palette
from harness.report.panels import Panel
from harness.report.scale import DARK, LIGHT
from harness.report.words import plain

NEUTRAL = "#f3f2ef"
ABOVE = ("#fce3c4", "#fdc98a", "#f4a74c", "#df8215", "#b05a09", "#854106")
BELOW = ("#e1e1ee", "#c5c3df", "#a69eca", "#8a7dba", "#633f94", "#431a6c")
"""Orange and violet from pale to deep, after ColorBrewer's PuOr (Harrower & Brewer 2003): they can be told
apart by eyes of all kinds. They are the same on light and dark pages."""

DEEP = (*ABOVE[-2:], *BELOW[-2:])
"""On these, words are light."""

FINEST = 0.1
"""Percentage points: less is drawn as no effect."""

_ROUND = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Hues:
    """What colour stands for what effect.

    Attributes:
        edges: sizes of an effect at which the colour changes, ascending; what is less than the first has
            no colour of its own.
    """

    edges: tuple[float, ...]

    def step(self, effect: float) -> int:
        """The step of an effect: 0 for none, positive above, negative below."""
        place = sum(edge <= abs(effect) for edge in self.edges)
        return place if effect > 0 else -place

    def colour(self, step: int) -> str:
        """The colour of a step; the deepest where there are four or more, for fewer span little."""
        if step == 0:
            return NEUTRAL
        ramp, most = (ABOVE if step > 0 else BELOW), len(self.edges)
        first, last = (0 if most > 3 else 1), min(len(ramp) - 1, most + 1)
        return ramp[round(first + (last - first) * (abs(step) - 1) / max(1, most - 1))]

    def ink(self, step: int) -> str:
        """Of words on a step, so that they can be read."""
        return LIGHT if self.colour(step) in DEEP else DARK


def hues_of(effects: npt.ArrayLike) -> Hues:
    """Steps of 1, 2, 5, 10, ... points, at most six, the last of which holds the largest effect."""
    given = np.abs(np.asarray(effects, dtype=float))
    largest = float(np.nanmax(given))
    sizes = [step * 10.0**power for power in range(-1, 3) for step in _ROUND]
    below = [size for size in sizes if FINEST <= size <= largest] or [FINEST]
    return Hues(tuple(below[-len(ABOVE) :]))


def draw_hues(name: str, hues: Hues, *, label: str, palette: Palette) -> Panel:
    """The colours side by side, with the effects at which they change.

    Args:
        name: unique in the page.
        hues: what colour stands for what.
        label: what is coloured.
        palette: colours of the page.
    """
    most = len(hues.edges)
    steps = range(-most, most + 1)
    borders = [*(-edge for edge in reversed(hues.edges)), *hues.edges]

    def paint(axes: Axes) -> None:
        for place, step in enumerate(steps):
            axes.axvspan(
                place, place + 1, facecolor=hues.colour(step), edgecolor=hues.colour(step), linewidth=0.4
            )
        axes.set_xlim(0, len(steps))
        axes.set_xticks(range(1, len(steps)), [plain(border) for border in borders])
        axes.set_title(label)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)

    title = f"{label}: violet below zero, pale around it, orange above."
    return Panel(name, title=title, paint=paint, palette=palette, height=84, left=10)
