"""Edge: `harness export`: a table as CSV."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import say
from harness.console.options import RESULTS, ResultsDir, StudyName
from harness.design.loading import load_study
from harness.errors import InputError, nearest


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
    results: ResultsDir = RESULTS,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to this file, whole or not at all.")
    ] = None,
) -> None:
    """Write a table as CSV to standard output, or to a file."""
    from pyarrow import csv

    from harness.store.files import write_whole
    from harness.store.results import Results
    from harness.store.tables import TABLES

    name = load_study(study).name
    if table not in TABLES:
        raise InputError(
            f"no table is named {table!r}",
            rule=f"tables are {', '.join(TABLES)}",
            remedy=nearest(table, TABLES),
        )
    rows = Results(results / name).read(table)
    if rows is None:
        raise InputError(
            f"no table {table!r} in {results / name}",
            rule="a table exists once a run has finished",
            remedy=f"`harness run {study}` first, or name the folder with --results",
        )
    if out_file is None:
        csv.write_csv(rows, sys.stdout.buffer)
    else:
        write_whole(out_file, partial(csv.write_csv, rows), option="--out")
        say(f"{table}: {len(rows):,} rows in {out_file}")
