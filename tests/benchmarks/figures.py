"""What a benchmark found: the rows of the table with which `nox -s bench` ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.console import Console
from rich.table import Table
from rich.text import Text

KEY = "figures"
"""Under which a benchmark keeps them: so they are in pytest-benchmark's JSON too."""


@dataclass(frozen=True)
class Figure:
    """One figure beside what it is measured by.

    Attributes:
        what: what was measured.
        value: the figure; None where it was not measured.
        unit: of the value.
        ratio: of the value to that of the baseline.
        baseline: what the ratio is to.
        share: of the floor that is reached, 1 for all of it.
        floor: what the share is of.
        target: what is aimed at, in words; nothing where nothing is.
        met: whether it is; None where there is no target, or nothing was measured.
        why: why nothing was measured.
    """

    what: str
    value: float | None = None
    unit: str = ""
    ratio: float | None = None
    baseline: str = ""
    share: float | None = None
    floor: str = ""
    target: str = ""
    met: bool | None = None
    why: str = ""


def record(benchmark: BenchmarkFixture, what: str, value: float, unit: str, **beside: Any) -> None:
    """Keep a figure with its benchmark; `beside` are the further fields of `Figure`."""
    benchmark.extra_info.setdefault(KEY, []).append(asdict(Figure(what, value, unit, **beside)))


def leave_out(benchmark: BenchmarkFixture, what: str, *, why: str) -> None:
    """Skip a benchmark, with a row that says why."""
    benchmark.extra_info.setdefault(KEY, []).append(asdict(Figure(what, why=why)))
    pytest.skip(why)


def written(figures: Iterable[Figure], *, width: int) -> str:
    """The table, as text of so many columns."""
    table = Table(title="Figures, and what they are measured by", title_justify="left")
    for heading in ("figure", "value", "ratio to its baseline", "share of the floor", "target", "met"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for figure in figures:
        table.add_row(*map(Text, cells(figure)))
    buffer = StringIO()
    Console(file=buffer, width=width, no_color=True).print(table)
    return buffer.getvalue()


def cells(figure: Figure) -> Sequence[str]:
    """What stands in a figure's row."""
    if figure.value is None:
        return figure.what, "–", "", "", f"not measured: {figure.why}", "–"
    return (
        figure.what,
        f"{number(figure.value)} {figure.unit}",
        "" if figure.ratio is None else f"{number(figure.ratio)} × {figure.baseline}",
        "" if figure.share is None else f"{figure.share:.0%} of {figure.floor}",
        figure.target,
        {True: "yes", False: "NO", None: "–"}[figure.met],
    )


def number(value: float) -> str:
    """Three digits that count, whole from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
