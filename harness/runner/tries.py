"""Edge: runs are tried until they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from harness.design.run import Run
from harness.runner.executing import execute
from harness.runner.logs import log_path, note
from harness.runner.outcome import Outcome
from harness.runner.post import Death
from harness.runner.shift import Workers
from harness.training.records import Records, Status
from harness.training.solo import ENGINE


@dataclass(frozen=True)
class Try:
    """One try at a run.

    Attributes:
        run: which.
        number: of the try in this call, from 1.
    """

    run: Run
    number: int = 1


def try_runs(
    workers: Workers[Try],
    runs: Iterable[Run],
    *,
    retries: int,
    device: str,
    logs: Path,
    on_retry: Callable[[Run, str], None],
) -> Iterator[Outcome]:
    """Train runs and yield each as it ends, in any order.

    A run whose worker died, or that found no memory, is tried again, behind all others; one that took
    too long or let an error out is not, for it would again.

    Args:
        workers: train.
        runs: what to train.
        retries: how often a run is tried again.
        device: the kind, for runs that can't say so themselves.
        logs: the folder of the runs' logs.
        on_retry: told of a run that will be tried again, and why.
    """
    tasks = deque(Try(run) for run in runs)
    for task, end in workers.results(tasks, lambda task: partial(execute, task.run)):
        outcome = end
        if isinstance(end, Death):
            outcome = _of_death(task.run, end, device=device)
            note(log_path(logs, task.run.run_id), f"{outcome.records.status}: {outcome.error}")
        again = outcome.records.status == "oom" or (isinstance(end, Death) and not end.overdue)
        if again and task.number <= retries:
            on_retry(task.run, outcome.error or "")
            note(log_path(logs, task.run.run_id), f"will be tried again ({task.number} of {retries})")
            tasks.append(Try(task.run, task.number + 1))
        else:
            yield replace(outcome, tries=task.number)


def _of_death(run: Run, death: Death, *, device: str) -> Outcome:
    """What is recorded of a run whose worker died."""
    status: Status = "timeout" if death.overdue else "oom" if death.starved else "failed"
    return Outcome(
        run=run,
        records=Records(status),
        engine=ENGINE,
        device=device,
        wall_seconds=death.seconds,
        host=death.host,
        started_at=datetime.now(UTC) - timedelta(seconds=death.seconds),
        error=f"{'Timeout' if death.overdue else 'WorkerDied'}: {death.reason}",
    )
