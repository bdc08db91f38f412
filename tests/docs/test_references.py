"""What the documents list is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.design.settings import KNOWN
from harness.store.tables import (
    ARCHITECTURE,
    DIAGNOSTICS,
    PROVENANCE,
    TRIALS,
    WEIGHTS,
    curves_schema,
    runs_schema,
)

ROOT = Path(__file__).parents[2]


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("runs", runs_schema(()).names),
        ("curves", curves_schema(()).names),
        ("weights", WEIGHTS.names),
        ("diagnostics", DIAGNOSTICS.names),
        ("architecture", ARCHITECTURE.names),
        ("trials", TRIALS.names),
        ("provenance", PROVENANCE.names),
    ],
)
def test_every_column_is_documented_in_its_order(table: str, columns: list[str]) -> None:
    rows = section((ROOT / "docs" / "tables.md").read_text(), table).splitlines()
    first_cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    assert re.findall(r"`(\w+)`", "".join(first_cells)) == columns


def test_every_setting_is_documented_with_its_default_and_rule() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for name, setting in KNOWN.items():
        assert f"| `{name}` | `{setting.default!r}` | {setting.rule} | {setting.meaning} |" in text


def test_the_readme_names_every_command_and_session() -> None:
    text = (ROOT / "README.md").read_text()
    cli = (ROOT / "harness" / "cli.py").read_text()
    commands = re.findall(r"^app\.command\((?:\"(\w+)\")?\)\((\w+)\)", cli, flags=re.MULTILINE)
    assert len(commands) == cli.count("app.command(") > 0
    assert all(f"`harness {named or function}" in text for named, function in commands)
    sessions = re.findall(r"@nox\.session[^\n]*\ndef (\w+)", (ROOT / "noxfile.py").read_text())
    assert len(sessions) == 9
    assert all(f"`{session}`" in text for session in sessions)


def test_the_guide_to_performance_names_programs_and_trials_that_there_are() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    folder = ROOT / "tests" / "benchmarks"
    named = set(re.findall(r"tests/benchmarks/(\w+\.py)", text))
    assert len(named) >= 4
    assert all((folder / name).exists() for name in named)
    trials = set(re.findall(r": `(\w+)`", section(text, "What was tried")))
    assert len(trials) >= 4
    program = (folder / "experiments.py").read_text()
    assert all(f'"{trial}"' in program for trial in trials)
