"""The shapes of a map, measured in its drawing."""

from __future__ import annotations

import itertools
import re

import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.report.hues import Hues
from harness.report.maps import Map, Side, Square, paint_map
from harness.report.palette import palette_of
from harness.report.panels import Panel

STUDY = Study(
    name="s", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
)
HUES = Hues((1.0,))
Corners = list[tuple[float, float]]


def a_map(squares: list[Square], *, rows: int, columns: int) -> Map:
    across = Side("batch_size", tuple(map(str, range(columns))))
    down = Side("lr", tuple(map(str, range(rows))))
    return Map(tuple(squares), across, down, HUES, decimals=1, tested=True)


def svg_of(one: Map) -> str:
    return Panel(
        "map",
        title="",
        paint=lambda axes: paint_map(axes, one, title="a map"),
        palette=palette_of(STUDY),
        height=one.height,
        left=one.left,
    ).svg


def shapes(one: Map, colour: str) -> list[Corners]:
    """The closed polygons of a colour, in units of the drawing."""
    paths = re.findall(r"<path[^>]*>", svg_of(one))
    drawn = " ".join(re.findall(r' d="([^"]*)"', "".join(path for path in paths if f"fill:{colour}" in path)))
    parts = [re.findall(r"([\d.]+) ([\d.]+)", part) for part in drawn.split("M") if part.strip()]
    return [[(float(x), float(y)) for x, y in part] for part in parts]


def area(corners: Corners) -> float:
    """Of a polygon, by the shoelace formula."""
    following = [*corners[1:], corners[0]]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))) / 2


def striped(rows: int, columns: int) -> Map:
    """The upper half of the left three quarters is above zero, one cell of it is missing, the rest below."""
    squares = [
        Square(row, column, 3.0 if row < rows / 2 and column < columns * 3 / 4 else -3.0, False, (0, 0))
        for row in range(rows)
        for column in range(columns)
        if (row, column) != (0, 1)
    ]
    return a_map(squares, rows=rows, columns=columns)


def test_cells_of_one_colour_are_joined_along_a_row_and_cover_what_they_stand_for() -> None:
    one = striped(20, 20)
    assert not one.numbered
    above = shapes(one, HUES.colour(1))
    cell = one.width * one.tall
    assert sum(map(area, above)) == pytest.approx((10 * 15 - 1) * cell, rel=0.01)
    assert len(above) == 10 + 1  # a row each, the first is broken
    below = shapes(one, HUES.colour(-1))
    assert sum(map(area, below)) == pytest.approx((10 * 20 + 10 * 5) * cell, rel=0.01)


def test_cells_with_numbers_stand_apart() -> None:
    one = striped(4, 4)
    assert one.numbered
    above = shapes(one, HUES.colour(1))
    assert len(above) == 2 * 3 - 1
    cell = one.width * one.tall
    assert all(0.9 * cell < area(corners) < cell for corners in above)


def test_corners_tell_where_runs_diverged_without_numbers() -> None:
    """In the first cell a run of the baseline, in the last but one a run of the variant."""
    diverged = {0: (2, 0), 18: (0, 1)}
    squares = [Square(0, column, 0.0, False, diverged.get(column, (0, 0))) for column in range(20)]
    one = a_map(squares, rows=1, columns=20)
    left, right = sorted(shapes(one, "#10151b"))
    start = one.left
    assert min(x for x, _ in left) == pytest.approx(start, abs=0.1)
    assert max(x for x, _ in left) < start + one.width / 2
    end = start + 19 * one.width
    assert max(x for x, _ in right) == pytest.approx(end, abs=0.1)
    assert min(x for x, _ in right) > end - one.width / 2


@pytest.mark.parametrize(
    ("rows", "columns", "numbered", "counted"),
    [
        (4, 3, True, True),
        (1, 4, True, True),
        (16, 6, True, False),
        (17, 3, False, False),
        (3, 9, False, False),
    ],
)
def test_numbers_and_counts_are_written_where_they_fit(
    rows: int, columns: int, numbered: bool, counted: bool
) -> None:
    one = striped(rows, columns)
    assert (one.numbered, one.counted) == (numbered, counted)
    assert one.height < 800


def test_few_labels_stand_at_many_levels() -> None:
    one = striped(100, 60)
    places = re.findall(r'x="([\d.]+)" y="([\d.]+)"[^>]*>(\d+)</text>', svg_of(one))
    rows = sorted(float(y) for x, y, _ in places if float(x) < one.left)
    columns = sorted(float(x) for x, _, _ in places if float(x) > one.left)
    assert min(b - a for a, b in itertools.pairwise(rows)) >= 12
    assert min(b - a for a, b in itertools.pairwise(columns)) >= 15
    assert len(rows) > 10
    assert len(columns) > 5
