"""Edge: a call of the runner says which source, versions, hardware and command made its numbers."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from harness.store.provenance import describe_call
from harness.store.results import Results
from harness.store.tables import PROVENANCE


def a_call(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "data": {"name": "digits", "sha256": "ab", "classes": 10},
        "findings": {"accuracy": "cd"},
        "schedule": {"seeds": 30, "looks": [12, 30], "spending": "pocock"},
        "device": "cpu",
        "determinism": {"threads": 1, "tf32": False},
        "gpus": [],
    }
    return describe_call("small", **{**facts, **changes})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder outside of any git checkout; git sees no settings of the user's."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words: str) -> str:
    person = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *person, *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A git checkout with one commit."""
    git("init", "--quiet")
    (folder / "study.py").write_text("x = 1\n")
    git("add", "study.py")
    git("commit", "--quiet", "-m", "first")
    return folder


def test_a_call_fits_the_schema_and_comes_back(folder: Path) -> None:
    call = a_call()
    assert set(call) == set(PROVENANCE.names)
    Results(folder / "results").write_provenance(call)
    found = Results(folder / "results").read("provenance")
    assert found is not None
    assert found.schema == PROVENANCE
    assert found.to_pylist() == [call]


def test_every_call_has_a_file_of_its_own(folder: Path) -> None:
    results = Results(folder / "results")
    calls = [a_call() for _ in range(5)]
    for call in calls:
        results.write_provenance(call)
    found = results.read("provenance")
    assert found is not None
    assert sorted(found["call_id"].to_pylist()) == sorted(call["call_id"] for call in calls)
    assert len({call["call_id"] for call in calls}) == 5


def test_what_the_runner_tells_is_kept(folder: Path) -> None:
    assert folder.is_dir()
    call = a_call(device="cuda", gpus=["NVIDIA H100", "NVIDIA H100"])
    assert call["study"] == "small"
    assert json.loads(call["data"]) == {"name": "digits", "sha256": "ab", "classes": 10}
    assert json.loads(call["determinism"]) == {"threads": 1, "tf32": False}
    hardware = json.loads(call["hardware"])
    assert (hardware["device"], hardware["gpus"]) == ("cuda", ["NVIDIA H100", "NVIDIA H100"])


def test_the_moment_is_now_in_utc() -> None:
    before = datetime.now(UTC)
    started = a_call()["started_at"]
    assert before <= started <= datetime.now(UTC)
    assert started.tzinfo is UTC


def test_the_machine_is_described() -> None:
    hardware = json.loads(a_call()["hardware"])
    assert hardware["system"] == f"{platform.system()} {platform.machine()}"
    assert hardware["cpu"].strip()
    assert 1 <= hardware["cores"] <= (os.cpu_count() or 1)
    assert 0.1 < hardware["memory_gib"] < 100_000


def test_the_versions_are_those_that_are_installed() -> None:
    call = a_call()
    versions = json.loads(call["versions"])
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("torch", "torchvision", "numpy", "scipy", "pandas", "pyarrow", "statsmodels", "joblib"):
        assert versions[name] == metadata.version(name)
    assert call["harness"] == metadata.version("ablation-harness")


def test_the_command_is_the_one_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/harness", "run", "quick", "--seeds", "8"])
    assert a_call()["command"] == "harness run quick --seeds 8"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "postgresql+psycopg://ada:s3cret@db.example:5432/optuna",
            "postgresql+psycopg://ada:***@db.example:5432/optuna",
        ),
        ("postgresql://ada@db.example/optuna", "postgresql://ada@db.example/optuna"),
        ("sqlite:///optuna.db", "sqlite:///optuna.db"),
    ],
)
def test_a_password_is_not_kept(url: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/harness", "run", "quick", "--storage", url])
    assert shlex.split(a_call()["command"])[-1] == kept


def test_the_commit_is_the_one_that_is_checked_out(checkout: Path) -> None:
    call = a_call()
    assert call["git_commit"] == git("rev-parse", "HEAD")
    assert len(call["git_commit"]) == 40
    assert call["git_dirty"] is False
    (checkout / "sub").mkdir()
    os.chdir(checkout / "sub")
    assert a_call()["git_commit"] == call["git_commit"]


@pytest.mark.parametrize("name", ["study.py", "new.py"])
def test_a_changed_or_new_file_makes_the_checkout_dirty(name: str, checkout: Path) -> None:
    (checkout / name).write_text("x = 2\n")
    call = a_call()
    assert call["git_dirty"] is True
    assert call["git_commit"] == git("rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["results/quick/runs/a.parquet", "reports/quick.html"])
def test_what_a_study_makes_leaves_the_checkout_clean(name: str, checkout: Path) -> None:
    (checkout / name).parent.mkdir(parents=True)
    (checkout / name).write_text("made")
    assert a_call()["git_dirty"] is False


def test_outside_of_git_there_is_no_commit(folder: Path) -> None:
    assert folder.is_dir()
    call = a_call()
    assert call["git_commit"] is None
    assert call["git_dirty"] is None


def test_before_the_first_commit_there_is_none(folder: Path) -> None:
    git("init", "--quiet")
    assert (folder / ".git").is_dir()
    assert a_call()["git_commit"] is None


def test_without_git_on_the_machine_there_is_no_commit(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    call = a_call()
    assert call["git_commit"] is None
    assert call["git_dirty"] is None
