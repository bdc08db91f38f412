"""Computation: the worked example of batch normalisation as text and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # it brings torch
    from harness.models.walkthrough import Channel, Map, Walkthrough

_FIRST = "bold cyan"
"""The value that is followed through all steps."""


def explained(walk: Walkthrough, *, ranges: Sequence[tuple[int, int]], seed: int) -> Iterator[RenderableType]:
    """The steps, one after the other, each a heading, a line or two, and numbers.

    Args:
        walk: the worked example.
        ranges: of each channel, as `randint` takes them.
        seed: under which the images were drawn.
    """
    first = walk.channels[0]
    yield Text("Batch normalisation, worked through on two images of three channels", style="bold")
    yield from _batch(walk, ranges=ranges, seed=seed)
    yield from _figures(walk)
    yield from _normalised(walk, first)
    yield from _scaled(first)
    yield from _running(walk)
    yield from _settling(walk)
    yield from _evaluated(walk, first)
    yield _heading("7", "Agreement")
    yield _line(
        "All of it was computed just now by ReferenceBatchNorm2d (harness/models/batchnorm.py), in double "
        f"precision. torch.nn.BatchNorm2d gives the same: the largest difference is {walk.apart:.0e}."
    )


def _batch(walk: Walkthrough, *, ranges: Sequence[tuple[int, int]], seed: int) -> Iterator[RenderableType]:
    yield _heading("1", "The batch")
    drawn = ", ".join(f"randint({low}, {high})" for low, high in ranges)
    yield _line(
        f"torch.manual_seed({seed}); for each image its channels in turn: {drawn}, each 3 × 3. The first "
        "value of channel 1 is followed through all steps."
    )
    yield _maps_table(walk.channels, [channel.maps for channel in walk.channels], digits=0)


def _figures(walk: Walkthrough) -> Iterator[RenderableType]:
    count = walk.channels[0].count
    yield _heading("2", "Mean and variance of each channel")
    yield _line(
        f"Over both images, rows and columns: m = 2 · 3 · 3 = {count} values. The variance is the biased "
        "one, divided by m."
    )
    table = _table("channel", "μ = Σx / m", "σ² = Σ(x − μ)² / m")
    for number, channel in enumerate(walk.channels, 1):
        total = sum(sum(row) for part in channel.maps for row in part)
        table.add_row(
            str(number),
            f"{total:g} / {count} = {channel.mean:.4f}",
            f"{channel.squares:g} / {count} = {channel.variance:.4f}",
        )
    yield _indented(table)


def _normalised(walk: Walkthrough, first: Channel) -> Iterator[RenderableType]:
    yield _heading("3", "Normalise: x̂ = (x − μ) / √(σ² + ε)")
    yield _line(
        f"With ε = {walk.eps:.5f}. The first value: ({first.maps[0][0][0]:g} − {first.mean:.4f}) / "
        f"√({first.variance:.4f} + {walk.eps:.5f}) = {_number(first.normalised[0][0][0])}. Every channel now "
        "has mean 0 and variance 1, whatever it had before."
    )
    yield _maps_table(walk.channels, [channel.normalised for channel in walk.channels], digits=3)


def _scaled(first: Channel) -> Iterator[RenderableType]:
    from harness.models.walkthrough import SCALE, SHIFT

    yield _heading("4", "Scale and shift: y = γ · x̂ + β")
    before, after = first.normalised[0][0][0], first.scaled[0][0][0]
    yield _line(
        "γ and β are learned, one of each a channel, so that the network can have any mean and spread that "
        "serves it. They begin at γ = 1 and β = 0, where y is x̂. Had channel 1 come to "
        f"γ = {SCALE:g} and β = {SHIFT:g}, its first value would be {SCALE:g} · ({_number(before)}) + "
        f"{SHIFT:g} = {_number(after)}."
    )


def _running(walk: Walkthrough) -> Iterator[RenderableType]:
    kept, share = 1 - walk.momentum, walk.momentum
    yield _heading("5", f"Running figures: r ← {kept:g} · r + {share:g} · batch")
    yield _line(
        "For the day when there is no batch. The mean begins at 0, the variance at 1; the variance that goes "
        "in is the unbiased one, Σ(x − μ)² / (m − 1)."
    )
    table = _table("channel", "running mean", "unbiased", "running variance")
    for number, channel in enumerate(walk.channels, 1):
        table.add_row(
            str(number),
            f"{share:g}·{channel.mean:.4f} = {channel.running_mean:.4f}",
            f"{channel.squares:g}/{channel.count - 1} = {channel.unbiased:.4f}",
            f"{kept:g} + {share:g}·{channel.unbiased:.4f} = {channel.running_variance:.4f}",
        )
    yield _indented(table)


def _settling(walk: Walkthrough) -> Iterator[RenderableType]:
    from harness.models.walkthrough import AGAIN

    yield _line("They take their time. Mean and variance after so many batches, here always the same one:")
    table = _table("batches", *(f"channel {number}" for number in range(1, len(walk.channels) + 1)))
    for place, batches in enumerate(AGAIN):
        pairs = [channel.settling[place] for channel in walk.channels]
        table.add_row(str(batches), *(f"{mean:.4f}, {variance:.4f}" for mean, variance in pairs))
    ends = [(channel.mean, channel.unbiased) for channel in walk.channels]
    table.add_row("∞", *(f"{mean:.4f}, {variance:.4f}" for mean, variance in ends))
    yield _indented(table)


def _evaluated(walk: Walkthrough, first: Channel) -> Iterator[RenderableType]:
    yield _heading("6", "Evaluation: the running figures in place of the batch's")
    yield _line(
        "An image's result no longer depends on the other images. The first value, after one batch: "
        f"({first.maps[0][0][0]:g} − {first.running_mean:.4f}) / "
        f"√({first.running_variance:.4f} + {walk.eps:.5f}) = {_number(first.evaluated[0][0][0])}, where "
        f"training gave {_number(first.normalised[0][0][0])}. The running figures are still far from the "
        "batch's, and so are the results, most of all in the channel with the largest mean:"
    )
    yield _maps_table(walk.channels, [channel.evaluated for channel in walk.channels], digits=3)


def _maps_table(
    channels: Sequence[Channel], shown: Sequence[Sequence[Map]], *, digits: int
) -> RenderableType:
    """The images below each other, their channels side by side."""
    table = _table("", *(f"channel {number}" for number in range(1, len(channels) + 1)))
    table.columns[0].justify = "left"
    width = max(len(_number(value, digits)) for maps in shown for m in maps for row in m for value in row)
    for image in range(len(shown[0])):
        cells = []
        for number, maps in enumerate(shown):
            text = Text("\n").join(
                Text(" ").join(Text(_number(value, digits).rjust(width)) for value in row)
                for row in maps[image]
            )
            if number == image == 0:
                text.stylize(_FIRST, 0, width)
            cells.append(text)
        if image:
            table.add_row()
        table.add_row(f"image {image + 1}", *cells)
    return _indented(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place else "right", no_wrap=True)
    return table


def _heading(number: str, text: str) -> RenderableType:
    return Padding(Text(f"{number}  {text}", style="bold"), (1, 0, 0, 0), expand=False)


def _line(text: str) -> RenderableType:
    return _indented(Text(text))


def _indented(shown: RenderableType) -> RenderableType:
    return Padding(shown, (0, 0, 0, 3), expand=False)


def _number(value: float, digits: int = 4) -> str:
    """With a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")
