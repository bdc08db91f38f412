"""Drawings as parts of a page."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from harness.design.study import Study
from harness.design.variant import Variant
from harness.report.axes import log_ticks
from harness.report.palette import PARTS, palette_of
from harness.report.panels import Panel

STUDY = Study(
    name="s", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
)
PALETTE = palette_of(STUDY)


def drawn(name: str, title: str = "A title", label: str = "label") -> Panel:
    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], "o-", color=PALETTE.light("bn"))
        axes.set_title(label)

    return Panel(name, title=title, paint=paint, palette=PALETTE)


def ids(panel: Panel) -> list[str]:
    return [node.attrib["id"] for node in ElementTree.fromstring(panel.svg).iter() if "id" in node.attrib]


def test_ids_of_two_equal_drawings_differ_and_every_reference_meets_one() -> None:
    first, second = drawn("first"), drawn("second")
    assert ids(first)
    assert not set(ids(first)) & set(ids(second))
    assert len(ids(first)) == len(set(ids(first)))
    referred = set(re.findall(r'(?:url\(|href=")#([^)"]+)', first.svg))
    assert referred
    assert referred <= set(ids(first))


def test_a_text_that_looks_like_markup_stays_a_text() -> None:
    svg = drawn("x", title="<script>alert(1)</script>", label="<b>$x$ & more</b>").svg
    root = ElementTree.fromstring(svg)
    assert {node.tag for node in root.iter()} <= {
        "svg",
        "g",
        "path",
        "text",
        "title",
        "defs",
        "use",
        "clipPath",
        "rect",
    }
    assert root.findtext("title") == "<script>alert(1)</script>"
    assert "<b>$x$ & more</b>" in [node.text for node in root.iter("text")]


def test_colours_follow_the_page_and_no_font_is_named() -> None:
    svg = drawn("x").svg
    assert "stroke:var(--v1)" in svg
    assert "fill:var(--ink)" in svg
    assert not any(ink.light in svg for ink in PALETTE.inks)
    assert "font-family" not in svg
    assert "http" not in svg


def test_drawing_leaves_no_trace_in_matplotlib() -> None:
    before = mpl.rcParams.copy()
    drawn("x")
    assert mpl.rcParams.copy() == before
    assert not pyplot.get_fignums()


def test_letters_that_matplotlib_has_no_glyph_for_are_left_to_the_browser() -> None:
    assert "अंक 数字" in drawn("x", label="अंक 数字").svg


def test_the_same_drawing_gives_the_same_text() -> None:
    assert drawn("x").svg == drawn("x").svg


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.05, 3.0, [0.1, 0.3, 1.0, 3.0]),
        (0.3, 0.8, [0.3, 0.5, 0.7]),
        (1e-6, 2e3, [1e-6, 1e-4, 1e-2, 1.0, 100.0]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_few_and_round(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_words_are_readable_and_variants_visible_on_paper(mode: str) -> None:
    """WCAG 2.2: 4.5:1 for text (AA), 3:1 for graphics."""
    names = {ink.name: getattr(ink, mode) for ink in PARTS}
    for ground in ("paper", "tint", "warm"):
        for word in ("ink", "muted", "good", "bad", "open"):
            assert contrast(names[word], names[ground]) >= 4.5, (word, ground)
    many = Study(
        name="s",
        question="?",
        dataset="digits",
        variants=tuple(Variant(f"v{i}", width=i) for i in range(1, 8)),
    )
    for ink in palette_of(many).variants.values():
        assert contrast(getattr(ink, mode), names["paper"]) >= 3, ink


def test_every_variant_has_a_colour_of_its_own_however_many() -> None:
    variants = tuple(Variant(f"v{i}", width=i) for i in range(1, 15))
    inks = palette_of(Study(name="s", question="?", dataset="digits", variants=variants)).variants
    assert list(inks) == [variant.name for variant in variants]
    assert len({ink.light for ink in inks.values()}) == len({ink.name for ink in inks.values()}) == 14
