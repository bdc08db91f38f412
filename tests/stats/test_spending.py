"""Computation: spending of α over looks, and the published bounds of normal tests with looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from harness.design.looks import Spending
from harness.errors import InputError
from harness.stats.spending import crossing_probabilities, normal_bounds, spent


def constant(shape: Callable[[float], float], *, looks: int) -> float:
    """The factor of a family of bounds with which equally spaced looks err with 5 % in all."""
    fractions = [look / looks for look in range(1, looks + 1)]

    def excess(factor: float) -> float:
        bounds = [factor * shape(fraction) for fraction in fractions]
        return float(crossing_probabilities(bounds, fractions=fractions).sum()) - 0.05

    return float(optimize.brentq(excess, 1.5, 6.0))


@pytest.mark.parametrize(("looks", "published"), [(1, 1.960), (2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413)])
def test_pococks_constants_are_the_published_ones(looks: int, published: float) -> None:
    """Pocock 1977; Jennison & Turnbull 2000, Table 2.1."""
    assert constant(lambda _: 1.0, looks=looks) == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize(("looks", "published"), [(1, 1.960), (2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040)])
def test_obrien_and_flemings_constants_are_the_published_ones(looks: int, published: float) -> None:
    """O'Brien & Fleming 1979; Jennison & Turnbull 2000, Table 2.3. The bound is constant/√fraction."""
    found = constant(lambda fraction: 1 / math.sqrt(fraction), looks=looks)
    assert found == pytest.approx(published, abs=6e-4)


def test_the_classical_bounds_of_two_looks_are_2_797_and_1_977() -> None:
    last = constant(lambda fraction: 1 / math.sqrt(fraction), looks=2)
    assert [last * math.sqrt(2), last] == pytest.approx([2.797, 1.977], abs=6e-4)


@pytest.mark.parametrize(
    ("kind", "looks", "published"),
    [
        ("obrien-fleming", 2, [2.963, 1.969]),
        ("obrien-fleming", 5, [4.877, 3.357, 2.680, 2.290, 2.031]),
        ("pocock", 2, [2.157, 2.201]),
    ],
)
def test_the_bounds_by_spending_are_those_of_the_lan_demets_programs(
    kind: Spending, looks: int, published: list[float]
) -> None:
    fractions = [look / looks for look in range(1, looks + 1)]
    assert normal_bounds(fractions, kind=kind) == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("bounds", [(2.0, 2.0), (2.797, 1.977), (1.0, 3.0), (3.0, 0.5)])
def test_crossing_two_bounds_agrees_with_the_bivariate_normal_distribution(
    bounds: tuple[float, float],
) -> None:
    share = 0.4
    inside = stats.multivariate_normal(cov=[[1, math.sqrt(share)], [math.sqrt(share), 1]])
    both = inside.cdf(np.array(bounds), lower_limit=-np.array(bounds), rng=np.random.default_rng(0))
    first, second = crossing_probabilities(bounds, fractions=[share, 1.0])
    assert first == pytest.approx(2 * float(stats.norm.sf(bounds[0])), rel=1e-12)
    assert 1 - first - second == pytest.approx(float(both), abs=2e-5)


def test_crossing_many_bounds_agrees_with_random_walks() -> None:
    fractions, bounds = np.array([0.3, 0.5, 0.9, 1.0]), np.array([2.2, 1.7, 2.5, 1.9])
    walks = 200_000
    steps = np.random.default_rng(2).normal(size=(walks, 4)) * np.sqrt(np.diff(fractions, prepend=0))
    out = np.abs(steps.cumsum(axis=1) / np.sqrt(fractions)) >= bounds
    first = [float(np.mean(out[:, look] & ~out[:, :look].any(axis=1))) for look in range(4)]
    found = crossing_probabilities(bounds.tolist(), fractions=fractions.tolist())
    for one, seen in zip(found, first, strict=True):
        assert abs(one - seen) < 4.5 * math.sqrt(one * (1 - one) / walks)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3, 0.05 / 36])
@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
def test_spending_starts_at_nothing_rises_and_ends_at_alpha_exactly(kind: Spending, alpha: float) -> None:
    used = spent(np.linspace(0, 1, 101), alpha=alpha, kind=kind)
    assert used[0] == 0
    assert used[-1] == alpha
    assert np.all(np.diff(used) > 0) or kind == "obrien-fleming"
    assert np.all(np.diff(used) >= 0)


def test_spending_at_half_the_information_is_that_worked_by_hand() -> None:
    # 0.05 ln(1 + 1.718282/2) = 0.05 × 0.620115
    assert spent([0.5], kind="pocock") == pytest.approx([0.0310057], abs=1e-7)
    # either tail: z = 2.241403 (upper 0.0125 point), z√2 = 3.169822, 2 × 0.000762645
    assert spent([0.5]) == pytest.approx([2 * 0.00152529], rel=2e-4)


def test_the_normal_bounds_spend_what_they_should_at_uneven_looks() -> None:
    fractions = [12 / 30, 20 / 30, 1.0]
    for kind in ("obrien-fleming", "pocock"):
        bounds = normal_bounds(fractions, alpha=0.02, kind=kind)
        used = crossing_probabilities(bounds.tolist(), fractions=fractions).cumsum()
        assert used == pytest.approx(spent(fractions, alpha=0.02, kind=kind), abs=1e-9)


@pytest.mark.parametrize(
    ("fractions", "received"),
    [
        ([0.5, 1.1], "fractions of information from 0.5 to 1.1"),
        ([-0.1, 1.0], "fractions of information from -0.1 to 1"),
    ],
)
def test_a_fraction_outside_0_to_1_is_refused(fractions: list[float], received: str) -> None:
    with pytest.raises(InputError) as caught:
        spent(fractions)
    assert caught.value.received == received
    assert caught.value.rule == "a fraction lies between 0 and 1"
    assert caught.value.remedy == "divide the pairs at each look by the pairs at the last one"


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_an_error_rate_outside_0_to_1_is_refused(alpha: float) -> None:
    with pytest.raises(InputError) as caught:
        spent([1.0], alpha=alpha)
    assert caught.value.received == f"α = {alpha:g}"
    assert caught.value.rule == "an error rate lies between 0 and 1, both excluded"
    assert caught.value.remedy == "use 0.05, divided by the number of primary findings"


def test_another_kind_of_spending_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        spent([1.0], kind="haybittle")  # type: ignore[arg-type]
    assert caught.value.received == "spending 'haybittle'"
    assert caught.value.rule == "α is spent as obrien-fleming or pocock"
    assert caught.value.remedy == "use one of these two"
