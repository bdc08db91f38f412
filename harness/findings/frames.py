"""Edge: the tables of a study as data frames, narrowed to what its declaration expands to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from harness.design.study import Study
from harness.errors import InputError
from harness.store.ledger import Ledger, open_ledger
from harness.store.results import Results


@dataclass(frozen=True)
class StudyFrames:
    """What a study has measured so far.

    Attributes:
        study: the declaration.
        ledger: its runs and how far each has come.
        runs: a row a recorded run; columns of the `runs` table.
        curves: a row a run, epoch and split, with variant, seed and cell.
        weights: a row a run, epoch and sampled weight, with variant, seed and cell.
        provenance: a row a call of the runner.
    """

    study: Study
    ledger: Ledger
    runs: pd.DataFrame
    curves: pd.DataFrame
    weights: pd.DataFrame
    provenance: pd.DataFrame


def load_frames(study: Study, folder: Path, *, data_dir: Path | None = None) -> StudyFrames:
    """Read a study's tables.

    `cell` in every frame is the number of the combination of levels, from 0, in declared order.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        data_dir: where the user keeps data.

    Raises:
        InputError: nothing is recorded of what the declaration expands to.
        StoreError: a file is damaged.
    """
    results = Results(folder)
    ledger = open_ledger(study, results, data_dir=data_dir)
    if not ledger.status:
        others = (
            f"; {ledger.foreign} runs of other settings, epochs or data lie there" if ledger.foreign else ""
        )
        raise InputError(
            f"no results of study {study.name!r} in {folder}{others}",
            rule="a report needs finished runs of what the study declares",
            remedy=f"`harness run {study.name}` first, or name the folder with --results; "
            "after `run --set ...` give report the same --set",
        )
    keys = _keys(ledger)
    runs = _frame(results.runs()).merge(keys[["run_id", "cell"]], on="run_id", how="inner")
    recorded = keys[keys["run_id"].isin(runs["run_id"])]
    return StudyFrames(
        study=study,
        ledger=ledger,
        runs=runs,
        curves=_frame(results.read("curves", run_ids=runs["run_id"])).merge(recorded, on="run_id"),
        weights=_frame(results.read("weights", run_ids=runs["run_id"])).merge(recorded, on="run_id"),
        provenance=_frame(results.read("provenance")),
    )


def _keys(ledger: Ledger) -> pd.DataFrame:
    """run_id, variant, seed and number of the cell of every declared run."""
    cells: dict[str, int] = {}
    rows = []
    for run in ledger.runs:
        cell = cells.setdefault(repr(run.cell.levels), len(cells))
        rows.append((run.run_id, run.cell.variant, run.seed, cell))
    return pd.DataFrame(rows, columns=["run_id", "variant", "seed", "cell"])


def _frame(table: pa.Table | None) -> pd.DataFrame:
    return pd.DataFrame({"run_id": pd.Series(dtype=str)}) if table is None else table.to_pandas()
