"""Declaration: what the runner tells whoever watches; the terminal and the dashboard listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.design.run import Stage
from harness.runner.engines import Choice
from harness.runner.outcome import Outcome
from harness.training.records import Status


@dataclass(frozen=True)
class Preparing:
    """The data are being fetched or decoded.

    Attributes:
        what: is being done.
        done: bytes or images.
        total: where it is known.
    """

    what: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Started:
    """Training is about to begin.

    Attributes:
        runs: how many will be trained.
        done: how many of the declaration were done before.
        images: training images that lie ahead, over all runs and epochs.
        workers: processes, 0 for this one.
        device: cpu or cuda.
        stage: what the runs are for.
    """

    runs: int
    done: int
    images: int
    workers: int
    device: str
    stage: Stage = "evaluation"


@dataclass(frozen=True)
class Chosen:
    """It is decided which engine trains the study.

    Attributes:
        choice: the engine, and why.
    """

    choice: Choice


@dataclass(frozen=True)
class Advanced:
    """Time has passed.

    Attributes:
        images: training images seen so far in this call, those of unfinished runs included.
        active: what the workers are at: a run by its run_id, a pack by its first run's and how many more.
    """

    images: int
    active: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """A run has ended and its tables are written.

    Attributes:
        run_id: which.
        status: how.
        error: why it failed, if it did.
    """

    run_id: str
    status: Status
    error: str | None


@dataclass(frozen=True)
class Recorded:
    """The tables of a run are written, with all that it left behind.

    Attributes:
        outcome: of the run.
    """

    outcome: Outcome


@dataclass(frozen=True)
class Retried:
    """A run whose worker died or that found no memory will be tried again; of a pack that failed, the halves.

    Attributes:
        run_id: which; of a pack the first.
        reason: what is known of it.
        others: runs of the pack beside it.
    """

    run_id: str
    reason: str
    others: int = 0


@dataclass(frozen=True)
class Damaged:
    """A file of results was damaged and is set aside; what it held is missing now.

    Attributes:
        path: where it lies now.
        reason: what was wrong with it.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """A worker of the cluster does not take part.

    Attributes:
        worker: its address.
        reason: why.
    """

    worker: str
    reason: str


Event = Preparing | Chosen | Started | Advanced | Retried | Finished | Recorded | Damaged | LeftOut
Notify = Callable[[Event], None]
