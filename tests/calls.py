"""The command line, called in the process of the tests or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import main


@dataclass(frozen=True)
class Said:
    """What a call of the command line exited with and printed."""

    status: int
    out: str
    err: str


Harness = Callable[..., Said]


def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """Calls the command line in this process."""

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["harness", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return call


def modules_after(*calls: Sequence[str], folder: Path | None = None) -> set[str]:
    """What a Python has imported in which the commands of these words went well, one after another."""
    code = (
        f"import sys\nfrom harness.cli import main\nfor words in {list(map(list, calls))!r}:\n"
        "    sys.argv = ['harness', *words]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code, end.code\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
    )
    return set(done.stdout.splitlines()[-1].split())
