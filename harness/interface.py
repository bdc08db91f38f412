"""Edge: what a script or a notebook needs beside the declaration: a study trained, read, judged, reported."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.studies import resolved
from harness.design.loading import load_study
from harness.design.overrides import with_overrides
from harness.design.resolution import check_seeds
from harness.design.sources import own_code, own_sources
from harness.design.study import Study
from harness.errors import HarnessError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from harness.runner.events import Event

# A function imports what it needs: a script that declares and compares needs no torch.

Named = Study | str | Path
"""A declaration, a name in `studies/` of the working folder, or a path to a study file."""

_RUNNING: ContextVar[bool] = ContextVar("_RUNNING", default=False)


def run(
    study: Named,
    *,
    seeds: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    engine: str = "auto",
    results: str | Path = "results",
    data_dir: str | Path | None = None,
    retry_failed: bool = False,
    exploratory: bool = False,
) -> dict[str, int]:
    """Train what is missing of a study, as `harness run` does, in worker processes and without a word.

    What is finished is never trained again. An interruption (Ctrl-C, the notebook's stop) is safe: finished
    runs are kept and the next call goes on. Optuna's mirror is left to `harness dashboard`. Messages name
    the options of the command line, which are called as the arguments here.

    Args:
        study: a declaration, a name in `studies/`, or a path to a study file.
        seeds: number of replicates; the declared one unless given.
        workers: processes; None for one a core, 0 for this process, for a debugger.
        device: auto, cpu or cuda.
        engine: auto, solo or fused.
        results: the folder that holds a folder for each study.
        data_dir: where you keep data.
        retry_failed: try runs again that failed in an earlier call.
        exploratory: go on with fewer seeds than any p below 0.05 needs.

    Returns:
        How many runs of the declaration are `completed` and `diverged` now: all of them.

    Raises:
        InputError: an unknown study, too few seeds, a setting that does not fit.
        BusyError: another process runs this study.
        DataError: the data can't be had.
        StoreError: results can't be read or written.
        WorkerError: no worker process starts.
        HarnessError: a run failed, now or in an earlier call. The others are trained all the same.

    Warns:
        UserWarning: no p can pass the correction with so few seeds; or a file of results was damaged.
    """
    from harness.runner.options import Options
    from harness.search.tuning import run_tuned

    declared = with_overrides(_declared(study), seeds=seeds)
    warning = check_seeds(declared, exploratory=exploratory)
    if warning:
        warnings.warn(warning, stacklevel=2)
    if declared.looks:
        from harness.findings.looks import check_stopping

        check_stopping(declared)
    options = Options(
        results=Path(results),
        data_dir=None if data_dir is None else Path(data_dir),
        workers=workers,
        device=device,
        engine=engine,
        retry_failed=retry_failed,
    )
    with _once_at_a_time():
        _forget_own_modules(declared)
        counts = run_tuned(declared, options, _warn_of_damage)
    if counts.total() > counts["completed"] + counts["diverged"]:
        raise _failure(declared, counts, results=options.results)
    return dict(counts)


def load(study: Named, table: str = "runs", *, results: str | Path = "results") -> pd.DataFrame:
    """A table of what is recorded of a study's runs, tidy: rows that a plot can take as they are.

    Only runs count that the declaration expands to, each by its last attempt, in declared order.

    Args:
        study: a declaration, a name in `studies/`, or a path to a study file.
        table: `runs` (a row a run), `curves` (a row a run, epoch and split), `weights`, `diagnostics`,
            `slices`, `architecture`, `trials`, `calibrations` or `provenance`.
        results: the folder that holds a folder for each study.

    Returns:
        The columns that docs/tables.md explains. `variant`, a column for each factor and `seed` come after
        `run_id` in `curves`, `weights`, `diagnostics` and `slices`, too. Texts are plain strings, what was
        not measured is NaN.

    Raises:
        InputError: an unknown study or table, nothing is recorded yet, or the study's search is not over.
        StoreError: a file is damaged, and is now set aside.
    """
    from harness.commands.tables import check_table
    from harness.findings.tidy import tidy

    declared = _declared(study)
    check_table(table)
    chosen = declared if table == "trials" else resolved(declared, results=Path(results))
    return tidy(chosen, table, Path(results) / declared.name)


def compare(study: Named, *, results: str | Path = "results") -> pd.DataFrame:
    """Every variant against the baseline on every finding, paired by seed, as the report judges it.

    In a study with looks this is what its last look sees.

    Args:
        study: a declaration, a name in `studies/`, or a path to a study file.
        results: the folder that holds a folder for each study.

    Returns:
        One row a finding and variant, in declared order. `finding`, `claim`, `endpoint`, `family` as
        declared; `variant`, `baseline`; `n` pairs, `dropped` seeds without one; `estimate`, `low`, `high`
        the mean of variant minus baseline with its 95 % interval, in `unit` as the report shows it (for
        `log_error` a ratio, 1 for none; for accuracies percentage points); `p` of the exact test,
        `p_adjusted` for its family, `equivalence` the adjusted p of the declared margin; `improvement`,
        `improvement_low`, `improvement_high` the share of pairs in which the variant is better, with its
        95 % interval; `verdict`; `declared`: whether the finding was, as it stands, before the first run.
        NaN where there is no number.

    Raises:
        InputError: an unknown study, nothing is recorded yet, or the study's search is not over.
        StoreError: a file is damaged, and is now set aside.
    """
    from harness.findings.contrasts import compare as contrasts_of
    from harness.findings.frames import load_frames
    from harness.findings.looks import at_last_look
    from harness.report.summary import summarise

    declared = resolved(_declared(study), results=Path(results))
    frames = at_last_look(load_frames(declared, Path(results) / declared.name))
    return summarise(contrasts_of(frames))


def render(
    study: Named,
    *,
    results: str | Path = "results",
    out: str | Path = "reports",
    figures: str | Path | None = None,
) -> Path:
    """Write a study's report, one HTML file that opens offline, as `harness report` does.

    Args:
        study: a declaration, a name in `studies/`, or a path to a study file.
        results: the folder that holds a folder for each study.
        out: the folder for the report; made where it does not exist.
        figures: a folder for the figures as files of their own, PDF and SVG; none unless given.

    Returns:
        The path of the file.

    Raises:
        InputError: an unknown study, nothing is recorded yet, or the study's search is not over.
        StoreError: a table is damaged, or the report can't be written.
    """
    from harness.commands.worked import worked_example
    from harness.report.writing import write_report

    declared = resolved(_declared(study), results=Path(results))
    return write_report(
        declared,
        results=Path(results) / declared.name,
        out=Path(out),
        words=(declared.name if isinstance(study, Study) else str(study),),
        walkthrough=worked_example(declared),
        figures=None if figures is None else Path(figures),
    )


def _declared(study: Named) -> Study:
    if isinstance(study, Study):
        return study
    if isinstance(study, str | Path):
        return load_study(str(study))
    raise InputError(
        f"study = {study!r}",
        rule="a study is a Study, a name in studies/ of the working folder, or a path to a study file",
        remedy="for instance Study(...), 'article' or 'studies/article.py'",
    )


@contextmanager
def _once_at_a_time() -> Iterator[None]:
    """Refuse a call of `run` from a module that a call of `run` imports, for that would never end."""
    if _RUNNING.get():
        raise InputError(
            "harness.run was called by a module that harness.run imports",
            rule="run imports the modules that a study names, here and in every worker process",
            remedy="put the call under `if __name__ == '__main__':`, or the network in a module of its own",
        )
    token = _RUNNING.set(True)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def _forget_own_modules(study: Study) -> None:
    """Have the modules that a study names imported anew: a notebook's process outlives many edits of them."""
    importlib.invalidate_caches()
    runs = [
        study.run(cell, seed=0, data_sha256="", params={}, source_of=lambda _: "") for cell in study.cells()
    ]
    for path in own_sources(name for run in runs for name in own_code(run.build, run.settings)):
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        sys.modules.pop(name, None)


def _warn_of_damage(event: Event) -> None:
    from harness.runner.events import Damaged

    if isinstance(event, Damaged):
        warnings.warn(
            f"damaged, set aside as {event.path}: {event.reason}; its runs are trained again", stacklevel=2
        )


def _failure(study: Study, counts: Counter[str], *, results: Path) -> HarnessError:
    """What is told of a study whose runs did not all come to an outcome."""
    from harness.store.ledger import open_ledger
    from harness.store.results import Results
    from harness.store.tables import FINISHED

    folder = Results(results / study.name)
    status = open_ledger(resolved(study, results=results), folder).status
    recorded = folder.runs(columns=("error",))
    rows = [] if recorded is None else recorded.to_pylist()
    why = [row for row in rows if status.get(row["run_id"], "completed") not in FINISHED and row["error"]]
    first = f"; the first, {why[0]['run_id']}: {why[0]['error'].strip().splitlines()[-1]}" if why else ""
    return HarnessError(
        f"study {study.name!r}: {', '.join(f'{count:,} {how}' for how, count in counts.items())}{first}",
        rule="every run ends completed or diverged, else its pair is dropped",
        remedy="load(study) has each run's `status` and `error`; mend the cause, then "
        "run(study, retry_failed=True); what is missing, run(study) trains again",
    )
