"""What befalls a call that trains on a cluster: signals, a lost scheduler, workers that come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import WorkerError
from harness.runner import cluster as cluster_module
from harness.runner.events import Event, Finished, LeftOut, Preparing, Retried
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.results import Results
from tests.clusters import Loopback, loopback, wait_until
from tests.processes import as_at_a_terminal

pytestmark = pytest.mark.faults

NETS = """
import os, signal, time
from torch import nn

class Slow(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def forward(self, x):
        if self.training and "ON_LOOPBACK" in os.environ:
            self.befall()
        return self.body(x)

    def befall(self):
        time.sleep(0.2)

class Deadly(Slow):
    def befall(self):
        time.sleep(2)
        os.kill(os.getppid(), signal.SIGKILL)  # the dask worker
"""


@pytest.fixture
def study(project: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Six runs of a second or so in a network of the user's own, and six quick ones."""
    (project / "slow_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(project)
    return a_study(project, "Slow")


def a_study(project: Path, fate: str, *, seeds: int = 3) -> Study:
    return Study(
        name="slow",
        question="Does it last?",
        dataset=f"folder:{project / 'images'}",
        variants=(Variant("plain"), Variant("own", build=f"slow_nets:{fate}")),
        factors=(Factor("lr", (0.05, 0.2)),),
        seeds=seeds,
        epochs=1,
        settings={"batch_size": 8, "probe_size": 20},
    )


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Loopback]:
    """A scheduler with one worker."""
    (tmp_path / "cluster").mkdir()
    with loopback(tmp_path / "cluster", threads=(1,)) as running:
        yield running


def run(
    study: Study, cluster: Loopback, *, at_first: Callable[[], None] | None = None, **options: Any
) -> tuple[Counter[str], list[Event]]:
    """Run a study there, and do something when its first run has ended."""
    events: list[Event] = []

    def notify(event: Event) -> None:
        first = isinstance(event, Finished) and not any(isinstance(other, Finished) for other in events)
        events.append(event)
        if first and at_first:
            at_first()

    return run_study(study, Options(device="cpu", cluster=cluster.address, **options), notify), events


def rows_of(variant: str) -> list[dict[str, Any]]:
    table = Results(Path("results") / "slow").runs()
    assert table is not None
    return [row for row in table.to_pylist() if row["variant"] == variant]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_call_that_is_ended_leaves_nothing_at_work_there_and_the_next_goes_on(
    number: int, status: int, lone: Loopback, project: Path
) -> None:
    lone.start_worker()
    words = [sys.executable, "-m", "harness.cli", "run", "tiny", "--cluster", lone.address]
    call = subprocess.Popen(
        [*words, "--set", "epochs=300"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=as_at_a_terminal,
    )
    runs = project / "results" / "tiny" / "runs"
    wait_until(lambda: list(runs.glob("*.parquet")), "a run has finished", seconds=120)
    assert len(lone.at_work()) == 2
    call.send_signal(number)
    _, err = call.communicate(timeout=30)
    assert call.returncode == status
    wait_until(lambda: not lone.at_work(), "nothing is at work", seconds=3)
    if status > 0:
        assert "runs of this call are kept. Go on with: " in err
        assert "Traceback" not in err
    again = subprocess.run([*words, "--set", "epochs=1"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "24 completed (24 trained" in again.stderr


def test_a_worker_that_comes_later_is_sent_the_data_and_put_to_work(lone: Loopback, study: Study) -> None:
    counts, events = run(study, lone, at_first=lone.start_worker)
    assert counts == {"completed": 12}
    sent = [event.what for event in events if isinstance(event, Preparing) and "sending" in event.what]
    assert sent == [f"sending {study.dataset} to 1 machine"] * 2
    logs = (Path("results") / "slow" / "logs").glob("*.log")
    processes = {log.read_text().split(", process ")[1].split(":")[0] for log in logs}
    assert len(processes) == 2


def test_a_run_that_costs_every_worker_its_life_is_recorded_failed(
    lone: Loopback, study: Study, project: Path
) -> None:
    del study
    counts, events = run(a_study(project, "Deadly", seeds=1), lone, retries=1)
    assert counts == {"completed": 2, "failed": 2}
    for row in rows_of("own"):
        assert row["attempt"] == 2
        assert row["error"].startswith("WorkerDied: the worker tcp://127.0.0.1:")
    assert sum(isinstance(event, Retried) for event in events) == 2


def test_workers_that_are_lost_for_good_end_the_call_and_finished_runs_are_kept(
    lone: Loopback, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 3.0)
    with pytest.raises(
        WorkerError, match=r"has had no worker that can take part for 3 s[\s\S]*finished runs are kept"
    ):
        run(study, lone, at_first=lambda: os.killpg(lone.nannies[0].pid, signal.SIGKILL))
    assert 1 <= len(rows_of("plain")) < 6


def test_a_lost_scheduler_ends_the_call_and_finished_runs_are_kept(lone: Loopback, study: Study) -> None:
    assert lone.scheduler
    with pytest.raises(WorkerError, match=r"the scheduler tcp://\S+ is gone[\s\S]*finished runs are kept"):
        run(study, lone, at_first=lone.scheduler.kill)
    assert 1 <= len(rows_of("plain")) < 6


def test_a_worker_without_the_harness_is_left_out(lone: Loopback, study: Study, project: Path) -> None:
    (project / "other" / "harness").mkdir(parents=True)
    (project / "other" / "harness" / "__init__.py").write_text("")
    lone.start_worker(environment={"PYTHONPATH": str(project / "other")})
    counts, events = run(study, lone)
    assert counts == {"completed": 12}
    (left_out,) = [event for event in events if isinstance(event, LeftOut)]
    assert "it can't run this harness: ModuleNotFoundError" in left_out.reason
