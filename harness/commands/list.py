"""Edge: `harness list`: which studies there are."""

from __future__ import annotations

from pathlib import Path

from harness.commands.speech import out
from harness.console.tables import studies_lines
from harness.design.loading import load_study, study_files
from harness.design.study import Study
from harness.errors import HarnessError, InputError


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
    out.print(studies_lines(studies))
