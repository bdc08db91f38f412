"""Edge: the figures of a report as files of their own, for a paper."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from matplotlib.axes import Axes

from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.store.files import write_whole

KINDS = ("pdf", "svg")


def save_figures(pictures: Iterable[Picture], folder: Path, *, palette: Palette) -> list[Path]:
    """Write every panel of every figure, and what its colours stand for, as PDF and as SVG.

    A file is named FIGURE-PANEL and is written whole or not at all; others in the folder are left alone.

    Args:
        pictures: of the report.
        folder: made where it does not exist.
        palette: of the report.

    Returns:
        The files.

    Raises:
        StoreError: the disk refuses.
    """
    written = []
    for picture in pictures:
        for panel in _panels(picture, palette):
            for kind in KINDS:
                path = folder / f"{_name(picture, panel)}.{kind}"
                write_whole(path, partial(_fill, panel.saved(kind)), option="--figures")
                written.append(path)
    return written


def _fill(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _panels(picture: Picture, palette: Palette) -> list[Panel]:
    """The panels, with the scale of their colours and the legend that the page sets beside them."""
    panels = [*picture.panels, *([picture.bar] if picture.bar else [])]
    return [*panels, _legend(picture, palette)] if picture.legend else panels


def _name(picture: Picture, panel: Panel) -> str:
    """Most panels bear the name of their figure already."""
    same = panel.name == picture.name or panel.name.startswith(f"{picture.name}-")
    return panel.name if same else f"{picture.name}-{panel.name}"


def _legend(picture: Picture, palette: Palette) -> Panel:
    """A line and a name a variant."""

    def paint(axes: Axes) -> None:
        axes.set_axis_off()
        for name in picture.legend:
            axes.plot(
                [], [], color=palette.light(name), linestyle=palette.dash(name), linewidth=2.2, label=name
            )
        axes.legend(loc="center", frameon=False, ncols=min(3, len(picture.legend)))

    height = 84 + 14 * ((len(picture.legend) - 1) // 3)
    return Panel(f"{picture.name}-legend", title="Colours", paint=paint, palette=palette, height=height)
