"""What befalls a worker costs one run a try, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.events import Event, Finished, Retried
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.results import Results
from tests.tables import assert_equal

pytestmark = pytest.mark.slow

NETS = """
import os, signal, sys, time
from multiprocessing import current_process
from pathlib import Path
import torch
from torch import nn

HERE = Path(__file__).parent

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, classes))
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.training and current_process().name != "MainProcess":  # the rehearsal in the parent is spared
            self.befall(self.steps)
        return self.body(x)

    def befall(self, step):
        pass

class Killed(Net):
    def befall(self, step):
        os.kill(os.getpid(), signal.SIGKILL)

class Crashed(Net):
    def befall(self, step):
        import ctypes
        ctypes.string_at(0)

class KilledOnce(Net):
    def befall(self, step):
        if step == 20 and not (HERE / "killed").exists():
            (HERE / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

class Hanging(Net):
    def befall(self, step):
        time.sleep(600)

class Greedy(Net):
    def befall(self, step):
        torch.empty(10**16)

class Leaving(Net):
    def befall(self, step):
        print("said before it left")
        sys.exit(3)

class Faulty(Net):
    def befall(self, step):
        (HERE / f"faulty-{os.getpid()}").touch()
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
"""


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "fated_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path / "nets")
    return tmp_path / "nets"


def run(study: Study, results: Path, **options: Any) -> tuple[Counter[str], list[Event]]:
    events: list[Event] = []
    return run_study(study, Options(results=results, device="cpu", **options), events.append), events


def beside(study: Study, fate: str, *, epochs: int = 2) -> Study:
    """The plain variant, and one that something befalls; one seed, two cells each."""
    fated = Variant("fated", build=f"fated_nets:{fate}")
    return replace(
        study,
        variants=(study.variants[0], fated),
        seeds=1,
        epochs=epochs,
        settings={"probe_size": 20, "lr": 0.05},
    )


def rows_of(results: Path, variant: str) -> list[dict[str, Any]]:
    table = Results(results / "tiny").runs()
    assert table is not None
    return [row for row in table.to_pylist() if row["variant"] == variant]


def logs_of(results: Path, variant: str) -> list[str]:
    return [path.read_text() for path in sorted((results / "tiny" / "logs").glob(f"{variant}-*.log"))]


def told(events: list[Event], kind: type[Retried] | type[Finished]) -> Counter[str]:
    return Counter(event.run_id for event in events if isinstance(event, kind))


@pytest.mark.parametrize(
    ("fate", "reason"), [("Killed", "SIGKILL(-9)"), ("Crashed", "SIGSEGV(-11)")], ids=lambda value: value
)
def test_a_run_whose_worker_dies_is_tried_again_then_recorded_failed(
    fate: str, reason: str, tiny_study: Study, tmp_path: Path
) -> None:
    counts, events = run(beside(tiny_study, fate), tmp_path, workers=2, retries=1)
    assert counts == {"completed": 2, "failed": 2}
    fated = rows_of(tmp_path, "fated")
    assert [(row["status"], row["attempt"]) for row in fated] == [("failed", 2)] * 2
    assert {row["error"] for row in fated} == {f"WorkerDied: its process ended with {reason}"}
    assert [row["attempt"] for row in rows_of(tmp_path, "plain")] == [1, 1]
    assert told(events, Retried) == {row["run_id"]: 1 for row in fated}
    for log in logs_of(tmp_path, "fated"):
        assert log.count(" started on ") == 2
        assert "will be tried again (1 of 1)" in log
        assert log.count(reason) == 2
        assert ("Segmentation fault" in log) == (fate == "Crashed")


def test_a_run_that_dies_once_is_completed_and_says_so(tiny_study: Study, tmp_path: Path) -> None:
    study = beside(tiny_study, "KilledOnce", epochs=4)
    counts, events = run(study, tmp_path, workers=1)
    assert counts == {"completed": 4}
    assert sorted(row["attempt"] for row in rows_of(tmp_path, "fated")) == [1, 2]
    assert sum(told(events, Retried).values()) == 1
    assert len(told(events, Finished)) == 4


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(tiny_study: Study, tmp_path: Path) -> None:
    study = beside(tiny_study, "KilledOnce", epochs=4)
    run(study, tmp_path / "disturbed", workers=1, checkpoint_seconds=1e-9)
    assert any("goes on after epoch" in log for log in logs_of(tmp_path / "disturbed", "fated"))
    assert not list((tmp_path / "disturbed" / "tiny" / "checkpoints").iterdir())
    run(study, tmp_path / "calm", workers=1)
    assert_equal(tmp_path / "disturbed" / "tiny", tmp_path / "calm" / "tiny")


def test_a_run_that_hangs_is_recorded_timeout_and_the_study_goes_on(
    tiny_study: Study, tmp_path: Path
) -> None:
    study = beside(tiny_study, "Hanging")
    counts, _ = run(study, tmp_path, workers=2, timeout=8.0)
    assert counts == {"completed": 2, "timeout": 2}
    for row in rows_of(tmp_path, "fated"):
        assert (row["status"], row["attempt"]) == ("timeout", 1)
        assert row["error"] == "Timeout: ended after 8 s (--timeout)"
        assert 8 <= row["wall_seconds"] < 30
    assert run(study, tmp_path, workers=2)[1] == []
    counts, events = run(study, tmp_path, workers=2, timeout=1.0, retry_failed=True)
    assert counts == {"completed": 2, "timeout": 2}
    assert sum(told(events, Finished).values()) == 2
    assert [row["attempt"] for row in rows_of(tmp_path, "fated")] == [2, 2]


def test_a_run_without_memory_is_tried_again_then_recorded_oom(tiny_study: Study, tmp_path: Path) -> None:
    counts, events = run(beside(tiny_study, "Greedy"), tmp_path, workers=1, retries=1)
    assert counts == {"completed": 2, "oom": 2}
    for row in rows_of(tmp_path, "fated"):
        assert row["attempt"] == 2
        assert "can't allocate memory" in row["error"]
    assert sum(told(events, Retried).values()) == 2


def test_a_network_that_ends_the_process_ends_its_run_alone(tiny_study: Study, tmp_path: Path) -> None:
    counts, _ = run(beside(tiny_study, "Leaving"), tmp_path, workers=1)
    assert counts == {"completed": 2, "failed": 2}
    assert all("SystemExit: 3" in row["error"] for row in rows_of(tmp_path, "fated"))
    assert all("said before it left" in log for log in logs_of(tmp_path, "fated"))


def test_a_worker_whose_gpu_failed_is_replaced(tiny_study: Study, nets: Path, tmp_path: Path) -> None:
    counts, _ = run(beside(tiny_study, "Faulty"), tmp_path, workers=1)
    assert counts == {"completed": 2, "failed": 2}
    assert len(list(nets.glob("faulty-*"))) == 2  # a process for each: the first was not used again


def test_every_run_leaves_a_log_of_its_epochs(tiny_study: Study, tmp_path: Path) -> None:
    run(replace(tiny_study, seeds=1), tmp_path, workers=1)
    logs = logs_of(tmp_path, "bn")
    assert len(logs) == 2
    for log in logs:
        assert all(f"epoch {epoch}: " in log for epoch in range(3))
        assert " completed after " in log.splitlines()[-1]
