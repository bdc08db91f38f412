"""Declaration: how an effect changes over a factor, and over which of its levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.settings import Scalar
from harness.errors import InputError, nearest

Measure = Literal["per doubling", "per factor of ten", "last minus first level", "any level"]
"""How levels are compared: by the slope of a line, by two of them, or whether anything differs at all."""

SLOPES = ("per doubling", "per factor of ten")


@dataclass(frozen=True)
class Change:
    """How a seed's values at the levels of a factor become one number.

    Attributes:
        factor: its name.
        levels: those that count, in order: the slope is over all of them, the last minus the first is of two.
            Fewer than two where a call holds the factor at one level: then there is no change to measure.
        measure: a slope, or the last minus the first.
    """

    factor: str
    levels: tuple[Scalar, ...]
    measure: Measure

    @property
    def measurable(self) -> bool:
        """Whether there are levels to compare."""
        return len(self.levels) > 1

    @property
    def words(self) -> str:
        """As it follows a unit: per doubling of batch_size; from init default to large."""
        if not self.measurable:
            return f"over {self.factor}"
        if self.measure in SLOPES:
            return f"{self.measure} of {self.factor}"
        return f"from {self.factor} {self.levels[0]} to {self.levels[-1]}"


def measure_of(factor: Factor) -> Measure:
    """How all levels of a factor are compared."""
    if factor.kind in (bool, str):
        return "last minus first level" if len(factor.levels) == 2 else "any level"
    if factor.name == "batch_size":
        return "per doubling"
    return "per factor of ten" if factor.logarithmic else "last minus first level"


def in_order(factor: Factor) -> tuple[Scalar, ...]:
    """The levels, in ascending order where they are numbers, else as declared."""
    return factor.levels if factor.kind in (bool, str) else tuple(sorted(factor.levels, key=float))


def check_changes(findings: Sequence[Finding], *, factors: Sequence[Factor], where: str) -> None:
    """Refuse findings on a change over what is no factor, or over levels that leave open what it is.

    A factor that a call holds at one level is none of that: a change over it is not measured then.

    Args:
        findings: those of the study.
        factors: its factors.
        where: names the study.

    Raises:
        InputError: `over` is no factor, `levels` are not its own, or are needed and not given.
    """
    for finding in findings:
        if finding.over:
            _check_over(finding, factors, where=f"{where}, finding {finding.name!r}")


def _check_over(finding: Finding, factors: Sequence[Factor], *, where: str) -> None:
    factor = next((factor for factor in factors if factor.name == finding.over), None)
    if factor is None:
        names = [factor.name for factor in factors]
        raise InputError(
            f"{where}: over = {finding.over!r}",
            rule=f"over names a factor of the study ({', '.join(names) or 'it has none'})",
            remedy=nearest(finding.over, names) if names else "declare the factor, or leave `over` out",
        )
    levels = ", ".join(map(repr, factor.levels))
    if not factor.fixed and not set(finding.levels) <= set(factor.levels):
        raise InputError(
            f"{where}: levels = {finding.levels!r}",
            rule=f"they are two of the levels of {factor.name}, here {levels}",
            remedy="name two of these; a call that narrows the factor keeps both, or holds it at one level",
        )
    if factor.kind is str and len(factor.levels) > 2 and not finding.levels:
        raise InputError(
            f"{where}: over = {finding.over!r}, without levels",
            rule=f"of levels that are no numbers a claim names two, here of {levels}",
            remedy=f"for instance levels={factor.levels[:2]!r}: the difference at the second minus that at "
            "the first",
        )


def change_of(finding: Finding, factors: Sequence[Factor]) -> Change | None:
    """What a finding compares of each variant; None for one on the mean over all combinations.

    Args:
        finding: of a study, which has checked it.
        factors: of the study, as this call has them.
    """
    if not finding.over:
        return None
    factor = next(factor for factor in factors if factor.name == finding.over)
    if finding.levels:
        there = tuple(level for level in finding.levels if level in factor.levels)
        return Change(factor.name, there, "last minus first level")
    levels, measure = in_order(factor), measure_of(factor)
    if measure not in SLOPES:
        levels = tuple(dict.fromkeys((levels[0], levels[-1])))
    return Change(factor.name, levels, measure)
