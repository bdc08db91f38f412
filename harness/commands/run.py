"""Edge: `harness run`: what is missing of a study is trained."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.interruption import telling_what_is_kept, this_command
from harness.commands.speech import err, say
from harness.commands.studies import declared_study, named
from harness.console.options import (
    RESULTS,
    Assignments,
    DataDir,
    Device,
    Engine,
    Exploratory,
    ResultsDir,
    ScaleName,
    Seeds,
    Storage,
    StudyName,
    Workers,
)
from harness.console.words import duration
from harness.design.resolution import check_seeds
from harness.design.study import Study

if TYPE_CHECKING:
    from harness.findings.contrasts import Contrast
    from harness.runner.events import Event, Notify
    from harness.runner.options import Options


def run(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    workers: Workers = None,
    device: Device = "auto",
    engine: Engine = "auto",
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
        float | None,
        typer.Option(
            "--timeout", metavar="S", help="Seconds that a run may take, or a pack: a longer one is halved."
        ),
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

    declared = declared_study(study, scale=scale, seeds=seeds, assignments=assignments)
    warning = check_seeds(declared, exploratory=exploratory)
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")
    options = Options(
        results=results,
        data_dir=data_dir,
        workers=workers,
        device=device,
        engine=engine,
        only=only,
        retry_failed=retry_failed,
        retries=retries,
        timeout=timeout,
        checkpoint_seconds=checkpoint,
        cluster=cluster,
    )
    mirror = Mirror(declared, folder=results / declared.name, say=say, storage=storage, data_dir=data_dir)
    began = time.monotonic()
    with ProgressView(err, say) as view, heeding_signals(), nullcontext() if no_mirror else mirror:
        notify = view.on_event if no_mirror else _telling(view.on_event, mirror.on_event)
        with telling_what_is_kept(lambda: f"{view.finished} runs"):
            counts = _trained(declared, options, notify, until_decided=until_decided)
    ended = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    say(f"{declared.name}: {ended} ({view.finished:,} trained in {duration(time.monotonic() - began)})")
    if only and Kept(Results(results / declared.name)).epochs(only):
        say(f"its weights are in {results / declared.name / 'kept'}")
    failed = sum(counts[status] for status in ("failed", "timeout", "oom"))
    lost = counts["missing"] if only is None else 0
    _tell_what_is_left(named(study, scale), failed=failed, lost=lost)
    if failed or lost:
        raise typer.Exit(1)


def _tell_what_is_left(study: str, *, failed: int, lost: int) -> None:
    """Say how runs that failed, and runs whose files were damaged, are trained after all."""
    if failed:
        say(f"`harness status {study}` shows why {failed} failed; --retry-failed tries them again")
    if lost:
        say(f"{lost:,} are missing, for files of theirs were damaged meanwhile. Go on with: {this_command()}")


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
            say(line)

    return run_until_decided(study, options, notify, tell=tell)


def _telling(*listeners: Notify) -> Notify:
    """A listener that passes on to others what it is told."""

    def tell(event: Event) -> None:
        for listen in listeners:
            listen(event)

    return tell
