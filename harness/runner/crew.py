"""Edge: worker processes that train runs side by side."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib

from harness.design.run import Run
from harness.runner.devices import Place, pin, settle
from harness.runner.executing import execute
from harness.runner.outcome import Outcome


def train_runs(
    runs: list[Run], place: Place, *, in_process: bool, data_dir: Path | None, beacons: Path
) -> Iterator[Outcome]:
    """Train runs and yield each as it ends, in any order.

    loky's workers live as long as the call, so torch is imported and the data are opened once a worker.

    Args:
        runs: what to train.
        place: the device of each worker.
        in_process: train one after the other in this process, errors let out.
        data_dir: where the user keeps data.
        beacons: the folder in which workers say how far they are.
    """
    if in_process:
        pin(place.slots[0])
        for run in runs:
            yield execute(run, data_dir=data_dir, beacons=beacons, catch=False)
        return
    with joblib.parallel_config(
        backend="loky",
        n_jobs=len(place.slots),
        inner_max_num_threads=1,
        initializer=settle,
        initargs=(beacons, place.slots, tuple(sys.path)),
    ):
        pool = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        tasks = (joblib.delayed(execute)(run, data_dir=data_dir, beacons=beacons) for run in runs)
        yield from pool(tasks)


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
