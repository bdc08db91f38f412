"""Edge: a study's missing runs, trained and written as they finish."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from harness.data import Dataset, open_dataset
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError, nearest
from harness.runner.events import Damaged, Notify, Preparing
from harness.runner.journal import join_files
from harness.runner.options import Options
from harness.store.kept import Kept
from harness.store.ledger import Ledger, open_ledger
from harness.store.lock import study_lock
from harness.store.results import Results


def run_study(study: Study, options: Options, notify: Notify) -> Counter[str]:
    """Train what is missing of a study and write it run by run.

    A finished run is never trained again. An interrupt (Ctrl-C) ends the workers and is passed on;
    what was finished stays.

    Args:
        study: what is declared.
        options: how to run it.
        notify: told of the start, of progress twice a second, and of each finished run.

    Returns:
        How many runs of the declaration are completed, diverged, failed, ... afterwards.

    Raises:
        InputError: a setting, device or run_id that does not fit.
        BusyError: another process runs this study.
        DataError: the data can't be had.
        StoreError: results can't be read or written.
        WorkerError: no worker process starts.
    """
    results = Results(options.results / study.name)
    if results.folder.exists():
        tidy(results, notify)
    ledger = open_ledger(study, results, data_dir=options.data_dir)
    if options.only is None and not ledger.unfinished(retry_failed=options.retry_failed):
        return ledger.counts()
    dataset = open_dataset(
        study.dataset,
        data_dir=options.data_dir,
        report=lambda what, done, total: notify(Preparing(what, done, total)),
    )
    if ledger.data_sha256 != dataset.sha256:  # of data that were never here before it is known only now
        ledger = open_ledger(study, results, data_sha256=dataset.sha256)
    if _chosen(ledger, options):
        _train(study, dataset, ledger, options, notify)
    return open_ledger(study, results, data_sha256=dataset.sha256).counts()


def tidy(results: Results, notify: Notify) -> None:
    """Clear away what a killed call or a failing disk left, and tell of what is lost by it.

    Raises:
        BusyError: another process writes these results.
    """
    with study_lock(results.folder):
        results.sweep()
        for path, why in results.set_aside_damaged():
            notify(Damaged(path, why))
        results.prune()
        Kept(results).prune()
        join_files(results, notify)


def _train(study: Study, dataset: Dataset, ledger: Ledger, options: Options, notify: Notify) -> None:
    # Imported here, for they bring torch: a finished study and wrong input are answered without it.
    from harness.runner.architecture import write_architecture
    from harness.runner.call import open_call
    from harness.training.rehearsal import rehearse

    results = Results(options.results / study.name)

    def look_up() -> tuple[Ledger, list[Run]]:
        now = open_ledger(study, results, data_sha256=dataset.sha256)
        return now, _chosen(now, options)

    one_a_cell = list({repr(run.cell): run for run in _chosen(ledger, options)}.values())
    rehearse(one_a_cell, dataset, declared=ledger.runs)
    with open_call(study, dataset, declared=ledger.runs, look_up=look_up, options=options, notify=notify) as (
        call,
        runs,
    ):
        write_architecture(one_a_cell, dataset, results, declared=ledger.runs)
        for _ in call.train(runs):
            pass


def _chosen(ledger: Ledger, options: Options) -> list[Run]:
    """The runs of this call: the missing ones, or the one that was asked for, which keeps its weights."""
    if options.only is None:
        return ledger.unfinished(retry_failed=options.retry_failed)
    by_id = {run.run_id: run for run in ledger.runs}
    if options.only not in by_id:
        raise InputError(
            f"--only {options.only}",
            rule="names a run of the study as the declaration now stands",
            remedy=nearest(options.only, by_id),
        )
    return [replace(by_id[options.only], keep=True)]
