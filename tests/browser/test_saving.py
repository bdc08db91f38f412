"""Figures and tables, saved from the page at a click."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from harness.findings.analysis import analyse
from harness.report.page import compose, pictures
from harness.report.panels import Picture
from tests.browser.conftest import Visit
from tests.report.conftest import Recorded

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
ORANGE = "#d55e00"
"""Of bn on light paper, after Okabe and Ito: 213, 94, 0."""


@pytest.fixture(scope="module")
def drawn(recorded: Recorded) -> dict[str, Picture]:
    """The report's figures by name."""
    report = compose(analyse(recorded.study, recorded.folder), words=("small",))
    return {picture.name: picture for picture in pictures(report)}


@pytest.fixture
def dark(visit: Callable[..., Visit]) -> Visit:
    """The report on dark paper: what is saved is light all the same."""
    found = visit(color_scheme="dark")
    found.page.locator("#runs summary").click()
    return found


def save(found: Visit, name: str, kind: str, folder: Path) -> Path:
    """Click on a button, and wait for the file."""
    what = "Save runs" if name == "runs" else f"Save figure {name}"
    with found.page.expect_download() as waiting:
        found.page.get_by_role("button", name=f"{what} as {kind}", exact=True).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.name == f"small-{name}.{kind.lower()}"
    assert found.complaints == []
    return path


def test_every_figure_offers_to_be_saved(dark: Visit, drawn: dict[str, Picture]) -> None:
    buttons = dark.page.locator(".save button").all()
    labels = [button.get_attribute("aria-label") for button in buttons]
    wanted = {f"Save figure {name} as {kind}" for name in drawn for kind in ("SVG", "PNG", "CSV")}
    assert len(drawn) > 4
    assert sorted(map(str, labels)) == sorted(wanted | {"Save runs as CSV"})


def test_a_saved_svg_is_the_whole_figure_in_light_colours(
    dark: Visit, drawn: dict[str, Picture], tmp_path: Path
) -> None:
    path = save(dark, "curves", "SVG", tmp_path)
    root = ElementTree.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    panels = [node for node in root.findall(f"{SVG}svg") if node.get("role") == "img"]
    assert len(panels) == len(drawn["curves"].panels) == 6
    assert root.findtext(f"{SVG}title") == "Loss and accuracy over epochs"
    assert root.findtext(f"{SVG}desc") == drawn["curves"].caption
    assert [node.text for node in root.findall(f"{SVG}text")] == ["plain (baseline)", "bn"]
    text = path.read_text()
    assert ORANGE in text
    assert not re.search(r"var\(|currentColor|NaN|undefined", text)
    assert "Arial" in str(root.get("font-family"))


def test_the_panels_of_a_saved_figure_do_not_overlap(dark: Visit, tmp_path: Path) -> None:
    root = ElementTree.parse(save(dark, "curves", "SVG", tmp_path)).getroot()
    boxes = [
        tuple(float(node.attrib[key]) for key in ("x", "y", "width", "height"))
        for node in root.findall(f"{SVG}svg")
    ]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for a, b, c, d in boxes[:i]:
            assert x >= a + c or a >= x + w or y >= b + d or b >= y + h


def test_every_drawing_is_whole_by_itself(dark: Visit, drawn: dict[str, Picture]) -> None:
    referring = 0
    for name, picture in drawn.items():
        text = dark.evaluate(f"drawingOf(document.getElementById('figure-{name}')).text")
        root = ElementTree.fromstring(text)
        ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
        assert len(ids) == len(set(ids))
        asked = [node.attrib[f"{XLINK}href"][1:] for node in root.iter() if f"{XLINK}href" in node.attrib]
        assert set(asked + re.findall(r"url\(#([^)]*)\)", text)) <= set(ids)
        uses = dark.page.locator(f"#figure-{name} > .panels > svg use").count()
        assert len(asked) == len(list(root.iter(f"{SVG}use"))) == uses
        referring += uses
        assert "var(" not in text
        titles = [node.text for node in root.iter(f"{SVG}title")]
        assert {panel.title for panel in picture.panels} <= set(titles)
    assert referring > 20


def test_a_saved_png_shows_the_same_on_white_with_two_dots_a_unit(dark: Visit, tmp_path: Path) -> None:
    path = save(dark, "curves", "PNG", tmp_path)
    root = ElementTree.parse(save(dark, "curves", "SVG", tmp_path)).getroot()
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with Image.open(path) as image:
        assert image.size == (
            math.ceil(2 * float(root.attrib["width"])),
            math.ceil(2 * float(root.attrib["height"])),
        )
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    orange = (pixels == [213, 94, 0]).all(axis=2)
    assert orange.sum() > 1000
    # Every panel has a line of bn: they reach from the first row to the last, and from side to side.
    rows, columns = np.nonzero(orange)
    assert rows.max() - rows.min() > pixels.shape[0] / 2
    assert columns.max() - columns.min() > pixels.shape[1] / 2


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def same(text: str, value: Any) -> bool:
    """Whether a field says a value: the very number, or nothing."""
    if value is None or value != value:
        return text == ""
    if isinstance(value, bool | np.bool_ | str):
        return text == str(value)
    return float(text) == float(value)


@pytest.mark.parametrize("name", ["curves", "pairs-accuracy"])
def test_the_numbers_of_a_figure_are_saved_as_they_are_drawn(
    dark: Visit, drawn: dict[str, Picture], tmp_path: Path, name: str
) -> None:
    saved, data = rows_of(save(dark, name, "CSV", tmp_path)), drawn[name].data
    assert list(saved[0]) == list(data.columns)
    assert len(saved) == len(data) > 0
    for row, values in zip(
        saved, data.astype(object).where(data.notna(), None).to_dict("records"), strict=True
    ):
        assert all(same(row[str(key)], value) for key, value in values.items())


def test_the_file_of_runs_is_saved_with_hostile_texts_untouched(
    dark: Visit, recorded: Recorded, tmp_path: Path
) -> None:
    saved = {row["run_id"]: row for row in rows_of(save(dark, "runs", "CSV", tmp_path))}
    assert set(saved) == {row["run_id"] for row in recorded.runs}
    for row in recorded.runs:
        found = saved[row["run_id"]]
        for name in ("variant", "lr", "optimizer", "seed", "status", "epochs_to_threshold", "error"):
            assert same(found[name], row[name])
        assert same(found["test_accuracy"], row.get("test_accuracy"))


def test_a_browser_that_cannot_unpack_says_so(visit: Callable[..., Visit]) -> None:
    found = visit(before="delete window.DecompressionStream")
    found.page.get_by_role("button", name="Save figure curves as CSV").click()
    said = found.page.locator("#figure-curves output")
    said.get_by_text("This browser can't").wait_for()
    assert found.complaints == []
