"""Edge: packs are tried until each of their runs has ended; a pack that fails as a whole is halved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from harness.runner.executing import execute
from harness.runner.logs import log_path, note
from harness.runner.outcome import Outcome
from harness.runner.packing import Pack, halves
from harness.runner.post import Death, Work
from harness.runner.shift import Workers
from harness.store.tables import FINISHED
from harness.training.records import Records, Status


@dataclass(frozen=True)
class Try:
    """One try at a pack.

    Attributes:
        runs: of the pack.
        number: of the try in this call, from 1.
    """

    runs: Pack
    number: int = 1


def try_packs(
    workers: Workers[Try],
    packs: Iterable[Pack],
    *,
    engine: str,
    catch: bool,
    retries: int,
    device: str,
    logs: Path,
    on_retry: Callable[[Pack, str], None],
) -> Iterator[Outcome]:
    """Train packs and yield each run's outcome as its pack ends, in any order.

    Where a pack of several runs fails, whatever the reason, its halves are trained next, then theirs: what
    one run is to blame for costs the others time and nothing else, and halves need less memory and time.
    A run by itself whose worker died, or that found no memory, is tried again, behind all others; one that
    took too long or let an error out is not, for it would again.

    Args:
        workers: train.
        packs: what to train.
        engine: trains them.
        catch: see `execute`.
        retries: how often a run is tried again.
        device: the kind, for runs that can't say so themselves.
        logs: the folder of the runs' logs.
        on_retry: told of a pack that will be trained in halves, or a run that will be tried again, and why.
    """
    tasks = deque(map(Try, packs))
    work = partial(_work, engine=engine, catch=catch)
    for task, end in workers.results(tasks, work):
        death = end if isinstance(end, Death) else None
        outcomes = _of_death(task.runs, death, engine=engine, device=device) if death else end.outcomes
        status, reason = outcomes[0].records.status, _last_line(outcomes[0].error)
        if death:
            _note(task.runs, f"{status}: {reason}", logs=logs)
        if status not in FINISHED and len(task.runs) > 1:
            on_retry(task.runs, reason)
            _note(task.runs, f"the pack of {len(task.runs):,} is halved: {reason}", logs=logs)
            tasks.extendleft(Try(half, task.number) for half in reversed(halves(task.runs)))
        elif (status == "oom" or (death and not death.overdue)) and task.number <= retries:
            on_retry(task.runs, reason)
            _note(task.runs, f"will be tried again ({task.number} of {retries})", logs=logs)
            tasks.append(Try(task.runs, task.number + 1))
        else:
            yield from (replace(outcome, tries=task.number) for outcome in outcomes)


def _work(task: Try, *, engine: str, catch: bool) -> Work:
    return partial(execute, task.runs, engine=engine, catch=catch)


def _of_death(runs: Pack, death: Death, *, engine: str, device: str) -> list[Outcome]:
    """What is recorded of runs whose worker died."""
    status: Status = "timeout" if death.overdue else "oom" if death.starved else "failed"
    return [
        Outcome(
            run=run,
            records=Records(status),
            engine=engine,
            device=device,
            wall_seconds=death.seconds / len(runs),
            host=death.host,
            started_at=datetime.now(UTC) - timedelta(seconds=death.seconds),
            error=f"{'Timeout' if death.overdue else 'WorkerDied'}: {death.reason}",
            pack_size=len(runs),
        )
        for run in runs
    ]


def _note(runs: Pack, text: str, *, logs: Path) -> None:
    for run in runs:
        note(log_path(logs, run.run_id), text)


def _last_line(error: str | None) -> str:
    return (error or "").strip().rpartition("\n")[2]
