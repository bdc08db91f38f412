"""Declaration: arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A name in studies/, or a path to a file.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Number of seeds, instead of the declared one.")]
ScaleName = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="NAME",
        help="The study at a scale that it declares, with fewer seeds, epochs or images: small.",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=A[,B]",
        help="Levels of a factor, or one value of a factor, a setting, epochs or dataset.",
    ),
]
Exploratory = Annotated[
    bool, typer.Option("--exploratory", help="Go on though the seeds are too few for any p below 0.05.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Worker processes; default one a core, 0: this process.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="auto (as finished runs, else the faster), solo (a run at a time) or fused (packs of runs).",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where your data are; default: HARNESS_DATA. Then the cache is looked at, then the network.",
    ),
]
ResultsDir = Annotated[Path, typer.Option("--results", help="Folder of results.")]
RESULTS = Path("results")
ReportsDir = Annotated[Path, typer.Option("--out", help="Folder of reports.")]
REPORTS = Path("reports")
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        envvar="HARNESS_STORAGE",
        help="Database of the Optuna mirror; default: optuna.db beside the results.",
    ),
]
