"""Edge: what is recorded of a study's search: proposals in the table `trials`, results in `runs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.design.run import Run
from harness.design.search import Search
from harness.design.study import Study
from harness.errors import HarnessError, InputError
from harness.search.cells import End
from harness.search.standing import CellStanding, Record, Standing, half_way, stand
from harness.store.ledger import Ledger, look_up, open_ledger
from harness.store.results import Results
from harness.store.tables import TRIALS

WAITING = "waiting"
"""The state of a trial whose runs have not all ended."""


def read_record(results: Results) -> Record:
    """What is recorded of searches, of this declaration and others.

    Raises:
        StoreError: a file of results is damaged.
    """
    known = look_up(results)
    figures = results.runs(columns=("validation_accuracy", "validation_loss"))
    made: dict[str, dict[int, Any]] = {}
    trials = results.read("trials", columns=["search", "number", "params"])
    for row in [] if trials is None else trials.to_pylist():
        made.setdefault(row["search"], {})[row["number"]] = json.loads(row["params"])
    return Record(
        made=made,
        ends={
            row["run_id"]: End(
                known.status[row["run_id"]], row["validation_accuracy"], row["validation_loss"]
            )
            for row in ([] if figures is None else figures.to_pylist())
            if row["run_id"] in known.status and known.stage[row["run_id"]] == "tuning"
        },
        attempts=known.attempts,
    )


def read_standing(
    study: Study, search: Search, results: Results, *, data_dir: Path | None = None
) -> Standing:
    """How far the search of a study is, from what is recorded, without Optuna.

    Args:
        study: the declaration.
        search: its search.
        results: its folder.
        data_dir: where the user keeps data.

    Raises:
        InputError: an unknown data set.
        StoreError: a file of results is damaged.
    """
    sha256 = open_ledger(study, results, data_dir=data_dir).data_sha256
    return stand(study, search, read_record(results), data_sha256=sha256)


def resolve(study: Study, results: Results, *, data_dir: Path | None = None) -> Study:
    """The study with what its search chose, if it has one.

    Raises:
        InputError: the search is not over, so nothing has been evaluated; or an unknown data set.
        StoreError: a file of results is damaged.
    """
    if study.search is None:
        return study
    return resolved(read_standing(study, study.search, results, data_dir=data_dir), results)


def resolved(standing: Standing, results: Results) -> Study:
    """The study with what its search chose.

    Raises:
        InputError: the search is not over.
        HarnessError: it is, and no proposal for a variant had an outcome.
    """
    study, cells = standing.study, standing.cells
    if not standing.over:
        raise InputError(
            f"the search of study {study.name!r} in {results.folder} has not chosen yet: "
            f"{sum(cell.endings.total() for cell in cells):,} of {standing.search.budget * len(cells):,} "
            "proposals have ended",
            rule="what a study with a search evaluates is known when the budget of every variant is used up",
            remedy=f"`harness run {study.name}` goes on, `harness status {study.name}` tells how far it is; "
            "after `run --set ...` give the same --set",
        )
    for cell in cells:
        if cell.choice is None:
            raise _without_outcome(cell, results)
    return standing.resolved()


def runs_ahead(study: Study, results: Results, *, ledger: Ledger) -> list[Run]:
    """The runs that are still to train; where a search is not over, as many as there may be.

    Args:
        study: the declaration.
        results: its folder.
        ledger: of the study.

    Raises:
        StoreError: a file of results is damaged.
    """
    if study.search is None:
        return ledger.unfinished(retry_failed=False)
    standing = stand(study, study.search, read_record(results), data_sha256=ledger.data_sha256)
    chosen = standing.resolved()
    evaluated = chosen if chosen.choices else half_way(study, study.search)
    evaluation = open_ledger(evaluated, results, data_sha256=ledger.data_sha256)
    return [*standing.ahead(), *evaluation.unfinished(retry_failed=False)]


def trials_lag(results: Results, standing: Standing) -> bool:
    """Whether the table `trials` says less than is known: a call was killed between a run's end and it."""
    table = results.read("trials", columns=["search", "number", "rung", "state", "chosen"])
    stored = [] if table is None else [tuple(row.values()) for row in table.to_pylist()]
    known = [
        tuple(row[name] for name in ("search", "number", "rung", "state", "chosen"))
        for cell in standing.cells
        for row in _rows(cell)
    ]
    return not set(known) <= set(stored)


def write_trials(results: Results, standing: Standing) -> None:
    """Write all that is known of the proposals, a file for each cell.

    Raises:
        StoreError: the disk refuses.
    """
    for cell in standing.cells:
        if cell.trials:
            table = pa.Table.from_pylist(_rows(cell), schema=TRIALS)
            results.shelf("trials").put({cell.cell_search.name: len(table)}, table)


def _rows(standing: CellStanding) -> list[dict[str, Any]]:
    one, choice = standing.cell_search, standing.choice
    last = {trial.number: trial for trial in standing.trials}
    return [
        {
            "search": one.name,
            "variant": one.cell.variant,
            "levels": json.dumps(one.cell.levels),
            "number": trial.number,
            "round": trial.round,
            "rung": trial.rung,
            "epochs": trial.epochs,
            "params": json.dumps(trial.params),
            "run_ids": json.dumps([run.run_id for run in runs]),
            "state": trial.score.state if trial.score else WAITING,
            "value": trial.value(one.search),
            "validation_accuracy": trial.score.accuracy if trial.score else None,
            "validation_loss": trial.score.loss if trial.score else None,
            "chosen": choice is not None and choice.number == trial.number and trial is last[trial.number],
        }
        for trial, runs in standing.runs()
    ]


def _without_outcome(standing: CellStanding, results: Results) -> HarnessError:
    """The error for a cell in which every proposal failed, timed out or found no memory."""
    ids = {run.run_id for _, runs in standing.runs() for run in runs}
    errors = results.runs(columns=("error",))
    rows = [] if errors is None else errors.to_pylist()
    told = [(row["error"] or "").strip().splitlines()[-1:] for row in rows if row["run_id"] in ids]
    cell = standing.cell_search.cell
    where = "".join(f", {name}={level}" for name, level in cell.levels.items())
    return HarnessError(
        f"all {len(told)} tuning runs of variant {cell.variant!r}{where} failed, the first with: "
        f"{''.join(told[0])}",
        rule="a variant is compared with the best of its proposals that completed; a failure counts "
        "against the budget",
        remedy="`harness status` tells why each failed; mend that, and `harness run --retry-failed` tries "
        "them again",
    )
