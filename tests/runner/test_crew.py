"""Worker processes that die, hang and can't start, for real."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.errors import WorkerError
from harness.runner.beacons import light
from harness.runner.crew import Crew
from harness.runner.desk import Desk
from harness.runner.post import Death
from tests.processes import left_of_group


def begin(desk: Desk, name: str) -> None:
    light(desk.beacon, run_id=name, since=time.monotonic(), images=0)


def own_pid(name: str, desk: Desk) -> int:
    begin(desk, name)
    return os.getpid()


def pid_at_once(_: Desk) -> int:
    return os.getpid()


def killed(name: str, desk: Desk) -> None:
    begin(desk, name)
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before_it_begins(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once(marker: Path, name: str, _: Desk) -> str:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def hang(name: str, desk: Desk) -> None:
    begin(desk, name)
    time.sleep(600)


def hang_without_python(name: str, desk: Desk) -> None:
    """Like a kernel or a file system that does not come back: no signal handler of Python's runs."""
    begin(desk, name)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    time.sleep(600)


def wait_and_name(name: str, desk: Desk) -> str:
    begin(desk, name)
    time.sleep(1.0)
    return name


def wait_and_say_who(name: str, desk: Desk) -> int:
    begin(desk, name)
    time.sleep(1.0)
    return os.getpid()


def raise_error(name: str, desk: Desk) -> None:
    begin(desk, name)
    raise ValueError("let out")


def clock_goes_back(name: str, desk: Desk) -> float:
    """Seconds that a second takes while the wall clock is set back and forward by hours."""
    started = time.monotonic()
    time.time = lambda: 0.0
    begin(desk, name)
    time.sleep(1.0)
    time.time = lambda: 1e12
    return time.monotonic() - started


WORK: dict[str, Callable[..., Any]] = {
    "pid": own_pid, "killed": killed, "hang": hang, "deep": hang_without_python, "wait": wait_and_name,
    "who": wait_and_say_who, "error": raise_error, "never": killed_before_it_begins, "clock": clock_goes_back,
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for folder in ("beacons", "logs", "checkpoints"):
        (tmp_path / folder).mkdir()
    return Desk(tmp_path / "beacons", tmp_path / "logs", tmp_path / "checkpoints")


def results(crew: Crew[str], *names: str) -> Iterator[tuple[str, object]]:
    return crew.results(deque(names), lambda name: partial(WORK[name.split()[0]], name))


def test_a_death_costs_one_result_and_disturbs_no_other_worker(desk: Desk) -> None:
    with Crew[str](("cpu", "cpu"), desk=desk) as crew:
        before = {pid for _, pid in results(crew, "who 0", "who 1")}
        ended = dict(results(crew, "killed", "who 2", "who 3", "who 4"))
    death = ended.pop("killed")
    assert isinstance(death, Death)
    assert death == Death("its process ended with SIGKILL(-9)", death.seconds, begun=True)
    assert set(ended) == {"who 2", "who 3", "who 4"}
    assert len(before) == 2
    assert len(before & set(ended.values())) == 1


@pytest.mark.parametrize("how", ["hang", "deep"])
def test_work_that_takes_too_long_is_ended_and_the_rest_goes_on(how: str, desk: Desk) -> None:
    with Crew[str](("cpu",), desk=desk, limit=1.5) as crew:
        began = time.monotonic()
        ended = list(results(crew, how, "wait"))
        took = time.monotonic() - began
    (name, death), rest = ended
    assert name == how
    assert isinstance(death, Death)
    assert death.overdue
    assert death.reason == "ended after 1.5 s (--timeout)"
    assert 1.5 <= death.seconds < 4
    assert rest == ("wait", "wait")
    assert took < 60


def test_a_process_that_dies_while_it_starts_costs_no_result(desk: Desk, tmp_path: Path) -> None:
    with Crew[str](("cpu",), desk=desk) as crew:
        tasks = deque(["a", "b"])
        ended = list(crew.results(tasks, lambda name: partial(killed_once, tmp_path / "died", name)))
    assert ended == [("a", "a"), ("b", "b")]


def test_a_worker_that_dies_between_two_works_costs_no_result(desk: Desk) -> None:
    with Crew[str](("cpu",), desk=desk) as crew:
        ((_, first),) = crew.results(deque(["first"]), lambda _: pid_at_once)
        os.kill(first, signal.SIGKILL)
        time.sleep(1.0)  # its pool has noticed
        ((_, second),) = crew.results(deque(["second"]), lambda _: pid_at_once)
    assert isinstance(second, int)
    assert second != first


def test_workers_that_never_start_end_the_call(desk: Desk) -> None:
    with (
        Crew[str](("cpu",), desk=desk) as crew,
        pytest.raises(WorkerError, match=r"3 worker processes in a row died[\s\S]*SIGKILL[\s\S]*--workers 0"),
    ):
        list(results(crew, "never"))


def test_an_error_of_the_work_is_let_out(desk: Desk) -> None:
    with Crew[str](("cpu",), desk=desk) as crew, pytest.raises(ValueError, match="let out"):
        list(results(crew, "error"))


def test_every_slot_has_a_worker_and_each_lives_as_long_as_the_crew(desk: Desk) -> None:
    with Crew[str](("cpu", "cpu"), desk=desk) as crew:
        list(results(crew, "wait 0", "wait 1"))
        pids = Counter(pid for _, pid in results(crew, *(f"pid {number}" for number in range(20))))
    assert 1 <= len(pids) <= 2
    time.sleep(0.2)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_crew_that_is_shrunk_works_on_with_fewer(desk: Desk) -> None:
    with Crew[str](("cpu", "cpu", "cpu"), desk=desk) as crew:
        crew.shrink(1)
        assert len({pid for _, pid in results(crew, "pid 0", "pid 1", "pid 2")}) == 1


def test_the_wall_clock_changes_no_duration(desk: Desk) -> None:
    with Crew[str](("cpu",), desk=desk, limit=30) as crew:
        ((_, seconds),) = results(crew, "clock")
    assert isinstance(seconds, float)
    assert 1.0 <= seconds < 5


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    import subprocess

    script = f"""
from collections import deque
from functools import partial
from pathlib import Path
from harness.runner.crew import Crew
from harness.runner.desk import Desk
from tests.runner.test_crew import hang
folder = Path({str(tmp_path)!r})
with Crew(("cpu", "cpu"), desk=Desk(folder, folder, folder)) as crew:
    list(crew.results(deque(["a", "b"]), lambda name: partial(hang, name)))
"""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.json"))) < 2:
            assert time.monotonic() < deadline, "no worker began in a minute"
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    assert left_of_group(parent.pid, seconds=2) == []
