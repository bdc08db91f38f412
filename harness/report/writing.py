"""Edge: a study's results -> `<study>.html`, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.design.study import Study
from harness.findings.analysis import analyse
from harness.models.example import Walkthrough
from harness.report.page import compose, render
from harness.store.files import write_whole


def write_report(
    study: Study,
    *,
    results: Path,
    out: Path,
    data_dir: Path | None = None,
    words: Sequence[str] = (),
    walkthrough: Walkthrough | None = None,
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
        walkthrough: the worked example of batch normalisation; its section is left out unless given.

    Returns:
        The path of the file.

    Raises:
        InputError: nothing is recorded of what the study declares; nothing is written.
        StoreError: a table is damaged, or the report can't be written.
    """
    found = analyse(study, results, data_dir=data_dir)
    report = compose(found, words=words or (study.name,), walkthrough=walkthrough)
    path = out / f"{study.name}.html"
    page = render(report).encode()
    write_whole(path, lambda file: file.write(page), option="--out")
    return path
