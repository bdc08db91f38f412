"""`harness run` mirrors, unless it is told not to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from harness.cli import main
from tests.dashboard.conftest import connected

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `harness run tiny` in this process: its exit status, and what it said."""
    del project

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["harness", "run", "tiny", "--workers", "0", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return call


def count(url: str) -> int:
    with connected(url) as database:
        return len(optuna.load_study(study_name="tiny", storage=database).trials)


def test_a_run_is_mirrored_beside_its_results(run: Call, project: Path) -> None:
    status, said = run()
    assert status == 0
    assert "mirror" not in said
    assert count(f"sqlite:///{project}/results/tiny/optuna.db") == 24


def test_a_run_is_mirrored_into_another_database(
    run: Call, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--storage", f"sqlite:///{project}/one.db")[0] == 0
    assert count(f"sqlite:///{project}/one.db") == 24
    monkeypatch.setenv("HARNESS_STORAGE", f"sqlite:///{project}/other.db")
    assert run("--seeds", "7")[0] == 0
    assert count(f"sqlite:///{project}/other.db") == 28
    assert not (project / "results" / "tiny" / "optuna.db").exists()


def test_a_run_is_not_mirrored_on_request(run: Call, project: Path) -> None:
    assert run("--no-mirror")[0] == 0
    assert not (project / "results" / "tiny" / "optuna.db").exists()


def test_a_storage_that_can_not_be_is_refused_before_training(run: Call, project: Path) -> None:
    status, said = run("--storage", "mirror.db")
    assert status == 2
    assert "--storage is not the URL of a database" in said
    assert not (project / "results").exists()
