"""Computation: p-values of a family of tests, corrected together.

A NaN is a test that could not be made: it stays NaN and does not count in the family.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from statsmodels.stats.multitest import multipletests


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given: no false claim, at rate α.

    Args:
        p_values: [m], each in [0, 1] or NaN.
    """
    return _adjusted(p_values, "holm")


def bonferroni(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The p-values times their number (Dunn 1961), in the order given: never below Holm's.

    Args:
        p_values: [m], each in [0, 1] or NaN.
    """
    return _adjusted(p_values, "bonferroni")


def benjamini_hochberg(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Benjamini and Hochberg's step-up adjusted p-values (1995), in the order given.

    Claims at p ≤ q are false in a share of q at most, on average: less than Holm promises. It holds for tests
    that are independent or depend positively (Benjamini & Yekutieli 2001).

    Args:
        p_values: [m], each in [0, 1] or NaN.
    """
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: npt.ArrayLike, method: str) -> npt.NDArray[np.float64]:
    """The p-values adjusted by one of statsmodels' methods, NaN left out."""
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    made = ~np.isnan(raw)
    if made.any():
        adjusted[made] = multipletests(raw[made], method=method)[1]
    return adjusted
