"""Edge: `harness predict`: your own pictures shown to a study's networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import err, out
from harness.commands.studies import resolved_study
from harness.console.options import RESULTS, Assignments, DataDir, ResultsDir, ScaleName, Seeds, StudyName


def predict(
    study: StudyName,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Files of pictures.")],
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Exchange dark and bright: for dark ink on white paper.")
    ] = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what each variant makes of your own pictures, and how its network sees them."""
    from harness.console.predictions import prediction_lines
    from harness.console.progress import WorkProgress
    from harness.runner.predicting import predict as predicted
    from harness.store.results import Results

    declared = resolved_study(
        study, scale=scale, seeds=seeds, assignments=assignments, results=results, data_dir=data_dir
    )
    folder = Results(results / declared.name)
    with WorkProgress(err) as progress:
        shown, classes = predicted(
            declared, images, results=folder, data_dir=data_dir, invert=invert, report=progress.report
        )
    for picture in shown:
        for part in prediction_lines(picture, classes=classes, colour=out.color_system is not None):
            out.print(part)
