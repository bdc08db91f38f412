"""Computation: numbers, p-values and effects in the words of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from harness.design.change import Change
from harness.design.finding import Finding
from harness.design.resolution import ALPHA
from harness.stats.results import Interval

Numbers = TypeVar("Numbers", np.float64, npt.NDArray[np.float64])

NOTHING = "–"
"""Stands for a number that there is not."""

INTERVAL = "95\N{NO-BREAK SPACE}% interval"

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Unit:
    """How the values of an endpoint are shown.

    Attributes:
        scale: what a value is multiplied by.
        decimals: the fewest decimals of a difference, and those of a mean.
        sign: follows a value, as in 92.4 %.
        name: follows a difference, as in 6.7 percentage points.
        axis: follows the label of an axis of values, unless it says it all.
        logarithmic: values are logarithms and shown as what they are the logarithms of; so differences are
            shown as ratios.
        change: values are changes over a factor, differences themselves, and shown like these.
    """

    scale: float
    decimals: int
    sign: str
    name: str
    axis: str
    logarithmic: bool = False
    change: bool = False

    def value(self, stored: Numbers) -> Numbers:
        """Values as they are shown."""
        return (np.exp(stored) if self.logarithmic else stored) * self.scale

    def difference(self, stored: Numbers) -> Numbers:
        """Differences of values as they are shown."""
        return np.exp(stored) if self.logarithmic else stored * self.scale


_PERCENT = "\N{NO-BREAK SPACE}%"
UNITS = {
    "log_error": Unit(100, 2, _PERCENT, "× the errors", "%", logarithmic=True),
    "accuracy": Unit(100, 2, _PERCENT, "percentage points", "%"),
    "epochs_to_threshold": Unit(1, 2, "", "epochs", ""),
    "sign_flip_rate": Unit(1, 3, "", "flips per update", "0 to 1"),
    "gradient_cosine": Unit(1, 3, "", "in the cosine", "−1 to 1"),
    "gradient_change": Unit(1, 3, "", "of the gradient's length", ""),
    "tortuosity": Unit(1, 2, "", "path lengths per distance", ""),
    "update_cosine": Unit(1, 3, "", "in the cosine", "−1 to 1"),
    "update_turns": Unit(1, 3, "", "of the weights", "0 to 1"),
    "pair_tortuosity": Unit(1, 2, "", "path lengths per distance", ""),
    "pair_cosine": Unit(1, 3, "", "in the cosine", "−1 to 1"),
    "loss_climbed": Unit(1, 3, "", "nats", "nats"),
    "loss_range": Unit(1, 3, "", "nats", "nats"),
    "generalisation_gap": Unit(100, 2, "", "percentage points", "percentage points"),
}
"""The unit of each endpoint, by its name."""

ACCURACY = UNITS["accuracy"]
PLAIN_UNIT = Unit(1, 3, "", "", "")


def unit_of(endpoint: str, *, change: Change | None = None) -> Unit:
    """The unit of an endpoint, or of its change over a factor; plain numbers where it has none of its own."""
    unit = ACCURACY if endpoint.endswith(":accuracy") else UNITS.get(endpoint, PLAIN_UNIT)
    if change is None:
        return unit
    return replace(
        unit,
        scale=1 if unit.logarithmic else unit.scale,
        sign="",
        name=f"{unit.name} {change.words}".lstrip(),
        axis="as a ratio" if unit.logarithmic else unit.axis and unit.name,
        change=True,
    )


class Judged(Protocol):
    """A finding on one variant, as contrasts and prospects are."""

    @property
    def finding(self) -> Finding:
        """What is claimed."""

    @property
    def change(self) -> Change | None:
        """What is compared where the finding is on a change over a factor."""


def unit_in(one: Judged) -> Unit:
    """The unit in which a contrast, or the prospect of one, is told."""
    return unit_of(one.finding.endpoint, change=one.change)


def number(value: float, decimals: int = 2) -> str:
    """A number with a true minus sign and thousands separated; a dash where it is not finite."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "−")


def signed(value: float, decimals: int = 2) -> str:
    """A number that always bears its sign, except zero."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def plain(value: float) -> str:
    """A number as short as three digits allow, above a thousand a whole one: 0.05, 3, 3,000, 10⁻⁶."""
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    digits, _, exponent = text.partition("e")
    digits = digits.replace("-", "−")
    if not exponent:
        return digits
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    return power if digits == "1" else f"{digits} × {power}"


def p_value(p: float) -> str:
    """An exact p with two significant digits: 0.0039; below 0.0001 in powers of ten: 1.9 × 10⁻⁹.

    More digits are given where rounding would move p across 0.05.
    """
    if math.isnan(p):
        return NOTHING
    if p >= 0.995:
        return "1"
    if p < 1e-4:
        mantissa, _, exponent = f"{p:.1e}".partition("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}" if p > 0 else "0"
    decimals = 1 - _magnitude(p)
    while (round(p, decimals) < ALPHA) != (p < ALPHA):
        decimals += 1
    return f"{p:.{decimals}f}"


def levels_in_words(levels: Mapping[str, object], *, sign: str = " = ") -> str:
    """A combination of levels: lr = 0.01, dropout = 0.0; empty without factors."""
    return ", ".join(f"{name}{sign}{level}" for name, level in levels.items())


def p_statement(p: float, *, name: str = "p") -> str:
    """A p as it stands in a sentence: p = 0.0039."""
    return f"{name} = {p_value(p)}"


def level(value: float, unit: Unit) -> str:
    """A value of an endpoint: 92.40 %; of a change +1.20, or a ratio."""
    shown = float(unit.value(np.float64(value)))
    if not math.isfinite(value):
        return NOTHING
    if unit.change:
        return _ratio(shown) if unit.logarithmic else signed(shown, unit.decimals)
    return f"{number(shown, unit.decimals)}{unit.sign}"


def effect(interval: Interval | None, unit: Unit, *, named: bool = True) -> str:
    """A mean difference with its sign, and with its unit unless told otherwise."""
    if interval is None:
        return NOTHING
    text = _difference(interval.estimate, interval, unit)
    return f"{text} {unit.name}".rstrip() if named else text


def limits(interval: Interval | None, unit: Unit) -> str:
    """The limits of an interval: +6.2 to +7.2."""
    if interval is None or not math.isfinite(interval.low):
        return NOTHING
    return f"{_difference(interval.low, interval, unit)} to {_difference(interval.high, interval, unit)}"


def _difference(value: float, interval: Interval, unit: Unit) -> str:
    shown = float(unit.difference(np.float64(value)))
    return _ratio(shown) if unit.logarithmic else signed(shown, decimals_of(interval, unit))


def _ratio(value: float) -> str:
    """A ratio with two significant digits, or three from 1 on: 0.10, 1.05, 84.4."""
    return number(value, max(0, (2 if value >= 1 else 1) - _magnitude(value)))


def decimals_of(interval: Interval, unit: Unit) -> int:
    """As many decimals as leave the half width of an interval two significant digits."""
    half = (interval.high - interval.low) / 2 * unit.scale
    if not math.isfinite(half) or half <= 0:
        return unit.decimals
    return min(6, max(unit.decimals - 1, 1 - _magnitude(half)))


def _magnitude(value: float) -> int:
    """The power of ten of a number that is rounded to two significant digits: 0.0998 is 1.0 × 10⁻¹."""
    return int(f"{value:.1e}".partition("e")[2])


def percent(value: float, decimals: int = 1) -> str:
    """A share as a percentage."""
    return f"{number(value * 100, decimals)}\N{NO-BREAK SPACE}%" if math.isfinite(value) else NOTHING


def count(amount: int, noun: str) -> str:
    """An amount with its noun: 1 run, 3 runs."""
    return f"{amount:,} {noun if amount == 1 else noun + 's'}"


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them: a, b and c."""
    parts: Sequence[str] = list(words)
    return parts[0] if len(parts) == 1 else " and ".join((", ".join(parts[:-1]), parts[-1])) if parts else ""


def sentence(words: str) -> str:
    """Words with a capital at the start and a full stop at the end."""
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?", "!")) else ".")
