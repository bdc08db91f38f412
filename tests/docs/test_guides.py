"""The code blocks in the README and the guides do what they say: each page is followed as a reader would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST = "docs/quick-start.md"
GUIDES = [FIRST, "README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
GUIDES = list(dict.fromkeys(GUIDES))
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)

PROGRAMS = {
    # The environment stands already, and what nox would install into its own is this one.
    "pip": "exit 0",
    # As noxfile.py: a study is trained, sliced and reported; its other chores are CI's, which runs them.
    # Without a name that is `quick`, which takes minutes in full: here it is at its small scale. A slice has
    # 11 × 11 points instead of 51 × 51.
    "nox": """
session=$2; shift 2; if [ $# -gt 0 ]; then shift; else set -- quick-small; fi
case $session in
    study) harness run "$@"; harness slice "$@" --points 11; harness report "$@" ;;
    dashboard) harness dashboard "$@" --refresh-only ;;
    *) grep -q "^def $session(" "$NOXFILE" ;;
esac
""",
}
"""Stand for programs that a page calls before there is an environment."""


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, file name and text of each fenced block of a page, in its order."""
    found = FENCED.findall((ROOT / page).read_text())
    return [(*info.partition(" ")[::2], text) for info, text in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader of all pages has: a checkout's studies, and an environment that can be activated."""
    tmp_path = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".nox" / "env" / "bin").mkdir(parents=True)
    (tmp_path / ".nox" / "env" / "bin" / "activate").touch()
    (tmp_path / "programs").mkdir()
    for name, script in PROGRAMS.items():
        program = tmp_path / "programs" / name
        program.write_text(f"#!/bin/bash\nset -e\n{script}\n")
        program.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    programs = os.pathsep.join(
        [str(folder / "programs"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    return {**os.environ, "PATH": programs, "NOXFILE": str(ROOT / "noxfile.py"), "COLUMNS": "100"}


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES)
def test_every_block_of_a_page_runs_in_the_order_in_which_it_stands(page: str, folder: Path) -> None:
    earlier = ""
    for language, name, text in blocks(page):
        assert language in ("python", "sh", "text"), f"{page}: a block is python, sh, or text that is no code"
        if "harness data devanagari" in text and "HARNESS_DATA" not in os.environ:
            pytest.skip("the digits of the article are not here (HARNESS_DATA)")
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        elif language != "text":
            command = ["bash", "-euo", "pipefail", "-c", text]
            if language == "python":
                earlier += text  # the snippets of a page are one program, read piece by piece
                command = [sys.executable, "-W", "error", "-c", earlier]
            done = subprocess.run(
                command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{page}:\n{text}\n{done.stdout}\n{done.stderr}"


def test_what_is_not_executed_needs_more_than_one_machine_or_is_a_diagram() -> None:
    skipped = {page: [text for language, _, text in blocks(page) if language == "text"] for page in GUIDES}
    assert {page for page, texts in skipped.items() if texts} == {"docs/running.md", "docs/architecture.md"}
    assert all("dask" in text for text in skipped["docs/running.md"])


def test_no_code_stands_outside_a_fenced_block() -> None:
    for page in GUIDES:
        prose = FENCED.sub("", (ROOT / page).read_text())
        lines = prose.splitlines()
        indented = [line for before, line in pairwise(lines) if not before and line.startswith("    ")]
        assert not indented, f"{page}: {indented}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in GUIDES:
        targets = re.findall(r"\]\(([^)#:]+)\)", FENCED.sub("", (ROOT / page).read_text()))
        lost = [target for target in targets if not ((ROOT / page).parent / target).exists()]
        assert not lost, f"{page}: {lost}"
