"""Edge: `harness report`: the report of a study is written."""

from __future__ import annotations

from harness.commands.speech import say
from harness.commands.studies import resolved_study
from harness.console.options import (
    REPORTS,
    RESULTS,
    Assignments,
    DataDir,
    ReportsDir,
    ResultsDir,
    Seeds,
    StudyName,
)
from harness.models.example import Walkthrough


def report(
    study: StudyName,
    seeds: Seeds = None,
    assignments: Assignments = None,
    results: ResultsDir = RESULTS,
    out_dir: ReportsDir = REPORTS,
    data_dir: DataDir = None,
) -> None:
    """Write the report of a study: one HTML file that opens offline."""
    from harness.report.walkthrough import has_batch_norm
    from harness.report.writing import write_report

    declared = resolved_study(study, assignments, seeds, results=results, data_dir=data_dir)
    words = [
        study,
        *(f"--set={text}" for text in assignments or ()),
        *([f"--seeds={seeds}"] if seeds else []),
    ]
    path = write_report(
        declared,
        results=results / declared.name,
        out=out_dir,
        data_dir=data_dir,
        words=words,
        walkthrough=_worked_through() if has_batch_norm(declared) else None,
    )
    say(f"report: {path}")


def _worked_through() -> Walkthrough:
    """The worked example of batch normalisation, computed now: the one part of a report that needs torch."""
    from harness.models.walkthrough import walk_through

    return walk_through()
