"""Computation: pictures and what networks make of them, drawn with characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # it brings torch
    from harness.runner.predicting import Predicted, Prediction

MOST_COLUMNS = 40
"""A wider picture is drawn smaller, by a whole number."""

_TOP = 3
_BAR = 16
_SHADES = " ░▒▓█"


def prediction_lines(shown: Predicted, *, classes: Sequence[str], colour: bool) -> Iterator[RenderableType]:
    """A picture as the networks see it, and beside it the most probable classes by variant.

    Args:
        shown: the picture and the predictions.
        classes: their names.
        colour: whether the terminal has colours; without them brightness becomes hatching.
    """
    yield Text(str(shown.path), style="bold")
    for step in shown.fitted.steps:
        yield _indented(Text(step))
    cell = shown.predictions[0].run.cell
    levels = "".join(f"{name}={level}, " for name, level in cell.levels.items())
    said = f"shown to the networks of {levels}seed {shown.predictions[0].run.seed}"
    yield _indented(Text(said, style="dim"))
    if shown.fitted.doubt:
        yield _indented(Text(shown.fitted.doubt, style="yellow"))
    sides = Table.grid(padding=(0, 2))
    sides.add_row(
        drawing(shown.fitted.pixels, colour=colour),
        Group(*(_of_variant(prediction, classes) for prediction in shown.predictions)),
    )
    yield Padding(sides, (1, 0, 1, 2), expand=False)


def drawing(pixels: npt.NDArray[np.uint8], *, colour: bool) -> Text:
    """An image [c, h, w], two pixels a character: half blocks, or shades where there is no colour."""
    factor = -(-pixels.shape[2] // MOST_COLUMNS)
    small = _shrunk(pixels, factor)
    if small.shape[1] % 2:
        small = np.concatenate([small, small[:, -1:]], axis=1)
    upper, lower = small[:, 0::2].transpose(1, 2, 0), small[:, 1::2].transpose(1, 2, 0)  # [row, column, c]
    lines = []
    for above, below in zip(upper, lower, strict=True):
        line = Text()
        for one, other in zip(above, below, strict=True):
            if colour:
                line.append("▀", style=f"{_hex(one)} on {_hex(other)}")
            else:
                line.append(_SHADES[int((one.mean() + other.mean()) / 2 * len(_SHADES) / 256)])
        lines.append(line)
    return Text("\n").join(lines)


def _of_variant(prediction: Prediction, classes: Sequence[str]) -> RenderableType:
    run = prediction.run
    early = f" of {run.epochs}, then it diverged" if prediction.epoch < run.epochs else ""
    head = Text(run.cell.variant, style="bold")
    head.append(f"  after epoch {prediction.epoch}{early}", "dim")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    order = sorted(range(len(classes)), key=lambda label: -prediction.probabilities[label])
    for label in order[:_TOP]:
        share = prediction.probabilities[label]
        table.add_row(Text(classes[label]), _percent(share), Text("█" * round(share * _BAR), style="cyan"))
    return Padding(Group(head, table), (0, 0, 1, 0), expand=False)


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2), expand=False)


def _percent(share: float) -> str:
    """`99.5 %`; what is neither nothing nor all never reads so."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{share:.1%}".replace("%", " %")


def _shrunk(pixels: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.uint8]:
    """The means of squares of factor × factor pixels; what is left over at the edges goes."""
    channels, height, width = pixels.shape
    rows, columns = max(1, height // factor), width // factor
    squares = pixels[:, : rows * factor, : columns * factor].reshape(
        channels, rows, min(factor, height), columns, factor
    )
    means: npt.NDArray[np.uint8] = squares.mean(axis=(2, 4)).round().astype(np.uint8)
    return means


def _hex(pixel: npt.NDArray[np.uint8]) -> str:
    red, green, blue = np.broadcast_to(pixel, (3,)).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"
