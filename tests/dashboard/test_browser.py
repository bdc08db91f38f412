"""The dashboard in a real browser: what a person sees who opens the printed address."""

from __future__ import annotations

import html
import re
import urllib.request
from collections.abc import Callable

import numpy as np
import pytest

from tests.dashboard.conftest import Served
from tests.report.conftest import Recorded

See = Callable[[str], str]

pytestmark = pytest.mark.slow


def words(page: str) -> str:
    """The texts of a page, without tags, scripts and styles."""
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(bare).split())


def drawn_line(svg: str, *, points: int) -> np.ndarray:
    """The coordinates of the one line of so many points that lies inside the axes; letters lie outside."""
    inside = re.findall(r' d="([^"]+)" clip-path', svg)
    paths = [re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", path) for path in inside]
    (line,) = (path for path in paths if len(path) == points)
    return np.array(line, dtype=float)


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
    page = seen(f"{served.address}/trials?numbers=0")
    text = words(page)
    curve = [point for point in recorded.curves[first["run_id"]] if point["split"] == "test"]
    assert len(curve) == 7
    points = " ".join(f"{point['epoch']} {point['accuracy']}" for point in curve)
    assert f"Intermediate Values {points} Parameter" in text
    assert f"Value {first['test_accuracy']} Intermediate" in text
    assert first["run_id"] in text
    (image,) = re.findall(r'<img [^>]*alt="curve.svg"[^>]*>', page)
    (picture,) = re.findall(r'src="(/artifacts/[^"]+)"', image)
    with urllib.request.urlopen(served.root + picture) as answer:
        assert answer.headers["Content-Type"] == "image/svg+xml"
        line = drawn_line(answer.read().decode(), points=7)
    epochs, accuracies = ([point[name] for point in curve] for name in ("epoch", "accuracy"))
    assert np.corrcoef(epochs, line[:, 0])[0, 1] == pytest.approx(1)
    assert np.corrcoef(accuracies, line[:, 1])[0, 1] == pytest.approx(-1)  # an SVG counts downwards


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
    assert "All runs are recorded: these are the verdicts. More stands in the report" in text
    assert "Does batch normalization (BN) help a small CNN?" in words(seen(served.root + link))
