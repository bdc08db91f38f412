"""Computation: corrections of families, against published tables, numbers worked by hand and their rules."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.errors import InputError
from harness.stats.families import benjamini_hochberg, bonferroni, holm
from tests.stats.examples import NEEDLEMAN

NAN = math.nan
Method = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]
METHODS = (holm, bonferroni, benjamini_hochberg)


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


def test_the_fifteen_p_values_of_benjamini_and_hochberg_are_rejected_as_in_their_paper() -> None:
    """At 0.05 Bonferroni rejects three (the bound is 0.0033), the false discovery rate four."""
    assert list(bonferroni(NEEDLEMAN) <= 0.05) == [True] * 3 + [False] * 12
    assert list(benjamini_hochberg(NEEDLEMAN) <= 0.05) == [True] * 4 + [False] * 11
    assert list(holm(NEEDLEMAN) <= 0.05) == [True] * 3 + [False] * 12
    # p.adjust(p, "BH") of R, to four digits
    assert benjamini_hochberg(NEEDLEMAN) == pytest.approx(
        [
            *(0.0015, 0.0030, 0.0095, 0.0356, 0.0603, 0.0639, 0.0639, 0.0645),
            *(0.0765, 0.4860, 0.5812, 0.7149, 0.7532, 0.8132, 1.0),
        ],
        abs=5.1e-5,
    )


def test_ten_p_values_have_the_adjusted_ones_of_rs_multtest() -> None:
    """`mt.rawp2adjp`, as kept in statsmodels/stats/tests/test_multi.py."""
    raw = [
        *(0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238),
        *(0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198, 0.0149877310796),
    ]
    smallest_first = np.argsort(raw)
    few = [5.23656777208e-04, 2.53264555782e-03, 0.119901848637, 0.141912882159]
    assert holm(raw)[smallest_first] == pytest.approx([*few, *[1.0] * 6], rel=1e-10)
    few = [5.23656777208e-04, 2.81405061980e-03, 0.149877310796, 0.202732688798]
    assert bonferroni(raw)[smallest_first] == pytest.approx([*few, *[1.0] * 6], rel=1e-10)
    few = [5.23656777208e-04, 1.40702530990e-03, 0.0499591035987, 0.0506831721995, 0.354193905446]
    many = [*[0.895336727975] * 3, 0.931712630614, 0.967833824309]
    assert benjamini_hochberg(raw)[smallest_first] == pytest.approx([*few, *many], rel=1e-10)


def test_five_p_values_have_the_adjusted_ones_of_pingouins_manual() -> None:
    assert holm([0.50, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])


def test_holm_rejects_two_of_demsars_three_and_bonferroni_one() -> None:
    """Demšar 2006, §3.2.2: C4.5 against its tuned versions, p = 0.016, 0.019 and 0.607."""
    ranks = np.array([1.964, 2.000, 2.893])  # of 14 data sets, against 3.143
    raw = 2 * stats.norm.sf((3.143 - ranks) / math.sqrt(4 * 5 / (6 * 14)))
    assert raw == pytest.approx([0.016, 0.019, 0.607], abs=2e-3)  # from ranks of three digits
    assert list(holm(raw) <= 0.05) == [True, True, False]
    assert list(bonferroni(raw) <= 0.05) == [True, False, False]


@pytest.mark.parametrize("tests", [1, 2, 3, 7, 20])
def test_what_is_rejected_is_what_the_step_up_rule_rejects(tests: int) -> None:
    """Benjamini & Hochberg 1995, (1): reject the k smallest, for the largest k with p₍ₖ₎ ≤ kq/m."""
    rng = np.random.default_rng(tests)
    rejections = 0
    for _ in range(50):
        raw = rng.beta(0.3, 3, tests)
        ranked = sorted(raw)
        below = [k for k in range(1, tests + 1) if ranked[k - 1] <= 0.05 * k / tests]
        rejected = [one <= ranked[max(below) - 1] if below else False for one in raw]
        assert list(benjamini_hochberg(raw) <= 0.05) == rejected
        rejections += sum(rejected)
    assert 0 < rejections < 50 * tests


def test_bonferroni_multiplies_by_the_tests_that_were_made() -> None:
    assert bonferroni([0.01, 0.4, NAN, 0.02]) == pytest.approx([0.03, 1.0, NAN, 0.06], rel=1e-12, nan_ok=True)
    assert benjamini_hochberg([0.01, 0.4, NAN, 0.02]) == pytest.approx(
        [0.03, 0.4, NAN, 0.03], rel=1e-12, nan_ok=True
    )


def test_a_stricter_promise_never_gives_a_smaller_p() -> None:
    raw = np.random.default_rng(0).beta(0.3, 3, 30)
    assert np.all(bonferroni(raw) >= holm(raw))
    assert np.all(holm(raw) >= benjamini_hochberg(raw))
    assert np.all(benjamini_hochberg(raw) >= raw)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_tests_does_not_matter(method: Method) -> None:
    raw = np.array([0.01, 0.04, 0.03, 0.005, 0.2])
    order = np.array([3, 0, 4, 2, 1])
    assert method(raw[order]) == pytest.approx(method(raw)[order], rel=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_p_values_given_are_left_alone(method: Method) -> None:
    raw = np.array([0.01, 0.04, NAN])
    method(raw)
    assert raw == pytest.approx([0.01, 0.04, NAN], nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
def test_no_family_and_one_of_tests_never_made_stay_what_they_are(method: Method) -> None:
    assert method([]).shape == (0,)
    assert np.isnan(method([NAN, NAN])).tolist() == [True, True]
    assert method([0.04]) == pytest.approx([0.04], rel=1e-12)


@pytest.mark.parametrize(
    ("method", "name"), [(holm, "holm"), (bonferroni, "bonferroni"), (benjamini_hochberg, "fdr_bh")]
)
def test_any_family_is_adjusted_as_by_statsmodels(method: Method, name: str) -> None:
    rng = np.random.default_rng(12)
    for tests in (1, 2, 7, 40):
        raw = np.round(rng.random(tests) ** 3, 3)  # some tie
        assert method(raw) == pytest.approx(multipletests(raw, method=name)[1], rel=1e-12)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, math.inf])
def test_what_is_no_p_value_is_refused(wrong: float) -> None:
    for method in METHODS:
        with pytest.raises(InputError, match="p-values from"):
            method([0.2, wrong, NAN])
