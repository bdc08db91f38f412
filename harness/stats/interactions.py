"""Computation: whether an effect depends on the level of a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite

Scale = Literal["log2", "log10", "identity"]
"""What a factor's levels are taken on: log₂ for batch sizes, log₁₀ for learning rates."""


@dataclass(frozen=True)
class AnovaResult:
    """What a repeated-measures analysis of variance says of an interaction.

    Attributes:
        statistic: F; 0 where nothing varies, infinite where the interaction is the same for every seed.
        freedom: degrees of freedom of the interaction.
        error_freedom: of its error term, interaction × seed.
        p: if the contrasts vary alike (sphericity).
        epsilon: Greenhouse & Geisser's, from 1/freedom to 1 (sphericity); NaN where seeds do not differ.
        corrected_p: with both degrees of freedom times ε.
        n: seeds.
    """

    statistic: float
    freedom: int
    error_freedom: int
    p: float
    epsilon: float
    corrected_p: float
    n: int


def slopes(differences: Values, levels: Values, *, scale: Scale) -> Numbers:
    """One slope a seed: of its difference over the factor's levels, by least squares.

    They are tested and estimated like any differences: `sign_flip_test(slopes(...))`. A slope is per
    doubling on log2, per factor of ten on log10.

    Args:
        differences: [seed, level], variant minus baseline.
        levels: [level], as declared, in the order of the columns.
        scale: of the levels.

    Raises:
        InputError: no table, a value that is not finite, fewer than two distinct levels, or a level that has
            no logarithm.
    """
    table = _table(differences, axes=("seed", "level"), what="differences")
    at = finite(levels, what="levels", least=2)
    if at.size != table.shape[1] or np.unique(at).size < 2 or (scale != "identity" and at.min() <= 0):
        raise InputError(
            f"levels {at.tolist()} on scale {scale!r} for {table.shape[1]} columns of differences",
            rule="one level a column, two of them distinct, and above zero on a logarithmic scale",
            remedy="give the levels that the columns stand for, or scale='identity' where one is zero",
        )
    placed = {"log2": np.log2, "log10": np.log10, "identity": np.positive}[scale](at)
    centred = placed - placed.mean()
    found: Numbers = table @ centred / (centred @ centred)
    return found


def differences_in_differences(differences: Values) -> Numbers:
    """One contrast a seed: its difference at the last level minus that at the first.

    They are tested and estimated like any differences.

    Args:
        differences: [seed, level], variant minus baseline, levels in ascending order.

    Raises:
        InputError: no table, fewer than two levels, or a value that is not finite.
    """
    table = _table(differences, axes=("seed", "level"), what="differences", least=(1, 2))
    contrasts: Numbers = table[:, -1] - table[:, 0]
    return contrasts


def repeated_measures_anova(values: Values) -> AnovaResult:
    """The omnibus test of variant × level, every seed seen in every cell.

    F = (SS of the interaction / its degrees of freedom) / (SS of interaction × seed / its own). The second p
    corrects for contrasts that vary unalike (Greenhouse & Geisser 1959) and is the one to report. With two
    variants and two levels both are equal, and F is t² of the difference in differences. It assumes residuals
    that are about normal. Parts smaller than 10⁻¹² of the largest value are rounding and
    count as zero: where nothing is left F is 0 and p is 1; where only the seeds' part is gone p is 0.

    Args:
        values: [seed, variant, level], balanced: one a cell.

    Raises:
        InputError: a cell without a finite value, or fewer than two seeds, variants or levels.
    """
    table = _table(values, axes=("seed", "variant", "level"), what="values", least=(2, 2, 2))
    seeds, variants, levels = table.shape
    # What is left of each seed when its variants' and its levels' means are taken out.
    parts = (
        table
        - table.mean(1, keepdims=True)
        - table.mean(2, keepdims=True)
        + table.mean((1, 2), keepdims=True)
    )
    rounding = 1e-12 * np.abs(table).max()
    common = _without(parts.mean(0), rounding)
    errors = _without(parts - parts.mean(0), rounding).reshape(seeds, -1)  # [seed, cell]
    freedom = (variants - 1) * (levels - 1)
    error_freedom = freedom * (seeds - 1)
    effect, error = seeds * float((common**2).sum()) / freedom, float((errors**2).sum()) / error_freedom
    if error == 0.0:
        statistic, p = (np.inf, 0.0) if effect > 0 else (0.0, 1.0)
        return AnovaResult(statistic, freedom, error_freedom, p, float("nan"), p, seeds)
    statistic = effect / error
    covariance = errors.T @ errors
    epsilon = float(np.trace(covariance) ** 2 / (freedom * (covariance**2).sum()))
    p = float(stats.f.sf(statistic, freedom, error_freedom))
    corrected = float(stats.f.sf(statistic, epsilon * freedom, epsilon * error_freedom))
    return AnovaResult(statistic, freedom, error_freedom, p, epsilon, corrected, seeds)


def _without(parts: Numbers, rounding: float) -> Numbers:
    """The parts, those no larger than rounding set to zero."""
    return np.where(np.abs(parts) <= rounding, 0.0, parts)


def _table(values: Values, *, axes: tuple[str, ...], what: str, least: tuple[int, ...] = (1, 1)) -> Numbers:
    """The values as an array with these axes, everything in it finite."""
    try:
        table = np.asarray(values, dtype=np.float64)
    except ValueError:
        table = np.empty(0)
    if table.ndim != len(axes) or any(have < need for have, need in zip(table.shape, least, strict=True)):
        named = ", ".join(f"{axis}: {need} or more" for axis, need in zip(axes, least, strict=True))
        raise InputError(
            f"{what} of shape {table.shape}" if table.ndim == len(axes) else f"{what} that are no table",
            rule=f"they must be balanced: one value for every [{', '.join(axes)}] ({named})",
            remedy="drop seeds with a missing cell and report how many",
        )
    finite(table, what=what)
    return table
