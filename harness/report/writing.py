"""Edge: a study's results -> `<study>.html`, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.design.study import Study
from harness.errors import StoreError
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.findings.levels import effect_by_level
from harness.report.page import compose, render
from harness.store.parquet import sync_folder


def write_report(study: Study, *, results: Path, out: Path, data_dir: Path | None = None) -> Path:
    """Write the report of what is recorded so far: one HTML file that asks no server for anything.

    The same tables give the same bytes.

    Args:
        study: the declaration.
        results: `results/<study>`.
        out: the folder for the report; made where it does not exist.
        data_dir: where the user keeps data.

    Returns:
        The path of the file.

    Raises:
        InputError: nothing is recorded of what the study declares; nothing is written.
        StoreError: a table is damaged, or the report can't be written.
    """
    frames = load_frames(study, results, data_dir=data_dir)
    report = compose(frames, contrasts=compare(frames), effects=effect_by_level(frames))
    path = out / f"{study.name}.html"
    _write_whole(render(report), path)
    return path


def _write_whole(text: str, path: Path) -> None:
    """Write to a temporary name, sync and rename: the path holds the old report or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # what went wrong first is what the user should read
            temporary.unlink()
        raise StoreError(
            f"{path} can't be written: {error}",
            rule="a report is written to a temporary file, synced and renamed",
            remedy="free some space or give another folder with --out, then call again",
        ) from error
