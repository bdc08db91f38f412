"""A tuned study on the command line, from the plan to the report."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.cli import app
from tests.search.test_kills import DECLARATION


def harness(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


@pytest.fixture
def study(project: Path) -> str:
    """20 proposals by halves, two variants, six seeds; set to fewer by the tests."""
    (project / "studies" / "tuned.py").write_text(DECLARATION)
    return "tuned"


WORDS = ("--set", "budget=12", "--set", "epochs=2")


def test_the_plan_says_what_the_search_costs(study: str) -> None:
    # Ten proposals: 10 × 1 + 5 × 2 epochs (two cells); then two: 2 × 1 + 1 × 2.
    told = lines(harness("plan", study, *WORDS))
    assert "search lr from 0.001 to 1.0, logarithmic; batch_size 4, 8 or 16" in told
    assert "tuning 12 proposals a cell, TPE after 10 quasi-random ones, pruned by halving (2)" in told
    assert "2 cells × 18 = 36 tuning runs, 48 epochs at most" in told
    assert "runs 2 cells × 6 seeds = 12 runs" in told
    assert any(line.startswith("packs 48 runs still to train; ") for line in told)


def test_the_list_counts_tuning_runs_apart(study: str) -> None:
    # As declared, for each of two cells: 10 + 5 + 2, then three times 3 + 1, then 1.
    told = [line for line in lines(harness("list")) if line.startswith(study)]
    assert told == ["tuned folder:images, 2 cells × 6 seeds = 12 runs, after 60 to tune"]


def test_a_report_waits_for_the_search(study: str) -> None:
    assert harness("report", study).exception is not None
    told = lines(harness("status", study))
    assert "plain 0/20 0" in told
    assert "then 12 runs with what is chosen" in told


class Text(HTMLParser):
    """The words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_a_tuned_study_from_start_to_report(study: str, project: Path) -> None:
    told = lines(harness("run", study, "--workers", "0", "--no-mirror", *WORDS))
    assert "36 tuning runs to train in this process" in told
    assert "12 runs to train in this process" in told
    assert any(line.startswith("tuned: 12 completed (48 trained in") for line in told)
    rows: list[dict[str, Any]] = list(csv.DictReader(harness("export", study, "trials").output.splitlines()))
    chosen = {row["variant"]: row for row in rows if row["chosen"] == "true"}
    told = lines(harness("status", study, "--runs", *WORDS))
    for variant in ("plain", "bn"):
        value = f"{float(chosen[variant]['value']):.4g}"
        settings = ", ".join(f"{k}={v}" for k, v in json.loads(chosen[variant]["params"]).items())
        assert f"{variant} 12/12 12 {value} {settings}" in told
        assert f"{variant} 6 0" in told
    assert sum("-s1000000-" in line for line in told) == 36
    assert sum("-s000-" in line for line in told) == 2

    lines(harness("report", study, *WORDS))
    page = " ".join(Text((project / "reports" / "tuned.html").read_text()).words)
    assert "The settings of each variant were searched with the same budget: 12 proposals" in page
    assert "never measures the test images" in page
    assert "How BatchNorm2d works" in page
    for variant in ("plain", "bn"):
        params = json.loads(chosen[variant]["params"])
        number, accuracy = int(chosen[variant]["number"]) + 1, 100 * float(chosen[variant]["value"])
        settings = " ".join(str(value) for value in params.values())
        assert f"{variant} {settings} {number} {accuracy:.1f} % " in page
    assert "Other runs" not in page
    assert "lr = 0.001 (learning rate)" not in page
