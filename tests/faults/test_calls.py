"""What befalls a whole call: signals, a second caller, a full disk, the kernel's memory killer."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import modules_after
from tests.pace import slowness
from tests.processes import as_at_a_terminal, left_of_group, small_group

pytestmark = pytest.mark.slow

RUN = [sys.executable, "-m", "harness.cli", "run", "tiny", "--no-mirror", "--workers"]
WORDS = [*RUN, "2", "--set", "lr=0.05", "--set", "diagnostics=none", "--set", "epochs=60"]
RUNS = 12
GREEDY = """
from multiprocessing import current_process
import torch
from torch import nn

class Greedy(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def forward(self, x):
        if self.training and current_process().name != "MainProcess":
            hoard = [torch.ones(25_000_000) for _ in range(100)]
        return self.body(x)

def greedy(classes):
    return Greedy(classes)
"""


def start(words: list[str] = WORDS) -> subprocess.Popen[str]:
    """A call in a group of its own, as a terminal starts it."""
    return subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=as_at_a_terminal
    )


def runs_of(project: Path) -> list[Path]:
    return list((project / "results" / "tiny" / "runs").glob("*.parquet"))


def wait_for_runs(project: Path, *, count: int = 1) -> None:
    deadline = time.monotonic() + 120
    while len(runs_of(project)) < count:
        assert time.monotonic() < deadline, "no run finished in two minutes"
        time.sleep(0.02)


@pytest.fixture
def call(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A call that has finished a run and is at others."""
    process = start()
    try:
        wait_for_runs(project)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.faults),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.faults),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.faults),  # test_kills.py has some, too
    ],
)
def test_a_call_that_is_ended_leaves_no_process_and_no_lock_and_the_next_goes_on(
    number: int, status: int, call: subprocess.Popen[str], project: Path
) -> None:
    if number == signal.SIGINT:
        os.killpg(call.pid, number)  # as a terminal sends it: to the whole group
    else:
        os.kill(call.pid, number)
    _, err = call.communicate(timeout=30)
    assert call.returncode == status
    assert left_of_group(call.pid, seconds=2) == []
    if status > 0:
        assert "runs of this call are kept. Go on with: " in err
        assert "Traceback" not in err
    kept = len(runs_of(project))
    again = subprocess.run(WORDS, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{RUNS} completed ({RUNS - kept} trained in" in again.stderr


def test_a_second_call_stops_at_once_and_names_the_first(call: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    second = subprocess.run(WORDS, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 5 * slowness()
    assert second.returncode == 1
    said = " ".join(second.stderr.split())
    assert f"is written by process {call.pid} on " in said
    assert "rule: one process at a time writes the results of a study" in said
    assert call.poll() is None


def test_a_full_disk_ends_the_call_and_the_next_goes_on(project: Path) -> None:
    def fill_up() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    full = subprocess.run(WORDS, capture_output=True, text=True, check=False, preexec_fn=fill_up)
    assert full.returncode == 1
    said = " ".join(full.stderr.split())
    assert "can't be written: [Errno 27] File too large" in said
    assert "remedy: free some space or give another folder with --results" in said
    assert not list((project / "results").rglob("*.damaged"))
    again = subprocess.run(WORDS, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{RUNS} completed" in again.stderr
    assert "damaged" not in again.stderr


def test_a_finished_study_run_again_starts_nothing_and_takes_less_than_a_second(project: Path) -> None:
    words = [*WORDS[:-1], "epochs=1"]
    subprocess.run(words, capture_output=True, check=True)
    took = []
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        took.append(time.monotonic() - began)
        assert f"{RUNS} completed (0 trained" in done.stderr
    assert min(took) < 1.0 * slowness()
    assert not {"torch", "pandas", "scipy", "sympy"} & modules_after(words[3:])
    assert len(list((project / "results" / "tiny" / "provenance").iterdir())) == 1


@pytest.mark.faults
def test_a_worker_that_the_kernel_killed_for_want_of_memory_is_recorded_oom(project: Path) -> None:
    (project / "greedy_nets.py").write_text(GREEDY)
    study = project / "studies" / "tiny.py"
    declared = study.read_text()
    greedy = 'Variant("greedy", build="greedy_nets:greedy")'
    study.write_text(declared.replace('Variant("bn", norm="batch")', greedy))
    words = [*RUN, "1", "--retries", "0", "--set", "lr=0.05"]
    with small_group(1_600_000_000) as join:
        done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=join)
    assert done.returncode == 1
    assert "tiny: 6 completed, 6 oom" in done.stderr
    said = " ".join(done.stderr.split())
    assert "WorkerDied: its process ended with SIGKILL(-9): the kernel ended it for want of memory" in said
