"""The command line, called in the process of the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import main


@dataclass(frozen=True)
class Said:
    """What a call exited with and printed, each with its lines joined and spaces made single."""

    status: int
    out: str
    err: str


Harness = Callable[..., Said]


@pytest.fixture
def harness(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """Calls the command line in this process, in the project."""
    del project

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["harness", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), " ".join(said.out.split()), " ".join(said.err.split()))

    return call
