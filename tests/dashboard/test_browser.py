"""The dashboard in a real browser: what a person sees who opens the printed address."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest

from tests.dashboard.conftest import Served
from tests.report.conftest import Recorded

See = Callable[[str], str]

pytestmark = pytest.mark.slow


def words(page: str) -> str:
    """The texts of a page, without tags, scripts and styles."""
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(bare).split())


def test_the_list_shows_the_study(served: Served, seen: See) -> None:
    assert "1. small Direction: MAXIMIZE" in words(seen(f"{served.root}/dashboard"))


def test_the_printed_page_shows_the_stored_figures(served: Served, seen: See) -> None:
    page = seen(served.address)
    titles = [words(text) for text in re.findall(r'<text class="gtitle".*?</text>', page, flags=re.DOTALL)]
    for title in (
        "Effect on test accuracy by cell",
        "Paired differences in test accuracy",
        "Accuracy and loss on the test images",
    ):
        assert any(text.startswith(title) for text in titles), titles
    for label in ("bn − plain, percentage points", "lr 0.01 · dropout 0.25", "accuracy, %", "loss", "epoch"):
        assert label in words(page)
    assert page.count('<g class="trace scatter') >= 6  # dots, diamonds, and four curves
    assert "Intermediate values" in words(page)
    assert "small.html" in words(page)  # the artifact


def test_a_trial_page_shows_its_curve(served: Served, seen: See, recorded: Recorded) -> None:
    first = min(recorded.runs, key=lambda row: (row["started_at"], row["run_id"]))
    text = words(seen(f"{served.address}/trials?numbers=0"))
    points = [
        f"{point['epoch']} {point['accuracy']}"
        for point in recorded.curves[first["run_id"]]
        if point["split"] == "test"
    ]
    assert len(points) == 7
    assert f"Intermediate Values {' '.join(points)} Parameter" in text
    assert f"Value {first['test_accuracy']} Intermediate" in text
    assert first["run_id"] in text


@pytest.mark.parametrize(("status", "state"), [("diverged", "Pruned"), ("failed", "Fail")])
def test_a_trial_page_shows_that_a_run_diverged_or_failed(
    served: Served, seen: See, recorded: Recorded, status: str, state: str
) -> None:
    ordered = sorted(recorded.runs, key=lambda row: (row["started_at"], row["run_id"]))
    number = next(i for i, row in enumerate(ordered) if row["status"] == status)
    text = words(seen(f"{served.address}/trials?numbers={number}"))
    assert f"Trial {number} (trial_id={number + 1}) {state}" in text
    assert f"status {status}" in text


def test_the_note_page_shows_question_and_means(served: Served, seen: See) -> None:
    page = seen(f"{served.address}/note")
    text = words(page)
    assert "Does batch normalization (BN) help a small CNN?" in text
    assert "24 of 24 runs" in text
    assert re.search(r"plain \(baseline\) \d\d\.\d\d % 11 1 bn \d\d\.\d\d % 12 0", text)
    (link,) = re.findall(r'href="(/artifacts/[^"]+)"', page)
    assert "The tests stand in the report" in text
    assert "Does batch normalization (BN) help a small CNN?" in words(seen(served.root + link))
