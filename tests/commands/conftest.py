"""The command line, each answer in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.calls import Harness, Said, caller


@pytest.fixture
def harness(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """Calls the command line in the project; lines are joined and spaces made single."""
    del project
    call = caller(monkeypatch, capsys)

    def call_joined(*words: str) -> Said:
        said = call(*words)
        return Said(said.status, " ".join(said.out.split()), " ".join(said.err.split()))

    return call_joined
