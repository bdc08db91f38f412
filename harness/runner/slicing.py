"""Edge: the slices of a study's kept runs: what is missing is measured, and written one by one."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from harness.data import Dataset, open_dataset
from harness.data.progress import Report
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError, WorkerError
from harness.landscape.request import Request
from harness.runner.crew import Crew
from harness.runner.desk import Desk
from harness.runner.devices import Place, choose_place, pin
from harness.runner.matching import Match, matches_of
from harness.runner.measuring import Measured, Task, measure
from harness.runner.options import Options
from harness.runner.origin import write_origin
from harness.runner.past import recorded_of
from harness.runner.post import Death
from harness.runner.ways import Ways
from harness.store.kept import Kept
from harness.store.ledger import Ledger, open_ledger
from harness.store.lock import study_lock
from harness.store.results import Results

Say = Callable[[str], None]


def slice_study(
    study: Study,
    requests: Sequence[Request],
    options: Options,
    *,
    everywhere: bool = False,
    lenient: bool = False,
    say: Say,
    report: Report,
) -> list[Run]:
    """Measure what is missing of the wanted slices of completed runs whose weights are kept.

    These are the runs of the first combination of levels in which every variant has one. A slice that is
    there stays, unless its grid, its probe or the runs that share its extents are others now.

    Args:
        study: the declaration.
        requests: what is wanted of each run.
        options: where the results are, and how many workers measure.
        everywhere: all combinations of levels.
        lenient: leave out, with a word, planes that a network or its way does not have.
        say: told of what is left out, and of each slice.
        report: told how far it is.

    Returns:
        The runs whose slices are wanted, those of a combination and seed one after the other.

    Raises:
        InputError: nothing is kept, or a plane that a run does not have.
        BusyError: another process writes these results.
        DataError: the data can't be had.
        StoreError: results can't be read or written.
        WorkerError: a worker process died.
    """
    results = Results(options.results / study.name)
    dataset = open_dataset(study.dataset, data_dir=options.data_dir, report=report)
    ledger = open_ledger(study, results, data_sha256=dataset.sha256)
    runs = _runs_with_weights(ledger, Kept(results), study=study.name, say=say)
    if not everywhere:
        runs = _first_combination(runs, variants=len(study.variants))
    matches = matches_of(runs, requests, study=study.name)
    place = choose_place(options.device, workers=options.workers, recorded=recorded_of(results, "device"))
    with study_lock(results.folder):
        give_up = say if lenient else None
        tasks = list(_tasks(matches, dataset, results, give_up=give_up, report=report))
        if tasks:
            place = place.at_most(len(tasks))
            call_id = write_origin(study, dataset, place, results)
            say(f"{_counted(tasks)} to measure {_where(place, options)}")
            for done, (task, measured) in enumerate(_worked_off(tasks, place, results, options), 1):
                results.write_slice([{**row, "call_id": call_id} for row in measured.rows])
                what = f"{task.run.run_id}  {task.request.plane}, {task.request.mode}"
                say(f"{done}/{len(tasks)}  {what}: {measured.seconds:.1f} s")
                report("slices", done, len(tasks))
    return list({run.run_id: run for match in matches for run in match.runs}.values())


def _runs_with_weights(ledger: Ledger, kept: Kept, *, study: str, say: Say) -> list[Run]:
    """The completed runs whose weights are there; of those that are meant to be kept none may be lost."""
    completed = [run for run in ledger.runs if ledger.status.get(run.run_id) == "completed"]
    if not completed:
        raise InputError(
            f"no completed run of study {study!r} in {kept.results.folder}",
            rule="slices are measured on the weights of completed runs; after `run --set ...` give the same "
            "--set",
            remedy=f"`harness run {study}` first, or name the folder with --results",
        )
    there = [run for run in completed if kept.epochs(run.run_id)]
    lost = [run for run in completed if run.keep and run not in there]
    if lost or not there:
        raise kept.missing((lost or completed)[0].run_id)
    others = sum(run.keep and run not in there for run in ledger.runs)
    if others:
        runs, are = ("run", "is") if others == 1 else ("runs", "are")
        say(f"left out: {others:,} {runs}, which diverged or {are} not trained yet")
    return there


def _first_combination(runs: Sequence[Run], *, variants: int) -> list[Run]:
    """The runs of the first combination of levels with all variants, or else with as many as can be had."""
    combinations: dict[str, list[Run]] = {}
    for run in runs:
        combinations.setdefault(repr(run.cell.levels), []).append(run)
    return max(
        combinations.values(), key=lambda found: min(variants, len({run.cell.variant for run in found}))
    )


def _tasks(
    matches: Sequence[Match], dataset: Dataset, results: Results, *, give_up: Say | None, report: Report
) -> Iterator[Task]:
    """What is not there with the same fingerprint."""
    kept = Kept(results)
    ways, epochs = Ways(dataset, kept), cache(kept.epochs)
    rows = results.read("slices", columns=["run_id", "slice", "mode", "fingerprint"])
    columns = () if rows is None else (column.to_pylist() for column in rows.columns)
    there = set(zip(*columns, strict=True))
    for number, match in enumerate(matches, 1):
        request, fingerprint = match.request, match.fingerprint(epochs)
        pairs = [
            (run, end)
            for run, end in zip(match.runs, match.next_seeds, strict=True)
            if (run.run_id, request.plane, request.mode, fingerprint) not in there
        ]
        try:
            extents = match.extents(ways) if pairs else ()
        except InputError as error:
            if give_up is None:
                raise
            give_up(f"left out: {request.plane} of {match.runs[0].cell.levels}: {error.received}")
            continue
        for run, end in pairs:
            yield Task(run, request, extents, end, fingerprint, results.folder)
        report("looking at kept weights", number, len(matches))


def _worked_off(
    tasks: Sequence[Task], place: Place, results: Results, options: Options
) -> Iterator[tuple[Task, Measured]]:
    """Each task with what came of it, in the order in which they end."""
    with tempfile.TemporaryDirectory(prefix="harness-") as beacons:
        desk = Desk(
            beacon=Path(beacons),
            logs=results.folder / "logs",
            checkpoints=results.folder / "checkpoints",
            data_dir=options.data_dir,
        )
        if options.workers == 0:
            pin(place.slots[0])
            own = Desk(Path(beacons) / "own.json", desk.logs, desk.checkpoints, data_dir=options.data_dir)
            yield from ((task, measure(task, own)) for task in tasks)
            return
        with Crew[Task](place.slots, desk=desk, limit=options.timeout) as crew:
            for task, end in crew.results(deque(tasks), lambda task: partial(measure, task)):
                if isinstance(end, Death):
                    raise _died(task, end)
                yield task, end


def _died(task: Task, death: Death) -> WorkerError:
    return WorkerError(
        f"the worker that measured {task.request.plane} of {task.run.run_id} died: {death.reason}",
        rule="a slice needs memory for all images of its probe at once",
        remedy="call again, with fewer --workers or --images if memory is short; what is done is kept",
    )


def _counted(tasks: Sequence[Task]) -> str:
    return f"{len(tasks):,} slice{'s' if len(tasks) > 1 else ''}"


def _where(place: Place, options: Options) -> str:
    count = len(place.slots)
    return (
        "in this process"
        if options.workers == 0
        else f"on {count} {place.kind} worker{'s' if count > 1 else ''}"
    )
