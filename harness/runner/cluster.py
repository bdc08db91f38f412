"""Edge: workers of a dask.distributed cluster, which come and go while a call is under way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from distributed import Client

from harness.data import Dataset
from harness.errors import InputError, WorkerError
from harness.runner.beacons import Beacon
from harness.runner.checkpoint import marked
from harness.runner.devices import Place
from harness.runner.enrolment import Enrolment
from harness.runner.events import Notify, Preparing
from harness.runner.office import Brief
from harness.runner.options import Options
from harness.runner.outpost import Outpost
from harness.runner.post import Work
from harness.runner.shift import work_off
from harness.runner.survey import Facts, describe_machines

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""

WORKER_SECONDS = 60.0
"""How long a call waits for a worker: for the first one, or for another when all are lost."""

WATCH_SECONDS = 1.0
"""Between two looks at which workers there are."""

CLOSE_SECONDS = 5.0
"""How long the workers may take to end what they do, before the call ends without their answer."""


@contextmanager
def open_cluster(
    address: str,
    dataset: Dataset,
    *,
    sources: dict[str, bytes],
    options: Options,
    folder: Path,
    notify: Notify,
) -> Iterator[Cluster[Any]]:
    """Connect to a scheduler; on the way out, end whatever its workers do for this call.

    Args:
        address: of the scheduler, such as `tcp://10.0.0.1:8786`.
        dataset: the study's data.
        sources: the study's own modules, by path.
        options: how to run it.
        folder: of the study's results: for the runs' logs, and their states where the workers see it.
        notify: told of workers that are left out.

    Raises:
        InputError: no scheduler answers there.
        StoreError: results can't be written.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="harness")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--cluster {address}: no scheduler of dask answers there ({error})",
            rule="ADDRESS is what `dask scheduler` says when it starts, such as tcp://10.0.0.1:8786",
            remedy="start one with `dask scheduler`, its workers with `dask worker ADDRESS`; or correct it",
        ) from error
    with closing(client), marked(folder / "checkpoints", mark=client.id):
        cluster: Cluster[Any] = Cluster(
            client, dataset, sources=sources, options=options, folder=folder, notify=notify
        )
        with closing(cluster):
            yield cluster


class Cluster(Generic[T]):
    """Worker processes on other machines, one for each thread of each dask worker.

    To those who hand it work it is a `Crew`. Workers that appear later are taken in, the work of those
    that are lost ends with a `Death`.
    """

    def __init__(
        self,
        client: Client,
        dataset: Dataset,
        *,
        sources: dict[str, bytes],
        options: Options,
        folder: Path,
        notify: Notify,
    ) -> None:
        self._client, self._sources, self._options, self._folder = client, sources, options, folder
        self._sha256, self._notify = dataset.sha256, notify
        self._enrolment = Enrolment(client, dataset, notify=notify)
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="enrolment")
        self._posts: list[Outpost[T]] = []
        self._newcomers: Future[list[Outpost[T]]] | None = None
        self._watched = self._manned = time.monotonic()
        client.subscribe_topic(client.id, self._hear)

    def settle(self, *, recorded: set[str]) -> Place:
        """Take in the workers that there are, and decide on the kind of device.

        As asked, else where the study's finished runs were, else on GPUs if every worker has one.

        Args:
            recorded: kinds of device of the study's finished runs.

        Raises:
            InputError: the device that was asked for is not there.
            WorkerError: no worker, or none that gives the same numbers as this process.
        """
        threads = self._first_workers()
        fit = self._enrolment.survey(threads)
        self._kind = _kind(self._options.device, recorded, list(fit.values())) if fit else ""
        token, ready = self._enrolment.take_in(fit, self._brief)
        if not ready:
            why = "; ".join(f"{address}: {why}" for address, why in self._enrolment.left_out.items())
            raise WorkerError(
                f"no worker of the cluster can take part ({why})",
                rule="workers have the same harness and torch as this process, since other versions give "
                "other numbers, and can keep the data",
                remedy="install the same versions there, then call again",
            )
        self._posts = self._outposts(token, ready, threads)
        return Place(
            self._kind,
            (self._kind,) * len(self._within_limit()),
            gpus=tuple(name for facts in ready.values() for name in facts.gpus if self._kind == "cuda"),
            machine=describe_machines(list(ready.values())),
        )

    @property
    def beacons(self) -> list[Beacon]:
        """What every busy worker last said."""
        return [beacon for beacon in (post.beacon for post in self._posts) if beacon]

    def results(self, tasks: deque[T], work: Callable[[T], Work]) -> Iterator[tuple[T, Any]]:
        """Each task with what came of it, in the order in which they end: a result, or a `Death`.

        See `work_off`.

        Raises:
            WorkerError: no worker process starts, no worker is left, or the scheduler is gone.
        """
        return work_off(tasks, work, muster=self._muster)

    def close(self) -> None:
        """End what the workers do for this call; one that does not answer learns it from the scheduler."""
        self._clerk.shutdown(wait=False, cancel_futures=True)

        def close_offices() -> None:
            with suppress(Exception):  # the scheduler is gone, and has taken every task along
                self._enrolment.close()

        ending = threading.Thread(target=close_offices, daemon=True)
        ending.start()
        ending.join(CLOSE_SECONDS)

    @property
    def _brief(self) -> Brief:
        return Brief(
            topic=self._client.id,
            kind=self._kind,
            sources=self._sources,
            sent=self._sha256,
            checkpoints=(self._folder / "checkpoints").resolve(),
            checkpoint_seconds=self._options.checkpoint_seconds,
            limit=self._options.timeout,
        )

    def _first_workers(self) -> dict[str, int]:
        """Address and threads of the workers that there are, once there are any."""
        deadline = time.monotonic() + WORKER_SECONDS
        self._notify(Preparing("waiting for the workers of the cluster", 0, None))
        while not (threads := self._threads()):
            if time.monotonic() > deadline:
                raise self._unmanned()
            time.sleep(WATCH_SECONDS)
        return threads

    def _threads(self) -> dict[str, int]:
        try:
            return dict(self._client.nthreads())
        except Exception as error:  # dask has several for this
            raise WorkerError(
                f"the scheduler {self._options.cluster} is gone ({type(error).__name__}: {error})",
                rule="a call ends with the scheduler that it began with",
                remedy="start one and call again: finished runs are kept",
            ) from error

    def _unmanned(self) -> WorkerError:
        return WorkerError(
            f"the scheduler {self._options.cluster} has had no worker that can take part for "
            f"{WORKER_SECONDS:g} s",
            rule="runs are trained by the workers of the cluster",
            remedy=f"start some with `dask worker {self._options.cluster} --nthreads 1`, and call again: "
            "finished runs are kept",
        )

    def _muster(self) -> list[Outpost[T]]:
        """The workers that there are now, and those that were lost with a task."""
        now = time.monotonic()
        if now - self._watched >= WATCH_SECONDS:
            self._watched = now
            self._watch()
        if self._newcomers is not None and self._newcomers.done():
            with suppress(OSError, RuntimeError):  # lost again; a lost scheduler shows at the next look
                self._posts = [*self._posts, *self._newcomers.result()]
            self._newcomers = None
        self._posts = [post for post in self._posts if post.lost is None or post.task is not None]
        if self._posts or self._newcomers is not None:
            self._manned = now
        elif now - self._manned > WORKER_SECONDS:
            raise self._unmanned()
        return self._within_limit()

    def _within_limit(self) -> list[Outpost[T]]:
        """Those at work, and as many others as --workers leaves room for."""
        busy = [post for post in self._posts if post.task is not None]
        idle = [post for post in self._posts if post.task is None]
        most = self._options.workers
        return [*busy, *(idle if most is None else idle[: max(0, most - len(busy))])]

    def _watch(self) -> None:
        """Look which workers there are: give up the lost ones, have the new ones taken in."""
        threads = self._threads()
        ended = {(post.address, post.token) for post in self._posts if post.lost is not None}
        for post in self._posts:
            if post.lost is None and (post.address not in threads or (post.address, post.token) in ended):
                post.lose(f"the worker {post.address} was lost")
        if self._newcomers is None:
            self._enrolment.forget(set(self._enrolment.left_out) - set(threads))
            known = {post.address for post in self._posts if post.lost is None} | set(
                self._enrolment.left_out
            )
            new = {address: count for address, count in threads.items() if address not in known}
            if new:
                self._newcomers = self._clerk.submit(self._enrol, new)

    def _enrol(self, threads: Mapping[str, int]) -> list[Outpost[T]]:
        fit = self._enrolment.survey(list(threads))
        return self._outposts(*self._enrolment.take_in(fit, self._brief), threads)

    def _outposts(
        self, token: str, workers: Mapping[str, Facts], threads: Mapping[str, int]
    ) -> list[Outpost[T]]:
        """One for each thread; the first of each worker come first, so that few runs spread out."""
        seats = sorted((slot, address) for address in workers for slot in range(threads[address]))
        logs = self._folder / "logs"
        return [
            Outpost(self._client, address, token=token, slot=slot, host=workers[address].host, logs=logs)
            for slot, address in seats
        ]

    def _hear(self, event: tuple[float, Any]) -> None:
        """Hand what a worker tells of its progress to its outpost; runs on the client's event loop."""
        _, message = event
        if "key" in message:  # the scheduler speaks under this topic too
            for post in self._posts:
                post.hear(message)


def _kind(device: str, recorded: set[str], workers: Sequence[Facts]) -> str:
    if device != "auto":
        kind = device
    elif len(recorded) == 1:
        (kind,) = recorded
    else:
        kind = "cuda" if all(facts.gpus for facts in workers) else "cpu"
    if kind == "cuda" and not any(facts.gpus for facts in workers):
        why = "the finished runs of this study were trained there" if device == "auto" else "--device cuda"
        raise InputError(
            f"no worker of the cluster has a GPU that torch can use ({why})",
            rule="runs of a pair share the kind of device",
            remedy="add workers that have one; or --device cpu, and the report flags mixed pairs",
        )
    return kind
