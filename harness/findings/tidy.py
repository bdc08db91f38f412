"""Edge: a table of a study as one tidy frame: what is recorded of the runs that it declares."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa

from harness.design.search import FIRST_TUNING_SEED
from harness.design.study import Study
from harness.errors import InputError
from harness.findings.calibration import declaration_sha256
from harness.store.ledger import Ledger, open_ledger
from harness.store.results import Results
from harness.store.tables import runs_schema

OF_RUNS = ("curves", "weights", "diagnostics", "slices")
"""Tables whose rows belong to a run each."""


def tidy(study: Study, table: str, folder: Path) -> pd.DataFrame:
    """A table of a study, its rows in the order in which the study declares its runs.

    Of a run that was tried more than once the last attempt counts. Rows of a run bear its variant, levels
    and seed, a column each. Levels are the declaration's: a run may have been recorded before a factor was
    declared.

    Args:
        study: the declaration, with what a search chose; for `trials` without that, too.
        table: one of `TABLES`.
        folder: `results/<study>`.

    Returns:
        The columns that docs/tables.md names. Variant, factors and seed stand after `run_id` in the tables
        `OF_RUNS`, and the factors after `levels` in `trials`. `architecture`, `calibrations` and
        `provenance` are narrowed to this declaration and otherwise as they are.

    Raises:
        InputError: nothing is recorded of these runs, or not in this table.
        StoreError: a file is damaged, and is now set aside.
    """
    results = Results(folder)
    ledger = open_ledger(study, results)
    if table != "trials" and not ledger.status:
        raise InputError(
            f"no results of study {study.name!r} in {folder}{_foreign(ledger)}",
            rule="a table is filled by finished runs of what the study declares",
            remedy="harness.run(study) first, or name the folder with results=",
        )
    found = _narrowed(study, table, results, ledger)
    if found is None or found.empty:
        raise InputError(
            f"nothing is recorded in table {table!r} of study {study.name!r} in {folder}",
            rule="most tables are filled by `run`; `slices` by `harness slice`, `calibrations` by "
            "`harness calibrate`, `trials` by a study with a search, `diagnostics` in the epochs that the "
            "setting names",
            remedy="load(study) has the runs themselves",
        )
    return found.reset_index(drop=True)


def _foreign(ledger: Ledger) -> str:
    count = ledger.foreign
    return f"; {count} runs of other settings, epochs or data lie there" if count else ""


def _narrowed(study: Study, table: str, results: Results, ledger: Ledger) -> pd.DataFrame | None:
    """The rows that belong to the declaration; None where the table was never written."""
    keys = _keys(study, ledger)
    if table == "runs":
        rows = _frame(results.runs())
        return None if rows is None else _runs(study, keys, rows)
    if table in OF_RUNS:
        rows = _frame(results.read(table, run_ids=ledger.status))
        return None if rows is None else keys.merge(rows, on="run_id")
    if table == "architecture":
        firsts = [run.run_id for run in ledger.runs if run.seed == 0]
        return _frame(results.read(table, run_ids=firsts))
    rows = _frame(results.read(table))
    if rows is None or table == "trials":
        return None if rows is None else _trials(study, rows, data_sha256=ledger.data_sha256)
    if table == "calibrations":
        own = declaration_sha256(study, ledger.data_sha256)
        return rows[rows["declaration"] == own].sort_values("calibrated_at")
    calls = _frame(results.runs(columns=("call_id",)))
    if calls is None:
        return None
    used = calls.loc[calls["run_id"].isin(ledger.status), "call_id"]
    return rows[rows["call_id"].isin(used)].sort_values("started_at")


def _keys(study: Study, ledger: Ledger) -> pd.DataFrame:
    """run_id, variant, levels and seed of every recorded run of the declaration, in its order."""
    kinds = {factor.name: factor.kind for factor in study.factors}
    rows = [
        (run.run_id, run.cell.variant, *(run.cell.levels[name] for name in kinds), run.seed)
        for run in ledger.runs
        if run.run_id in ledger.status
    ]
    return pd.DataFrame(rows, columns=["run_id", "variant", *kinds, "seed"]).astype(kinds)


def _runs(study: Study, keys: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    placed = keys.merge(rows.drop(columns=["variant", "seed"]), on="run_id")
    return placed.reindex(columns=runs_schema(study.factors).names)


def _trials(study: Study, rows: pd.DataFrame, *, data_sha256: str) -> pd.DataFrame | None:
    """The proposals of the declared search, without those beyond its budget and those of other searches."""
    if study.search is None:
        return None
    blanks = [
        study.run(cell, seed=FIRST_TUNING_SEED, data_sha256=data_sha256, params={}, stage="tuning")
        for cell in study.cells()
    ]
    order = {study.search.name(blank): number for number, blank in enumerate(blanks)}
    mine = rows[rows["search"].isin(list(order)) & (rows["number"] < study.search.budget)]
    mine = mine.iloc[mine["search"].map(order).argsort(kind="stable")].reset_index(drop=True)
    levels = pd.DataFrame(map(json.loads, mine["levels"]), columns=[factor.name for factor in study.factors])
    for number, name in enumerate(levels, list(mine).index("levels") + 1):
        mine.insert(number, name, levels[name])
    return mine


def _frame(table: pa.Table | None) -> pd.DataFrame | None:
    frame: pd.DataFrame | None = None if table is None else table.to_pandas(use_threads=False)
    return frame
