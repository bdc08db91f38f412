"""Computation: the worked example of batch normalisation as text and tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.models.example import Walkthrough
from harness.report.walkthrough import Cell, Sheet, steps

_FIRST = "bold cyan"
"""The value that is followed through all steps."""


def explained(walk: Walkthrough) -> Iterator[RenderableType]:
    """The steps, one after the other, each a heading, a line or two, and numbers."""
    yield Text("Batch normalisation, worked through on two images of three channels", style="bold")
    for number, step in enumerate(steps(walk), 1):
        yield Padding(Text(f"{number}  {step.heading}", style="bold"), (1, 0, 0, 0), expand=False)
        for passage in step.passages:
            yield _indented(Text(passage.text))
            if passage.sheet:
                yield _indented(_table(passage.sheet))


def _table(sheet: Sheet) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(sheet.columns):
        table.add_column(column, justify="left" if place else "right", no_wrap=True)
    maps = [cell for row in sheet.rows for cell in row if not isinstance(cell, str)]
    width = max((len(value) for cell in maps for row in cell for value in row), default=0)
    if maps:
        table.columns[0].justify = "left"
    for row in sheet.rows:
        if maps and row is not sheet.rows[0]:
            table.add_row()
        table.add_row(*(_cell(cell, width, marked=sheet.followed and cell is maps[0]) for cell in row))
    return table


def _cell(cell: Cell, width: int, *, marked: bool) -> Text:
    """A text as it is, a map in rows of equal width, its first value set off where it is marked."""
    if isinstance(cell, str):
        return Text(cell)
    text = Text("\n").join(Text(" ".join(value.rjust(width) for value in row)) for row in cell)
    if marked:
        text.stylize(_FIRST, 0, width)
    return text


def _indented(shown: RenderableType) -> RenderableType:
    return Padding(shown, (0, 0, 0, 3), expand=False)
