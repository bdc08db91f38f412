"""Edge: a study's results -> `<study>.html`, two sets of them -> `<study>-compared.html`, each whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.design.study import Study
from harness.findings.analysis import analyse
from harness.findings.comparison import compare_sets
from harness.models.example import Walkthrough
from harness.report.comparison import describe_comparison
from harness.report.page import compose, fill, pictures, render
from harness.report.saving import save_figures
from harness.store.files import write_whole


def write_report(
    study: Study,
    *,
    results: Path,
    out: Path,
    data_dir: Path | None = None,
    words: Sequence[str] = (),
    walkthrough: Callable[[], Walkthrough] | None = None,
    figures: Path | None = None,
) -> Path:
    """Write the report of what is recorded so far: one HTML file that asks no server for anything.

    The same tables give the same bytes.

    Args:
        study: the declaration.
        results: `results/<study>`.
        out: the folder for the report; made where it does not exist.
        data_dir: where the user keeps data.
        words: the study as the user names it on the command line, with `--set` and `--seeds` as given, for
            the commands that the report prints; the study's name unless given.
        walkthrough: works the example of batch normalisation, after the analysis, for it takes torch; its
            section is left out unless given.
        figures: a folder for the figures as files of their own; none unless given.

    Returns:
        The path of the file.

    Raises:
        InputError: nothing is recorded of what the study declares; nothing is written.
        StoreError: a table is damaged, or the report can't be written.
    """
    found = analyse(study, results, data_dir=data_dir)
    report = compose(found, words=words or (study.name,), walkthrough=walkthrough)
    _write(path := out / f"{study.name}.html", render(report))
    if figures:
        save_figures(pictures(report), figures, palette=report.palette)
    return path


def write_comparison(
    study: Study, folders: tuple[Path, Path], *, out: Path, figures: Path | None = None
) -> Path:
    """Write what two result sets of a study say of each other: one HTML file like a report.

    Args:
        study: the declaration; where it has a search, with what that chose.
        folders: of the tables of A and of B.
        out: the folder for the page; made where it does not exist.
        figures: a folder for the figures as files of their own; none unless given.

    Returns:
        The path of the file.

    Raises:
        InputError: a set holds nothing of what the study declares, or the sets are of different data.
        StoreError: a table is damaged, or the page can't be written.
    """
    first, second = folders
    compared = describe_comparison(compare_sets(study, folders), folders=(str(first), str(second)))
    page = fill("comparison.html", compared, palette=compared.palette, files={})
    _write(path := out / f"{study.name}-compared.html", page)
    if figures:
        save_figures(pictures(compared), figures, palette=compared.palette)
    return path


def _write(path: Path, page: str) -> None:
    content = page.encode()
    write_whole(path, lambda file: file.write(content), option="--out")
