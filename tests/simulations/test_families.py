"""Computation: how often a family of tests makes a false claim, and what share of its claims is false."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.families import benjamini_hochberg, bonferroni, holm
from harness.stats.paired import paired_t_test, wilcoxon_test
from tests.simulations.conftest import Expect
from tests.simulations.pairs import KINDS, PAIRS, Kind, draw

FAMILY = 6
SAMPLES = 120


@pytest.mark.parametrize("n", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("true", [0, 3])
def test_families_make_a_false_claim_once_in_twenty_at_most(
    true: int, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Six variants against one baseline, so that the tests depend on each other.

    Signed ranks of six pairs never reach 0.05/6: there the t-test stands for them.
    """
    variants, baselines = draw(kind, rng, (SAMPLES * times, FAMILY, n))
    contrasts = variants - baselines[:, :1]
    contrasts[:, :true] += 2 * float(contrasts.std())
    test = paired_t_test if n == 6 else wilcoxon_test
    raw = [[test(one).p for one in family] for family in contrasts]
    data = f"{kind}, {true} of {FAMILY} true"
    for method in (holm, bonferroni):
        found = [bool(np.any(method(family)[true:] <= 0.05)) for family in raw]
        expect(found, method=method.__name__, kind=data, n=n)
    claimed = [benjamini_hochberg(family) <= 0.05 for family in raw]
    shares = [float(one[true:].sum() / max(1, one.sum())) for one in claimed]
    # A false one of those that there are: at most 0.05 times their share (Benjamini & Hochberg 1995).
    expect(shares, method="benjamini_hochberg, false of claimed", kind=data, n=n)
    if true and n > 6:
        assert np.mean([one[:true].mean() for one in claimed]) > 0.5  # true ones are found
