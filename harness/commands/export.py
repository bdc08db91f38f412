"""Edge: `harness export`: a table as CSV."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import say
from harness.commands.studies import declared_study, named
from harness.commands.tables import check_table
from harness.console.options import RESULTS, ResultsDir, ScaleName, StudyName
from harness.errors import InputError


def export(
    study: StudyName,
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="runs, curves, weights, diagnostics, architecture, slices, trials, calibrations or "
            "provenance.",
        ),
    ],
    scale: ScaleName = None,
    results: ResultsDir = RESULTS,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to this file, whole or not at all.")
    ] = None,
) -> None:
    """Write a table as CSV to standard output, or to a file."""
    from pyarrow import csv

    from harness.store.files import write_whole
    from harness.store.results import Results

    name = declared_study(study, scale=scale).name
    check_table(table)
    rows = Results(results / name).read(table)
    if rows is None:
        raise InputError(
            f"no table {table!r} in {results / name}",
            rule="a table exists once a run has finished",
            remedy=f"`harness run {named(study, scale)}` first, or name the folder with --results",
        )
    if out_file is None:
        csv.write_csv(rows, sys.stdout.buffer)
    else:
        write_whole(out_file, partial(csv.write_csv, rows), option="--out")
        say(f"{table}: {len(rows):,} rows in {out_file}")
