"""Edge: one run in one process, from the declaration to an outcome that can be sent home."""

from __future__ import annotations

import os
import socket
import time
import traceback
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from harness.data import Dataset, open_dataset
from harness.data.parcel import kept
from harness.design.run import Run
from harness.errors import DataError
from harness.runner.beacons import light, put_out
from harness.runner.checkpoint import FileCheckpoint, checkpoint_path
from harness.runner.desk import Desk
from harness.runner.devices import own_device
from harness.runner.logs import log_path, note, output_to
from harness.runner.outcome import Outcome
from harness.training.records import Records, Row
from harness.training.solo import ENGINE, train


def execute(run: Run, desk: Desk, *, catch: bool = True) -> Outcome:
    """Train a run; an error becomes an outcome, `oom` for want of memory, else `failed`.

    Args:
        run: what to train.
        desk: of this worker.
        catch: false lets errors out and output through, as a debugger wants them.
    """
    started_at, started = datetime.now(UTC), time.monotonic()
    device, log = own_device(), log_path(desk.logs, run.run_id)
    light(desk.beacon, run_id=run.run_id, since=started, images=0)
    note(log, f"started on {socket.gethostname()}, {device}, process {os.getpid()}: {run.given}")
    error, spent = None, False
    try:
        with output_to(log) if catch else nullcontext():
            records = _train(run, device, desk, started)
    except (Exception, SystemExit) as reason:  # a network of the user's own may call sys.exit
        if not catch:
            raise
        records, error = Records("oom" if _want_of_memory(reason) else "failed"), _text(reason)
        spent = isinstance(reason, torch.AcceleratorError)
        note(log, traceback.format_exc())
    finally:
        put_out(desk.beacon)
    seconds = records.earlier_seconds + time.monotonic() - started
    note(log, f"{records.status} after {seconds:.1f} s")
    return Outcome(
        run=run,
        records=records,
        engine=ENGINE,
        device=device.type,
        wall_seconds=seconds,
        host=socket.gethostname(),
        started_at=started_at,
        error=error,
        spent=spent,
    )


def _train(run: Run, device: torch.device, desk: Desk, started: float) -> Records:
    seen, log = 0, log_path(desk.logs, run.run_id)

    def watch(images: int, rows: list[Row]) -> None:
        nonlocal seen
        seen += images
        light(desk.beacon, run_id=run.run_id, since=started, images=seen)
        figures = (f"{row['split']} {row['loss']:.4f} {row['accuracy']:.4f}" for row in rows)
        note(log, f"epoch {rows[0]['epoch']}: loss and accuracy: {', '.join(figures)}")

    dataset = open_data(run, desk)
    checkpoint = FileCheckpoint(
        checkpoint_path(desk.checkpoints, run.run_id),
        every=desk.checkpoint_seconds,
        say=lambda text: note(log, text),
    )
    return train(run, dataset, device=device, on_epoch=watch, checkpoint=checkpoint)


def open_data(run: Run, desk: Desk) -> Dataset:
    """The data of a run, opened once in this process.

    Raises:
        DataError: they can't be had, or have changed since the call began.
    """
    dataset = _dataset(run.dataset, desk.data_dir, desk.sent)
    if dataset.sha256 != run.data_sha256:
        raise DataError(
            f"{dataset.name} has changed since the call began: its hash is now {dataset.sha256[:16]}",
            rule="a run is trained on the data that its fingerprint names",
            remedy="call again: the runs of the changed data are other runs",
        )
    return dataset


def _want_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; on the CPU torch says so by a RuntimeError."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _text(error: BaseException) -> str:
    """The end of a traceback, or a line for want of memory."""
    if _want_of_memory(error):
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return traceback.format_exc(limit=-6)


@lru_cache(maxsize=2)
def _dataset(name: str, data_dir: Path | None, sent: str | None) -> Dataset:
    """The data set, opened once a process; its memory-mapped pages are shared by all processes."""
    if sent is None:
        return open_dataset(name, data_dir=data_dir)
    dataset = kept(sent, name=name)
    if dataset is None:
        raise DataError(
            f"{name} with the hash {sent[:16]} is no longer in the cache of {socket.gethostname()}",
            rule="data are sent to a cluster's machine once and kept in its cache",
            remedy="call again, and they are sent again",
        )
    return dataset
