"""Edge: `harness dashboard`: the Optuna mirror of a study is served."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.commands.speech import say
from harness.commands.studies import resolved_study
from harness.console.options import (
    REPORTS,
    RESULTS,
    Assignments,
    DataDir,
    ReportsDir,
    ResultsDir,
    ScaleName,
    Seeds,
    Storage,
    StudyName,
)
from harness.errors import BusyError


def dashboard(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    storage: Storage = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the mirror anew from Parquet, whatever it holds.")
    ] = False,
    port: Annotated[
        int | None, typer.Option("--port", help="Where to listen; default 8080, or a free one.")
    ] = None,
    refresh_only: Annotated[
        bool, typer.Option("--refresh-only", help="Bring the mirror up to date; serve nothing.")
    ] = False,
    results: ResultsDir = RESULTS,
    out_dir: ReportsDir = REPORTS,
    data_dir: DataDir = None,
) -> None:
    """Bring the Optuna mirror of a study up to date and serve optuna-dashboard on it, until Ctrl-C."""
    from harness.dashboard.refreshing import ReportKeeper, await_mirror, refresh
    from harness.dashboard.serving import serve
    from harness.dashboard.storage import check_url, default_url

    declared = resolved_study(
        study, scale=scale, seeds=seeds, assignments=assignments, results=results, data_dir=data_dir
    )
    folder, page = results / declared.name, out_dir / f"{declared.name}.html"
    if storage:
        check_url(storage)
    try:
        refresh(declared, folder, report=page, say=say, storage=storage, data_dir=data_dir, rebuild=rebuild)
    except BusyError:
        if rebuild or refresh_only:
            raise
        say("a run is going on; it keeps the mirror up to date")
        if not storage:
            await_mirror(declared.name, folder)
    if refresh_only:
        return
    keeper = ReportKeeper(page, study=declared.name, folder=folder, storage=storage, say=say)
    try:
        serve(
            storage or default_url(folder),
            study=declared.name,
            folder=folder,
            port=port,
            ready=lambda address: say(f"dashboard: {address} (Ctrl-C ends it)"),
            tick=keeper.look,
        )
    except KeyboardInterrupt:
        say("the dashboard is closed")
