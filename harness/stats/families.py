"""Computation: p-values of a family of tests, corrected together.

A NaN is a test that could not be made: it stays NaN and does not count in the family.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.errors import InputError
from harness.stats.checks import Numbers


def holm(p_values: npt.ArrayLike) -> Numbers:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given: no false claim, at rate α.

    Args:
        p_values: [m], each in [0, 1] or NaN.

    Raises:
        InputError: a p outside [0, 1].
    """
    return _adjusted(p_values, _holm)


def bonferroni(p_values: npt.ArrayLike) -> Numbers:
    """The p-values times their number (Dunn 1961), in the order given: never below Holm's.

    Args:
        p_values: [m], each in [0, 1] or NaN.

    Raises:
        InputError: a p outside [0, 1].
    """
    return _adjusted(p_values, lambda raw: np.minimum(raw * raw.size, 1.0))


def benjamini_hochberg(p_values: npt.ArrayLike) -> Numbers:
    """Benjamini and Hochberg's step-up adjusted p-values (1995), in the order given.

    Claims at p ≤ q are false in a share of q at most, on average: less than Holm promises. It holds for tests
    that are independent or depend positively (Benjamini & Yekutieli 2001).

    Args:
        p_values: [m], each in [0, 1] or NaN.

    Raises:
        InputError: a p outside [0, 1].
    """
    return _adjusted(p_values, stats.false_discovery_control)


def _holm(raw: Numbers) -> Numbers:
    """Holm's adjusted p; statsmodels' `multipletests` collects garbage in every call: 0.2 s beside torch."""
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _adjusted(p_values: npt.ArrayLike, adjust: Callable[[Numbers], Numbers]) -> Numbers:
    """The p-values adjusted, NaN left out."""
    raw = np.asarray(p_values, dtype=np.float64)
    if not np.all(np.isnan(raw) | ((raw >= 0) & (raw <= 1))):
        raise InputError(
            f"p-values from {np.nanmin(raw):g} to {np.nanmax(raw):g}",
            rule="a p-value lies between 0 and 1; NaN stands for a test that could not be made",
            remedy="pass p-values as the tests gave them",
        )
    adjusted = np.full(raw.shape, np.nan)
    made = ~np.isnan(raw)
    if made.any():
        adjusted[made] = adjust(raw[made])
    return adjusted
