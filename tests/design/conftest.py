"""Edge: refusals checked in full, and a small project folder on the import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import InputError


def _assert_refused(call: Callable[[], object], *, received: str, rule: str, remedy: str) -> None:
    assert received
    assert rule
    assert remedy
    with pytest.raises(InputError) as caught:
        call()
    error = caught.value
    assert received in error.received
    assert rule in error.rule
    assert remedy in error.remedy
    assert error.exit_status == 2


@pytest.fixture
def assert_refused() -> Callable[..., None]:
    """A function that asserts that a call raises InputError, and what the error says."""
    return _assert_refused


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's, the working folder, first on an import path that is put back."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


@pytest.fixture
def write(project: Path) -> Callable[[str, str], Path]:
    """A function that writes a file of the project and lets the import system see it."""

    def write_file(name: str, text: str) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return path

    return write_file
