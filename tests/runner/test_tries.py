"""A pack that fails costs its runs nothing but time; the workers are stand-ins."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.runner.beacons import Beacon
from harness.runner.logs import log_path
from harness.runner.outcome import Outcome, PackEnd
from harness.runner.packing import Pack
from harness.runner.post import Death, Work
from harness.runner.tries import Try, try_packs
from harness.training.records import Records, Status
from tests.conftest import tiny_run

RUNS = tuple(tiny_run(seed) for seed in range(13))
Fate = Callable[[Pack], Status | Death]


@dataclass
class Fated:
    """One worker that trains nothing: what comes of a pack is its fate."""

    fate: Fate
    seen: list[Pack] = field(default_factory=list)
    beacons: list[Beacon] = field(default_factory=list)

    def results(self, tasks: deque[Try], work: Callable[[Try], Work]) -> Iterator[tuple[Try, Any]]:
        while tasks:
            task = tasks.popleft()
            assert callable(work(task))
            self.seen.append(task.runs)
            end = self.fate(task.runs)
            yield task, end if isinstance(end, Death) else ended(task.runs, end)


def ended(runs: Pack, status: Status) -> PackEnd:
    error = None if status in ("completed", "diverged") else f"Traceback\n  line\nError: {status}\n"
    return PackEnd(
        tuple(
            Outcome(run, Records(status), "fused", "cpu", 1.0, "here", datetime.now(UTC), error)
            for run in runs
        )
    )


def trained(
    fate: Fate, logs: Path, *, packs: list[Pack] | None = None, retries: int = 2
) -> tuple[list[Outcome], Fated, list[tuple[int, str]]]:
    """Each run's outcome, by seed, what the worker was given, and what was told: how many runs, and why."""
    workers, told = Fated(fate), list[tuple[int, str]]()
    outcomes = list(
        try_packs(
            workers,
            packs or [RUNS],
            engine="fused",
            catch=True,
            retries=retries,
            device="cpu",
            logs=logs,
            on_retry=lambda runs, reason: told.append((len(runs), reason)),
        )
    )
    outcomes.sort(key=lambda outcome: outcome.run.seed)
    given = sorted(run.seed for pack in packs or [RUNS] for run in pack)
    assert [outcome.run.seed for outcome in outcomes] == given
    return outcomes, workers, told


def holds(culprits: set[int], pack: Pack) -> bool:
    return any(run.seed in culprits for run in pack)


@pytest.mark.parametrize("failing", [(0,), (6,), (12,), (0, 1), (3, 7, 11), tuple(range(13))], ids=str)
def test_an_error_is_found_to_be_the_culprits_and_the_others_are_trained_once(
    failing: tuple[int, ...], tmp_path: Path
) -> None:
    culprits = set(failing)
    outcomes, workers, _ = trained(lambda p: "failed" if holds(culprits, p) else "completed", tmp_path)
    for seed, outcome in enumerate(outcomes):
        assert outcome.records.status == ("failed" if seed in culprits else "completed")
        assert outcome.tries == 1
    finished = Counter(run.seed for pack in workers.seen if not holds(culprits, pack) for run in pack)
    assert finished == dict.fromkeys(set(range(13)) - culprits, 1)
    assert len(workers.seen) <= 1 + 2 * 4 * len(culprits)  # each culprit halves packs at most log2(13) times


@pytest.mark.parametrize("room", [1, 2, 5, 12])
def test_packs_that_find_no_memory_are_halved_until_they_fit(room: int, tmp_path: Path) -> None:
    outcomes, workers, told = trained(lambda p: "oom" if len(p) > room else "completed", tmp_path)
    assert {(one.records.status, one.tries) for one in outcomes} == {("completed", 1)}
    assert all(len(pack) <= room or (len(pack), "Error: oom") in told for pack in workers.seen)
    assert sum(len(pack) for pack in workers.seen if len(pack) <= room) == 13


def test_halves_are_trained_next_and_a_run_by_itself_behind_all_others(tmp_path: Path) -> None:
    outcomes, workers, told = trained(
        lambda p: "oom" if p in (RUNS[:3], RUNS[2:3]) else "completed",
        tmp_path,
        packs=[RUNS[:3], RUNS[3:5]],
        retries=1,
    )
    assert workers.seen == [RUNS[:3], RUNS[:2], RUNS[2:3], RUNS[3:5], RUNS[2:3]]
    assert told == [(3, "Error: oom"), (1, "Error: oom")]
    assert [outcome.records.status for outcome in outcomes] == ["completed"] * 2 + ["oom"] + ["completed"] * 2
    assert [outcome.tries for outcome in outcomes] == [1, 1, 2, 1, 1]
    log = log_path(tmp_path, RUNS[2].run_id).read_text()
    assert "the pack of 3 is halved: Error: oom" in log
    assert "will be tried again (1 of 1)" in log
    assert not log_path(tmp_path, RUNS[3].run_id).exists()


def test_a_death_halves_a_pack_and_a_run_that_kills_is_tried_again(tmp_path: Path) -> None:
    death = Death("its process ended with SIGKILL(-9)", 6.0, begun=True)
    outcomes, workers, _ = trained(lambda p: death if holds({4}, p) else "completed", tmp_path, retries=2)
    killer = outcomes.pop(4)
    assert (killer.records.status, killer.tries) == ("failed", 3)
    assert killer.error == "WorkerDied: its process ended with SIGKILL(-9)"
    assert (killer.wall_seconds, killer.pack_size) == (6.0, 1)
    assert {(one.records.status, one.tries) for one in outcomes} == {("completed", 1)}
    assert workers.seen.count(RUNS[4:5]) == 3
    log = log_path(tmp_path, RUNS[0].run_id).read_text()
    assert "failed: WorkerDied: its process ended with SIGKILL(-9)" in log


def test_halves_of_a_pack_that_takes_too_long_may_be_in_time(tmp_path: Path) -> None:
    late = Death("ended after 9 s (--timeout)", 9.0, begun=True, overdue=True)
    outcomes, workers, told = trained(lambda p: late if len(p) > 4 else "completed", tmp_path)
    assert {one.records.status for one in outcomes} == {"completed"}
    assert told[0] == (13, "Timeout: ended after 9 s (--timeout)")
    outcomes, workers, _ = trained(lambda _: late, tmp_path, packs=[RUNS[:2]])
    assert {(one.records.status, one.tries) for one in outcomes} == {("timeout", 1)}
    assert workers.seen == [RUNS[:2], RUNS[:1], RUNS[1:2]]


def test_a_divergence_is_no_failure_of_a_pack(tmp_path: Path) -> None:
    outcomes, workers, told = trained(lambda _: "diverged", tmp_path)
    assert {one.records.status for one in outcomes} == {"diverged"}
    assert workers.seen == [RUNS]
    assert told == []
