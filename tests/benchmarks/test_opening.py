"""How quickly a report opens in a browser; `nox -s bench` prints the table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from pytest_benchmark.fixture import BenchmarkFixture

from harness.design.loading import load_study
from harness.errors import InputError
from harness.report.printing import find_browser
from harness.report.writing import write_report
from tests.benchmarks.costs import pedantic
from tests.benchmarks.fabricated import record
from tests.benchmarks.figures import leave_out
from tests.benchmarks.figures import record as record_figure
from tests.pace import slowness

FACTORIAL = Path(__file__).parents[2] / "studies" / "factorial.py"

LOOK = """
const look = () => {
  if (!document.querySelector("main figure svg")) requestAnimationFrame(look);
  else requestAnimationFrame(() => setTimeout(() => { window.firstPicture = performance.now(); }));
};
look();
"""
"""When the frame has been drawn in which the first figure stands, in milliseconds from the start."""

SORT = """
() => {
  const table = document.querySelector("#runs table");
  table.closest("details").open = true;
  const times = [];
  for (const head of table.tHead.rows[0].cells) {
    table.offsetHeight;
    const start = performance.now();
    head.querySelector("button").click();
    table.offsetHeight;
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}
"""
"""By one column after the other, with the layout of the table: the median in milliseconds."""


@pytest.fixture
def browser(benchmark: BenchmarkFixture) -> Iterator[Browser]:
    """Chromium without a window."""
    if benchmark.disabled:
        pytest.skip("a matter of `nox -s bench`")
    try:
        program = find_browser()
    except InputError as error:
        leave_out(benchmark, "opening a report", why=error.received)
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])


@pytest.mark.slow
def test_opening_a_report_of_1440_runs(benchmark: BenchmarkFixture, browser: Browser, tmp_path: Path) -> None:
    """Whole in at most 2 s, the first picture in 1 s, 8 MB; the table of runs sorted in 0.1 s."""
    study = load_study(str(FACTORIAL))
    record(study, tmp_path / "factorial", single=100)
    path = write_report(study, results=tmp_path / "factorial", out=tmp_path)
    shutil.rmtree(tmp_path / "factorial")
    times = []

    def open_once() -> None:
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.add_init_script(LOOK)
        page.goto(path.as_uri())
        page.wait_for_function("window.firstPicture")
        words = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        times.append(page.evaluate(f"[{words}, window.firstPicture, ({SORT})()]"))
        context.close()

    pedantic(benchmark, open_once, rounds=5)
    seconds = [min(column) / 1000 for column in zip(*times, strict=True)]
    megabytes = path.stat().st_size / 1e6
    wanted = (("", 2.0), (", first picture", 1.0), (", the table sorted", 0.1))
    for (what, most), value in zip(wanted, seconds, strict=True):
        name = f"opening a report of 1,440 runs{what}"
        record_figure(benchmark, name, value, "s", target=f"≤ {most:g} s", met=value <= most)
    record_figure(benchmark, "the file", megabytes, "MB", target="≤ 8 MB", met=megabytes <= 8)
    assert megabytes < 8
    for (what, most), value in zip(wanted, seconds, strict=True):
        assert value < most * slowness(), what or "whole"
