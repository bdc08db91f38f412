"""Edge: one run in one process, from the declaration to an outcome that can be sent home."""

from __future__ import annotations

import socket
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from harness.data import Dataset, open_dataset
from harness.design.run import Run
from harness.errors import DataError
from harness.runner.beacons import light, put_out
from harness.runner.devices import own_device
from harness.runner.outcome import Outcome
from harness.training.records import Records
from harness.training.solo import ENGINE, train


def execute(run: Run, *, data_dir: Path | None, beacons: Path, catch: bool = True) -> Outcome:
    """Train a run; an error becomes an outcome, `oom` for want of memory, else `failed`.

    Args:
        run: what to train.
        data_dir: where the user keeps data.
        beacons: the folder in which workers say how far they are.
        catch: false lets errors out, as a debugger wants them.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    device, error = own_device(), None
    try:
        records = _train(run, device, data_dir, beacons)
    except (MemoryError, torch.OutOfMemoryError) as reason:
        if not catch:
            raise
        records, error = Records("oom"), f"{type(reason).__name__}: {reason}"
    except Exception:
        if not catch:
            raise
        records, error = Records("failed"), traceback.format_exc(limit=-6)
    finally:
        put_out(beacons)
    return Outcome(
        run=run,
        records=records,
        engine=ENGINE,
        device=device.type,
        wall_seconds=time.perf_counter() - started,
        host=socket.gethostname(),
        started_at=started_at,
        error=error,
    )


def _train(run: Run, device: torch.device, data_dir: Path | None, beacons: Path) -> Records:
    seen = 0

    def advance(images: int) -> None:
        nonlocal seen
        seen += images
        light(beacons, run_id=run.run_id, images=seen)

    dataset = _dataset(run.dataset, data_dir)
    if dataset.sha256 != run.data_sha256:
        raise DataError(
            f"{dataset.name} has changed since the call began: its hash is now {dataset.sha256[:16]}",
            rule="a run is trained on the data that its fingerprint names",
            remedy="call again: the runs of the changed data are other runs",
        )
    advance(0)
    return train(run, dataset, device=device, on_epoch=advance)


@lru_cache(maxsize=2)
def _dataset(name: str, data_dir: Path | None) -> Dataset:
    """The data set, opened once a process; its memory-mapped pages are shared by all processes."""
    return open_dataset(name, data_dir=data_dir)
