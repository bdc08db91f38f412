"""Edge: small files by which each worker says which run it is at and how far it has come."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Beacon:
    """What a worker last said.

    Attributes:
        pid: of the worker.
        run_id: what it is training.
        images: training images it has seen of that run.
    """

    pid: int
    run_id: str
    images: int


def light(folder: Path, *, run_id: str, images: int) -> None:
    """Say, from a worker, where it is; a reader sees the old word or the new one."""
    path = folder / f"{os.getpid()}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), "run_id": run_id, "images": images}))
    temporary.replace(path)


def put_out(folder: Path) -> None:
    """Say that this worker's run is over."""
    (folder / f"{os.getpid()}.json").unlink(missing_ok=True)


def read_beacons(folder: Path) -> list[Beacon]:
    """What every busy worker last said."""
    beacons = []
    for path in folder.glob("*.json"):
        try:
            beacons.append(Beacon(**json.loads(path.read_text())))
        except FileNotFoundError:  # put out between the listing and the reading
            continue
    return beacons
