"""Computation: Holm's correction, against numbers worked by hand and the step-down rule itself."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator

import numpy as np
import pytest

from harness.stats.families import holm

NAN = math.nan


@pytest.fixture(autouse=True, scope="module")
def _little_to_collect() -> Iterator[None]:
    """statsmodels' `multipletests` collects garbage in every call: 0.2 s with torch in memory."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        # 4 × 0.005, 3 × 0.01, 2 × 0.03, then 1 × 0.04 is held up to 0.06
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # 3 × 0.031 = 0.093 holds the others up
        ([0.031, 0.031, 0.031], [0.093, 0.093, 0.093]),
        ([0.02, 0.5, 0.9], [0.06, 1.0, 1.0]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.04], [0.04]),
        ([0.0, 1.0], [0.0, 1.0]),
        # 3 × 1/64, 2 × 1/32, 1 × 1/4
        ([0.25, 0.015625, 0.03125], [0.25, 0.046875, 0.0625]),
    ],
)
def test_adjusted_p_values_are_those_worked_by_hand(raw: list[float], adjusted: list[float]) -> None:
    assert holm(raw) == pytest.approx(adjusted, rel=1e-12)


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([NAN, 0.01, 0.04], [NAN, 0.02, 0.04]),
        ([0.01, NAN, 0.04, NAN, 0.03], [0.03, NAN, 0.06, NAN, 0.06]),
        ([0.04, NAN], [0.04, NAN]),
        ([NAN, NAN], [NAN, NAN]),
        ([], []),
    ],
)
def test_a_test_that_could_not_be_made_stays_out_of_the_family(
    raw: list[float], adjusted: list[float]
) -> None:
    assert holm(raw) == pytest.approx(adjusted, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("tests", [1, 2, 3, 7, 20])
def test_what_is_rejected_is_what_the_step_down_rule_rejects(tests: int) -> None:
    """Holm 1979: compare the k-th smallest of m with α / (m − k + 1), stop at the first that fails."""
    rng = np.random.default_rng(tests)
    rejections = 0
    for _ in range(50):
        raw = rng.beta(0.3, 3, tests)
        rejected = [False] * tests
        for rank, index in enumerate(np.argsort(raw)):
            if raw[index] > 0.05 / (tests - rank):
                break
            rejected[int(index)] = True
        assert list(holm(raw) <= 0.05) == rejected
        rejections += sum(rejected)
    assert 0 < rejections < 50 * tests


def test_the_order_of_the_tests_does_not_matter() -> None:
    raw = np.array([0.01, 0.04, 0.03, 0.005, 0.2])
    order = np.array([3, 0, 4, 2, 1])
    assert holm(raw[order]) == pytest.approx(holm(raw)[order], rel=0)


def test_the_p_values_given_are_left_alone() -> None:
    raw = np.array([0.01, 0.04, NAN])
    holm(raw)
    assert raw == pytest.approx([0.01, 0.04, NAN], nan_ok=True)
