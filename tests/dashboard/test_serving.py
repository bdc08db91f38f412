"""`harness dashboard`: what it serves, where, and how it begins and ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli import main
from harness.report.writing import write_report
from harness.store.lock import study_lock
from tests.dashboard.conftest import DECLARATION, Served, dashboard
from tests.report.conftest import Recorded

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the recorded study, as working folder."""
    project = tmp_path / "project"
    (project / "studies").mkdir(parents=True)
    (project / "studies" / "small.py").write_text(DECLARATION)
    shutil.move(recorded.folder, project / "results" / "small")
    monkeypatch.chdir(project)
    monkeypatch.setenv("COLUMNS", "400")
    return project


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `harness dashboard small` in this process: its exit status, and what it said."""
    del folder

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["harness", "dashboard", "small", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return run


def fetched(address: str) -> Any:
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def study_of(served: Served) -> Any:
    return fetched(served.address.replace("/dashboard/", "/api/"))


def test_it_listens_on_loopback_alone(served: Served) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(served.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    assert served.address.startswith("http://127.0.0.1:")
    assert fetched(f"{served.root}/api/meta")["allow_unsafe"] is False


def test_the_served_study_is_the_recorded_one(served: Served, recorded: Recorded) -> None:
    study = study_of(served)
    assert study["name"] == "small"
    attributes = [{a["key"]: a["value"] for a in trial["user_attrs"]} for trial in study["trials"]]
    assert {a["run_id"] for a in attributes} == {row["run_id"] for row in recorded.runs}


def test_the_report_hangs_on_the_study(served: Served, folder: Path, recorded: Recorded) -> None:
    (artifact,) = study_of(served)["artifacts"]
    assert (artifact["filename"], artifact["mimetype"]) == ("small.html", "text/html")
    number = served.address.rpartition("/")[2]
    with urllib.request.urlopen(f"{served.root}/artifacts/{number}/{artifact['artifact_id']}") as answer:
        page = answer.read()
    report = write_report(recorded.study, results=folder / "results" / "small", out=folder / "reports")
    assert page == report.read_bytes()


def test_a_report_that_is_written_meanwhile_takes_the_place_of_the_old(folder: Path) -> None:
    (folder / "reports").mkdir()
    (folder / "reports" / "small.html").write_text("the first")
    with dashboard(folder, "--port", "0") as running:
        (first,) = study_of(running)["artifacts"]
        (folder / "reports" / "small.html").write_text("the second")
        address = f"{running.root}/artifacts/1/{first['artifact_id']}"
        deadline = time.monotonic() + 20
        while urllib.request.urlopen(address).read() != b"the second":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert study_of(running)["artifacts"] == [first]
        assert len(list((folder / "results" / "small" / "artifacts").iterdir())) == 1
        assert running.stop() == 0
    assert running.lines[-1] == "the dashboard is closed"


def test_it_serves_while_a_run_goes_on_and_leaves_the_mirror_to_it(folder: Path, call: Call) -> None:
    assert call("--refresh-only")[0] == 0
    with study_lock(folder / "results" / "small"):
        with dashboard(folder, "--port", "0") as running:
            assert len(study_of(running)["trials"]) == 24
        assert running.lines[0] == "a run is going on; it keeps the mirror up to date"
        for option in ("--rebuild", "--refresh-only"):
            status, said = call(option)
            assert status == 1
            assert "one process at a time writes the results of a study" in said


def test_a_run_without_a_mirror_can_not_be_watched(
    folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.dashboard.refreshing.WAIT_SECONDS", 0.3)
    with study_lock(folder / "results" / "small"):
        status, said = call()
    assert status == 1
    assert "a run is going on in results/small, and mirrors nothing into optuna.db there" in said
    assert "remedy: give the same --storage as to the run, or wait until it has ended" in said


def test_refreshing_alone_says_what_was_added(call: Call, folder: Path) -> None:
    assert call("--refresh-only") == (0, "small: 24 of 24 runs recorded, 24 trials added to the mirror\n")
    assert call("--refresh-only") == (0, "small: 24 of 24 runs recorded, 0 trials added to the mirror\n")
    assert call("--refresh-only", "--rebuild")[1].endswith("24 trials added to the mirror\n")
    assert (folder / "results" / "small" / "optuna.db").exists()


def test_another_database_takes_the_place_of_the_file(call: Call, folder: Path) -> None:
    url = f"sqlite:///{folder}/elsewhere.db"
    assert call("--refresh-only", "--storage", url)[0] == 0
    assert (folder / "elsewhere.db").exists()
    assert not (folder / "results" / "small" / "optuna.db").exists()
    status, said = call("--storage", "elsewhere.db")
    assert status == 2
    assert "--storage is not the URL of a database" in said


def test_a_study_without_results_is_served_empty(folder: Path) -> None:
    shutil.rmtree(folder / "results")
    with dashboard(folder, "--port", "0") as running:
        assert study_of(running)["trials"] == []
        assert "0 of 24 runs" in study_of(running)["note"]["body"]


def test_a_declaration_of_which_nothing_is_recorded_does_not_wipe_the_mirror(call: Call) -> None:
    call("--refresh-only")
    status, said = call("--refresh-only", "--set", "epochs=2")
    assert status == 2
    assert "24 runs in results/small, none of study 'small' as it is declared" in said
    assert "remedy: after `run --set ...` give dashboard the same --set" in said
    assert call("--refresh-only")[1].endswith("0 trials added to the mirror\n")


def test_a_port_that_is_taken_is_refused_when_asked_for(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = call("--port", str(port))
    assert status == 2
    assert f"--port {port}: [Errno" in said
    assert "remedy: leave --port out for a free one" in said
    assert call("--port", "70000")[0] == 2


def test_a_port_that_is_taken_is_passed_by_otherwise(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # then somebody else has it
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        running = stack.enter_context(dashboard(folder))
        assert ":8080/" not in running.address
        assert study_of(running)["name"] == "small"


@pytest.mark.slow
def test_a_study_can_be_watched_while_it_runs(project: Path) -> None:
    short = ["--set", "lr=0.05", "--set", "epochs=60", "--set", "diagnostics=none"]
    words = ["run", "tiny", "--workers", "1", *short]
    with subprocess.Popen([sys.executable, "-m", "harness.cli", *words], cwd=project) as run:
        try:
            while not (project / "results" / "tiny" / "optuna.db").exists():
                assert run.poll() is None
                time.sleep(0.1)
            with dashboard(project, "--port", "0", *short, study="tiny") as running:
                assert running.lines[0] == "a run is going on; it keeps the mirror up to date"
                counts = [len(study_of(running)["trials"])]
                while run.poll() is None:
                    time.sleep(0.5)
                    counts.append(len(study_of(running)["trials"]))
                assert run.returncode == 0
                assert counts == sorted(counts)
                assert len(set(counts)) > 2
                time.sleep(2.5)  # the dashboard remembers trials for two seconds
                study = study_of(running)
        finally:
            run.kill()
    assert len(study["trials"]) == 12
    assert "**12 of 12 runs**: 12 completed" in study["note"]["body"]
