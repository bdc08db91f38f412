"""Computation: p-values of a family of tests, corrected together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from statsmodels.stats.multitest import multipletests


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given.

    A NaN is a test that could not be made: it stays NaN and does not count in the family.

    Args:
        p_values: [m], each in [0, 1] or NaN.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    made = ~np.isnan(raw)
    if made.any():
        adjusted[made] = multipletests(raw[made], method="holm")[1]
    return adjusted
