"""Edge: the command line, and the only module that prints."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.console.tables import (
    facts_table,
    plan_facts,
    runs_table,
    status_table,
    studies_table,
)
from harness.console.words import duration
from harness.design.loading import load_study, study_files
from harness.design.overrides import with_overrides
from harness.design.resolution import check_seeds
from harness.design.study import Study
from harness.errors import HarnessError, InputError, nearest

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
        "--set",
        metavar="NAME=A[,B]",
        help="Levels of a factor, or one value of a factor, a setting, epochs or dataset.",
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


def main() -> None:
    """Run the command line: exit status 0 done, 1 the work failed, 2 wrong input, 130 interrupted."""
    try:
        app()
    except HarnessError as error:
        err.print(f"[red bold]error:[/] {escape(error.received)}")
        err.print(f"  [bold]rule:[/] {escape(error.rule)}")
        err.print(f"  [bold]remedy:[/] {escape(error.remedy)}")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)


@app.command("list")
def list_studies() -> None:
    """List the studies in studies/, with their size."""
    studies: dict[str, Study | str] = {}
    for name in study_files():
        try:
            studies[name] = load_study(name)
        except HarnessError as error:
            studies[name] = error.received
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
    from harness.store.ledger import open_ledger
    from harness.store.machine import cores
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    warning = check_seeds(declared)
    folder = Results(results / declared.name)
    missing = open_ledger(declared, folder, data_dir=data_dir).unfinished(retry_failed=False)
    recorded = folder.runs(columns=("variant", "status", "wall_seconds", "epochs"))
    guess = estimate(missing, recorded=recorded, workers=cores())
    out.print(facts_table(plan_facts(declared, missing=len(missing), workers=cores(), guess=guess)))
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
    list_runs: Annotated[bool, typer.Option("--runs", help="List every run with its RUN_ID.")] = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what of a study is done, missing, diverged, failed."""
    from harness.store.ledger import FINISHED, UNKNOWN_DATA, open_ledger
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    folder = Results(results / declared.name)
    ledger = open_ledger(declared, folder, data_dir=data_dir)
    out.print(status_table(ledger))
    if ledger.foreign:
        out.print(f"{ledger.foreign} recorded runs have other settings, epochs or data: not in the report")
    if list_runs and ledger.data_sha256 == UNKNOWN_DATA:
        raise InputError(
            f"the content of {declared.dataset} is not known yet",
            rule="a RUN_ID tells one content of the data from another: they must have been opened once",
            remedy=f"`harness data {study}` opens them",
        )
    if list_runs:
        out.print(runs_table(ledger))
    if set(ledger.status.values()) <= set(FINISHED):
        return
    recorded = folder.runs(columns=("status", "error"))
    rows = [] if recorded is None else recorded.to_pylist()
    for row in rows:
        if row["run_id"] in ledger.status and row["status"] not in FINISHED:
            reason = (row["error"] or "").strip().splitlines()[-1:]
            out.print(f"[red]{row['status']}[/] {row['run_id']}: {escape(''.join(reason))}")


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
    words = [
        study,
        *(f"--set={text}" for text in assignments or ()),
        *([f"--seeds={seeds}"] if seeds else []),
    ]
    path = write_report(
        declared, results=results / declared.name, out=out_dir, data_dir=data_dir, words=words
    )
    _say(f"report: {path}")


@app.command()
def export(
    study: StudyName,
    table: Annotated[str, typer.Argument(help="runs, curves, weights or provenance.")],
    results: ResultsDir = RESULTS,
) -> None:
    """Write a table as CSV to standard output."""
    from pyarrow import csv

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
    _say(f"{epochs} epoch{'s' if epochs > 1 else ''} of each network in {duration(time.monotonic() - began)}")
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
    from harness.data import dataset_names, open_dataset
    from harness.data.sheet import contact_sheet
    from harness.store.files import write_whole

    studies = study_files()
    wanted = load_study(name).dataset if name in studies or name.endswith(".py") else name
    if wanted == name and not name.startswith("folder:") and name not in dataset_names():
        raise InputError(
            f"neither a study nor a data set is named {name!r}",
            rule="STUDY-OR-NAME is a study, a data set, or folder:PATH for pictures of your own",
            remedy=nearest(name, [*studies, *dataset_names(), "folder:PATH"]),
        )
    began = time.monotonic()
    with DataProgress(err) as progress:
        dataset = open_dataset(wanted, data_dir=data_dir, report=progress.report)
    seconds = time.monotonic() - began
    sheet = out_dir / f"data-{Path(dataset.name.removeprefix('folder:')).name}.png"
    picture = contact_sheet(dataset)
    write_whole(sheet, lambda file: picture.save(file, "PNG"), option="--out")
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
    err.print(escape(line), soft_wrap=True)


def _this_command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
