"""Computation: how often a test with looks claims what is not so, and how often its interval misses."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from harness.design.looks import Spending
from harness.stats import sequential
from harness.stats.sequential import attainable, repeated_interval, sequential_test
from tests.simulations.conftest import Expect
from tests.simulations.pairs import KINDS, PAIRS, Kind, differences

LOOKS = {6: (5, 6), 10: (7, 10), 30: (12, 16, 30)}
"""Two that list every pattern, with six pairs the first in vain, and one whose last look samples patterns."""

TESTS = {6: 500, 10: 1500, 30: 60}
INTERVALS = {6: 60, 10: 50, 30: 12}

PATTERNS = 2_001
"""Sampled at a look, for speed: as few keep the error rate as 200,001 do, and only power is lost."""

each_spending = pytest.mark.parametrize("spending", get_args(Spending))


@pytest.fixture(autouse=True)
def _few_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "PATTERNS", PATTERNS)


@pytest.mark.parametrize("n", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
@each_spending
def test_with_looks_a_false_claim_comes_once_in_twenty_at_most(
    spending: Spending, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Where no patterns tie, as often as the looks can use their α: the last one nearly all of it."""
    samples = differences(kind, rng, (TESTS[n] * times, n))
    found = [sequential_test(one, looks=LOOKS[n], kind=spending, rng=rng).decided for one in samples]
    attained = attainable(LOOKS[n], kind=spending)[-1].attained
    untied = kind in ("normal", "skewed")
    expect(
        found,
        method=f"sequential_test, {spending}",
        kind=kind,
        n=n,
        at_most=attained if untied else 0.05,
        at_least=attained if untied else 0.0,
    )


@pytest.mark.parametrize("n", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
@each_spending
def test_with_looks_the_interval_misses_the_centre_once_in_twenty_at_most(
    spending: Spending, kind: Kind, n: int, times: int, rng: np.random.Generator, expect: Expect
) -> None:
    """Every second study has an effect large enough to stop early."""
    missed = []
    spread = float(differences(kind, rng, (10_000,)).std())
    for number, sample in enumerate(differences(kind, rng, (INTERVALS[n] * times, n))):
        centre = (0.0, 1.5 * spread)[number % 2]
        found = repeated_interval(
            sample + centre, looks=LOOKS[n], kind=spending, rng=np.random.default_rng(number)
        )
        missed.append(not found.low <= centre <= found.high)
    expect(missed, method=f"repeated_interval, {spending}", kind=kind, n=n)
