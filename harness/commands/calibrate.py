"""Edge: `harness calibrate`: the baseline of a study against itself."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.commands.interruption import telling_what_is_kept
from harness.commands.speech import err, out, say
from harness.commands.studies import resolved_study
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


def calibrate(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    repeats: Annotated[
        int, typer.Option("--repeats", min=100, help="How often labels are exchanged at random.")
    ] = 1000,
    workers: Workers = None,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Compare the baseline with itself under fresh seeds: what a study claims where it should not."""
    import numpy as np

    from harness.console.calibration import calibration_lines
    from harness.console.progress import ProgressView
    from harness.console.stopping import heeding_signals
    from harness.findings.calibration import calibrate as calibrated
    from harness.runner.options import Options
    from harness.runner.running import run_study
    from harness.store.lock import study_lock
    from harness.store.results import Results

    declared = resolved_study(
        study, scale=scale, seeds=seeds, assignments=assignments, results=results, data_dir=data_dir
    )
    options = Options(results=results, data_dir=data_dir, workers=workers, device=device)
    folder = Results(results / declared.name)
    with (
        ProgressView(err, say) as view,
        heeding_signals(),
        telling_what_is_kept(lambda: f"{view.finished} runs"),
    ):
        run_study(declared.against_itself(), options, view.on_event)
        say(f"judging, with labels exchanged at random {repeats:,} times")
        with study_lock(folder.folder):
            found = calibrated(
                declared, folder, repeats=repeats, rng=np.random.default_rng(0), data_dir=data_dir
            )
    for line in calibration_lines(found, baseline=declared.baseline):
        out.print(line)
    if not found.sound:
        raise typer.Exit(1)
