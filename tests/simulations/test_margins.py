"""Computation: how often a difference on the edge of a margin passes for one inside, or beyond."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.effects import paired_improvement
from harness.stats.equivalence import bayesian_t, meaningful, two_one_sided_tests
from tests.simulations.conftest import Expect
from tests.simulations.pairs import KINDS, PAIRS, Kind, Numbers, differences, truth

SAMPLES = {6: 1000, 10: 500, 30: 300}

SKEWED = {6: 0.14, 10: 0.13, 30: 0.10}
"""What the docstrings say of times that one variant halves."""

each_n = pytest.mark.parametrize("n", PAIRS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def on_the_edge(kind: Kind, n: int, *, samples: int, rng: np.random.Generator) -> tuple[Numbers, float]:
    """Symmetric differences about an edge, and the edge: three standard deviations from zero."""
    edge = 3 * float(differences(kind, np.random.default_rng(0), (10_000,)).std())
    return differences(kind, rng, (samples, n)) + edge, edge


@each_n
@each_kind
def test_a_difference_on_the_margin_passes_for_equivalent_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    samples, edge = on_the_edge(kind, n, samples=SAMPLES[n] * times, rng=rng)
    found = [two_one_sided_tests(one, margin=edge) for one in samples]
    least = 0.05 if kind == "normal" else 0.03
    expect([one.p <= 0.05 for one in found], method="two_one_sided_tests", kind=kind, n=n, at_least=least)
    outside = [not one.interval.low <= edge <= one.interval.high for one in found]
    expect(
        outside,
        method="two_one_sided_tests, 90 % interval",
        kind=kind,
        n=n,
        at_most=0.1,
        at_least=0.1 if kind == "normal" else 0.06,
    )


@each_n
@each_kind
def test_with_an_effect_that_skews_it_passes_more_often_as_the_docstring_says(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """The other edge is far away."""
    mean = truth(kind, effect=1.0).mean
    margin = (-1000.0, mean) if mean > 0 else (mean, 1000.0)
    samples = differences(kind, rng, (SAMPLES[n] * times, n), effect=1.0)
    expect(
        [two_one_sided_tests(one, margin=margin).p <= 0.05 for one in samples],
        method="two_one_sided_tests, with an effect",
        kind=kind,
        n=n,
        at_most=0.05 if kind == "normal" else SKEWED[n],
        at_least=0.09 if kind == "skewed" else 0.04,
    )
    said = "14 of 100 with 6 pairs, 13 with 10 and 10 with 30"
    assert said in " ".join(str(two_one_sided_tests.__doc__).split())


@each_n
@each_kind
def test_a_posterior_of_95_percent_beyond_the_edge_or_within_errs_once_in_twenty(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """On the edge itself either is wrong; under this prior the rate is that of a one-sided t-test."""
    samples, edge = on_the_edge(kind, n, samples=SAMPLES[n] * times, rng=rng)
    found = [bayesian_t(one, rope=edge) for one in samples]
    least = 0.05 if kind == "normal" else 0.03
    beyond, within = (
        [share >= 0.95 for share in shares]
        for shares in zip(*((one.above, one.within) for one in found), strict=True)
    )
    expect(beyond, method="bayesian_t, beyond", kind=kind, n=n, at_least=least)
    expect(within, method="bayesian_t, within", kind=kind, n=n, at_least=least)


@each_n
@each_kind
def test_no_improvement_is_called_significant_once_in_forty_at_most(
    kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Bouthillier's rule asks one side of a 95 % interval: as often as so many wins come by chance."""
    samples = differences(kind, rng, (SAMPLES[n] * times, n))
    found = [meaningful(paired_improvement(one)) != "not significant" for one in samples]
    by_chance = max(tail for tail in stats.binom.sf(np.arange(n), n, 0.5) if tail <= 0.025)
    untied = kind in ("normal", "skewed")
    expect(
        found,
        method="meaningful",
        kind=kind,
        n=n,
        at_most=float(by_chance) if untied else 0.025,
        at_least=float(by_chance) if untied else 0.0,
    )
