"""Runs trained by workers of a real cluster on loopback, which is disturbed as clusters are."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError, WorkerError
from harness.runner import cluster as cluster_module
from harness.runner import survey
from harness.runner.engines import Choice
from harness.runner.events import Chosen, Event, Finished, Preparing, Retried, Started
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.results import Results
from tests.clusters import Loopback, loopback
from tests.tables import assert_equal

pytestmark = pytest.mark.slow

BLOCKS = """
import os
from torch import nn

class Block(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, classes))

    def forward(self, x):
        if self.training and "ON_LOOPBACK" in os.environ:
            self.befall()
        return self.body(x)

    def befall(self):
        pass
"""
NETS = """
import ctypes, os, signal, time
from own_nets.parts.blocks import Block

class Slow(Block):
    def befall(self):
        if not os.path.exists(os.environ["ON_LOOPBACK"] + "/hurry"):
            time.sleep(0.2)

class Slower(Slow):
    pass

class Hanging(Block):
    def befall(self):
        ctypes.PyDLL(None).sleep(600)  # in C, and the interpreter's lock is not let go

class Killed(Block):
    def befall(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Failing(Block):
    def befall(self):
        print("said before it failed")
        raise RuntimeError("worn out")
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """Two dask workers, one of them with two threads, each with an empty cache of its own."""
    with loopback(tmp_path_factory.mktemp("cluster"), threads=(1, 2)) as running:
        yield running


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the user's own, in a folder of which the workers know nothing."""
    parts = tmp_path / "nets" / "own_nets" / "parts"
    parts.mkdir(parents=True)
    (parts.parent / "__init__.py").write_text("")
    (parts.parent / "fated.py").write_text(NETS)
    (parts / "blocks.py").write_text(BLOCKS)
    monkeypatch.syspath_prepend(tmp_path / "nets")
    for name in [name for name in sys.modules if name.startswith("own_nets")]:
        monkeypatch.delitem(sys.modules, name)


def run(
    study: Study, results: Path, *, watch: Callable[[Event], None] | None = None, **options: Any
) -> tuple[Counter[str], list[Event]]:
    events: list[Event] = []

    def notify(event: Event) -> None:
        events.append(event)
        if watch:
            watch(event)

    return run_study(study, Options(results=results, device="cpu", **options), notify), events


def with_own(study: Study, *fates: str, **changes: Any) -> Study:
    """The plain variant, and networks of the user's own; one seed, two cells each."""
    own = [Variant(fate.lower(), build=f"own_nets.fated:{fate}") for fate in fates]
    return replace(
        study,
        variants=(study.variants[0], *own),
        seeds=1,
        settings={"probe_size": 20, "lr": 0.05},
        **changes,
    )


def rows_of(results: Path, variant: str) -> list[dict[str, Any]]:
    table = Results(results / "tiny").runs()
    assert table is not None
    return [row for row in table.to_pylist() if row["variant"] == variant]


def logs_of(results: Path, variant: str) -> list[str]:
    return [path.read_text() for path in sorted((results / "tiny" / "logs").glob(f"{variant}-*.log"))]


def test_a_cluster_gives_the_tables_of_a_local_run_and_is_sent_the_data_once(
    cluster: Loopback, tiny_study: Study, tmp_path: Path
) -> None:
    counts, events = run(tiny_study, tmp_path / "there", cluster=cluster.address)
    assert counts == {"completed": 8}
    run(tiny_study, tmp_path / "here", workers=0)
    assert_equal(tmp_path / "there" / "tiny", tmp_path / "here" / "tiny")
    assert Started(runs=8, done=0, images=8 * 2 * 64, workers=3, device="cpu") in events
    assert Chosen(Choice("solo", "on a cluster's CPUs nothing is measured")) in events
    sent = f"sending {tiny_study.dataset} to 2 machines"
    assert [event.what for event in events if isinstance(event, Preparing)].count(sent) == 1
    assert all(log.count(" completed after ") == 1 for log in logs_of(tmp_path / "there", "bn"))
    assert not list((tmp_path / "there" / "tiny" / "checkpoints").iterdir())
    (call,) = Results(tmp_path / "there" / "tiny").read("provenance").to_pylist()  # type: ignore[union-attr]
    assert list(json.loads(call["hardware"])["hosts"]) == [os.uname().nodename]

    _, events = run(replace(tiny_study, seeds=3), tmp_path / "there", cluster=cluster.address, workers=1)
    assert not [event for event in events if isinstance(event, Preparing) and "sending" in event.what]
    assert [event.workers for event in events if isinstance(event, Started)] == [1]


def test_a_cluster_trains_packs_as_they_are_trained_here(
    cluster: Loopback, tiny_study: Study, tmp_path: Path
) -> None:
    study = replace(tiny_study, factors=(), settings={**tiny_study.settings, "batch_size": 16})
    counts, events = run(study, tmp_path / "there", cluster=cluster.address, engine="fused", workers=1)
    assert counts == {"completed": 4}
    run(study, tmp_path / "here", workers=0, engine="fused")
    assert_equal(tmp_path / "there" / "tiny", tmp_path / "here" / "tiny")
    rows = [row for variant in ("plain", "bn") for row in rows_of(tmp_path / "there", variant)]
    assert {(row["engine"], row["pack_size"]) for row in rows} == {("fused", 2)}
    assert all("in a pack of 2" in log for log in logs_of(tmp_path / "there", "bn"))
    assert [event.choice.why for event in events if isinstance(event, Chosen)] == ["as asked"]


def test_a_killed_worker_costs_a_try_and_changes_no_number(
    cluster: Loopback, tiny_study: Study, tmp_path: Path
) -> None:
    study = with_own(tiny_study, "Slow", "Slower", epochs=8)
    killed: list[int] = []

    def kill(event: Event) -> None:
        at_slow = [run_id.startswith("slow") for run_id in getattr(event, "active", ())]
        if at_slow == [True] * 3 and not killed:
            killed.append(cluster.kill_a_dask_worker())
            (cluster.folder / "hurry").touch()

    counts, events = run(
        study, tmp_path / "there", cluster=cluster.address, watch=kill, checkpoint_seconds=1e-9
    )
    assert counts == {"completed": 6}
    retried = [event for event in events if isinstance(event, Retried)]
    assert len(retried) == killed[0]
    assert all(re.fullmatch(r"WorkerDied: the worker tcp://\S+ was lost", event.reason) for event in retried)
    rows = [row for variant in ("plain", "slow", "slower") for row in rows_of(tmp_path / "there", variant)]
    again = {event.run_id for event in retried}
    # These workers see the folder of results, as on a shared file system: the state was kept there.
    logs = [(tmp_path / "there" / "tiny" / "logs" / f"{run_id}.log").read_text() for run_id in again]
    assert all("will be tried again (1 of 2)" in log and "goes on after epoch" in log for log in logs)
    assert {row["run_id"]: row["attempt"] for row in rows} == {
        row["run_id"]: 2 if row["run_id"] in again else 1 for row in rows
    }
    run(study, tmp_path / "here", workers=0)
    assert_equal(tmp_path / "there" / "tiny", tmp_path / "here" / "tiny")


def test_what_befalls_a_run_there_is_recorded_as_here(
    cluster: Loopback, tiny_study: Study, tmp_path: Path
) -> None:
    study = with_own(tiny_study, "Hanging", "Killed", "Failing", factors=())
    counts, events = run(study, tmp_path, cluster=cluster.address, timeout=10.0, retries=1)
    assert counts == {"completed": 1, "timeout": 1, "failed": 2}
    (hanging,), (killed,), (failing,) = (rows_of(tmp_path, name) for name in ("hanging", "killed", "failing"))
    assert (hanging["status"], hanging["attempt"]) == ("timeout", 1)
    assert hanging["error"] == "Timeout: ended after 10 s (--timeout)"
    assert hanging["host"] == os.uname().nodename
    assert (killed["status"], killed["attempt"]) == ("failed", 2)
    assert killed["error"] == "WorkerDied: its process ended with SIGKILL(-9)"
    assert (failing["status"], failing["attempt"]) == ("failed", 1)
    assert "RuntimeError: worn out" in failing["error"]
    (log,) = logs_of(tmp_path, "failing")
    assert "said before it failed" in log
    assert [event.run_id for event in events if isinstance(event, Retried)] == [killed["run_id"]]
    assert sum(isinstance(event, Finished) for event in events) == 4


def test_workers_with_another_harness_are_left_out(
    cluster: Loopback, tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "source_digest", lambda: "another!")
    with pytest.raises(
        WorkerError,
        match=r"no worker of the cluster can take part \(tcp://\S+ it has harness \S+ \(\w{8}\), "
        r"this process \S+ \(another!\)[\s\S]*same harness and torch[\s\S]*install the same versions there",
    ):
        run(tiny_study, tmp_path, cluster=cluster.address)
    assert not (tmp_path / "tiny" / "runs").exists()


def test_a_gpu_that_no_worker_has_is_refused(cluster: Loopback, tiny_study: Study, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"no worker of the cluster has a GPU[\s\S]*--device cuda[\s\S]*add workers that have",
    ):
        run_study(
            tiny_study, Options(results=tmp_path, device="cuda", cluster=cluster.address), lambda _: None
        )


def test_a_cluster_without_workers_is_said(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 1.0)
    with (
        loopback(tmp_path, threads=()) as empty,
        pytest.raises(
            WorkerError,
            match=r"has had no worker that can take part for 1 s[\s\S]*`dask worker tcp://\S+ --nthreads 1`",
        ),
    ):
        run(tiny_study, tmp_path, cluster=empty.address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tcp://"])
def test_an_address_without_a_scheduler_is_said(
    address: str, tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(
        InputError,
        match=rf"--cluster {address}: no scheduler of dask answers there[\s\S]*`dask scheduler` says",
    ):
        run(tiny_study, tmp_path, cluster=address)


def test_without_the_extra_the_option_says_what_to_install(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "harness.runner.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        InputError, match=r"distributed is not installed[\s\S]*pip install 'ablation-harness\[cluster\]'"
    ):
        run(tiny_study, tmp_path, cluster="tcp://127.0.0.1:9")


def test_a_run_is_trained_here_or_there() -> None:
    with pytest.raises(
        InputError, match=r"--cluster tcp://x --workers 0[\s\S]*either in this process or on a"
    ):
        Options(cluster="tcp://x", workers=0)
