"""Declaration: how a run ended, and a pack of runs, as a worker sends it home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.design.run import Run
from harness.training.records import Records


@dataclass(frozen=True)
class Outcome:
    """A run's end, with what it recorded.

    Attributes:
        run: which.
        records: its rows.
        engine: what trained it.
        device: cpu or cuda.
        wall_seconds: from start to end, data and measuring included; of a pack, each run's even share.
        host: the machine.
        started_at: UTC.
        error: what went wrong, None for completed and diverged.
        tries: how often this call tried it, this time included.
        pack_size: runs that were trained together, this one included.
    """

    run: Run
    records: Records
    engine: str
    device: str
    wall_seconds: float
    host: str
    started_at: datetime
    error: str | None
    tries: int = 1
    pack_size: int = 1


@dataclass(frozen=True)
class PackEnd:
    """The ends of runs that were trained together.

    Attributes:
        outcomes: one for each run; where the pack as a whole failed, all have the same status and error.
        spent: the worker's process must not train again (a GPU error has broken its context).
    """

    outcomes: tuple[Outcome, ...]
    spent: bool = False
