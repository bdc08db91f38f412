"""Edge: a study's missing runs, trained and written as they finish."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import Dataset, open_dataset
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import InputError, nearest
from harness.runner.beacons import read_beacons
from harness.runner.events import Advanced, Finished, Notify, Preparing, Recorded, Started
from harness.runner.journal import Journal
from harness.store.ledger import FINISHED, Ledger, open_ledger
from harness.store.provenance import describe_call
from harness.store.results import Results

TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Options:
    """How a call runs a study.

    Attributes:
        results: the folder that holds a folder for each study.
        data_dir: where the user keeps data.
        workers: processes; None for one a core, 0 for this process.
        device: auto, cpu or cuda.
        only: the run_id of the one run to train; a finished one is trained again but not recorded.
        retry_failed: try runs again that failed before.

    Raises:
        InputError: an unknown device, or a negative number of workers.
    """

    results: Path = Path("results")
    data_dir: Path | None = None
    workers: int | None = None
    device: str = "auto"
    only: str | None = None
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"--device {self.device}", rule="device is auto, cpu or cuda", remedy="choose one of these"
            )
        if self.workers is not None and self.workers < 0:
            raise InputError(
                f"--workers {self.workers}",
                rule="workers is a whole number, at least 0; 0 trains in this process",
                remedy="leave it out for one worker a core",
            )


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
        DataError: the data can't be had.
        StoreError: results can't be read or written.
    """
    results = Results(options.results / study.name)
    ledger = open_ledger(study, results, data_dir=options.data_dir)
    if options.only is None and not ledger.unfinished(retry_failed=options.retry_failed):
        return ledger.counts()
    dataset = open_dataset(
        study.dataset,
        data_dir=options.data_dir,
        report=lambda what, done, total: notify(Preparing(what, done, total)),
    )
    # Opened again: the hash of data that were never here before is known only now.
    ledger = open_ledger(study, results, data_sha256=dataset.sha256)
    runs = _chosen(ledger, options)
    if runs:
        _train(study, runs, ledger, dataset, options, notify)
        results.compact()
    return open_ledger(study, results, data_sha256=dataset.sha256).counts()


def _train(
    study: Study, runs: list[Run], ledger: Ledger, dataset: Dataset, options: Options, notify: Notify
) -> None:
    # Imported here, for they bring torch: a finished study and wrong input are answered without it.
    from harness.runner.crew import ticking, train_runs
    from harness.runner.devices import DETERMINISM, choose_place
    from harness.training.rehearsal import rehearse

    results = Results(options.results / study.name)
    recorded = _recorded_devices(results)
    place = choose_place(options.device, workers=options.workers, recorded=recorded).at_most(len(runs))
    one_a_cell = {repr(run.cell): run for run in runs}
    rehearse(list(one_a_cell.values()), dataset, declared=ledger.runs)
    facts = _facts(dataset)
    call = describe_call(study.name, data=facts, device=place.kind, determinism=DETERMINISM, gpus=place.gpus)
    results.write_provenance(call)
    journal = Journal(study, results, ledger, call_id=call["call_id"])
    in_process = options.workers == 0
    notify(
        Started(
            runs=len(runs),
            done=sum(status in FINISHED for status in ledger.status.values()),
            images=sum(_images(run, dataset) for run in runs),
            workers=0 if in_process else len(place.slots),
            device=place.kind,
        )
    )
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        beacons = Path(name)

        def tick() -> None:
            lit = read_beacons(beacons)
            images = journal.images + sum(beacon.images for beacon in lit)
            notify(Advanced(images, tuple(beacon.run_id for beacon in lit)))

        training = train_runs(runs, place, in_process=in_process, data_dir=options.data_dir, beacons=beacons)
        with closing(training) as outcomes, ticking(tick, seconds=TICK_SECONDS):
            for outcome in outcomes:
                run = outcome.run
                if ledger.status.get(run.run_id) not in FINISHED:
                    journal.write(outcome, images=_images(run, dataset))
                    notify(Recorded(outcome))
                notify(Finished(run.run_id, outcome.records.status, outcome.error))


def _chosen(ledger: Ledger, options: Options) -> list[Run]:
    """The runs of this call: the missing ones, or the one that was asked for."""
    if options.only is None:
        return ledger.unfinished(retry_failed=options.retry_failed)
    by_id = {run.run_id: run for run in ledger.runs}
    if options.only not in by_id:
        raise InputError(
            f"--only {options.only}",
            rule="names a run of the study as the declaration now stands",
            remedy=nearest(options.only, by_id),
        )
    return [by_id[options.only]]


def _images(run: Run, dataset: Dataset) -> int:
    """Training images that a run sees over its epochs."""
    share: float = run.settings["validation"]
    return run.epochs * round(len(dataset.train) * (1 - share))


def _facts(dataset: Dataset) -> dict[str, Any]:
    """What provenance keeps of a data set."""
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "classes": len(dataset.classes),
        "train": len(dataset.train.labels),
        "test": len(dataset.test.labels),
        "image_shape": list(dataset.train.images.shape[1:]),
    }


def _recorded_devices(results: Results) -> set[str]:
    """Kinds of device of the finished runs."""
    recorded = results.runs(columns=("status", "device"))
    if recorded is None:
        return set()
    rows = recorded.to_pylist()
    return {row["device"] for row in rows if row["status"] in FINISHED}
