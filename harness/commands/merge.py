"""Edge: `harness merge`: result folders are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import say


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
        say(f"{merged.folder}: {merged.added:,} runs added, {merged.total:,} recorded now")
        if merged.left_out:
            say(f"{merged.left_out:,} runs left out: finished, but a table has lost them; train them again")
