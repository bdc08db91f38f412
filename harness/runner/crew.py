"""Edge: worker processes that train runs side by side."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from harness.design.run import Run
from harness.errors import WorkerError
from harness.runner.devices import Place, pin, settle
from harness.runner.executing import execute
from harness.runner.outcome import Outcome

WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # glibc keeps freed memory instead of giving it back and faulting it in again at every step.
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"
    ":glibc.malloc.top_pad=67108864:glibc.malloc.hugetlb=1",
}
"""Set before a worker starts, for it is read once: by thread pools, and by glibc's allocator."""


def train_runs(
    runs: list[Run], place: Place, *, in_process: bool, data_dir: Path | None, beacons: Path
) -> Generator[Outcome, None, None]:
    """Train runs and yield each as it ends, in any order.

    Workers live as long as the call, so torch is imported and the data are opened once a worker.

    Args:
        runs: what to train.
        place: the device of each worker.
        in_process: train one after the other in this process, errors let out.
        data_dir: where the user keeps data.
        beacons: the folder in which workers say how far they are.

    Raises:
        WorkerError: a worker process died.
    """
    if in_process:
        pin(place.slots[0])
        for run in runs:
            yield execute(run, data_dir=data_dir, beacons=beacons, catch=False)
        return
    with crew(place.slots, beacons=beacons) as pool:
        calls = (partial(execute, run, data_dir=data_dir, beacons=beacons) for run in runs)
        yield from results_of(pool, calls, at_once=len(place.slots) + 1)


@contextmanager
def crew(slots: tuple[str, ...], *, beacons: Path) -> Iterator[Any]:
    """A pool of joblib's loky workers, one a slot, each pinned to its device; killed on the way out.

    Args:
        slots: the device of each worker.
        beacons: a folder that the workers share.
    """
    pool = ProcessPoolExecutor(
        max_workers=len(slots),
        initializer=settle,
        initargs=(beacons, slots, tuple(sys.path)),
        env=WORKER_ENVIRONMENT,
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def results_of(pool: Any, calls: Iterable[Callable[[], Any]], *, at_once: int) -> Iterator[Any]:
    """What the workers bring home, each as it comes.

    Args:
        pool: of a crew.
        calls: what to do; taken as there is room, so that a killed pool has no queue to clear.
        at_once: how many are handed over at a time: one a worker, and one that waits.

    Raises:
        WorkerError: a worker process died.
    """
    waiting = iter(calls)
    under_way = {pool.submit(call) for call in islice(waiting, at_once)}
    try:
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            under_way |= {pool.submit(call) for call in islice(waiting, len(done))}
            while done:
                yield done.pop().result()
    except BrokenProcessPool as error:
        raise WorkerError(
            f"a worker process died: {error}",
            rule="a study goes on as long as its workers live",
            remedy="call again: finished runs are kept; with fewer --workers if memory was short",
        ) from error


@contextmanager
def ticking(tick: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call a function at intervals, on a thread of its own, while the block runs."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(seconds):
            tick()

    thread = threading.Thread(target=loop, name="ticker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
