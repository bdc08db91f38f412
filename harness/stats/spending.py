"""Computation: how much of α the looks of a sequential test may spend, and the bounds of a normal one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from harness.design.looks import Spending
from harness.errors import InputError
from harness.stats.checks import Numbers, finite

NODES = 80
"""Gauss–Legendre nodes a look: crossing probabilities of ten equal looks are then right to 10⁻¹²."""

FARTHEST = 38.0
"""Standard deviations beyond which the normal tail is zero in double precision."""


def spent(fractions: npt.ArrayLike, *, alpha: float = 0.05, kind: Spending = "obrien-fleming") -> Numbers:
    """The α that a two-sided test has spent at each fraction of its information (Lan & DeMets 1983).

    Each tail spends half of α: O'Brien–Fleming-like 2(1 − Φ(z/√t)) with z the upper α/4 point, Pocock-like
    (α/2) ln(1 + (e − 1)t); the sum of both tails is given. It is 0 before any information and exactly α at
    all of it. (The first formula with α/2 for the whole of a two-sided test would spend more at the start.)

    Args:
        fractions: [k], each from 0 to 1: the pairs at a look over the pairs at the last one.
        alpha: error rate of the whole test, two-sided.
        kind: of spending.

    Raises:
        InputError: a fraction outside [0, 1], an α outside (0, 1), an unknown kind.
    """
    shares = finite(fractions, what="fractions of information")
    check_alpha(alpha)
    if shares.min() < 0 or shares.max() > 1:
        raise InputError(
            f"fractions of information from {shares.min():g} to {shares.max():g}",
            rule="a fraction lies between 0 and 1",
            remedy="divide the pairs at each look by the pairs at the last one",
        )
    if kind == "pocock":
        used = alpha * np.log1p((np.e - 1) * shares)
    elif kind == "obrien-fleming":
        with np.errstate(divide="ignore"):
            used = 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(shares))
    else:
        raise InputError(
            f"spending {kind!r}",
            rule="α is spent as obrien-fleming or pocock",
            remedy="use one of these two",
        )
    return np.where(shares == 1, alpha, np.minimum(used, alpha))


def check_alpha(alpha: float) -> None:
    """Refuse an error rate that is none.

    Raises:
        InputError: α is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise InputError(
            f"α = {alpha:g}",
            rule="an error rate lies between 0 and 1, both excluded",
            remedy="use 0.05, divided by the number of primary findings",
        )


def crossing_probabilities(bounds: Sequence[float], *, fractions: Sequence[float]) -> Numbers:
    """The probability that a standardised normal sum first leaves ±bound at each look, without an effect.

    The density of the sums that have stayed inside is carried from look to look by numerical integration
    (Armitage, McPherson & Rowe 1969). A sign-flip test has bounds of its own: this checks the spending.

    Args:
        bounds: [k], of |z|.
        fractions: [k], of the information, rising.
    """
    times = np.asarray(fractions, dtype=np.float64)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    points, mass = np.zeros(1), np.ones(1)  # where the sum is, and with which probability
    found = []
    for bound, time, before in zip(bounds, times, np.concatenate(([0.0], times[:-1])), strict=True):
        edge, spread = bound * np.sqrt(time), np.sqrt(time - before)
        leaving = special.ndtr((points - edge) / spread) + special.ndtr((-edge - points) / spread)
        found.append(float(mass @ leaving))
        reached = edge * nodes
        density = mass @ np.exp(-(((reached - points[:, None]) / spread) ** 2) / 2)
        points, mass = reached, density * edge * weights / (spread * math.sqrt(2 * math.pi))
    return np.array(found)


def normal_bounds(
    fractions: Sequence[float], *, alpha: float = 0.05, kind: Spending = "obrien-fleming"
) -> Numbers:
    """The bounds of |z| with which a two-sided normal test spends α as told (Lan & DeMets 1983).

    They are not the bounds of the sign-flip test, whose distribution is discrete, nor quite the ones of
    O'Brien & Fleming (1979) and Pocock (1977): for two equal looks 2.963 and 1.969, not 2.797 and 1.977.

    Args:
        fractions: [k], of the information, rising, the last one 1.
        alpha: error rate of the whole test, two-sided.
        kind: of spending.
    """
    wanted = spent(fractions, alpha=alpha, kind=kind)
    bounds: list[float] = []

    def excess(bound: float) -> float:
        reached = crossing_probabilities([*bounds, bound], fractions=fractions[: len(bounds) + 1])
        return float(reached.sum() - wanted[len(bounds)])

    for _ in fractions:
        bounds.append(float(optimize.brentq(excess, 0.0, FARTHEST, xtol=1e-10)))
    return np.array(bounds)
