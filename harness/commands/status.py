"""Edge: `harness status`: how far a study is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from harness.commands.speech import out
from harness.commands.studies import declared_study
from harness.console.options import RESULTS, Assignments, DataDir, ResultsDir, ScaleName, Seeds, StudyName
from harness.console.searches import search_table, tuning_runs_table
from harness.console.tables import runs_table, status_table
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.store.results import Results


def status(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    list_runs: Annotated[bool, typer.Option("--runs", help="List every run with its RUN_ID.")] = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what of a study is done, missing, diverged, failed."""
    from harness.search.recorded import read_standing
    from harness.store.ledger import UNKNOWN_DATA, open_ledger
    from harness.store.results import Results
    from harness.store.tables import FINISHED

    declared = declared_study(study, scale=scale, seeds=seeds, assignments=assignments)
    folder = Results(results / declared.name)
    standing = None
    if declared.search:
        standing = read_standing(declared, declared.search, folder, data_dir=data_dir)
        declared = standing.resolved()
        out.print(search_table(standing))
    ledger = open_ledger(declared, folder, data_dir=data_dir)
    if ledger.runs:
        out.print(status_table(ledger))
    else:
        out.print(f"then {declared.size:,} runs with what is chosen")
    if ledger.foreign:
        out.print(f"{ledger.foreign} recorded runs have other settings, epochs or data: not in the report")
    if list_runs and ledger.data_sha256 == UNKNOWN_DATA:
        raise InputError(
            f"the content of {declared.dataset} is not known yet",
            rule="a RUN_ID tells one content of the data from another: they must have been opened once",
            remedy=f"`harness data {study}` opens them",
        )
    if list_runs and standing:
        out.print(tuning_runs_table(standing))
    if list_runs:
        out.print(runs_table(ledger))
    failed = {run_id for run_id, status in ledger.status.items() if status not in FINISHED}
    failed |= set(standing.failed) if standing else set()
    if failed:
        _tell_failures(folder, failed)


def _tell_failures(folder: Results, failed: set[str]) -> None:
    """Say of each of these runs how and why it failed."""
    recorded = folder.runs(columns=("status", "error"))
    rows = [] if recorded is None else recorded.to_pylist()
    for row in rows:
        if row["run_id"] in failed:
            reason = (row["error"] or "").strip().splitlines()[-1:]
            out.print(f"[red]{row['status']}[/] {row['run_id']}: {escape(''.join(reason))}")
