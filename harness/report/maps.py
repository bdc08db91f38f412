"""Computation: a map of cells -> its drawing: few shapes however many cells, numbers where they fit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from harness.report.hues import Hues
from harness.report.palette import MUTED
from harness.report.panels import WIDTH
from harness.report.words import NOTHING, signed

NARROWEST, ROOMY = 42, 60
"""Units across a cell that holds a number, and one that has room for two counts of diverged runs."""

MOST_ROWS = 16
"""Rows of cells with numbers; more are drawn thin."""

TALL = 400
"""Units down all cells of a map without numbers."""

CORNER = 9
"""Units along the side of a triangle that marks diverged runs, where the cell is not too small."""

Polygon = Sequence[tuple[float, float]]
"""Corners in columns and rows; the last one is the first."""


@dataclass(frozen=True)
class Side:
    """One axis of a map: a factor and its levels in order, in words."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Square:
    """One cell of a map.

    Attributes:
        row: its place from the top.
        column: its place from the left.
        difference: in points; NaN where there is none.
        sure: whether it stands out.
        diverged: runs of the baseline and of the variant.
    """

    row: int
    column: int
    difference: float
    sure: bool
    diverged: tuple[int, int]


@dataclass(frozen=True)
class Map:
    """One map of effects.

    Attributes:
        squares: its cells.
        across: from left to right.
        down: from top to bottom; without a name where there is one row.
        hues: what colour stands for what.
        decimals: of the numbers.
        tested: whether there are tests by which squares stand out.
    """

    squares: tuple[Square, ...]
    across: Side
    down: Side
    hues: Hues
    decimals: int
    tested: bool

    @property
    def left(self) -> int:
        """The margin for the labels of the rows."""
        if not self.down.name:
            return 10
        return min(130, 30 + 7 * max(len(text) for text in self.down.levels))

    @property
    def width(self) -> float:
        """Units across a cell."""
        return (WIDTH - self.left - 10) / len(self.across.levels)

    @property
    def numbered(self) -> bool:
        """Whether there is room for numbers."""
        return self.width >= NARROWEST and len(self.down.levels) <= MOST_ROWS

    @property
    def counted(self) -> bool:
        """Whether there is room for counts of diverged runs."""
        return self.numbered and self.width >= ROOMY

    @property
    def tall(self) -> float:
        """Units down a cell."""
        rows = len(self.down.levels)
        return 44 if self.numbered else max(60, min(TALL, 12 * rows)) / rows

    @property
    def height(self) -> int:
        """Units down the whole panel."""
        return 70 + round(self.tall * len(self.down.levels))

    def where(self, square: Square) -> str:
        """The place of a cell in words: lr 0.1 and dropout 0.5."""
        own = f"{self.across.name} {self.across.levels[square.column]}"
        return f"{self.down.name} {self.down.levels[square.row]} and {own}" if self.down.name else own

    def step(self, square: Square) -> int | None:
        """Of the scale of colours; None where there is no difference."""
        return self.hues.step(square.difference) if math.isfinite(square.difference) else None

    def ink(self, square: Square) -> str:
        """Of what stands in a cell."""
        step = self.step(square)
        return MUTED.light if step is None else self.hues.ink(step)


def paint_map(axes: Axes, one: Map, *, title: str) -> None:
    """Draw a map with its labels."""
    by_step = defaultdict(list)
    for square in sorted(one.squares, key=lambda square: (square.row, square.column)):
        if (step := one.step(square)) is not None:
            by_step[step].append(square)
    for step, squares in sorted(by_step.items()):
        colour = one.hues.colour(step)
        if one.numbered:
            _fill(axes, [_box(square, margin=0.02) for square in squares], colour)
        else:
            _fill(axes, _joined(squares), colour, seam=True)
    for square in one.squares if one.numbered else ():
        _write_number(axes, square, one)
    _mark_diverged(axes, one)
    _label(axes, one, title)


def _box(square: Square, *, margin: float) -> Polygon:
    left, right = square.column + margin, square.column + 1 - margin
    top, bottom = square.row + margin, square.row + 1 - margin
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def _joined(squares: Sequence[Square]) -> list[Polygon]:
    """Outlines of cells in order; those that lie side by side have one."""
    boxes: list[list[tuple[float, float]]] = []
    for square in squares:
        box = list(_box(square, margin=0))
        if boxes and boxes[-1][1] == box[0] and boxes[-1][2] == box[3]:
            boxes[-1][1:3] = box[1:3]
        else:
            boxes.append(box)
    return list(boxes)


def _fill(axes: Axes, polygons: Iterable[Polygon], colour: str, *, seam: bool = False) -> None:
    """Polygons of one colour; a seam closes the gaps that browsers leave between shapes that touch."""
    _draw(axes, polygons, facecolor=colour, edgecolor=colour if seam else "none", linewidth=0.4)


def _draw(axes: Axes, polygons: Iterable[Polygon], **look: Any) -> None:
    """Closed polygons as one path, which an SVG holds in far fewer bytes than as many shapes."""
    corners: list[tuple[float, float]] = []
    codes: list[Any] = []
    for polygon in polygons:
        corners += polygon
        codes += [Path.MOVETO, *[Path.LINETO] * (len(polygon) - 2), Path.CLOSEPOLY]
    if corners:
        path = Path(np.array(corners), codes)
        path.should_simplify = False
        axes.add_patch(PathPatch(path, **look))


def _write_number(axes: Axes, square: Square, one: Map) -> None:
    """Bold where the square stands out, else in brackets: matplotlib before 3.10 loses what is bold."""
    x, y = square.column + 0.5, square.row + (0.4 if one.counted and any(square.diverged) else 0.5)
    text, size = signed(square.difference, one.decimals), 12 if one.counted else 9.5
    if not math.isfinite(square.difference):
        text = NOTHING
    elif not square.sure and one.tested:
        text = f"({text})"
    weight = "bold" if square.sure else "normal"
    ink = one.ink(square)
    axes.text(x, y, text, color=ink, fontsize=size, fontweight=weight, ha="center", va="center")


def _mark_diverged(axes: Axes, one: Map) -> None:
    """Counts of diverged runs, the baseline's at the left; triangles in the corners where they don't fit."""
    corners = defaultdict(list)
    for square in one.squares:
        for side, amount in enumerate(square.diverged):
            if amount and one.counted:
                x = square.column + (0.12, 0.88)[side]
                alignment = ("left", "right")[side]
                axes.text(
                    x, square.row + 0.74, f"✗{amount:,}", color=one.ink(square), fontsize=9.5, ha=alignment,
                    va="center",
                )  # fmt: skip
            elif amount:
                corners[one.ink(square)].append(_corner(square, side, one))
    for ink, triangles in sorted(corners.items()):
        _draw(axes, triangles, facecolor=ink, edgecolor="none")


def _corner(square: Square, side: int, one: Map) -> Polygon:
    """A triangle in the lower left or the lower right corner of a cell."""
    x, bottom = square.column + side, square.row + 1
    inward, up = min(0.45, CORNER / one.width), min(0.6, CORNER / one.tall)
    return [(x, bottom), (x + (inward, -inward)[side], bottom), (x, bottom - up), (x, bottom)]


def _label(axes: Axes, one: Map, title: str) -> None:
    columns, rows = one.across.levels, one.down.levels
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0), title=title, ylabel=one.down.name)
    axes.set_xlabel(one.across.name, loc="right")
    wanted = 6.5 * max(len(text) for text in columns) + 8
    shown = range(0, len(columns), max(1, math.ceil(wanted / one.width)))
    axes.set_xticks([place + 0.5 for place in shown], [columns[place] for place in shown])
    shown = range(0, len(rows), 1 if one.numbered else max(1, math.ceil(15 * len(rows) / TALL)))
    axes.set_yticks([place + 0.5 for place in shown], [rows[place] for place in shown])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
