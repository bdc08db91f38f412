"""Numbers in the words of the report."""

from __future__ import annotations

import math

import pytest

from harness.report.words import (
    effect,
    level,
    limits,
    listed,
    number,
    p_statement,
    p_value,
    plain,
    signed,
    unit_of,
)
from harness.stats.results import Interval

ACCURACY = unit_of("accuracy")


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (2 / 2**9, "0.0039"),
        (2 / 2**30, "1.9 × 10⁻⁹"),
        (2 / 2**8, "0.0078"),
        (0.25, "0.25"),
        (0.0999, "0.10"),
        (1.0, "1"),
        (0.0499, "0.0499"),  # two digits would say 0.050 of a p that is below 0.05
        (0.0501, "0.050"),
        (float("nan"), "–"),
    ],
)
def test_p_is_exact_to_two_digits_and_tiny_p_a_power_of_ten(p: float, text: str) -> None:
    assert p_value(p) == text


def test_p_in_a_sentence_is_an_equation() -> None:
    assert p_statement(0.00390625) == "p = 0.0039"
    assert p_statement(1.862645149230957e-09, name="adjusted p") == "adjusted p = 1.9 × 10⁻⁹"


def test_numbers_bear_a_true_minus_and_zero_bears_no_sign() -> None:
    assert number(-1234.5, 1) == "−1,234.5"
    assert number(math.inf) == "–"
    assert [signed(0.06, 1), signed(-0.06, 1), signed(0.04, 1), signed(-0.04, 1)] == [
        "+0.1",
        "−0.1",
        "0.0",
        "0.0",
    ]


def test_an_accuracy_difference_is_in_percentage_points_with_the_digits_its_interval_allows() -> None:
    wide, narrow = Interval(0.067, 0.021, 0.113, 0.95, 8), Interval(0.0671, 0.0668, 0.0674, 0.95, 30)
    assert effect(wide, ACCURACY) == "+6.7 percentage points"
    assert limits(wide, ACCURACY) == "+2.1 to +11.3"
    assert effect(narrow, ACCURACY) == "+6.710 percentage points"
    assert limits(narrow, ACCURACY) == "+6.680 to +6.740"
    assert level(0.924, ACCURACY) == "92.40\N{NO-BREAK SPACE}%"


def test_logarithms_are_shown_as_the_ratios_that_they_are() -> None:
    errors = unit_of("log_error")
    found = Interval(math.log(0.118), math.log(0.1049), math.log(1.2345), 0.95, 30)
    assert effect(found, errors) == "0.12 × the errors"
    assert limits(found, errors) == "0.10 to 1.23"
    assert level(math.log(0.076), errors) == "7.60\N{NO-BREAK SPACE}%"
    assert level(math.nan, errors) == "–"


def test_one_difference_has_no_interval() -> None:
    single = Interval(-2.0, math.nan, math.nan, 0.95, 1)
    assert effect(single, unit_of("epochs_to_threshold")) == "−2.00 epochs"
    assert limits(single, unit_of("epochs_to_threshold")) == limits(None, ACCURACY) == "–"


def test_words_are_listed_as_a_sentence_lists_them() -> None:
    assert [listed([]), listed("a"), listed("ab"), listed("abc")] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.05, "0.05"),
        (3.0, "3"),
        (2999.6, "3,000"),
        (-0.25, "−0.25"),
        (1e-6, "10⁻⁶"),
        (4.183e-5, "4.18 × 10⁻⁵"),
        (-2.5e-7, "−2.5 × 10⁻⁷"),
        (3.0e12, "3 × 10¹²"),
    ],
)
def test_a_number_has_at_most_three_digits_and_its_power_of_ten_in_full(value: float, shown: str) -> None:
    assert plain(value) == shown
