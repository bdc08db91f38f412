"""Declaration: the report's colours, each in a light and a dark form; a variant's is the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import seaborn as sns

from harness.design.study import Study


@dataclass(frozen=True)
class Ink:
    """A colour with a part to play.

    Attributes:
        name: of the CSS variable.
        light: on light paper; figures are drawn in it.
        dark: on dark paper.
    """

    name: str
    light: str
    dark: str


PAPER = Ink("paper", "#fdfdfc", "#14181d")
TINT = Ink("tint", "#f2f4f6", "#1c222a")
WARM = Ink("warm", "#fdf4e3", "#2a2419")
TEXT = Ink("ink", "#1c2530", "#e6eaee")
MUTED = Ink("muted", "#566372", "#a3afbb")
GRID = Ink("grid", "#dfe4e9", "#2f3842")
EDGE = Ink("edge", "#c98a1b", "#c68718")
GOOD = Ink("good", "#0b6e45", "#55cf9a")
BAD = Ink("bad", "#a93a12", "#ff9f7a")
OPEN = Ink("open", "#6a5400", "#e5c25c")
PARTS = (PAPER, TINT, WARM, TEXT, MUTED, GRID, EDGE, GOOD, BAD, OPEN)

BASELINE = ("#5b7690", "#9db6cd")
OTHERS = (
    ("#d55e00", "#ff9447"),
    ("#009e73", "#35c79d"),
    ("#b25a8f", "#e29ac6"),
    ("#0072b2", "#58b0ea"),
    ("#b27700", "#edb640"),
    ("#2e8bc0", "#8fd0f5"),
)
"""After Okabe & Ito (2008), darkened where the contrast with paper was below 3:1; light and dark."""


@dataclass(frozen=True)
class Palette:
    """The inks of a report.

    Attributes:
        variants: by name, the baseline first.
    """

    variants: dict[str, Ink]

    @property
    def inks(self) -> tuple[Ink, ...]:
        """All inks: of the page, then of the variants."""
        return (*PARTS, *self.variants.values())

    @property
    def baseline(self) -> str:
        """The variant whose lines are dashed."""
        return next(iter(self.variants))

    def light(self, variant: str) -> str:
        """The colour in which figures draw a variant."""
        return self.variants[variant].light

    def dash(self, variant: str) -> str | tuple[int, tuple[float, float]]:
        """How figures draw a variant's line: the baseline's dashed, in whatever order they are declared."""
        return (0, (4, 1.5)) if variant == self.baseline else "-"


def palette_of(study: Study) -> Palette:
    """A grey-blue for the baseline, a colour of its own for every other variant."""
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    inks = {study.baseline: Ink("v0", *BASELINE)}
    pairs = OTHERS if len(others) <= len(OTHERS) else _evenly_spaced(len(others))
    for i, (name, (light, dark)) in enumerate(zip(others, pairs, strict=False), start=1):
        inks[name] = Ink(f"v{i}", light, dark)
    return Palette(inks)


def _evenly_spaced(amount: int) -> tuple[tuple[str, str], ...]:
    """More colours than the eye tells apart by name: hues at even distances, light and dark."""
    light, dark = sns.husl_palette(amount, l=0.5).as_hex(), sns.husl_palette(amount, l=0.75).as_hex()
    return tuple(zip(light, dark, strict=True))
