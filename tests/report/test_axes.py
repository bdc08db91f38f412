"""Numbers on axes, as short as three digits allow."""

from __future__ import annotations

import pytest

from harness.report.axes import plain


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
