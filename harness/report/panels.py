"""Computation: a drawing -> an inline SVG that follows the page's colours and font."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report.palette import GRID, MUTED, TEXT, Palette

WIDTH = 360
"""Units across a panel: a unit is a CSS pixel on a telephone, where a panel is as wide as the page."""

LINE = 14
"""Units from a line of a heading to the next."""

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "text.parse_math": False,
    "text.color": TEXT.light,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10.5,
    "axes.labelcolor": MUTED.light,
    "axes.edgecolor": MUTED.light,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.formatter.useoffset": False,
    "grid.color": GRID.light,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
}
"""One style for every figure. Texts stay texts, nothing in them is read as a formula.

The type of its keys differs between versions of matplotlib."""

NO_METADATA: dict[str, Any] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The same drawing gives the same bytes."""
_NAMESPACE = re.compile(r"\{[^}]*\}")
_LONG_DECIMALS = re.compile(r"(\.\d\d)\d+")
_GEOMETRY = ("d", "x", "y", "width", "height", "transform", "points")
_REFERENCE = re.compile(r"#([\w.-]+)")


@dataclass(frozen=True)
class Panel:
    """One drawing of a figure; it is drawn when it is asked for.

    Attributes:
        name: unique in the page, fit for an id; the ids inside the SVG begin with it.
        title: what the panel shows, in words, for those who can't see it.
        paint: draws into the axes it is given.
        palette: its light colours become CSS variables in the SVG.
        height: in units; the width is 360.
        left: margin for the labels of the vertical axis.
        lines: of the heading; each beyond the first makes the panel higher.
        projection: `3d`, or none.
    """

    name: str
    title: str
    paint: Callable[[Any], None]
    palette: Palette
    height: int = 250
    left: int = 46
    lines: int = 1
    projection: str | None = None

    @cached_property
    def svg(self) -> Markup:
        """The drawing as a part of an HTML page, in the page's colours and font."""
        return _inlined(self.saved("svg").decode(), name=self.name, title=self.title, palette=self.palette)

    def saved(self, kind: str) -> bytes:
        """The drawing as a file of its own, `svg` or `pdf`, in the palette's light colours.

        Margins are given, so that panels of one height line up.
        """
        with mpl.rc_context(STYLE), warnings.catch_warnings():
            # The browser sets the text in a font of its own; matplotlib only measures it, in DejaVu Sans.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
            extra = LINE * (self.lines - 1)
            height = self.height + extra
            figure = Figure(figsize=(WIDTH / 72, height / 72))
            figure.patch.set_visible(False)
            axes: Axes = figure.add_subplot(projection=self.projection)
            axes.patch.set_visible(False)
            if self.projection is None:
                top = 1 - (28 + extra) / height
                figure.subplots_adjust(self.left / WIDTH, 42 / height, 1 - 10 / WIDTH, top)
            else:
                figure.subplots_adjust(0, 0, 1, 1)
            self.paint(axes)
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=NO_METADATA[kind])
        return buffer.getvalue()


@dataclass(frozen=True)
class Picture:
    """A figure of the report: panels that stand side by side or below each other.

    Attributes:
        name: unique in the page.
        panels: in order.
        caption: what is drawn, and how to read it.
        data: the numbers that are drawn, a row a mark, for those who want to draw them anew; its columns are
            plain names such as panel, variant, seed, epoch, value.
        legend: variants whose colours need a word; none where the panels name them.
        bar: what the colours of all panels stand for, where they stand for numbers.
        surfaces: what plotly.js draws for a reader who wants to turn it, as JSON; empty for flat figures.
    """

    name: str
    panels: tuple[Panel, ...]
    caption: str
    data: pd.DataFrame
    legend: tuple[str, ...] = ()
    bar: Panel | None = None
    surfaces: str = ""


def _inlined(text: str, *, name: str, title: str, palette: Palette) -> Markup:
    """The SVG as a part of an HTML page: no namespaces, own ids, the page's font and colours."""
    root = ElementTree.fromstring(text)
    colours = {ink.light: f"var(--{ink.name})" for ink in palette.inks}
    used = {key for node in root.iter() for value in node.attrib.values() for key in _references(value)}
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("style", "metadata"):
                parent.remove(child)
    for node in root.iter():
        node.tag = _local(node.tag)
        node.attrib = {_local(key): value for key, value in node.attrib.items()}
        _adapt(node.attrib, prefix=name, used=used, colours=colours)
        node.tail = None
        node.text = node.text if node.tag in ("text", "tspan") else None
    heading = ElementTree.Element("title", {"id": f"{name}-title"})
    heading.text = title
    root.insert(0, heading)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-labelledby": f"{name}-title"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _references(value: str) -> list[str]:
    return _REFERENCE.findall(value) if value.startswith(("#", "url(#")) else []


def _adapt(attributes: dict[str, str], *, prefix: str, used: set[str], colours: dict[str, str]) -> None:
    """Change one element's attributes in place."""
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    for key, value in attributes.items():
        if key == "id":
            attributes[key] = f"{prefix}-{value}"
        elif _references(value):
            attributes[key] = value.replace("#", f"#{prefix}-")
        elif key == "style":
            attributes[key] = _style(value, colours)
        elif key in _GEOMETRY:
            attributes[key] = _LONG_DECIMALS.sub(r"\1", " ".join(value.split()))
    if "rotate(-0 " in attributes.get("transform", ""):
        del attributes["transform"]


def _style(value: str, colours: dict[str, str]) -> str:
    """Declarations without a font family, with the palette's colours as variables."""
    kept = []
    for declaration in value.split("; "):
        key, _, content = declaration.partition(": ")
        if key == "font":  # matplotlib before 3.10 writes size and family in one
            size = re.search(r"[\d.]+px", content)
            key, content = "font-size", size[0] if size else "11px"
        if key != "font-family":
            kept.append(f"{key}:{colours.get(content, content)}")
    return ";".join(kept)


def _local(tag: str) -> str:
    """A tag or an attribute without its namespace."""
    return _NAMESPACE.sub("", tag)
