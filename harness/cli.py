"""Edge: the command line, and the only module that prints."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.console.options import (
    REPORTS,
    RESULTS,
    Assignments,
    DataDir,
    Device,
    Exploratory,
    ReportsDir,
    ResultsDir,
    Seeds,
    Storage,
    StudyName,
    Workers,
)
from harness.console.searches import search_table, tuning_runs_table
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
from harness.design.resolution import check_seeds, family_size
from harness.design.study import Study
from harness.errors import BusyError, HarnessError, InputError, nearest

if TYPE_CHECKING:
    from harness.console.progress import ProgressView
    from harness.findings.contrasts import Contrast
    from harness.runner.events import Event, Notify
    from harness.runner.options import Options
    from harness.store.results import Results

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
    exploratory: Exploratory = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what a study trains, how long it takes here, and the smallest effect it can detect."""
    from harness.console.looks import explain_looks, looks_table
    from harness.console.prospects import explain_prospects, prospects_table
    from harness.findings.looks import check_stopping
    from harness.findings.prospects import pilot, prospects
    from harness.runner.estimating import estimate
    from harness.search.recorded import runs_ahead
    from harness.store.machine import cores
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    warning = check_seeds(declared, exploratory=exploratory)
    looks = check_stopping(declared)
    folder = Results(results / declared.name)
    missing = runs_ahead(declared, folder, data_dir=data_dir)
    recorded = folder.runs(columns=("variant", "status", "wall_seconds", "epochs"))
    guess = estimate(missing, recorded=recorded, workers=cores())
    out.print(facts_table(plan_facts(declared, missing=len(missing), workers=cores(), guess=guess)))
    shown = prospects(declared, pilot(declared, folder, data_dir=data_dir))
    out.print()
    out.print(prospects_table(shown))
    for line in explain_prospects(shown):
        out.print(line)
    if looks:
        out.print()
        out.print(looks_table(looks))
        out.print(explain_looks(declared, tests=family_size(declared)))
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")


@app.command()
def run(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    workers: Workers = None,
    device: Device = "auto",
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="RUN_ID", help="Train this run alone and keep its weights, a finished one too."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try runs again that failed in an earlier call.")
    ] = False,
    retries: Annotated[
        int, typer.Option("--retries", help="Tries more for a run whose worker dies or finds no memory.")
    ] = 2,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", help="Seconds that a run may take.")
    ] = None,
    checkpoint: Annotated[
        float,
        typer.Option("--checkpoint", metavar="S", help="Seconds after which a long run keeps its state."),
    ] = 600,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Train on the workers of this dask scheduler."),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="Add seeds look by look; stop when every claim is decided."),
    ] = False,
    storage: Storage = None,
    no_mirror: Annotated[
        bool, typer.Option("--no-mirror", help="Leave Optuna out; `harness dashboard` catches up.")
    ] = False,
    exploratory: Exploratory = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Train what is missing of a study. Ctrl-C is safe: the next call goes on."""
    from harness.console.progress import ProgressView
    from harness.console.stopping import heeding_signals
    from harness.dashboard.mirror import Mirror
    from harness.runner.options import Options
    from harness.store.kept import Kept
    from harness.store.results import Results

    declared = _declared(study, assignments, seeds)
    warning = check_seeds(declared, exploratory=exploratory)
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")
    options = Options(
        results=results,
        data_dir=data_dir,
        workers=workers,
        device=device,
        only=only,
        retry_failed=retry_failed,
        retries=retries,
        timeout=timeout,
        checkpoint_seconds=checkpoint,
        cluster=cluster,
    )
    mirror = Mirror(declared, folder=results / declared.name, say=_say, storage=storage, data_dir=data_dir)
    began = time.monotonic()
    with ProgressView(err, _say) as view, heeding_signals(), nullcontext() if no_mirror else mirror:
        notify = view.on_event if no_mirror else _telling(view.on_event, mirror.on_event)
        with _telling_what_is_kept(view):
            counts = _trained(declared, options, notify, until_decided=until_decided)
    ended = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    _say(f"{declared.name}: {ended} ({view.finished:,} trained in {duration(time.monotonic() - began)})")
    if only and Kept(Results(results / declared.name)).epochs(only):
        _say(f"its weights are in {results / declared.name / 'kept'}")
    failed = sum(counts[status] for status in ("failed", "timeout", "oom"))
    if failed:
        _say(f"`harness status {study}` shows why {failed} failed; --retry-failed tries them again")
    lost = counts["missing"] if only is None else 0
    if lost:
        _say(
            f"{lost:,} are missing, for files of theirs were damaged meanwhile. Go on with: {_this_command()}"
        )
    if failed or lost:
        raise typer.Exit(1)


def _trained(study: Study, options: Options, notify: Notify, *, until_decided: bool) -> Counter[str]:
    """The runs of a study by status, after all of them or those up to the look that decides are trained."""
    from harness.search.tuning import run_tuned

    if study.looks:
        from harness.findings.looks import check_stopping

        check_stopping(study)
    if not until_decided:
        return run_tuned(study, options, notify)
    from harness.console.looks import look_lines
    from harness.search.deciding import run_until_decided

    def tell(seeds: int, contrasts: Sequence[Contrast]) -> None:
        for line in look_lines(seeds, study, contrasts):
            _say(line)

    return run_until_decided(study, options, notify, tell=tell)


@app.command()
def calibrate(
    study: StudyName,
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

    declared = _resolved(study, assignments, seeds, results=results, data_dir=data_dir)
    options = Options(results=results, data_dir=data_dir, workers=workers, device=device)
    folder = Results(results / declared.name)
    with ProgressView(err, _say) as view, heeding_signals(), _telling_what_is_kept(view):
        run_study(declared.against_itself(), options, view.on_event)
        _say(f"judging, with labels exchanged at random {repeats:,} times")
        with study_lock(folder.folder):
            found = calibrated(
                declared, folder, repeats=repeats, rng=np.random.default_rng(0), data_dir=data_dir
            )
    for line in calibration_lines(found, baseline=declared.baseline):
        out.print(line)
    if not found.sound:
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
    from harness.search.recorded import read_standing
    from harness.store.ledger import UNKNOWN_DATA, open_ledger
    from harness.store.results import Results
    from harness.store.tables import FINISHED

    declared = _declared(study, assignments, seeds)
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


@app.command()
def report(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    results: ResultsDir = RESULTS,
    out_dir: ReportsDir = REPORTS,
    data_dir: DataDir = None,
) -> None:
    """Write the report of a study: one HTML file that opens offline."""
    from harness.report.writing import write_report

    declared = _resolved(study, assignments, seeds, results=results, data_dir=data_dir)
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
def dashboard(
    study: StudyName,
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

    declared = _resolved(study, assignments, seeds, results=results, data_dir=data_dir)
    folder, page = results / declared.name, out_dir / f"{declared.name}.html"
    if storage:
        check_url(storage)
    try:
        refresh(declared, folder, report=page, say=_say, storage=storage, data_dir=data_dir, rebuild=rebuild)
    except BusyError:
        if rebuild or refresh_only:
            raise
        _say("a run is going on; it keeps the mirror up to date")
        if not storage:
            await_mirror(declared.name, folder)
    if refresh_only:
        return
    keeper = ReportKeeper(page, study=declared.name, folder=folder, storage=storage, say=_say)
    try:
        serve(
            storage or default_url(folder),
            study=declared.name,
            folder=folder,
            port=port,
            ready=lambda address: _say(f"dashboard: {address} (Ctrl-C ends it)"),
            tick=keeper.look,
        )
    except KeyboardInterrupt:
        _say("the dashboard is closed")


@app.command()
def export(
    study: StudyName,
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="runs, curves, weights, diagnostics, trials, calibrations or provenance.",
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
        _say(f"{table}: {len(rows):,} rows in {out_file}")


@app.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="results/STUDY, or results, of several machines.")
    ],
    into: Annotated[
        Path,
        typer.Option("--into", metavar="DIR", help="A folder of the same kind, which takes all of them."),
    ],
) -> None:
    """Join result folders of several machines: each run once, a finished one before a failed one."""
    from harness.store.merging import merge_folders

    for merged in merge_folders(folders, into=into):
        _say(f"{merged.folder}: {merged.added:,} runs added, {merged.total:,} recorded now")
        if merged.left_out:
            _say(f"{merged.left_out:,} runs left out: finished, but a table has lost them; train them again")


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
def predict(
    study: StudyName,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Files of pictures.")],
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
    from harness.console.progress import DataProgress
    from harness.runner.predicting import predict as predicted
    from harness.store.results import Results

    declared = _resolved(study, assignments, seeds, results=results, data_dir=data_dir)
    folder = Results(results / declared.name)
    with DataProgress(err) as progress:
        shown, classes = predicted(
            declared, images, results=folder, data_dir=data_dir, invert=invert, report=progress.report
        )
    for picture in shown:
        for part in prediction_lines(picture, classes=classes, colour=out.color_system is not None):
            out.print(part)


@app.command()
def explain() -> None:
    """Work batch normalisation through, step by step, on the article's example of two small images."""
    from harness.console.explain import explained
    from harness.models.walkthrough import RANGES, SEED, walk_through

    for part in explained(walk_through(), ranges=RANGES, seed=SEED):
        out.print(part)


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


@contextmanager
def _telling_what_is_kept(view: ProgressView) -> Iterator[None]:
    """An interruption ends the command with its status, after a line on what is kept and how to go on."""
    from harness.console.stopping import exit_status

    try:
        yield
    except KeyboardInterrupt as stop:
        _say(f"interrupted; {view.finished} runs of this call are kept. Go on with: {_this_command()}")
        raise typer.Exit(exit_status(stop)) from None


def _telling(*listeners: Notify) -> Notify:
    """A listener that passes on to others what it is told."""

    def tell(event: Event) -> None:
        for listen in listeners:
            listen(event)

    return tell


def _declared(name: str, assignments: list[str] | None, seeds: int | None) -> Study:
    """The study as this call wants it."""
    return with_overrides(load_study(name), assignments=assignments or (), seeds=seeds)


def _resolved(
    name: str, assignments: list[str] | None, seeds: int | None, *, results: Path, data_dir: Path | None
) -> Study:
    """The same with what its search chose, if it has one."""
    declared = _declared(name, assignments, seeds)
    if declared.search is None:
        return declared
    from harness.search.recorded import resolve
    from harness.store.results import Results

    return resolve(declared, Results(results / declared.name), data_dir=data_dir)


def _say(line: str) -> None:
    """A line for a person, on standard error, so that standard output stays for results."""
    err.print(escape(line), soft_wrap=True)


def _this_command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
