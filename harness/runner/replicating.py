"""Edge: the published experiment's two networks, trained side by side."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from harness.data import open_dataset
from harness.runner.beacons import light, read_beacons
from harness.runner.crew import crew, results_of, ticking
from harness.runner.events import Advanced, Finished, Notify, Preparing, Started
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
    """
    dataset = open_dataset(
        DATASET,
        data_dir=data_dir,
        report=lambda what, done, total: notify(Preparing(what, done, total)),
    )
    images = len(dataset.train) * epochs * len(VARIANTS)
    notify(Started(runs=len(VARIANTS), done=0, images=images, workers=len(VARIANTS), device="cpu"))
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        beacons = Path(name)

        def tick() -> None:
            lit = read_beacons(beacons)
            notify(Advanced(sum(b.images for b in lit), tuple(b.run_id for b in lit)))

        slots = ("cpu",) * len(VARIANTS)
        with ticking(tick, seconds=0.5), crew(slots, beacons=beacons) as pool:
            calls = (partial(_replicate, variant, epochs, data_dir, beacons) for variant in VARIANTS)
            logs = {}
            for log in results_of(pool, calls, at_once=len(VARIANTS)):
                logs[log[0].variant] = log
                notify(Finished(log[0].variant, "completed", None))
    return [epoch for variant in VARIANTS for epoch in logs[variant]]


def _replicate(variant: str, epochs: int, data_dir: Path | None, beacons: Path) -> list[Epoch]:
    """One network in a worker; its beacon stays lit at the end, for the other is still at work."""
    dataset = open_dataset(DATASET, data_dir=data_dir)

    def advance(epoch: Epoch) -> None:
        light(beacons, run_id=variant, images=(epoch.epoch + 1) * len(dataset.train.labels))

    return replicate(variant, dataset, epochs=epochs, on_epoch=advance)
