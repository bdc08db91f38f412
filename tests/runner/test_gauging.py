"""How fast the engines are is measured before the work, and cheaply."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.runner import gauging
from harness.runner.alone import Alone
from harness.runner.beacons import Beacon
from harness.runner.desk import Desk
from harness.runner.devices import Place
from harness.runner.engines import Gauge
from harness.runner.gauging import gauge, measure
from harness.runner.post import Death, Work
from harness.runner.tries import Try
from tests.conftest import tiny_run

CPU = Place("cpu", ("cpu", "cpu"))
RUNS = tuple(tiny_run(seed) for seed in range(20))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "beacon.json", tmp_path, tmp_path)


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch, tiny: Dataset) -> dict[int, float]:
    """Filled by a test with images/s by pack size, and 0 for want of memory; the order of trials is kept."""
    table: dict[int, float] = {}

    def pace(runs: Sequence[Run], *_: object, steps: int, **__: object) -> float:
        assert steps >= 2
        table.setdefault(-1, 0.0)
        table[-1] = 100 * table[-1] + len(runs)
        if not table[len(runs)]:
            raise torch.OutOfMemoryError("no room")
        return table[len(runs)]

    monkeypatch.setenv("HARNESS_WORKER_SLOT", "cpu")
    monkeypatch.setattr(gauging, "open_data", lambda *_: tiny)
    monkeypatch.setattr(gauging, "ROUNDS", {"cpu": 1})
    monkeypatch.setattr("harness.training.fused.training.pace", pace)
    monkeypatch.setattr("harness.training.solo.pace", lambda *_, **__: 70.0)
    return table


def tried(desk: Desk, *, beside: int = 1, engines: tuple[str, ...] = ("fused",)) -> Gauge:
    return gauge(RUNS, desk, engines=engines, beside=beside)


def test_packs_are_doubled_as_long_as_that_gains_a_twentieth(paces: dict[int, float], desk: Desk) -> None:
    paces |= {1: 100.0, 2: 150.0, 4: 158.0, 8: 165.0, 16: 400.0}
    assert tried(desk) == Gauge(20, {1: 100.0, 2: 150.0, 4: 158.0, 8: 165.0})
    assert not desk.beacon.exists()
    paces[-1] = 0.0
    paces |= {4: 157.0}
    found = tried(desk)
    assert paces[-1] == 10204
    assert (found.size, found.pace) == (4, 157.0)


def test_want_of_memory_ends_the_trial(paces: dict[int, float], desk: Desk) -> None:
    paces |= {1: 100.0, 2: 150.0, 4: 0.0}
    found = tried(desk)
    assert found.fused == {1: 100.0, 2: 150.0}
    paces |= {1: 0.0}
    assert tried(desk).trouble == "OutOfMemoryError: no room"
    assert tried(desk).fused == {}


def test_solo_counts_as_often_as_it_is_trained_side_by_side(paces: dict[int, float], desk: Desk) -> None:
    paces |= {1: 100.0, 2: 1.0}
    assert tried(desk, beside=4, engines=("solo", "fused")).solo == 4 * 70.0
    assert tried(desk).solo is None


def test_the_best_of_three_rounds_counts_on_a_cpu(
    tiny: Dataset, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Solo is held up at first, and a pack of two in the second round."""
    monkeypatch.setenv("HARNESS_WORKER_SLOT", "cpu")
    monkeypatch.setattr(gauging, "open_data", lambda *_: tiny)
    alone = iter((30.0, 70.0, 65.0))
    packs = iter(((1, 40.0), (2, 60.0), (1, 45.0), (2, 20.0), (1, 44.0), (2, 64.0)))

    def pace(runs: Sequence[Run], *_: object, **__: object) -> float:
        size, found = next(packs)
        assert len(runs) == size
        return found

    monkeypatch.setattr("harness.training.fused.training.pace", pace)
    monkeypatch.setattr("harness.training.solo.pace", lambda *_, **__: next(alone))
    found = gauge(RUNS[:2], desk, engines=("solo", "fused"), beside=1)
    assert found == Gauge(20, {1: 45.0, 2: 64.0}, solo=70.0)


def test_a_long_trial_is_cut_short(
    paces: dict[int, float], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    paces |= {size: 100.0 * size for size in (1, 2, 4, 8, 16)}
    # The clock is read for the beacon, at the start (1 s), and before each pack: 2, 3, ...; 2 s are allowed.
    assert tried(desk).fused == {1: 100.0}


@pytest.mark.parametrize(("peak", "fits"), [(34, True), (36, False)])
def test_a_pack_twice_as_large_is_tried_on_a_gpu_where_it_should_fit(
    peak: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60, 200))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 40)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: peak)
    assert gauging._has_room(torch.device("cuda:0")) is fits


class Told:
    """Workers that do nothing; each piece of work ends as they are told."""

    def __init__(self, end: Any) -> None:
        self.beacons: list[Beacon] = []
        self.end = end
        self.tasks: list[Try] = []

    def results(self, tasks: deque[Try], work: Callable[[Try], Work]) -> Iterator[tuple[Try, Any]]:
        del work
        while tasks:
            self.tasks.append(tasks.popleft())
            yield self.tasks[-1], self.end


def test_too_little_work_is_not_measured(tiny: Dataset) -> None:
    workers = Told(None)
    assert measure(workers, RUNS, tiny, engines=("fused",), place=CPU) is None
    assert workers.tasks == []


def test_the_largest_pack_of_the_median_batch_size_is_tried(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauging, "WORTH_SECONDS", 0.0)
    runs = [tiny_run(seed, batch_size=size) for size in (2, 4, 16) for seed in range(9)]
    workers = Told(Gauge(4, {1: 1.0}))
    measure(workers, [*runs, tiny_run(9, batch_size=4, depth=2)], tiny, engines=("fused",), place=CPU)
    (task,) = workers.tasks
    assert [run.run_id for run in task.runs] == [run.run_id for run in runs[9:14]]  # nine on two workers


def test_a_worker_that_dies_in_a_trial_is_told(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauging, "WORTH_SECONDS", 0.0)
    workers = Told(Death("its process ended", 1.0, begun=True))
    found = measure(workers, RUNS, tiny, engines=("fused",), place=CPU)
    assert found == Gauge(20, {}, trouble="its process ended")


def test_the_engines_are_measured_for_real(
    tiny: Dataset, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauging, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(gauging, "open_data", lambda *_: tiny)
    workers: Alone[Try] = Alone("cpu", desk=desk)
    found = measure(workers, RUNS[:4], tiny, engines=("solo", "fused"), place=replace(CPU, slots=("cpu",)))
    assert found is not None
    assert (found.batch_size, found.trouble) == (20, "")
    assert found.solo is not None
    assert found.solo > 0
    assert {1, 2} <= set(found.fused) <= {1, 2, 4}
    assert min(found.fused.values()) > 0
