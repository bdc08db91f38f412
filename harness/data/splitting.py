"""Computation: which training images are held back for validation."""

from __future__ import annotations

import math

import numpy as np

from harness.data.dataset import Labels
from harness.errors import InputError


def validation_indices(labels: Labels, *, fraction: float, seed: int) -> tuple[Labels, Labels]:
    """Draw a validation part that holds the same share of every class.

    Of a class with m images, fraction × m rounded half up are drawn: those with the smallest of m numbers
    from PCG64, classes in ascending order. The raw numbers are used since NumPy keeps only those the same
    in all versions (NEP 19), so the draw depends on labels, fraction and seed alone.

    Args:
        labels: int64 [n].
        fraction: the share that is held back, 0 to below 1; 0 holds nothing back.
        seed: of the generator, 0 or more.

    Returns:
        The indices that stay for training and those held back, both int64, ascending, disjoint, and
        together 0..n-1.

    Raises:
        InputError: the fraction is out of range, or a class would be left without images in one of the
            parts.
    """
    if not 0 <= fraction < 1:  # also refuses NaN
        raise InputError(
            f"validation fraction {fraction!r}",
            rule="it is at least 0 and less than 1",
            remedy="choose e.g. 0.1, or 0 for no validation part",
        )
    everything = np.arange(len(labels), dtype=np.int64)
    if fraction == 0:
        return everything, everything[:0]
    generator = np.random.PCG64(seed)
    held_back = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = everything[labels == label]
        count = math.floor(fraction * len(members) + 0.5)
        if not 0 < count < len(members):
            part = "validation" if count == 0 else "training"
            raise InputError(
                f"validation fraction {fraction!r}, where class {label} has {len(members)} images",
                rule=f"every class keeps at least one image in each part; {part} would have none",
                remedy="choose another fraction, or 0 for no validation part",
            )
        drawn = np.argsort(generator.random_raw(len(members)), kind="stable")[:count]
        held_back[members[drawn]] = True
    return everything[~held_back], everything[held_back]
