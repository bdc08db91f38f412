"""A Chromium without a window, and a report of a study whose texts are hostile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError
from harness.models.walkthrough import walk_through
from harness.report.printing import find_browser
from harness.report.writing import write_report
from tests.report.conftest import Recorded, record, small_study

EVIL = "<script>alert(1)</script>"
ERROR = f"ValueError: {EVIL}"
LEVEL = "<img src=x onerror=alert(1)>"


def hostile_study() -> Study:
    """Three seeds of 2 × 2 × 2 combinations; its texts would run as scripts if they were taken as markup."""
    claims = (
        Finding("accuracy", claim=f"accuracy is {EVIL}", endpoint="accuracy", better="higher"),
        Finding("speed", claim="training is quicker", endpoint="epochs_to_threshold", better="lower"),
        Finding(
            "gap", claim="the gap is smaller", endpoint="generalisation_gap", better="lower", family="more"
        ),
    )
    factors = (Factor("lr", (0.01, 0.1)), Factor("optimizer", ("SGD", LEVEL)))
    return small_study(question=f"Is it {EVIL}?", factors=factors, findings=claims, seeds=3)


def how_it_ended(run: Run) -> str:
    """In plain at the small rate: seed 1 diverged, seed 2 failed."""
    first = run.cell.variant == "plain" and run.cell.levels["lr"] == 0.01
    return {1: "diverged", 2: "failed"}.get(run.seed, "completed") if first else "completed"


@dataclass
class Visit:
    """A page in the browser.

    Attributes:
        page: of Playwright.
        requests: what was asked for, other than what the page holds itself.
        complaints: errors and warnings, of the console and uncaught ones.
        dialogs: texts of the windows that a script opened.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def note(self, dialog: Dialog) -> None:
        """Close a window that a script opened, and remember it."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def evaluate(self, script: str, *given: Any) -> Any:
        """What a script says that is run in the page."""
        return self.page.evaluate(script, *given)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The study, its tables and the rows that were written."""
    folder = tmp_path_factory.mktemp("hostile") / "small"
    return record(hostile_study(), folder, statuses=how_it_ended, error=ERROR)


@pytest.fixture(scope="session")
def report(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report, with the worked example."""
    out = tmp_path_factory.mktemp("reports")
    return write_report(recorded.study, results=recorded.folder, out=out, walkthrough=walk_through)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One a file: while it runs, no other test of its process could start an event loop."""
    try:
        program = find_browser()
    except InputError as error:
        if os.environ.get("CI") or os.environ.get("HARNESS_BROWSER") == "required":
            raise
        pytest.skip(f"{error.received}: apt-get install chromium")
    words = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    words += ["--enable-unsafe-swiftshader"]  # surfaces are drawn without a graphics card
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=program, args=words)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Callable[..., Visit]]:
    """Opens the report, or another file, without a network; the arguments are Playwright's for a context."""
    contexts = []

    def open_page(path: Path = report, *, before: str = "", **options: Any) -> Visit:
        context = browser.new_context(offline=True, reduced_motion="reduce", **options)
        contexts.append(context)
        found = Visit(context.new_page())
        page = found.page
        page.set_default_timeout(10_000)
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("console", lambda said: found.complaints.append(f"{said.type}: {said.text}"))
        page.on("dialog", found.note)
        if before:
            page.add_init_script(before)
        page.goto(path.as_uri())
        return found

    yield open_page
    for context in contexts:
        context.close()
