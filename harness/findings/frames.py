"""Edge: the tables of a study as data frames, narrowed to what its declaration expands to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.design.settings import Scalar
from harness.design.study import Study
from harness.errors import InputError
from harness.store.ledger import Ledger, open_ledger
from harness.store.results import Results
from harness.store.tables import PROVENANCE, WEIGHTS, curves_schema, runs_schema


@dataclass(frozen=True)
class StudyFrames:
    """What a study has measured so far.

    Attributes:
        study: the declaration.
        ledger: its runs and how far each has come.
        cells: the combinations of levels, by number.
        runs: a row a recorded run; columns of the `runs` table, and the number of its cell. Levels are
            the declaration's: a run may have been recorded before a factor was declared.
        curves: a row a run, epoch and split, with variant, seed and cell.
        weights: a row a run, epoch and sampled weight, with variant, seed and cell.
        provenance: a row a call of the runner, the latest last.
    """

    study: Study
    ledger: Ledger
    cells: tuple[dict[str, Scalar], ...]
    runs: pd.DataFrame
    curves: pd.DataFrame
    weights: pd.DataFrame
    provenance: pd.DataFrame

    @property
    def calls(self) -> pd.DataFrame:
        """The calls that trained these runs, in order of time; empty where none is recorded."""
        used = self.provenance["call_id"].isin(self.runs["call_id"])
        return self.provenance[used].sort_values(["started_at", "call_id"])


def load_frames(
    study: Study,
    folder: Path,
    *,
    data_dir: Path | None = None,
    splits: Sequence[str] | None = None,
    weights: bool = True,
) -> StudyFrames:
    """Read a study's tables.

    `cell` in every frame is the number of the combination of levels, from 0, in declared order.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        data_dir: where the user keeps data.
        splits: of the curves, those that are wanted; all unless given.
        weights: whether the sampled weights are wanted, by far the largest table.

    Raises:
        InputError: nothing is recorded of what the declaration expands to.
        StoreError: a file is damaged, and is now set aside.
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
    cells = tuple({repr(cell.levels): cell.levels for cell in study.cells()}.values())
    keys = _keys(ledger, cells)
    rows = _frame(results.runs(), runs_schema(study.factors))[runs_schema(()).names]
    rows = rows[rows["run_id"].isin(ledger.status)]
    levels = pd.DataFrame(cells, columns=[factor.name for factor in study.factors])
    runs = rows.merge(keys[["run_id", "cell"]], on="run_id").join(levels, on="cell")
    recorded = keys[keys["run_id"].isin(runs["run_id"])]
    curves = results.read("curves", run_ids=runs["run_id"])
    if curves is not None and splits is not None:
        curves = curves.filter(pc.is_in(curves["split"], pa.array(splits)))
    sampled = results.read("weights", run_ids=runs["run_id"]) if weights else None
    return StudyFrames(
        study=study,
        ledger=ledger,
        cells=cells,
        runs=runs,
        curves=_frame(curves, curves_schema(())).merge(recorded, on="run_id"),
        weights=_frame(sampled, WEIGHTS).merge(recorded, on="run_id"),
        provenance=_frame(results.read("provenance"), PROVENANCE).sort_values("started_at"),
    )


def _keys(ledger: Ledger, cells: tuple[dict[str, Scalar], ...]) -> pd.DataFrame:
    """run_id, variant, seed and number of the cell of every declared run."""
    numbers = {repr(levels): number for number, levels in enumerate(cells)}
    rows = [(run.run_id, run.cell.variant, run.seed, numbers[repr(run.cell.levels)]) for run in ledger.runs]
    return pd.DataFrame(rows, columns=["run_id", "variant", "seed", "cell"])


def _frame(table: pa.Table | None, schema: pa.Schema) -> pd.DataFrame:
    """The table as a frame; one that was never written has its columns and no rows."""
    frame: pd.DataFrame = (schema.empty_table() if table is None else table).to_pandas(use_threads=False)
    return frame
