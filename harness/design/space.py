"""Declaration: what a searched setting may be: a number of a range, or one of several values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from harness.design.settings import Scalar, Value, check_settings
from harness.errors import InputError

MEASURING = (
    "train_images", "test_images", "validation", "loss", "metrics", "probe_size", "threshold",
    "sampled_weights", "watched_weights",
)  # fmt: skip
"""What a run is measured by; values of two configurations could not be compared if it were searched."""

MOST_TRIED = 4096
"""Whole numbers of a range that are held against the setting's rule one by one."""

Params = dict[str, Scalar]
"""A configuration: the searched settings with their values."""


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, both included.

    Where both ends are whole, and the setting takes whole numbers, only these are proposed.

    Attributes:
        low: the lower end.
        high: the upper end.
        log: equal ratios are equally likely, instead of equal differences.

    Raises:
        InputError: ends that are no numbers or in the wrong order, or a logarithm of what is not above 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        finite = all(
            isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in ends
        )
        if not finite or self.low >= self.high or (self.log and self.low <= 0):
            raise InputError(
                f"{self!r}",
                rule="a range goes from a number to a larger one, from above 0 if it is logarithmic",
                remedy="for instance Range(0.001, 1.0, log=True)",
            )
        if {type(end) for end in ends} == {int, float}:
            object.__setattr__(self, "low", float(self.low))
            object.__setattr__(self, "high", float(self.high))

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int)

    @property
    def middle(self) -> float:
        """The number half way, by ratio in a logarithmic range."""
        half = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return round(half) if self.whole else half

    def __str__(self) -> str:
        return f"{self.low!r} to {self.high!r}{', logarithmic' if self.log else ''}"


Options = Range | tuple[Scalar, ...]
"""What a searched setting may be."""


def in_words(space: Mapping[str, Options]) -> list[str]:
    """Each setting with what it may be: `lr from 0.001 to 1.0, logarithmic`, `batch_size 8, 32 or 128`."""
    return [
        f"{name} from {options}"
        if isinstance(options, Range)
        else f"{name} {', '.join(map(str, options[:-1]))} or {options[-1]}"
        for name, options in space.items()
    ]


def middle(space: Mapping[str, Options]) -> Params:
    """A configuration half way along everything, to reckon with before there is one."""
    return {
        name: options.middle if isinstance(options, Range) else options[len(options) // 2]
        for name, options in space.items()
    }


def check_options(name: str, options: Any) -> Options:
    """What a setting may be, in the type of the setting.

    Raises:
        InputError: a setting that can't be searched, nothing to choose from, or a value that breaks a rule.
    """
    where = f"search over {name!r}"
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(where, rule="a setting's name is a Python identifier", remedy="mend the name")
    if name in MEASURING:
        raise InputError(
            where,
            rule="a search varies how a network is made and trained, not how it is measured "
            f"({', '.join(MEASURING)})",
            remedy="fix it in the study's settings, or let the variants differ in it",
        )
    if isinstance(options, Range):
        return _range(name, options, where=where)
    if not isinstance(options, list | tuple) or len(options) < 2:
        raise InputError(
            f"{where}: {options!r}",
            rule="a space gives a setting a range, or two values or more to choose from",
            remedy="for instance Range(0.001, 1.0, log=True), or (8, 32, 128)",
        )
    return _values(name, options, where=where)


def _values(name: str, given: Sequence[Any], *, where: str) -> tuple[Scalar, ...]:
    values = tuple(_check(name, value, where=where) for value in given)
    kinds = {type(value) for value in values}
    plain = kinds <= {bool, int, float, str} and (len(kinds) == 1 or kinds == {int, float})
    if not plain or len(set(values)) < len(values):
        raise InputError(
            f"{where}: {values!r}",
            rule="the values differ from each other, and all are numbers, texts or true/false",
            remedy="name each value once, in one type",
        )
    return cast("tuple[Scalar, ...]", values)


def _range(name: str, given: Range, *, where: str) -> Range:
    low, high = (cast("float", _check(name, end, where=where)) for end in (given.low, given.high))
    found = Range(low, high, given.log)
    step = (high - low) * 1e-6
    inside = range(int(low), int(high))[:MOST_TRIED] if found.whole else (low + step, high - step)
    for value in inside:
        try:
            _check(name, value, where=where)
        except InputError as error:
            raise InputError(
                error.received,
                rule=f"{error.rule}; a range keeps that between its ends too",
                remedy="narrow the range, or name the values to choose from, as in (1, 3, 5)",
            ) from None
    return found


def _check(name: str, value: Any, *, where: str) -> Value:
    return check_settings({name: value}, where=where, own_allowed=True)[name]
