"""Computation: ends of runs -> entries of the mirror: one a run, or one a cell of a large study."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean, stdev
from typing import Any, Protocol

from optuna.trial import TrialState

from harness.dashboard.endings import Ending
from harness.design.run import Cell, Run

MOST_RUNS = 5_000
"""More declared runs than that are mirrored as cells: the dashboard does not cope with more."""

_STATES = {"completed": TrialState.COMPLETE, "diverged": TrialState.PRUNED}


@dataclass(frozen=True)
class Entry:
    """What becomes one of Optuna's trials.

    Attributes:
        key: names it; the same results give the same key.
        cell: its parameters.
        state: COMPLETE, PRUNED (diverged) or FAIL.
        value: test accuracy.
        curve: test accuracy by epoch.
        attributes: what else is shown.
        started_at: UTC.
        ended_at: UTC.
    """

    key: str
    cell: Cell
    state: TrialState
    value: float | None
    curve: Mapping[int, float]
    attributes: dict[str, Any]
    started_at: datetime
    ended_at: datetime


class Grain(Protocol):
    """What one entry stands for."""

    def key_of(self, run: Run) -> str:
        """The key of the entry that a run belongs to."""

    def take(self, ending: Ending) -> Entry | None:
        """The entry that a run's end makes whole, if it does."""


def grain_of(runs: Iterable[Run]) -> Grain:
    """Entries for the runs of a declaration: one a run, or one a cell where there are too many runs."""
    listed = list(runs)
    return ByRun() if len(listed) <= MOST_RUNS else ByCell(listed)


class ByRun:
    """An entry for each run."""

    def key_of(self, run: Run) -> str:
        """The run's own name."""
        return run.run_id

    def take(self, ending: Ending) -> Entry:
        """The entry of a run."""
        run = ending.run
        reason = (ending.error or "").strip().splitlines()[-1:]
        return Entry(
            key=run.run_id,
            cell=run.cell,
            state=_STATES.get(ending.status, TrialState.FAIL),
            value=ending.accuracy,
            curve=ending.curve,
            attributes={
                "run_id": run.run_id,
                "seed": run.seed,
                "status": ending.status,
                "wall_seconds": round(ending.seconds, 3),
                "device": ending.device,
                "engine": ending.engine,
                **({"error": reason[0]} if reason else {}),
            },
            started_at=ending.started_at,
            ended_at=ending.started_at + timedelta(seconds=ending.seconds),
        )


@dataclass
class _Seeds:
    """What is known of a cell: its runs, and how some of them ended."""

    key: str
    expected: int
    endings: dict[int, Ending] = field(default_factory=dict)


class ByCell:
    """An entry for each cell, made when its last seed has ended: means over the seeds that completed."""

    def __init__(self, runs: Iterable[Run]) -> None:
        runs_of: dict[str, list[Run]] = {}
        for run in runs:
            runs_of.setdefault(repr(run.cell), []).append(run)
        self._seeds = {cell: _Seeds(_cell_key(own), len(own)) for cell, own in runs_of.items()}

    def key_of(self, run: Run) -> str:
        """The variant, and ten digits of a hash over the cell's runs."""
        return self._seeds[repr(run.cell)].key

    def take(self, ending: Ending) -> Entry | None:
        """The entry of a cell, once all its seeds have ended; again when one has ended anew."""
        seeds = self._seeds[repr(ending.run.cell)]
        seeds.endings[ending.run.seed] = ending
        return _cell_entry(seeds) if len(seeds.endings) == seeds.expected else None


def _cell_key(runs: Iterable[Run]) -> str:
    """Other seeds, epochs or settings give another key."""
    listed = list(runs)
    digits = hashlib.sha256(" ".join(run.run_id for run in listed).encode()).hexdigest()[:10]
    return f"{listed[0].cell.variant}-{digits}"


def _cell_entry(seeds: _Seeds) -> Entry:
    """A cell with a diverged seed is marked as one, so that a mean over what is left is never the best."""
    endings = [ending for _, ending in sorted(seeds.endings.items())]
    completed = [ending for ending in endings if ending.status == "completed"]
    accuracies = [ending.accuracy for ending in completed if ending.accuracy is not None]
    diverged = sum(ending.status == "diverged" for ending in endings)
    state = TrialState.COMPLETE if accuracies else TrialState.FAIL
    return Entry(
        key=seeds.key,
        cell=endings[0].run.cell,
        state=TrialState.PRUNED if diverged else state,
        value=fmean(accuracies) if accuracies else None,
        curve=_mean_curve(completed),
        attributes={
            "cell": seeds.key,
            "seeds": len(endings),
            "completed": len(completed),
            "diverged": diverged,
            "failed": len(endings) - len(completed) - diverged,
            **({"sd": stdev(accuracies)} if len(accuracies) > 1 else {}),
            "wall_seconds": round(sum(ending.seconds for ending in endings), 3),
            "device": ", ".join(sorted({ending.device for ending in endings})),
            "engine": ", ".join(sorted({ending.engine for ending in endings})),
        },
        started_at=min(ending.started_at for ending in endings),
        ended_at=max(ending.started_at + timedelta(seconds=ending.seconds) for ending in endings),
    )


def _mean_curve(endings: list[Ending]) -> dict[int, float]:
    """The mean at every epoch that all of them measured."""
    epochs = set.intersection(*(set(ending.curve) for ending in endings)) if endings else set()
    return {epoch: fmean(ending.curve[epoch] for ending in endings) for epoch in sorted(epochs)}
