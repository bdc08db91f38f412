"""Edge: `harness slice`: the loss of a study's trained networks along planes of their weight space."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.commands.interruption import telling_what_is_kept
from harness.commands.speech import err, out, say
from harness.commands.studies import named, resolved_study
from harness.console.options import (
    RESULTS,
    Assignments,
    DataDir,
    Device,
    ResultsDir,
    ScaleName,
    Seeds,
    StudyName,
    Workers,
)


def measure_slices(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    planes: Annotated[
        list[str] | None,
        typer.Option(
            "--plane",
            metavar="PLANE",
            help="weights (the article's pair), figure8 (the same, close), weights:N (another), two weights "
            "joined by +, trajectory, random, random:N, line, seeds. May be given again; default: weights, "
            "figure8, trajectory, random, line.",
        ),
    ] = None,
    modes: Annotated[
        list[str] | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="Statistics of batch norms: batch, recalibrated, stale_running_statistics. May be given "
            "again; default: batch.",
        ),
    ] = None,
    everywhere: Annotated[
        bool,
        typer.Option(
            "--all",
            help="All combinations of levels; else the first, which the report draws. --set names one.",
        ),
    ] = False,
    points: Annotated[
        int, typer.Option("--points", help="On each axis; default 51, planes of all weights 21.")
    ] = 0,
    images: Annotated[
        int, typer.Option("--images", help="Of the probe; default 2048, planes of all weights 512.")
    ] = 0,
    workers: Workers = None,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Measure the loss along planes of weight space, for runs whose weights are kept. Ctrl-C is safe."""
    from harness.console.progress import WorkProgress
    from harness.console.slices import slices_table
    from harness.console.stopping import heeding_signals
    from harness.findings.slices import read_slices
    from harness.landscape.request import USUAL, Request
    from harness.landscape.words import BATCH
    from harness.runner.options import Options
    from harness.runner.slicing import slice_study
    from harness.store.results import Results

    declared = resolved_study(
        study, scale=scale, seeds=seeds, assignments=assignments, results=results, data_dir=data_dir
    )
    requests = [
        Request(plane, mode=mode, points=points, images=images)
        for plane in dict.fromkeys(planes or USUAL)
        for mode in dict.fromkeys(modes or [BATCH])
    ]
    options = Options(results=results, data_dir=data_dir, workers=workers, device=device)
    with (
        WorkProgress(err) as progress,
        heeding_signals(),
        telling_what_is_kept(lambda: f"{progress.done['slices']} slices"),
    ):
        runs = slice_study(
            declared,
            requests,
            options,
            everywhere=everywhere,
            lenient=planes is None,
            say=say,
            report=progress.report,
        )
    asked = {(request.plane, request.mode) for request in requests}
    folder = Results(results / declared.name)
    slices = read_slices(folder, {run.run_id: run.cell.variant for run in runs})
    shown = [one for one in slices if (one.name, one.mode) in asked]
    out.print(slices_table(shown, runs={run.run_id: run for run in runs}, study=declared))
    say(f"`harness report {named(study, scale)}` draws them")
