"""Declaration: what a worker is given beside the run itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKPOINT_SECONDS = 600.0
"""A run keeps its state about this often, at the end of an epoch; shorter runs never do."""


@dataclass(frozen=True)
class Desk:
    """Where a worker says how far it is, and where it keeps what must outlive it.

    Attributes:
        beacon: the file by which it says which run it is at.
        logs: the folder of the runs' logs.
        checkpoints: the folder of the runs' states.
        checkpoint_seconds: between two states of a run.
        data_dir: where the user keeps data.
        sent: content hash of data that were sent to this machine; None: they are opened by their name.
    """

    beacon: Path
    logs: Path
    checkpoints: Path
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    data_dir: Path | None = None
    sent: str | None = None
