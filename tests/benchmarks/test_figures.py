"""The table at the end of `nox -s bench`, and what feeds it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.design.loading import load_study
from harness.store.results import Results
from tests.benchmarks.fabricated import put, run_row, runs_of
from tests.benchmarks.figures import Figure, cells, number, written
from tests.benchmarks.test_overhead import spent_on

ARTICLE = Path(__file__).parents[2] / "studies" / "article.py"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0224, "0.0224"),
        (9.96, "9.96"),
        (12.34, "12.3"),
        (99.99, "100"),
        (107.4, "107"),
        (14100.0, "14,100"),
    ],
)
def test_figures_have_three_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert number(value) == text


def test_a_row_says_what_the_figure_is_measured_by() -> None:
    figure = Figure("a step", 2000.0, "images/s", 1.5, "solo", 0.876, "sgemm", "≥ 85 %", True)
    assert cells(figure) == ("a step", "2,000 images/s", "1.5 × solo", "88% of sgemm", "≥ 85 %", "yes")
    missed = Figure("a start", 4.0, "s", target="≤ 3 s", met=False)
    assert cells(missed) == ("a start", "4 s", "", "", "≤ 3 s", "NO")


def test_what_was_not_measured_is_a_row_that_says_why() -> None:
    text = written([Figure("an epoch", why="no data")], width=150)
    (row,) = [line for line in text.splitlines() if "an epoch" in line]
    assert "not measured: no data" in row
    assert "yes" not in row


def test_the_table_is_no_wider_than_asked() -> None:
    text = written([Figure("a step " * 20, 2.0, "s", target="≤ 3 s " * 20, met=True)], width=100)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "times",
    [
        [(3, 10, 1), (3, 12, 1), (14, 10, 1), (16, 10, 1)],
        [(3, 5, 2), (3, 5, 2), (3, 12, 1), (14, 10, 1), (16, 5, 2), (16, 5, 2)],
    ],
)
def test_the_time_of_a_call_is_divided_without_a_rest(
    times: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    """Two workers: 3 s of start, runs of 10 s, 1 s between two, one worker idle for 2 s, 4 s to the end.

    The same where two of them are packs of two.
    """
    study = load_study(str(ARTICLE))
    began = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    rows = [
        run_row(
            study,
            run,
            started_at=datetime.fromtimestamp(began + start, UTC),
            wall_seconds=float(wall),
            pack_size=size,
        )
        for run, (start, wall, size) in zip(runs_of(study), times, strict=False)
    ]
    results = Results(tmp_path)
    put(results, study, rows, beside={})
    looks = [(began + moment, moment / 10) for moment in (0, 3, 26, 30)]
    spent = spent_on(results, began=began, seconds=30.0, looks=looks)
    assert (spent.all, spent.trained, spent.start, spent.between) == pytest.approx((60, 42, 6, 2), abs=1e-3)
    assert (spent.idle, spent.end, spent.beside) == pytest.approx((2, 8, 2.3), abs=1e-3)
    assert spent.share(runs=len(times), epochs=2) == pytest.approx((14 + 4.3) / (42 + 14 + 4.3), abs=1e-3)
