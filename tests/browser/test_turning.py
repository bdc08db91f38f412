"""Surfaces that are turned with the mouse, drawn by plotly.js, which the page brings along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.report.writing import write_report
from harness.store.results import Results
from tests.browser.conftest import Visit
from tests.report.conftest import record, small_study

BUTTON = "Turn it with the mouse"
GRAPHS = "figure[data-surfaces] .surface"

OF_THE_DRIVER = ("GPU stall due to ReadPixels", "willReadFrequently")
"""What Chromium says of drawing in three dimensions without a graphics card."""

CAMERAS = f"[...document.querySelectorAll('{GRAPHS}')].map((one) => one._fullLayout.scene.camera.eye)"
FONTS = f"[...document.querySelectorAll('{GRAPHS}')].map((one) => one._fullLayout.font.color)"


def bowl(run_id: str) -> list[dict[str, Any]]:
    """A plane of 5 × 5 points, 1 in the middle and higher around it, with a path of two epochs."""
    shared = {
        "run_id": run_id, "slice": "weights", "kind": "weights", "mode": "batch", "images": 512,
        "captured": 0.25, "first_axis": "conv3.weight:3,4,1,0", "second_axis": "conv3.weight:3,8,1,0",
    }  # fmt: skip
    grid = [
        {**shared, "row": i, "column": j, "first": i - 2.0, "second": j - 2.0}
        | {"loss": 1.0 + (i - 2) ** 2 + (j - 2) ** 2}
        for i in range(5)
        for j in range(5)
    ]
    path = [
        {**shared, "epoch": e, "first": 2.0 - 2 * e, "second": 0.0, "loss": 5.0 - 4 * e} for e in range(2)
    ]
    return [*grid, *path]


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with a slice of each variant."""
    folder = tmp_path_factory.mktemp("sliced")
    recorded = record(small_study(factors=(), seeds=2), folder / "small")
    for row in recorded.runs:
        if row["seed"] == 0:
            Results(recorded.folder).write_slice(bowl(row["run_id"]))
    return write_report(recorded.study, results=recorded.folder, out=folder)


@pytest.fixture
def turned(visit: Callable[..., Visit], sliced: Path) -> Visit:
    """The report, light, with its surfaces opened."""
    found = visit(sliced, color_scheme="light", viewport={"width": 1200, "height": 900})
    found.page.set_default_timeout(60_000)  # without a graphics card, and beside other tests
    found.page.get_by_role("button", name=BUTTON).click()
    found.page.get_by_text("All turn together.").wait_for()
    return found


def until(visit: Visit, true: Callable[[], bool]) -> None:
    """Wait up to 10 s for something; the page's policy lets Playwright's own waiting not run."""
    for _ in range(100):
        if true():
            return
        visit.page.wait_for_timeout(100)
    raise AssertionError("it never came")


def test_the_surfaces_of_all_variants_come_and_go_without_a_request_or_an_error(
    turned: Visit, sliced: Path
) -> None:
    assert turned.evaluate(f"document.querySelectorAll('{GRAPHS} canvas').length") >= 2
    assert turned.page.locator("h4").all_inner_texts() == ["plain", "bn"]
    heights = turned.evaluate(f"document.querySelector('{GRAPHS}')._fullData[0].z.flat()")
    assert max(heights) == pytest.approx(0.954, abs=1e-3)  # log10 of 1 + 4 + 4
    assert min(heights) == pytest.approx(0)
    button = turned.page.get_by_role("button", name=BUTTON)
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert button.get_attribute("aria-expanded") == "false"
    assert not turned.page.locator(GRAPHS).first.is_visible()
    assert [said for said in turned.complaints if not any(known in said for known in OF_THE_DRIVER)] == []
    assert {request.split(":")[0] for request in turned.requests} <= {"file", "data", "blob"}
    assert [request for request in turned.requests if request.startswith("file:")] == [sliced.as_uri()]


def test_whoever_turns_one_surface_turns_all_and_they_wear_the_colours_of_the_page(turned: Visit) -> None:
    before = turned.evaluate(CAMERAS)
    box = turned.page.locator(GRAPHS).first.bounding_box()
    assert box is not None
    mouse = turned.page.mouse
    mouse.move(box["x"] + 150, box["y"] + 150)
    mouse.down()
    mouse.move(box["x"] + 60, box["y"] + 120, steps=4)
    mouse.up()
    until(turned, lambda: turned.evaluate(CAMERAS)[0] != before[0])
    until(turned, lambda: len({str(eye) for eye in turned.evaluate(CAMERAS)}) == 1)
    light = turned.evaluate(FONTS)
    turned.page.emulate_media(color_scheme="dark")
    until(turned, lambda: light[0] not in turned.evaluate(FONTS))
    assert len(set(turned.evaluate(FONTS))) == 1
