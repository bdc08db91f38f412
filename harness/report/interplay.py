"""Computation: interactions -> the table that says on what the effect depends."""

from __future__ import annotations

from dataclasses import dataclass

from harness.findings.interactions import Interaction
from harness.report.words import ACCURACY, NOTHING, effect, limits, p_value


@dataclass(frozen=True)
class InteractionRow:
    """One line of the table, as it is shown."""

    factor: str
    variant: str
    measure: str
    change: str
    limits: str
    p: str
    p_adjusted: str
    n: int
    dropped: int
    reading: str


def interaction_rows(found: list[Interaction]) -> list[InteractionRow]:
    """The interactions in words and digits; empty for a study without factors."""
    return [
        InteractionRow(
            factor=one.factor,
            variant=one.variant,
            measure=_measure(one),
            change=effect(one.interval, ACCURACY, named=False),
            limits=limits(one.interval, ACCURACY),
            p=p_value(one.test.p) if one.test else NOTHING,
            p_adjusted=p_value(one.p_adjusted),
            n=one.n,
            dropped=one.dropped,
            reading=_reading(one),
        )
        for one in found
    ]


def _measure(one: Interaction) -> str:
    if one.measure == "last minus first level":
        return f"from {one.levels[0]} to {one.levels[-1]}"
    if one.measure == "any level":
        return f"over {len(one.levels)} levels (F test)"
    return one.measure


def _reading(one: Interaction) -> str:
    if one.reading in ("rises", "falls"):
        return f"the effect {one.reading} with {one.factor}"
    if one.reading == "depends":
        return f"the effect depends on {one.factor}"
    return one.reading
