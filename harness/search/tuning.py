"""Edge: a study whose variants are tuned first: round by round, then its runs with what was chosen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from harness.data import Dataset, open_dataset
from harness.design.run import Run
from harness.design.search import Search
from harness.design.study import Study
from harness.errors import InputError, nearest
from harness.runner.events import Notify, Preparing
from harness.runner.options import Options
from harness.runner.running import run_study, tidy
from harness.search.cells import End
from harness.search.recorded import read_record, read_standing, resolved, trials_lag, write_trials
from harness.search.standing import Record, Standing, stand
from harness.store.ledger import Ledger, open_ledger
from harness.store.lock import study_lock
from harness.store.results import Results
from harness.store.tables import FINISHED

if TYPE_CHECKING:
    from harness.runner.call import Call


def run_tuned(study: Study, options: Options, notify: Notify) -> Counter[str]:
    """`run_study`, after the search of a study that has one.

    Returns:
        How many runs of the declaration are completed, diverged, failed, ... afterwards; tuning runs are
        not among them.
    """
    tuned = tune(study, options, notify)
    return Counter(missing=study.size) if tuned is None else run_study(tuned, options, notify)


def tune(study: Study, options: Options, notify: Notify) -> Study | None:
    """Tune each variant of a study with the same budget; a study without a search stays as it is.

    Proposals depend on the declaration and on the results of earlier rounds: not on the number of workers,
    the order in which runs end, or interruptions. What is recorded is never trained again.

    Args:
        study: what is declared.
        options: how to run it. A tuning run that failed is tried again only before anything is evaluated.
        notify: told of the start, of progress twice a second, and of each finished run.

    Returns:
        The study with what was chosen, or None where the call was for one of the tuning runs only.

    Raises:
        HarnessError: no proposal for a variant had an outcome; or what `run_study` raises.
    """
    if study.search is None:
        return study
    results = Results(options.results / study.name)
    if results.folder.exists():
        tidy(results, notify)
    standing = read_standing(study, study.search, results, data_dir=options.data_dir)
    again = options.retry_failed and bool(standing.failed) and not _evaluated(standing, results)
    if again or not standing.over or options.only in standing.runs:
        dataset = open_dataset(
            study.dataset,
            data_dir=options.data_dir,
            report=lambda what, done, total: notify(Preparing(what, done, total)),
        )
        standing = _tune(study, study.search, dataset, options, notify, again=again)
    elif trials_lag(results, standing):
        with study_lock(results.folder):
            write_trials(results, standing)
    if options.only in standing.runs:
        return None
    return resolved(standing, results)


def _tune(
    study: Study, search: Search, dataset: Dataset, options: Options, notify: Notify, *, again: bool
) -> Standing:
    """Train what the search needs until its budget is used up, or the one run that was asked for."""
    # Imported here, for they bring torch: a finished search and wrong input are answered without it.
    from harness.runner.call import open_call

    results = Results(options.results / study.name)
    record = _record(results, again=again)
    standing = stand(study, search, record, data_sha256=dataset.sha256, propose=options.only is None)
    runs = _chosen(standing, options)
    if not runs:
        return standing

    def look_up() -> tuple[Ledger, list[Run]]:
        nonlocal record
        record = _record(results, again=again)
        return _ledger(standing, record), runs if options.only else standing.ahead()

    _rehearse(standing, dataset)
    declared = [*standing.runs.values(), *_proposable(standing)]
    with open_call(study, dataset, declared=declared, look_up=look_up, options=options, notify=notify) as (
        call,
        _,
    ):
        if options.only:
            _train(call, runs, record)
        else:
            standing = _to_the_end(call, standing, record, results)
    return standing


def _to_the_end(call: Call, standing: Standing, record: Record, results: Results) -> Standing:
    """Propose, train, and look at the results, round by round and rung by rung."""
    while True:
        standing = stand(
            standing.study, standing.search, record, data_sha256=standing.data_sha256, propose=True
        )
        write_trials(results, standing)
        record.take(standing)
        runs = standing.waiting()
        if not runs:
            return standing
        _train(call, runs, record)


def _proposable(standing: Standing) -> list[Run]:
    """Runs with each value that may be proposed: whether all fit a pack must be known before the first is."""
    return [
        cell.cell_search.runs({name: value}, standing.study.epochs)[0]
        for cell in standing.cells
        for name, options in cell.cell_search.space.items()
        if isinstance(options, tuple)
        for value in options
    ]


def _rehearse(standing: Standing, dataset: Dataset) -> None:
    """Refuse a study where no first proposal for a cell can work; where one can, the others just fail.

    Raises:
        InputError: what keeps the last of them from working.
    """
    from harness.training.rehearsal import rehearse

    declared = list(standing.runs.values())
    for cell in standing.cells:
        runs = [run for _, runs in cell.runs() for run in runs]
        if any(run.run_id in standing.record.ends for run in runs):
            continue
        for run in runs:
            try:
                rehearse([run], dataset, declared=declared)
                break
            except InputError:
                if run is runs[-1]:
                    raise


def _train(call: Call, runs: list[Run], record: Record) -> None:
    for outcome in call.train(runs):
        figures = outcome.records.outcome
        record.ends[outcome.run.run_id] = End(
            outcome.records.status,
            cast("float | None", figures.get("validation_accuracy")),
            cast("float | None", figures.get("validation_loss")),
        )


def _record(results: Results, *, again: bool) -> Record:
    """What is recorded; without the ends of what is to be tried again."""
    record = read_record(results)
    if again:
        record.ends = {run_id: end for run_id, end in record.ends.items() if end.status in FINISHED}
    return record


def _ledger(standing: Standing, record: Record) -> Ledger:
    """The tuning runs so far, as a call of the runner wants to know them."""
    runs = standing.runs
    return Ledger(
        runs=tuple(runs.values()),
        status={run_id: end.status for run_id, end in record.ends.items() if run_id in runs},
        attempts=record.attempts,
        foreign=0,
        data_sha256=standing.data_sha256,
    )


def _chosen(standing: Standing, options: Options) -> list[Run]:
    """The tuning runs to begin with, or the one that was asked for."""
    if options.only is None:
        return standing.waiting()
    if options.only not in standing.runs:
        raise InputError(
            f"--only {options.only}",
            rule="names a run of the study as the declaration now stands; while the search goes on, one of "
            "its proposals",
            remedy=nearest(options.only, standing.runs),
        )
    return [standing.runs[options.only]]


def _evaluated(standing: Standing, results: Results) -> bool:
    """Whether anything has been trained with what was chosen: then the choice stands."""
    return bool(open_ledger(standing.resolved(), results, data_sha256=standing.data_sha256).status)
