"""Computation: how many paired seeds a test and its correction need, by counting sign patterns."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import pytest

from harness.design import resolution
from harness.design.resolution import check_seeds, seeds_needed, smallest_p
from harness.design.study import Study
from harness.design.variant import Variant


def a_study(*, seeds: int, variants: int = 2) -> Study:
    named = tuple(Variant(f"v{number}", depth=number + 1) for number in range(variants))
    return Study(name="few", question="?", dataset="digits", variants=named, seeds=seeds)


@pytest.mark.parametrize("seeds", range(1, 11))
def test_the_smallest_p_is_the_share_of_patterns_with_all_signs_equal(seeds: int) -> None:
    patterns = list(itertools.product((-1, 1), repeat=seeds))
    extreme = [pattern for pattern in patterns if abs(sum(pattern)) == seeds]
    assert smallest_p(seeds) == Fraction(len(extreme), len(patterns))


@pytest.mark.parametrize(("tests", "seeds"), [(1, 6), (3, 7), (12, 9), (36, 11)])
def test_the_seeds_needed_are_those_of_the_research_notes(tests: int, seeds: int) -> None:
    assert seeds_needed(tests) == seeds


@pytest.mark.parametrize("tests", range(1, 60))
def test_the_seeds_needed_are_the_fewest_that_pass(tests: int) -> None:
    enough = [seeds for seeds in range(1, 20) if Fraction(2 * tests, 2**seeds) < Fraction(5, 100)]
    assert seeds_needed(tests) == enough[0]


@pytest.mark.parametrize(("variants", "tests"), [(2, 3), (3, 6), (5, 12)])
def test_a_family_has_three_findings_for_each_variant_beside_the_baseline(variants: int, tests: int) -> None:
    assert resolution.family_size(a_study(seeds=20, variants=variants)) == tests


@pytest.mark.parametrize(
    ("seeds", "smallest"), [(1, "1"), (2, "0.5"), (3, "0.25"), (4, "0.125"), (5, "0.0625")]
)
def test_fewer_than_six_seeds_are_refused_with_p_and_the_seeds_needed(
    seeds: int, smallest: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: check_seeds(a_study(seeds=seeds)),
        received=f"study 'few' has {seeds} seeds",
        rule=f"with {seeds} paired seeds an exact test gives no p below {smallest}; p < 0.05 needs 6 seeds",
        remedy="use 6 seeds or more; 7 to pass the correction for 3 findings",
    )


def test_six_seeds_are_enough_for_a_test_but_not_for_three_and_a_warning_says_so() -> None:
    # 3 × 2/2⁶ = 0.09375; 3 × 2/2⁷ = 0.046875
    assert check_seeds(a_study(seeds=6)) == (
        "6 seeds: the smallest p after Holm's correction for 3 findings is 0.094; 7 seeds would pass 0.05"
    )


def test_the_warning_counts_the_findings_of_every_variant() -> None:
    # 6 × 2/2⁷ = 0.09375; 6 × 2/2⁸ = 0.046875
    assert check_seeds(a_study(seeds=7, variants=3)) == (
        "7 seeds: the smallest p after Holm's correction for 6 findings is 0.094; 8 seeds would pass 0.05"
    )
    # 36 × 2/2⁶ = 1.125
    warning = check_seeds(a_study(seeds=6, variants=13))
    assert warning is not None
    assert "for 36 findings is 1; 11 seeds would pass 0.05" in warning


@pytest.mark.parametrize(("seeds", "variants"), [(7, 2), (30, 2), (8, 3), (9, 5), (11, 13)])
def test_with_enough_seeds_there_is_nothing_to_say(seeds: int, variants: int) -> None:
    assert check_seeds(a_study(seeds=seeds, variants=variants)) is None
