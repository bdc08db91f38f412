"""Edge: the layers of each variant's network, in one combination of levels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.design.run import Run
from harness.findings.frames import StudyFrames
from harness.store.results import Results

COLUMNS = ["number", "name", "kind", "input", "output", "parameters"]


@dataclass(frozen=True, eq=False)
class Network:
    """What a variant is made of.

    Attributes:
        variant: its name.
        layers: in the order in which an image passes them: the columns `COLUMNS`.
    """

    variant: str
    layers: pd.DataFrame

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return int(self.layers["parameters"].sum())


@dataclass(frozen=True)
class Networks:
    """The networks of a study in one combination of levels.

    Attributes:
        networks: of the variants whose layers are recorded, in declared order.
        factors: those at whose other levels a variant has other layers, as far as is recorded.
    """

    networks: tuple[Network, ...]
    factors: tuple[str, ...]


def read_networks(frames: StudyFrames, folder: Path, *, cell: int = 0) -> Networks | None:
    """The layers of each variant; None where none are recorded, as by a harness of old.

    Args:
        frames: of the study.
        folder: `results/<study>`.
        cell: number of the combination of levels.

    Raises:
        StoreError: a file is damaged, and is now set aside.
    """
    firsts = [run for run in frames.ledger.runs if run.seed == 0]
    table = Results(folder).read("architecture", run_ids=[run.run_id for run in firsts])
    if table is None:
        return None
    whole = table.to_pandas(use_threads=False).sort_values(["run_id", "number"], ignore_index=True)
    sets = [rows.reset_index(drop=True) for _, rows in whole.groupby("run_id")]
    here = {run.cell.variant: run for run in firsts if run.cell.levels == frames.cells[cell]}
    names = [variant.name for variant in frames.study.variants if variant.name in here]
    found = {name: _layers(here[name], sets) for name in names}
    networks = tuple(Network(name, rows) for name, rows in found.items() if rows is not None)
    factors = {factor.name for factor in frames.study.factors}
    return Networks(networks, tuple(sorted(factors & _varied(sets)))) if networks else None


def _layers(run: Run, sets: Iterable[pd.DataFrame]) -> pd.DataFrame | None:
    """The layers that were recorded of a run of this variant whose settings shape the network alike."""
    settings = json.loads(json.dumps(run.settings))  # as they stand in the table: tuples are lists
    for rows in sets:
        shaping = _settings(rows)
        if rows["variant"].iloc[0] == run.cell.variant and shaping.items() <= settings.items():
            return rows[COLUMNS]
    return None


def _varied(sets: Iterable[pd.DataFrame]) -> set[str]:
    """The settings that differ between sets of one variant with different layers."""
    varied: set[str] = set()
    known: dict[str, tuple[dict[str, Any], pd.DataFrame]] = {}
    for rows in sets:
        settings, first = known.setdefault(rows["variant"].iloc[0], (_settings(rows), rows[COLUMNS]))
        if not rows[COLUMNS].equals(first):
            varied |= {name for name, value in _settings(rows).items() if value != settings.get(name)}
    return varied


def _settings(rows: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(rows["settings"].iloc[0])
    return found
