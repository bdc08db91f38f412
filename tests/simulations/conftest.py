"""What the simulations share: their length, a generator a test, what they expect, and the table of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import pytest
from scipy import stats

from harness.design.streams import stream

FULL = 40
"""Replications of `nox -s calibrate` for one of `nox -s tests`."""

CHANCE = 3e-5
"""Of a number of errors beyond the bound though the rate is as expected: four standard errors' worth."""

HEAD = ("method", "data", "pairs", "replications", "errors", "expected", "bounds")


class Expect(Protocol):
    """Records how often a method erred, and fails where that is not as often as expected."""

    def __call__(
        self,
        errors: Iterable[float],
        *,
        method: str,
        kind: str,
        n: int,
        at_most: float = 0.05,
        at_least: float = 0.0,
    ) -> None: ...


@pytest.fixture(params=[1, pytest.param(FULL, marks=pytest.mark.calibrate)], ids=["short", "full"])
def times(request: pytest.FixtureRequest) -> int:
    """By what the replications are multiplied: every simulation is there twice, short and in full."""
    return int(request.param)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator named like the test."""
    return np.random.default_rng(stream(0, request.node.name))


@pytest.fixture
def expect(record_property: Callable[[str, object], None]) -> Expect:
    """Holds errors, one a sample and each from 0 to 1, to the rates given and their Monte Carlo error."""

    def hold(
        errors: Iterable[float],
        *,
        method: str,
        kind: str,
        n: int,
        at_most: float = 0.05,
        at_least: float = 0.0,
    ) -> None:
        found = np.array([float(one) for one in errors])
        tries, rate = found.size, float(found.mean())
        # Of all variables from 0 to 1 with a given mean, 0 or 1 varies most: the binomial bounds a share too.
        lowest = float(stats.binom.ppf(CHANCE, tries, at_least)) / tries
        highest = float(stats.binom.isf(CHANCE, tries, at_most)) / tries
        meant = f"{at_least:.4f} to {at_most:.4f}" if at_least else f"at most {at_most:.4f}"
        row = (method, kind, str(n), f"{tries:,}", f"{rate:.4f}", meant, f"{lowest:.4f} to {highest:.4f}")
        record_property("rate", row)
        assert lowest <= rate <= highest, dict(zip(HEAD, row, strict=True))

    return hold


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was found, where the simulations ran in full."""
    if config.getoption("markexpr") != "calibrate":
        return
    reports = [report for state in ("passed", "failed") for report in terminalreporter.stats.get(state, [])]
    rows = [row for report in reports for name, row in report.user_properties if name == "rate"]
    table = [HEAD, *sorted(rows, key=lambda row: (row[0], row[1], int(row[2])))]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    terminalreporter.section("how often each method erred")
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())
