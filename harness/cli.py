"""Edge: the command line, and the only module that prints."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.console.tables import design_facts, facts_table, status_table, studies_table
from harness.console.words import duration
from harness.design.loading import load_study, study_files
from harness.design.overrides import with_overrides
from harness.design.resolution import ALPHA, check_seeds, smallest_p, tests_in_family
from harness.design.study import Study
from harness.errors import HarnessError, InputError

# Each command imports what it needs itself: `list` answers without pandas, `status` without torch.

app = typer.Typer(
    name="harness",
    help="Ablation studies for deep learning: declare a study, train every run, read one report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A name in studies/, or a path to a file.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Number of seeds, instead of the declared one.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=A[,B]", help="Levels of a factor, or one value of a factor or setting."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where your data are; default: HARNESS_DATA, then the cache."),
]
ResultsDir = Annotated[Path, typer.Option("--results", help="Folder of results.")]
RESULTS = Path("results")


def main() -> None:
    """Run the command line: exit status 0 done, 1 the work failed, 2 wrong input, 130 interrupted."""
    try:
        app()
    except HarnessError as error:
        err.print(f"[red bold]error:[/] {_escaped(error.received)}")
        err.print(f"  [bold]rule:[/] {_escaped(error.rule)}")
        err.print(f"  [bold]remedy:[/] {_escaped(error.remedy)}")
        sys.exit(error.exit_status)


@app.command("list")
def list_studies() -> None:
    """List the studies in studies/, with their size."""
    studies: dict[str, Study | str] = {}
    for name in study_files():
        try:
            studies[name] = load_study(name)
        except HarnessError as error:
            studies[name] = _escaped(error.received)
    if not studies:
        raise InputError(
            f"no study files in {Path('studies').resolve()}",
            rule="studies are Python files in studies/ of the working folder",
            remedy="go to the project's folder, or write a study file there",
        )
    out.print(studies_table(studies))


@app.command()
def plan(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what a study trains, how long it takes here, and the smallest effect it can detect."""
    from harness.runner.estimating import estimate
    from harness.stats.power import detectable_effect
    from harness.store.ledger import open_ledger
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    warning = check_seeds(declared)
    folder = Results(results / declared.name)
    ledger = open_ledger(declared, folder, data_dir=data_dir)
    missing = ledger.unfinished(retry_failed=False)
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    guess = estimate(missing, recorded=folder.runs(), workers=workers)
    family, pairs = tests_in_family(declared), declared.seeds
    out.print(
        facts_table(
            [
                *design_facts(declared),
                (
                    "packs",
                    f"{len(missing):,} (one run each) still to train, {workers} at a time on CPU cores",
                ),
                (
                    "time here",
                    f"about {duration(guess.seconds)} ({guess.basis})" if guess.seconds else guess.basis,
                ),
                ("smallest p", f"{smallest_p(pairs):.2g} (exact sign-flip test on {pairs} pairs)"),
                ("after Holm", f"{min(1.0, smallest_p(pairs) * family):.2g} (family of {family} tests)"),
                (
                    "detectable",
                    f"dz = {detectable_effect(pairs, alpha=ALPHA):.2f} at 80 % power, "
                    f"{detectable_effect(pairs, alpha=ALPHA / family):.2f} after correction: mean difference "
                    "in standard deviations of the differences (paired t; sign-flip needs a little more)",
                ),
            ]
        )
    )
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")


@app.command()
def run(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Worker processes; default one a core, 0: this process.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="RUN_ID", help="Train this run alone; a finished one is not recorded."
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed runs again.")] = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Train what is missing of a study. Ctrl-C is safe: the next call goes on."""
    from harness.console.progress import ProgressView
    from harness.runner.running import Options, run_study

    declared = _declared(study, assignments, seeds)
    warning = check_seeds(declared)
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")
    options = Options(results, data_dir, workers, device, only, retry_failed)
    began = time.monotonic()
    with ProgressView(err, _say) as view:
        try:
            counts = run_study(declared, options, view.on_event)
        except KeyboardInterrupt:
            _say(f"interrupted; {view.finished} runs of this call are kept. Go on with: {_this_command()}")
            raise typer.Exit(130) from None
    ended = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    _say(f"{declared.name}: {ended} ({view.finished:,} trained in {duration(time.monotonic() - began)})")
    failed = sum(counts[status] for status in ("failed", "timeout", "oom"))
    if failed:
        _say(f"`harness status {study}` shows why {failed} failed; --retry-failed tries them again")
        raise typer.Exit(1)


@app.command()
def status(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what of a study is done, missing, diverged, failed."""
    from harness.store.ledger import FINISHED, open_ledger
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    folder = Results(results / declared.name)
    ledger = open_ledger(declared, folder, data_dir=data_dir)
    out.print(status_table(ledger))
    if ledger.foreign:
        out.print(f"{ledger.foreign} recorded runs have other settings, epochs or data: not in the report")
    recorded = folder.runs()
    rows = [] if recorded is None else recorded.select(["run_id", "status", "error"]).to_pylist()
    for row in rows:
        if row["run_id"] in ledger.status and row["status"] not in FINISHED:
            reason = (row["error"] or "").strip().splitlines()[-1:]
            out.print(f"[red]{row['status']}[/] {row['run_id']}: {_escaped(''.join(reason))}")


@app.command()
def report(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    results: ResultsDir = RESULTS,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of reports.")] = Path("reports"),
    data_dir: DataDir = None,
) -> None:
    """Write the report of a study: one HTML file that opens offline."""
    from harness.report.writing import write_report

    declared = _declared(study, assignments, seeds)
    path = write_report(declared, results=results / declared.name, out=out_dir, data_dir=data_dir)
    _say(f"report: {path}")


@app.command()
def export(
    study: StudyName,
    table: Annotated[str, typer.Argument(help="runs, curves, weights or provenance.")],
    results: ResultsDir = RESULTS,
) -> None:
    """Write a table as CSV to standard output."""
    from pyarrow import csv

    from harness.errors import nearest
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
    csv.write_csv(rows, sys.stdout.buffer)


@app.command()
def replicate(
    epochs: Annotated[int, typer.Option("--epochs", min=1, max=30, help="Epochs of each network.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print every epoch as JSON.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Repeat the published experiment; print published and measured figures side by side."""
    from harness.console.agreement import agreement_table, disagreements
    from harness.console.progress import ProgressView
    from harness.runner.replicating import replicate_both

    began = time.monotonic()
    with ProgressView(err, _say) as view:
        try:
            log = replicate_both(epochs=epochs, data_dir=data_dir, notify=view.on_event)
        except KeyboardInterrupt:
            _say("interrupted; nothing was kept")
            raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(epoch) for epoch in log], indent=1))
    else:
        out.print(agreement_table(log))
    _say(f"{epochs} epochs of each network in {duration(time.monotonic() - began)}")
    apart = disagreements(log)
    if apart:
        _say(f"{len(apart)} figures lie outside their tolerance: {', '.join(apart)}")
        raise typer.Exit(1)


@app.command()
def data(
    name: Annotated[
        str, typer.Argument(metavar="STUDY-OR-NAME", help="A study, or a data set such as devanagari.")
    ],
    data_dir: DataDir = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the contact sheet.")] = Path("reports"),
) -> None:
    """Fetch, verify and cache a data set; draw a contact sheet of it."""
    from harness.console.progress import DataProgress
    from harness.data import open_dataset
    from harness.data.sheet import contact_sheet

    wanted = load_study(name).dataset if name in study_files() or name.endswith(".py") else name
    began = time.monotonic()
    with DataProgress(err) as progress:
        dataset = open_dataset(wanted, data_dir=data_dir, report=progress.report)
    seconds = time.monotonic() - began
    out_dir.mkdir(parents=True, exist_ok=True)
    sheet = out_dir / f"data-{Path(dataset.name.removeprefix('folder:')).name}.png"
    contact_sheet(dataset).save(sheet)
    channels, height, width = dataset.train.images.shape[1:]
    out.print(
        facts_table(
            [
                ("data set", dataset.name),
                ("training", f"{len(dataset.train):,} images"),
                ("test", f"{len(dataset.test):,} images"),
                ("images", f"{height} × {width} pixels, {channels} channel{'s' if channels > 1 else ''}"),
                ("classes", f"{len(dataset.classes)}: {', '.join(dataset.classes[:12])}"),
                ("sha256", dataset.sha256),
                ("opened in", f"{seconds:.2f} s"),
                ("contact sheet", str(sheet)),
            ]
        )
    )


def _declared(name: str, assignments: list[str] | None, seeds: int | None) -> Study:
    """The study as this call wants it."""
    return with_overrides(load_study(name), assignments=assignments or (), seeds=seeds)


def _say(line: str) -> None:
    """A line for a person, on standard error, so that standard output stays for results."""
    err.print(_escaped(line), soft_wrap=True)


def _escaped(text: str) -> str:
    return escape(text)


def _this_command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
