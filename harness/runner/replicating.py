"""Edge: the published experiment's two networks, trained side by side."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from functools import partial
from pathlib import Path

from harness.data import open_dataset
from harness.errors import WorkerError
from harness.runner.beacons import light
from harness.runner.crew import Crew, ticking
from harness.runner.desk import Desk
from harness.runner.events import Advanced, Finished, Notify, Preparing, Started
from harness.runner.post import Death
from harness.training.published import VARIANTS, Epoch
from harness.training.replica import replicate

DATASET = "devanagari"


def replicate_both(*, epochs: int, data_dir: Path | None, notify: Notify) -> list[Epoch]:
    """Train plain and bn as the article did, each on a core of its own.

    Args:
        epochs: how many to train; the starting states are the article's in any case.
        data_dir: where the user keeps data.
        notify: told of the start and, twice a second, of progress.

    Returns:
        The epochs of plain, then those of bn.

    Raises:
        DataError: the Devanagari digits can't be had.
        WorkerError: a worker process died.
    """
    dataset = open_dataset(
        DATASET,
        data_dir=data_dir,
        report=lambda what, done, total: notify(Preparing(what, done, total)),
    )
    images = len(dataset.train) * epochs * len(VARIANTS)
    notify(Started(runs=len(VARIANTS), done=0, images=images, workers=len(VARIANTS), device="cpu"))
    with (
        tempfile.TemporaryDirectory(prefix="harness-") as name,
        Crew[str](
            ("cpu",) * len(VARIANTS), desk=Desk(Path(name), Path(name), Path(name), data_dir=data_dir)
        ) as crew,
    ):

        def tick() -> None:
            lit = crew.beacons
            notify(Advanced(sum(b.images for b in lit), tuple(b.run_id for b in lit)))

        logs = {}
        with ticking(tick, seconds=0.5):
            for variant, log in crew.results(
                deque(VARIANTS), lambda variant: partial(_replicate, variant, epochs)
            ):
                if isinstance(log, Death):
                    raise WorkerError(
                        f"the worker that trained {variant} died: {log.reason}",
                        rule="the experiment is repeated in one go",
                        remedy="call again",
                    )
                logs[variant] = log
                notify(Finished(variant, "completed", None))
    return [epoch for variant in VARIANTS for epoch in logs[variant]]


def _replicate(variant: str, epochs: int, desk: Desk) -> list[Epoch]:
    """One network in a worker; its beacon stays lit at the end, for the other is still at work."""
    dataset, since = open_dataset(DATASET, data_dir=desk.data_dir), time.monotonic()

    def advance(epoch: Epoch) -> None:
        images = (epoch.epoch + 1) * len(dataset.train.labels)
        light(desk.beacon, run_id=variant, since=since, images=images)

    light(desk.beacon, run_id=variant, since=since, images=0)
    return replicate(variant, dataset, epochs=epochs, on_epoch=advance)
