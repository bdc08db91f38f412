"""Edge: one pack in one process, from the declarations of its runs to outcomes that can be sent home."""

from __future__ import annotations

import gc
import os
import socket
import time
import traceback
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import lru_cache, partial
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
from harness.runner.outcome import Outcome, PackEnd
from harness.runner.packing import Pack
from harness.training import solo
from harness.training.fused import training as fused
from harness.training.records import Records, Row

LIT_SECONDS = 0.1
"""A beacon says no more often how far a pack is: its runs end their epochs all at once."""


def execute(runs: Pack, desk: Desk, *, engine: str, catch: bool = True) -> PackEnd:
    """Train a pack; an error becomes the outcome of its runs, `oom` for want of memory, else `failed`.

    The wall time is shared evenly among the runs. The output goes to the log of the first.

    Args:
        runs: what to train; engine solo takes one at a time.
        desk: of this worker.
        engine: trains them.
        catch: false lets errors out and output through, as a debugger wants them; but several runs that
            find no memory together are no error, for half of them may.
    """
    started_at, started = datetime.now(UTC), time.monotonic()
    _note_start(runs, desk)
    light(desk.beacon, run_id=runs[0].run_id, since=started, images=0, others=len(runs) - 1)
    error, spent = None, False
    try:
        with output_to(log_path(desk.logs, runs[0].run_id)) if catch else nullcontext():
            records = _train(runs, desk, since=started, engine=engine)
    except (Exception, SystemExit) as reason:  # a network of the user's own may call sys.exit
        starved = want_of_memory(reason)
        if not catch and not (starved and len(runs) > 1):
            raise
        records = [Records("oom" if starved else "failed") for _ in runs]
        error, spent = _text(reason), isinstance(reason, torch.AcceleratorError)
        note(log_path(desk.logs, runs[0].run_id), traceback.format_exc())
    finally:
        put_out(desk.beacon)
    if error and not spent:  # only here, for the error held on to all that was on the device
        free_memory()
    seconds = (time.monotonic() - started) / len(runs)
    outcome_of = partial(
        Outcome,
        engine=engine,
        device=own_device().type,
        host=socket.gethostname(),
        started_at=started_at,
        error=error,
        pack_size=len(runs),
    )
    outcomes = []
    for run, own in zip(runs, records, strict=True):
        outcomes.append(outcome_of(run=run, records=own, wall_seconds=own.earlier_seconds + seconds))
        note(log_path(desk.logs, run.run_id), f"{own.status} after {outcomes[-1].wall_seconds:.1f} s")
    return PackEnd(tuple(outcomes), spent=spent)


def _note_start(runs: Pack, desk: Desk) -> None:
    where = f"{socket.gethostname()}, {own_device()}, process {os.getpid()}"
    together = f", in a pack of {len(runs):,}" if len(runs) > 1 else ""
    for run in runs:
        note(log_path(desk.logs, run.run_id), f"started on {where}{together}: {run.given}")


def _train(runs: Pack, desk: Desk, *, since: float, engine: str) -> list[Records]:
    seen, lit = 0, since

    def watch(run: Run, images: int, rows: list[Row]) -> None:
        nonlocal seen, lit
        seen += images
        now = time.monotonic()
        if now - lit >= LIT_SECONDS:
            light(desk.beacon, run_id=runs[0].run_id, since=since, images=seen, others=len(runs) - 1)
            lit = now
        figures = (f"{row['split']} {row['loss']:.4f} {row['accuracy']:.4f}" for row in rows)
        text = f"epoch {rows[0]['epoch']}: loss and accuracy: {', '.join(figures)}"
        note(log_path(desk.logs, run.run_id), text)

    dataset, device = open_data(runs[0], desk), own_device()
    checkpoints = [
        FileCheckpoint(
            checkpoint_path(desk.checkpoints, run.run_id),
            engine=engine,
            device=device,
            every=desk.checkpoint_seconds,
            say=partial(note, log_path(desk.logs, run.run_id)),
            sharing=len(runs),
        )
        for run in runs
    ]
    if engine == fused.ENGINE:
        return fused.train_pack(runs, dataset, device=device, on_epoch=watch, checkpoints=checkpoints)
    (run,), (checkpoint,) = runs, checkpoints
    return [solo.train(run, dataset, device=device, on_epoch=partial(watch, run), checkpoint=checkpoint)]


def free_memory() -> None:
    """Give back what this process holds on its device but does not use."""
    gc.collect()
    if own_device().type == "cuda":
        torch.cuda.empty_cache()


def open_data(run: Run, desk: Desk) -> Dataset:
    """The data of a run, opened once in this process.

    Raises:
        DataError: they can't be had, or have changed since the call began.
    """
    return _dataset(run.dataset, desk.data_dir, desk.sent, run.data_sha256)


def want_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; on the CPU torch says so by a RuntimeError."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _text(error: BaseException) -> str:
    """The end of a traceback, or a line for want of memory."""
    if want_of_memory(error):
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return traceback.format_exc(limit=-6)


@lru_cache(maxsize=2)
def _dataset(name: str, data_dir: Path | None, sent: str | None, sha256: str) -> Dataset:
    """The data of this hash, opened once a process; their memory-mapped pages are shared by all processes.

    The hash is part of what is remembered: a notebook's process outlives changes of the images.
    """
    dataset = open_dataset(name, data_dir=data_dir) if sent is None else _sent(name, sent)
    if dataset.sha256 != sha256:
        raise DataError(
            f"{dataset.name} has changed since the call began: its hash is now {dataset.sha256[:16]}",
            rule="a run is trained on the data that its fingerprint names",
            remedy="call again: the runs of the changed data are other runs",
        )
    return dataset


def _sent(name: str, sent: str) -> Dataset:
    """The data that were sent to this machine."""
    dataset = kept(sent, name=name)
    if dataset is None:
        raise DataError(
            f"{name} with the hash {sent[:16]} is no longer in the cache of {socket.gethostname()}",
            rule="data are sent to a cluster's machine once and kept in its cache",
            remedy="call again, and they are sent again",
        )
    return dataset
