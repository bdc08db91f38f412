"""Computation: pairs of outcomes whose law is known, many samples at once.

Both outcomes of a pair share what their seed brought. Without an effect they are exchangeable, so their
differences are symmetric about zero whatever the margins; with one, the mean difference and the probability
of improvement follow from the law, and the differences are as skewed as such an effect makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Kind = Literal["normal", "tied", "censored", "skewed"]
Numbers = npt.NDArray[np.float64]

KINDS: tuple[Kind, ...] = ("normal", "tied", "censored", "skewed")
PAIRS = (6, 10, 30)

IMAGES = 10
"""Tied: shares of so few images right, as accuracies near the ceiling are few levels."""

END = 15
"""Censored: epochs to a threshold, cut off at the last."""

ERRORS = np.array([0.05, 0.1, 0.2])
SCALES = np.array([5.0, 10.0, 20.0])
"""What the seeds bring, one of three: a rate of errors, or a mean time."""

STEP, SPREAD = 0.8, 2.0
"""Normal: the mean of the effect, and the standard deviation of the variant that has it; 1 without."""


@dataclass(frozen=True)
class Truth:
    """What is estimated: of the variant minus the baseline.

    Attributes:
        mean: difference.
        improvement: P(variant > baseline) + P(tie)/2.
    """

    mean: float
    improvement: float


def draw(
    kind: Kind, rng: np.random.Generator, shape: tuple[int, ...], *, effect: float = 0.0
) -> tuple[Numbers, Numbers]:
    """Outcomes of variant and baseline, each of the shape.

    Args:
        kind: of data: normal; shares right of ten images; whole epochs cut off at 15; exponential.
        rng: draws them.
        shape: of the samples.
        effect: 0 for none, 1 for all of it. The normal variant gains 0.8 and twice the spread; of the others
            a half of the errors, or of the time, is gone.
    """
    seed = rng.integers(0, 3, shape)
    less = 1 - effect / 2
    if kind == "normal":
        shared = 12.0 + seed
        spread = 1 + effect * (SPREAD - 1)
        return shared + rng.normal(effect * STEP, spread, shape), shared + rng.normal(size=shape)
    if kind == "tied":
        errors = ERRORS[seed]
        hits = [rng.binomial(IMAGES, 1 - share) for share in (errors * less, errors)]
        return hits[0] / IMAGES, hits[1] / IMAGES
    scale = SCALES[seed]
    variant, baseline = (rng.exponential(one) for one in (scale * less, scale))
    if kind == "skewed":
        return variant, baseline
    return np.minimum(np.ceil(variant), END), np.minimum(np.ceil(baseline), END)


def differences(
    kind: Kind, rng: np.random.Generator, shape: tuple[int, ...], *, effect: float = 0.0
) -> Numbers:
    """Variant minus baseline, as `draw` gives them."""
    variant, baseline = draw(kind, rng, shape, effect=effect)
    return variant - baseline


def truth(kind: Kind, *, effect: float = 0.0) -> Truth:
    """What the law says of the differences: closed forms, and sums over all outcomes."""
    less = 1 - effect / 2
    if kind == "normal":
        spread = math.hypot(1 + effect * (SPREAD - 1), 1)
        return Truth(effect * STEP, float(stats.norm.cdf(effect * STEP / spread)))
    if kind == "skewed":
        return Truth(float(SCALES.mean()) * (less - 1), less / (less + 1))
    laws = [_binomial_law(one, less) if kind == "tied" else _censored_law(one, less) for one in range(3)]
    found = []
    for values, ours, theirs in laws:
        gaps = np.subtract.outer(values, values)
        chances = np.outer(ours, theirs)
        found.append((float((chances * gaps).sum()), float((chances * (np.sign(gaps) + 1) / 2).sum())))
    mean, improvement = np.mean(found, axis=0)
    return Truth(float(mean), float(improvement))


def _binomial_law(seed: int, less: float) -> tuple[Numbers, Numbers, Numbers]:
    """The shares there are, with the chances of variant and of baseline."""
    hits = np.arange(IMAGES + 1)
    chances = [stats.binom.pmf(hits, IMAGES, 1 - ERRORS[seed] * by) for by in (less, 1.0)]
    return hits / IMAGES, chances[0], chances[1]


def _censored_law(seed: int, less: float) -> tuple[Numbers, Numbers, Numbers]:
    """The epochs there are, with the chances of variant and of baseline: what is left after each."""
    epochs = np.arange(1.0, END + 1)
    chances = []
    for by in (less, 1.0):
        left = np.exp(-np.arange(END + 1) / (SCALES[seed] * by))
        left[-1] = 0.0  # all are cut off at the end
        chances.append(-np.diff(left))
    return epochs, chances[0], chances[1]
