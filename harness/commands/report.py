"""Edge: `harness report`: the report of a study is written, or two of its result sets are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import say
from harness.commands.studies import declared_study, resolved_study
from harness.commands.worked import worked_example
from harness.console.options import (
    REPORTS,
    RESULTS,
    Assignments,
    DataDir,
    ReportsDir,
    ResultsDir,
    ScaleName,
    Seeds,
)
from harness.design.loading import FOLDER, is_study
from harness.design.study import Study
from harness.errors import InputError, nearest

FORMATS = ("html", "pdf")


def report(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|A", help="A name in studies/, or a path to a file; with B, a folder of results."
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="B", help="Another folder of results of the same study, to be compared with A."
        ),
    ] = None,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    declaration: Annotated[
        str | None,
        typer.Option("--study", metavar="STUDY", help="Of A and B; default: the study that they recorded."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", help="html, or pdf to have the page printed as well.")
    ] = "html",
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Write every figure there, too, as PDF and SVG."),
    ] = None,
    results: ResultsDir = RESULTS,
    out_dir: ReportsDir = REPORTS,
    data_dir: DataDir = None,
) -> None:
    """Write the report of a study, or the comparison of two result sets: one HTML file that opens offline."""
    _check(kind, other=other, declaration=declaration)
    if other is None:
        words = [
            study,
            *([f"--scale={scale}"] if scale else []),
            *(f"--set={text}" for text in assignments or ()),
            *([f"--seeds={seeds}"] if seeds else []),
        ]
        declared = resolved_study(
            study, scale=scale, seeds=seeds, assignments=assignments, results=results, data_dir=data_dir
        )
        page = _reported(declared, words, figures, results=results, out_dir=out_dir, data_dir=data_dir)
    else:
        page = _compared(
            (study, other),
            declaration,
            figures,
            scale=scale,
            seeds=seeds,
            assignments=assignments,
            out_dir=out_dir,
            data_dir=data_dir,
        )
    say(f"report: {page}")
    if figures:
        say(f"figures: {figures}")
    if kind == "pdf":
        from harness.report.printing import print_pdf

        print_pdf(page, page.with_suffix(".pdf"))
        say(f"printed: {page.with_suffix('.pdf')}")


def _check(kind: str, *, other: str | None, declaration: str | None) -> None:
    if kind not in FORMATS:
        raise InputError(
            f"--format {kind}",
            rule=f"a report is written as {' or '.join(FORMATS)}",
            remedy=nearest(kind, FORMATS),
        )
    if declaration and other is None:
        raise InputError(
            f"--study {declaration} with one argument",
            rule="--study names the declaration of two result sets: `harness report A B --study STUDY`",
            remedy=f"`harness report {declaration}`, or name the second folder",
        )


def _reported(
    study: Study,
    words: list[str],
    figures: Path | None,
    *,
    results: Path,
    out_dir: Path,
    data_dir: Path | None,
) -> Path:
    """The report of one study."""
    from harness.report.writing import write_report

    return write_report(
        study,
        results=results / study.name,
        out=out_dir,
        data_dir=data_dir,
        words=words,
        walkthrough=worked_example(study),
        figures=figures,
    )


def _compared(
    names: tuple[str, str],
    declaration: str | None,
    figures: Path | None,
    *,
    scale: str | None,
    seeds: int | None,
    assignments: list[str] | None,
    out_dir: Path,
    data_dir: Path | None,
) -> Path:
    """The comparison of two result sets."""
    from harness.findings.sets import recorded_name, tables_of
    from harness.report.writing import write_comparison

    first, second = (tables_of(Path(name)) for name in names)
    name = declaration or _known(recorded_name((first, second)))
    declared = declared_study(name, scale=scale, seeds=seeds, assignments=assignments)
    return write_comparison(
        _chosen(declared, (first, second), data_dir=data_dir), (first, second), out=out_dir, figures=figures
    )


def _known(name: str) -> str:
    """The recorded name of a study, where a declaration of that name is here."""
    if not is_study(name):
        raise InputError(
            f"both are results of study {name!r}, which is not in {FOLDER}/",
            rule="two result sets are compared on what their study declares",
            remedy="name its declaration with --study FILE, and its scale with --scale where the name ends "
            "in one, or call from the folder above studies/",
        )
    return name


def _chosen(study: Study, folders: tuple[Path, Path], *, data_dir: Path | None) -> Study:
    """The study with what its search chose, if it has one: in B, or where B's is another now, in A."""
    if study.search is None:
        return study
    from harness.search.recorded import resolve
    from harness.store.results import Results

    try:
        return resolve(study, Results(folders[1]), data_dir=data_dir)
    except InputError:
        return resolve(study, Results(folders[0]), data_dir=data_dir)
