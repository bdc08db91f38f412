"""Edge: a file written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from harness.data.files import sync_folder
from harness.errors import StoreError


def write_whole(path: Path, fill: Callable[[BinaryIO], object], *, option: str) -> None:
    """Write a file so that its path holds the old one or the new one, never a part.

    The content goes to a temporary name in the same folder, is synced and renamed; then the folder is
    synced, so that the rename survives a loss of power.

    Args:
        path: of the file; its folder is made where it does not exist.
        fill: writes the content.
        option: of the command line, by which the user can choose another folder.

    Raises:
        StoreError: the disk refuses; the old file, if any, stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _make_folder(path.parent)
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise StoreError(
            f"{path} can't be written: {error}",
            rule="a file is written to a temporary name, synced and renamed",
            remedy=f"free some space or give another folder with {option}, then call again",
        ) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, as durable as what will lie there."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
