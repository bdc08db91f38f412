"""The citation of a report and of the harness."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.report.citation import cite, escaped
from tests.report.conftest import provenance_row, small_study

ROOT = Path(__file__).parents[2]


def entries(**call: Any) -> list[str]:
    study = small_study(name="a_b.c", question="Is 50 % of {it} #1 & $x_2$?")
    return cite(study, provenance_row(study) | call)


def test_the_report_is_cited_by_its_question_study_version_and_commit() -> None:
    report, _ = entries(started_at=datetime(2031, 12, 31, 23, 59, tzinfo=UTC))
    assert report == "\n".join(
        [
            "@misc{a_b.c-2031,",
            r"  title = {{Is 50 \% of \textbraceleft{}it\textbraceright{} \#1 \& \$x\_2\$?}},",
            r"  note = {Report of the study a\_b.c, made with ablation-harness 0.1.0 at commit 0123456789},",
            "  year = {2031},",
            "}",
        ]
    )


def test_the_software_is_cited_by_the_version_that_trained() -> None:
    _, software = entries(harness="0.7.2")
    assert "author = {{The ablation-harness authors}}," in software
    assert "note = {Version 0.7.2}," in software


def test_a_source_that_no_commit_tells_is_told() -> None:
    assert "at commit 0123456789 with uncommitted changes}" in entries(git_dirty=True)[0]
    assert "made with ablation-harness 0.1.0}" in entries(git_commit=None, git_dirty=None)[0]


@pytest.mark.parametrize("text", ["{", "}}{", r"\{", "a\nb  c", "~^_%$&#"])
def test_braces_stay_in_balance_and_nothing_commands(text: str) -> None:
    found = escaped(text)
    depth = 0
    for sign in found:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert "\n" not in found
    assert not re.search(r"(?<!\\)[%$&#_~^]", found)


def test_the_citation_file_agrees_with_the_package() -> None:
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    facts = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    assert facts["cff-version"] == "1.2.0"
    assert (facts["version"], facts["license"]) == (project["version"], project["license"])
    assert facts["abstract"].strip('"') == project["description"]


def test_the_report_carries_both_entries(page: Any) -> None:
    for entry in cite(small_study(), provenance_row(small_study())):
        assert " ".join(entry.split()) in page.text
    assert "  year = {2026}," in page.source
