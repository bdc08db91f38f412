"""Edge: one call of the runner: its workers, what they train, and what is written of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.data import Dataset
from harness.design.run import Run
from harness.design.study import Study
from harness.runner.alone import Alone
from harness.runner.checkpoint import checkpoint_path
from harness.runner.crew import Crew, ticking
from harness.runner.desk import Desk
from harness.runner.devices import Place
from harness.runner.engines import Choice, Gauge, choose_engine, settle_engine
from harness.runner.events import Advanced, Chosen, Finished, Notify, Preparing, Recorded, Retried, Started
from harness.runner.gauging import measure
from harness.runner.journal import Journal, join_files
from harness.runner.options import Options
from harness.runner.origin import write_origin
from harness.runner.outcome import Outcome
from harness.runner.packing import Pack, form_packs
from harness.runner.past import recorded_of
from harness.runner.shift import Workers
from harness.runner.tries import Try, try_packs
from harness.runner.work import size_of, work_of_run
from harness.runner.workplace import find_place
from harness.store.ledger import Ledger
from harness.store.lock import study_lock
from harness.store.results import Results
from harness.store.tables import FINISHED
from harness.training.amounts import images_an_epoch, images_learned

TICK_SECONDS = 0.5


class Call:
    """Trains runs of a study and writes each as it ends; workers live until the call is over.

    Use as a context manager, under the study's lock: on the way out the workers are ended.
    """

    def __init__(
        self,
        study: Study,
        dataset: Dataset,
        place: Place,
        *,
        ledger: Ledger,
        options: Options,
        notify: Notify,
        cluster: Workers[Try] | None = None,
    ) -> None:
        """Write where the call's results come from, and prepare its workers.

        Args:
            study: the declaration.
            dataset: its data.
            place: where to train.
            ledger: what is recorded already.
            options: how to run it.
            notify: told of what happens.
            cluster: trains in place of processes of this machine.

        Raises:
            StoreError: results can't be written.
        """
        self._dataset, self._place, self._options, self._notify = dataset, place, options, notify
        self._ledger, self._cluster = ledger, cluster
        self._results = Results(options.results / study.name)
        call_id = write_origin(study, dataset, place, self._results)
        self._journal = Journal(study, self._results, ledger, call_id=call_id, notify=notify)

    def __enter__(self) -> Call:
        with ExitStack() as stack:
            beacons = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-")))
            self._desk = Desk(
                beacon=beacons,
                logs=self._results.folder / "logs",
                checkpoints=self._results.folder / "checkpoints",
                checkpoint_seconds=self._options.checkpoint_seconds,
                data_dir=self._options.data_dir,
            )
            self._workers = self._cluster or self._workers_here(stack)
            stack.enter_context(ticking(self._tick, seconds=TICK_SECONDS))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._stack.__exit__(*reason)

    def _workers_here(self, stack: ExitStack) -> Workers[Try]:
        if self._options.workers == 0:
            desk = replace(self._desk, beacon=self._desk.beacon / "own.json")
            return Alone(self._place.slots[0], desk=desk)
        return stack.enter_context(Crew(self._place.slots, desk=self._desk, limit=self._options.timeout))

    def choose_engine(self, settled: Choice | None, *, ahead: Sequence[Run]) -> None:
        """Decide which engine trains, and say so.

        Args:
            settled: what is settled already, see `settle_engine`.
            ahead: the runs that lie ahead.
        """
        self._choice = choose_engine(
            settled, device=self._place.kind, measure=lambda engines: self._measure(ahead, engines)
        )
        if (
            self._choice.engine == "fused"
            and self._options.workers is None
            and isinstance(self._workers, Crew)
        ):
            self._place = self._place.at_most(self._place.devices)
            self._workers.shrink(len(self._place.slots))
        self._notify(Chosen(self._choice))

    def _measure(self, ahead: Sequence[Run], engines: tuple[str, ...]) -> Gauge | None:
        self._notify(Preparing("measuring the engines", 0, None))
        return measure(self._workers, ahead, self._dataset, engines=engines, place=self._place)

    def announce(self, runs: Sequence[Run]) -> None:
        """Say what lies ahead: one run at least."""
        self._notify(
            Started(
                runs=len(runs),
                done=sum(status in FINISHED for status in self._ledger.status.values()),
                images=sum(_images(run, self._dataset) for run in runs),
                workers=0 if self._options.workers == 0 else len(self._place.slots),
                device=self._place.kind,
                stage=runs[0].stage,
            )
        )

    def train(self, runs: Sequence[Run]) -> Iterator[Outcome]:
        """Train runs, write each as it ends, and yield it then.

        Raises:
            StoreError: results can't be written.
            WorkerError: no worker process starts.
        """
        for outcome in self._outcomes(runs):
            run = outcome.run
            if self._ledger.status.get(run.run_id) not in FINISHED:
                self._journal.write(outcome, images=_images(run, self._dataset))
                self._notify(Recorded(outcome))
            else:
                self._journal.keep(outcome)
            if outcome.records.status in FINISHED:
                checkpoint_path(self._desk.checkpoints, run.run_id).unlink(missing_ok=True)
            self._notify(Finished(run.run_id, outcome.records.status, outcome.error))
            yield outcome

    def _outcomes(self, runs: Sequence[Run]) -> Iterator[Outcome]:
        return try_packs(
            self._workers,
            self._packs(runs),
            engine=self._choice.engine,
            catch=self._options.workers != 0,
            retries=self._options.retries,
            device=self._place.kind,
            logs=self._desk.logs,
            on_retry=lambda pack, reason: self._notify(Retried(pack[0].run_id, reason, others=len(pack) - 1)),
        )

    def _packs(self, runs: Sequence[Run]) -> list[Pack]:
        """The packs in which runs are trained; with engine solo, each run by itself and in this order."""
        if self._choice.engine == "solo":
            return [(run,) for run in runs]
        return form_packs(
            runs,
            images=self._choice.images,
            workers=len(self._place.slots),
            cost=lambda run: work_of_run(run, size_of(self._dataset)).seconds,
        )

    def _tick(self) -> None:
        lit = self._workers.beacons
        images = self._journal.images + sum(beacon.images for beacon in lit)
        self._notify(Advanced(images, tuple(beacon.name for beacon in lit)))


@contextmanager
def open_call(
    study: Study,
    dataset: Dataset,
    *,
    declared: Sequence[Run],
    look_up: Callable[[], tuple[Ledger, list[Run]]],
    options: Options,
    notify: Notify,
) -> Iterator[tuple[Call, list[Run]]]:
    """A call and the runs that lie ahead of it, where there is room for it and under the study's lock.

    Args:
        study: the declaration.
        dataset: its data.
        declared: the runs that may be trained, those of every cell among them.
        look_up: under the lock, what is recorded and what lies ahead: another call may have gone on
            with the study in the meantime.
        options: how to run it.
        notify: told of what happens.

    Raises:
        HarnessError: what `find_place`, `study_lock` and `Call` raise.
    """
    results = Results(options.results / study.name)
    with find_place(dataset, runs=declared, results=results, options=options, notify=notify) as (
        place,
        cluster,
    ):
        settled = settle_engine(
            declared,
            asked=options.engine,
            recorded=recorded_of(results, "engine"),
            device=place.kind,
            far=cluster is not None,
        )
        with study_lock(results.folder):
            ledger, ahead = look_up()
            with Call(
                study,
                dataset,
                place.at_most(len(ahead)),
                ledger=ledger,
                options=options,
                notify=notify,
                cluster=cluster,
            ) as call:
                if ahead:
                    call.choose_engine(settled, ahead=ahead)
                    call.announce(ahead)
                yield call, ahead
            join_files(results, notify)


def _images(run: Run, dataset: Dataset) -> int:
    """Training images that a run sees over its epochs."""
    learned = images_learned(run.settings, training=len(dataset.train))
    return run.epochs * images_an_epoch(run.settings, learned=learned)
