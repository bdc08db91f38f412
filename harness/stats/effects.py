"""Computation: how large a difference is, apart from how sure.

The mean difference with its interval is `intervals.t_interval`.
"""

from __future__ import annotations

import numpy as np

from harness.errors import InputError
from harness.stats.checks import Numbers, Values, finite
from harness.stats.intervals import share_interval
from harness.stats.paired import has_spread, level_ties, scaled
from harness.stats.results import Interval


def cohens_dz(differences: Values) -> float:
    """The mean of paired differences by their standard deviation (Cohen 1988, §2.3.5): t by √n.

    It is not d_av, which divides by the spread of the arms. A single difference, or differences that agree
    to 10⁻⁹ of the largest, have no spread to divide by: dz is NaN.

    Args:
        differences: [n], variant minus baseline, one a seed.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = finite(differences)
    if values.size < 2 or not has_spread(values):
        return float("nan")
    values = scaled(values)
    return float(values.mean() / values.std(ddof=1))


def cliffs_delta(variant: Values, baseline: Values) -> float:
    """How much more often a run of the variant is above one of the baseline than below (Cliff 1993).

    Every run of the one is compared with every run of the other, pairs ignored: P(variant > baseline) −
    P(variant < baseline), from −1 to 1. A tie counts for neither; only equal numbers tie.

    Args:
        variant: [n].
        baseline: [m].

    Raises:
        InputError: no values in one of them, or one that is not finite.
    """
    # [variant, baseline]
    ours, theirs = finite(variant, what="values")[:, None], finite(baseline, what="values")[None, :]
    return float(np.mean(ours > theirs) - np.mean(ours < theirs))


def all_pairs_improvement(variant: Values, baseline: Values) -> float:
    """The probability that a run of the variant is above a run of the baseline, whatever their seeds.

    The Mann–Whitney U by nm, ties as ½: the probability of improvement of Agarwal et al. (2021), of one task.
    It is (1 + Cliff's δ)/2, and not what `paired_improvement` estimates from runs of equal seed: a variant
    that is always a little better than its partner wins all of those and perhaps 60 % of these.

    Args:
        variant: [n].
        baseline: [m].

    Raises:
        InputError: no values in one of them, or one that is not finite.
    """
    return (1 + cliffs_delta(variant, baseline)) / 2


def paired_improvement(differences: Values, *, level: float = 0.95) -> Interval:
    """The probability that the variant is above the baseline at equal seed, with its interval.

    Wins and half the ties, by n, with `share_interval` (Clopper & Pearson 1934). It holds at least as often
    as `level` says: with ties more often still, since they vary less than wins and losses (by summing the
    multinomial, n = 2 to 30). `level_ties` says what is a tie.

    Args:
        differences: [n], variant minus baseline, one a seed; where less is better, baseline minus variant.
        level: confidence.

    Raises:
        InputError: no differences, or one that is not finite.
    """
    values = level_ties(finite(differences))
    wins = np.count_nonzero(values > 0) + np.count_nonzero(values == 0) / 2
    return share_interval(float(wins), of=values.size, level=level)


def log_error_ratio(variant: Values, baseline: Values, *, images: int) -> Numbers:
    """The logarithm of the baseline's errors by the variant's, positive where the variant errs less.

    ln of (e_baseline + ½)/(images + 1) by (e_variant + ½)/(images + 1), one a pair, where e is the number of
    errors, (1 − accuracy) · images. Near the ceiling it shows what differences of accuracy hide: from 92.4 %
    to 99.1 % errors fall to an eighth. The half (Haldane 1956; Anscombe 1956) keeps it finite where there is
    no error at all. A logarithm of 0.69 says half the errors.

    Args:
        variant: accuracies in [0, 1], of any shape.
        baseline: accuracies of the same shape, pair by pair.
        images: that each accuracy was measured on.

    Returns:
        One number a pair, in the shape given.

    Raises:
        InputError: shapes that differ, no images, or an accuracy that is not in [0, 1].
    """
    ours, theirs = _accuracies(variant), _accuracies(baseline)
    if ours.shape != theirs.shape or images < 1:
        raise InputError(
            f"accuracies of shape {ours.shape} and {theirs.shape}, measured on {images} images",
            rule="variant and baseline come in pairs, and there must be 1 image or more",
            remedy="keep only seeds that both have, and pass the number of test images",
        )
    return log_error(theirs, images=images) - log_error(ours, images=images)


def log_error(accuracies: Values, *, images: int | Numbers) -> Numbers:
    """The logarithm of the share of errors, with half an error more: ln((e + ½)/(images + 1)).

    The difference of two is the logarithm of their ratio, as `log_error_ratio` has it.

    Args:
        accuracies: in [0, 1], of any shape.
        images: that each was measured on, one number for all or one for each.

    Raises:
        InputError: an accuracy that is not in [0, 1].
    """
    return np.asarray(np.log(((1 - _accuracies(accuracies)) * images + 0.5) / (images + 1)))


def _accuracies(values: Values) -> Numbers:
    """The values in their shape, each of them a share."""
    shares = finite(values, what="accuracies").reshape(np.shape(values))
    if shares.min() < 0 or shares.max() > 1:
        raise InputError(
            f"accuracies from {shares.min():g} to {shares.max():g}",
            rule="an accuracy is a share, from 0 to 1",
            remedy="divide percentages by 100",
        )
    return shares
