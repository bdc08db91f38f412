"""Computation: what every method asks of its numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.errors import InputError

Values = npt.ArrayLike
Numbers = npt.NDArray[np.float64]


def finite(values: Values, *, what: str = "differences", least: int = 1) -> Numbers:
    """The values as a flat array of floats.

    Args:
        values: [n].
        what: they are, in the plural, for the error.
        least: how many the method needs.

    Raises:
        InputError: fewer of them, or one that is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    bad = int(np.count_nonzero(~np.isfinite(numbers)))
    if numbers.size < least or bad:
        raise InputError(
            f"{numbers.size} {what}, {bad} of them not finite",
            rule=f"every one must be a finite number, and there must be {least} or more",
            remedy="drop pairs without a value and report how many, or give them a rank of their own",
        )
    return numbers
